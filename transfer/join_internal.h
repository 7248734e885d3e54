/*
 * A join, as its own files and tests see it.
 */
#ifndef HEADRACE_JOIN_INTERNAL_H
#define HEADRACE_JOIN_INTERNAL_H

#include "chunk_copy.h"
#include "dataset.h"
#include "new_file.h"

#include "headrace/join.h"

/* What is given: files, in the order of their samples. */
struct hr__join_files {
    char **paths;
    size_t n;
};

struct hr__join {
    hr_join_options opts;
    const struct hr__folder_ops *folder;
    struct hr__join_files files;
    hr_dataset *from; /* all parts as one */
    struct hr__budget budget;
    struct hr__new_file to;
    hr_source_fingerprint *sources; /* of each part */
    char *provenance_json;
    uint64_t resumed_samples;
    uint64_t total_bytes; /* stored, of all chunks */
    int64_t told_ns;
};

/* join_options.c: defaults and checks. HR_ERR_INVALID. */
hr_status hr__join_options_resolve(const hr_join_options *opts, hr_join_options *out,
                                   hr_error *err);
/* The files that opts.parts name. */
hr_status hr__join_files_find(const hr_join_options *opts, struct hr__join_files *out,
                              hr_error *err);
void hr__join_files_free(struct hr__join_files *files);

/* join_parts.c: that no part is given twice or is the output; what the schema and the provenance of
 * all say. HR_ERR_MISMATCH names what differs. */
hr_status hr__join_parts_check(struct hr__join *j, hr_error *err);
hr_status hr__join_parts_describe(struct hr__join *j, hr_error *err);

/* join_resume.c: goes on with the job that is in the partial file; false: there is none. */
hr_status hr__join_resume(struct hr__join *j, bool *resumed, hr_error *err);

/* HR_ERR_CANCELLED if the caller wants to stop. At most ten calls a second, but for `now`. */
hr_status hr__join_tell(struct hr__join *j, uint64_t done_bytes, bool now, hr_error *err);

/* The files given as one new one, through any folder. opts is resolved. */
hr_status hr__join_in(const struct hr__folder_ops *folder, const hr_join_options *opts,
                      const struct hr__join_files *files, hr_join_result *result, hr_error *err);

#endif
