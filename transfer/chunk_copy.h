/*
 * The chunks of a data set of several files, one after the other into a new file, by several
 * threads: read in large pieces, every frame's hash checked, never decoded.
 *
 * Invariants:
 *  1. runs of chunks are dealt out under one lock, in ascending order, with their places: so the
 *     new file does not depend on the number of threads;
 *  2. a run is one stretch of one source and one stretch of the target;
 *  3. the caller's callback runs on the caller's thread only.
 */
#ifndef HEADRACE_CHUNK_COPY_H
#define HEADRACE_CHUNK_COPY_H

#include "chunk_stream.h"
#include "dataset.h"
#include "new_file.h"

struct hr__chunk_copy_job {
    const hr_dataset *from;
    struct hr__new_file *to;
    struct hr__budget *budget;
    uint32_t max_threads;
    void *user;
    /* Stored bytes taken over so far; not HR_OK: stop with that. May be NULL. */
    hr_status (*tell)(void *user, uint64_t done_bytes, hr_error *err);
};

/* Chunks to->sink.num_chunks and those after it. As many threads as the budget has room for. */
hr_status hr__chunks_copy(const struct hr__chunk_copy_job *job, hr_error *err);

/* What chunk number `chunk` of the data set is, as it lies in its file. */
struct hr__chunk_from hr__chunk_from(const hr_dataset *ds, uint64_t chunk,
                                     const struct hr__chunk_at *at);

#endif
