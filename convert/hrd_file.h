/*
 * A data set whose fields are sources. It is open only while there are readers, so that a data set
 * may be made of thousands of others.
 *
 * Readers share cursors: each is the scratch of one thread and the chunk that it read last. So the
 * fields of a chunk, read one after the other by a thread, have its header read once.
 * Invariants, under the lock
 *   1. The data set is open, and there is a cursor at least, while num_readers > 0.
 *   2. There are as many cursors as threads that read all sources: num_readers / num_sources,
 *      rounded up; only one that somebody reads with may be one more.
 * Threads: all functions; a reader belongs to one thread at a time.
 */
#ifndef HEADRACE_HRD_FILE_H
#define HEADRACE_HRD_FILE_H

#include "dataset_access.h"
#include "source.h"
#include "thread.h"

struct hr__hrd_cursor;

struct hr__hrd_file {
    struct hr__source_origin origin;
    hr_source_fingerprint fingerprint;
    char *path, *attributes_json, *provenance_json;
    uint64_t num_samples;
    uint32_t num_fields;
    uint64_t dataset_bytes; /* that the open data set takes, */
    uint64_t budget_bytes;  /* of so many */
    uint32_t samples_per_chunk;
    uint64_t num_segments; /* 0: too many to be kept */
    struct hr__segment *segments;

    bool has_lock, has_freed;
    hr__mutex lock;
    hr__cond freed; /* a cursor */
    uint32_t num_sources;
    uint32_t num_readers, num_cursors;
    hr_dataset *ds;                 /* NULL while nobody reads */
    struct hr__hrd_cursor *cursors; /* that nobody reads with */
};

/* Opens the data set and takes what is to be known of it; *ds is open for the caller, to be closed.
 * One source is counted, the caller itself. */
hr_status hr__hrd_file_open(const char *path, uint64_t budget_bytes, struct hr__hrd_file **out,
                            hr_dataset **ds, hr_error *err);
void hr__hrd_file_hold(struct hr__hrd_file *f);    /* one source more */
void hr__hrd_file_release(struct hr__hrd_file *f); /* one less; the last frees. NULL is fine. */

/* What readers of all sources take together in one thread. */
uint64_t hr__hrd_file_reader_bytes(const struct hr__hrd_file *f);

/* One reader more or less. HR_ERR_DATA where the file is no longer what it was. */
hr_status hr__hrd_file_enter(struct hr__hrd_file *f, struct hr__budget *budget, hr_error *err);
void hr__hrd_file_leave(struct hr__hrd_file *f);

/* For a reader: samples that exist. */
hr_status hr__hrd_file_read(struct hr__hrd_file *f, uint32_t field, uint64_t first, uint64_t n,
                            uint8_t *dst, hr_error *err);

/* Where the chunk ends that holds a sample. */
uint64_t hr__hrd_file_chunk_end(const struct hr__hrd_file *f, uint64_t sample);

#endif
