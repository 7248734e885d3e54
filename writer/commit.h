/*
 * Turning a partial file into a data set.
 */
#ifndef HEADRACE_COMMIT_H
#define HEADRACE_COMMIT_H

#include "chunk_sink.h"
#include "job.h"

/* Index, footer, fsync, superblocks with fsync each. All chunks are written. */
hr_status hr__commit_file(const struct hr__job *job, struct hr__chunk_sink *sink, hr_error *err);

/* The same of a file that is put together from chunks of others: its segments, and the features
 * (HR__FEATURE_*) that its frames need. */
struct hr__commit_parts {
    struct hr__segment *segments;
    uint64_t num_segments;
    uint32_t required;
};
hr_status hr__commit_file_of(const struct hr__job *job, struct hr__chunk_sink *sink,
                             const struct hr__commit_parts *parts, hr_error *err);

/* Gives the file its name. HR_ERR_EXISTS if the target is there and replace is false;
 * HR_ERR_UNCERTAIN if the folder cannot be synchronised. */
hr_status hr__commit_name(const struct hr__folder_ops *folder, const char *partial,
                          const char *target, bool replace, hr_error *err);

#endif
