/*
 * A data set whose fields are sources. It is open only while there are readers, so that a data set
 * may be made of thousands of others. Readers share cursors (cursor_pool.h), whose pieces are
 * chunks: each has its header read once for all fields.
 * Threads: all functions; a reader belongs to one thread at a time.
 */
#ifndef HEADRACE_HRD_FILE_H
#define HEADRACE_HRD_FILE_H

#include "cursor_pool.h"
#include "dataset_access.h"
#include "source.h"

struct hr__hrd_file {
    struct hr__source_origin origin;
    hr_source_fingerprint fingerprint;
    char *path, *attributes_json, *provenance_json;
    uint64_t num_samples;
    uint32_t num_fields;
    uint64_t dataset_bytes; /* that the open data set takes, */
    uint64_t budget_bytes;  /* of so many */
    uint32_t samples_per_chunk;
    uint64_t ends_bytes; /* that a cursor takes for values of variable length; 0: there are none */
    uint64_t num_segments; /* 0: too many to be kept */
    struct hr__segment *segments;

    struct hr__cursor_pool pool;
    hr_dataset *ds; /* NULL while nobody reads */
};

/* Opens the data set and takes what is to be known of it; *ds is open for the caller, to be closed.
 * One source is counted, the caller itself. */
hr_status hr__hrd_file_open(const char *path, uint64_t budget_bytes, struct hr__hrd_file **out,
                            hr_dataset **ds, hr_error *err);
void hr__hrd_file_release(
    struct hr__hrd_file *f); /* one source less; the last frees. NULL is fine. */

/* What readers of all sources take together in one thread. */
uint64_t hr__hrd_file_reader_bytes(const struct hr__hrd_file *f);

/* For a reader, which has entered the pool: samples that exist. The pool's file cannot be opened
 * again where it is no longer what it was: HR_ERR_DATA. */
hr_status hr__hrd_file_read(struct hr__hrd_file *f, uint32_t field, uint64_t first, uint64_t n,
                            uint8_t *dst, hr_error *err);

/* Likewise, of a field of variable length, as the source's read_values(). */
hr_status hr__hrd_file_read_values(struct hr__hrd_file *f, uint32_t field, uint64_t first,
                                   uint64_t n, int64_t *offsets, uint8_t *values,
                                   uint64_t room_bytes, hr_error *err);

/* Where the chunk ends that holds a sample. */
uint64_t hr__hrd_file_chunk_end(const struct hr__hrd_file *f, uint64_t sample);

#endif
