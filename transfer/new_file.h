/*
 * A data set that is put together from whole chunks of others, as TARGET.partial until it is
 * complete (docs/format.md, 4 to 7).
 *
 * Invariants:
 *  1. the target's name is touched by the commit only;
 *  2. chunks are added in ascending order, by one thread at a time, each at the page after the one
 *     before;
 *  3. a segment ends where a chunk is short, and nowhere else.
 */
#ifndef HEADRACE_NEW_FILE_H
#define HEADRACE_NEW_FILE_H

#include "chunk_sink.h"
#include "job.h"
#include "partial_file.h"

struct hr__new_file {
    struct hr__budget *budget;
    struct hr__schema *schema; /* its statistics are the totals */
    struct hr__partial_file partial;
    struct hr__job job;
    struct hr__chunk_sink sink;
    struct hr__statistics **no_statistics; /* num_fields times NULL */
    struct hr__segment *segments;
    uint64_t num_segments, room_segments;
    uint32_t required; /* HR__FEATURE_* that its frames need */
    bool replace, removed_on_failure;
};

/* What the file is to be. */
struct hr__new_file_plan {
    const char *path;
    bool replace;
    bool removed_on_failure; /* nothing goes on with the partial file */
    char *job_options_json;  /* what tells this job from others; taken over, also on failure */
    const hr_source_fingerprint *sources;
    uint32_t num_sources;
    const char *provenance_json; /* or NULL */
};

/* Makes and locks the partial file; nothing is changed in it yet. schema and budget outlive the
 * file; attributes stay those of the schema, its provenance becomes that of the plan.
 * HR_ERR_EXISTS, HR_ERR_BUSY, HR_ERR_INVALID. */
hr_status hr__new_file_open(struct hr__new_file *f, const struct hr__folder_ops *folder,
                            const struct hr__new_file_plan *plan, struct hr__schema *schema,
                            struct hr__budget *budget, hr_error *err);
/* Drops what an earlier job left, and writes the job record. */
hr_status hr__new_file_begin(struct hr__new_file *f, hr_error *err);
/* A chunk gets its place, *off; statistics (num_fields): what it adds to the totals, or NULL. */
hr_status hr__new_file_add(struct hr__new_file *f, uint32_t pages, uint32_t num_samples,
                           struct hr__statistics *const *statistics, uint64_t *off, hr_error *err);
/* Cuts what is behind the last chunk, commits, and gives the file its name. As
 * hr_writer_commit(). */
hr_status hr__new_file_commit(struct hr__new_file *f, hr_error *err);
/* Without a commit the partial file stays if a job record is in it. A zeroed one is fine. */
void hr__new_file_close(struct hr__new_file *f);

#endif
