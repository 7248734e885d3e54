/*
 * Turning chunks into a data set: of a partial file, or of one that is appended to.
 */
#ifndef HEADRACE_COMMIT_H
#define HEADRACE_COMMIT_H

#include "chunk_sink.h"
#include "job.h"

/* What is committed. All chunks are written. */
struct hr__commit {
    const struct hr__chunk_identity *identity; /* UUID and commit number */
    const struct hr__schema *schema;
    const struct hr__file *file;
    struct hr__index_builder *index;
    struct hr__segment *segments;
    uint64_t num_segments;
    uint64_t num_chunks;
    uint64_t num_samples;
    uint32_t max_chunk_pages;
    uint32_t required; /* HR__FEATURE_* that its frames need */
    uint64_t dead_bytes;
    uint64_t end_off; /* where the index goes on; afterwards where the file ends */
    bool published;   /* a superblock may be on the disk: what it refers to must stay */
};

/* Index, footer, fsync, superblocks with fsync each. */
hr_status hr__commit_write(struct hr__commit *c, hr_error *err);

/* The features (HR__FEATURE_*) of frames that are stored as a schema says. */
uint32_t hr__commit_features(const struct hr__schema *s);

/* All that is in a sink, as a new file of one segment. */
hr_status hr__commit_file(const struct hr__job *job, struct hr__chunk_sink *sink, hr_error *err);

/* The same of a file that is put together from chunks of others: its segments, and the features
 * that its frames need. */
struct hr__commit_parts {
    struct hr__segment *segments;
    uint64_t num_segments;
    uint32_t required;
};
struct hr__commit hr__commit_of(const struct hr__job *job, struct hr__chunk_sink *sink,
                                const struct hr__commit_parts *parts);
hr_status hr__commit_file_of(const struct hr__job *job, struct hr__chunk_sink *sink,
                             const struct hr__commit_parts *parts, hr_error *err);

/* Gives the file its name. HR_ERR_EXISTS if the target is there and replace is false;
 * HR_ERR_UNCERTAIN if the folder cannot be synchronised. */
hr_status hr__commit_name(const struct hr__folder_ops *folder, const char *partial,
                          const char *target, bool replace, hr_error *err);

#endif
