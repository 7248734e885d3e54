/*
 * Appending to a data set (docs/format.md, 4): what a writer takes over from the commit that is
 * there, and what of it dies.
 *
 * Invariants:
 *  1. nothing is written to a file before hr__append_begin(), which is called with the first full
 *     chunk, or with the commit: an append of no samples leaves the file as it is;
 *  2. all that is written before the commit lies behind the end of the old one;
 *  3. the sink begins with the chunk that is written anew, or with the first new one.
 */
#ifndef HEADRACE_APPEND_H
#define HEADRACE_APPEND_H

#include "append_base.h"
#include "chunk_sink.h"
#include "commit.h"
#include "job.h"

struct hr__append {
    bool on; /* the writer appends; else all is zero */
    bool begun;
    struct hr__append_base base;
    uint64_t footer_bytes;       /* of memory that stays taken by what was loaded */
    uint64_t held_bytes;         /* of memory that an append takes beside a writer's own */
    uint64_t num_samples;        /* of the old commit */
    uint32_t num_short;          /* samples of its last chunk if that is written anew, else 0 */
    struct hr__index_entry last; /* of that chunk */
    uint64_t dead_bytes;         /* once this commit is made; without the job record */
};

/* Loads the commit, compares it with what the caller gave, and moves its schema to *schema.
 * HR_ERR_MISMATCH names the first difference; else as hr__append_base_load(). */
hr_status hr__append_load(struct hr__append *a, const struct hr__file *file, const hr_field *fields,
                          uint32_t num_fields, const hr_writer_options *opts,
                          struct hr__schema *schema, hr_error *err);
/* The largest level of zstd in a schema's storage. */
int32_t hr__append_level(const struct hr__schema *schema);
/* Places the sink behind the chunks that stay. Its index builder is initialised. */
hr_status hr__append_place(struct hr__append *a, struct hr__chunk_sink *sink, hr_error *err);
/* Readies the file for the first write. */
hr_status hr__append_begin(struct hr__append *a, const struct hr__file *file, hr_error *err);
/* The decoded bytes of the old commit by what counts of the file. */
double hr__append_ratio(const struct hr__append *a, uint64_t decoded_bytes);
/* Old segments, with the samples of the sink in the last one. */
struct hr__commit hr__append_commit(struct hr__append *a, const struct hr__job *job,
                                    struct hr__chunk_sink *sink);
/* The status of a commit that failed with a superblock on its way to the disk. */
hr_status hr__append_uncertain(const char *path, hr_error *err);
/* Takes back what was written and not published; what cannot be taken back, the next append does.
 */
void hr__append_undo(const struct hr__append *a, const struct hr__file *file);
void hr__append_free(struct hr__append *a); /* a zeroed one is fine */

/* append_check.c: what the caller says of fields and attributes must be so in the file. */
hr_status hr__append_check(const struct hr__schema *theirs, const char *path,
                           const hr_field *fields, uint32_t num_fields,
                           const hr_writer_options *opts, hr_error *err);
/* The provenance with these sources (a JSON list) behind its own; where that would be too long,
 * only with their number. */
hr_status hr__append_sources(struct hr__schema *schema, const char *sources_json, hr_error *err);

#endif
