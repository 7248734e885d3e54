/*
 * Chunks on their way to the disk.
 *
 * A file that the page cache can hold is written through it, by the threads that encode it. Of one
 * that grows beyond that, whole runs of chunks go past the page cache, by a thread of its own
 * that waits for the disk while the others encode: this spares the copy into the page cache, and
 * leaves there what is of more use. It takes memory that the budget has left; where there is none,
 * or the file system cannot, all goes through the page cache.
 *
 * Invariants:
 *  1. a buffer is in exactly one place: spare, waiting, being written, or with an encoder;
 *  2. what waits is sorted by its place in the file, and the thread writes what comes first;
 *  3. while a caller waits for a spare buffer, all of them wait or are being written, and the
 *     thread does not wait for more: so one becomes spare;
 *  4. after a failure nothing is written any more, and every call returns it.
 */
#ifndef HEADRACE_WRITE_QUEUE_H
#define HEADRACE_WRITE_QUEUE_H

#include "budget.h"
#include "file.h"
#include "thread.h"

struct hr__written_chunk;

struct hr__write_queue {
    const struct hr__file *file;
    struct hr__budget *budget;
    size_t buffer_bytes;

    bool locks_ready;
    hr__mutex lock; /* over all that follows */
    hr__cond work;  /* a chunk waits, or somebody waits for it, or the end */
    hr__cond freed; /* a buffer is spare, or nothing is left to be written, or there is a failure */
    uint64_t cached_bytes;  /* of the file: these go through the page cache, as far as was asked */
    bool tried;             /* to write past the page cache */
    struct hr__file direct; /* ops NULL: through the page cache */
    struct hr__thread thread;
    struct hr__written_chunk *chunks; /* the buffers, apart from the encoders' */
    uint32_t num_chunks;
    struct hr__written_chunk *spare, *waiting;
    uint64_t waiting_bytes, writing_bytes;
    uint32_t num_callers; /* that wait for a buffer, or for the end of all writing */
    bool ending;
    hr_error failure; /* status HR_OK: none */
};

/* buffer_bytes: of every chunk's buffer. File and budget must outlive it; the file may be opened
 * later, before the first chunk. */
hr_status hr__write_queue_open(struct hr__write_queue *q, const struct hr__file *file,
                               size_t buffer_bytes, struct hr__budget *budget, hr_error *err);

/* Writes a chunk, or takes its buffer and leaves a spare one in its place; then a failure may show
 * later. Blocks. Threads: any, side by side. */
hr_status hr__write_queue_put(struct hr__write_queue *q, uint8_t **buffer, size_t n_bytes,
                              uint64_t off, hr_error *err);

/* Waits until all is written. HR_TIMEOUT: not yet; or the first failure. */
hr_status hr__write_queue_drain(struct hr__write_queue *q, int64_t deadline_ns, hr_error *err);

/* Writes what is left, unless that has failed. A zeroed queue is fine. */
void hr__write_queue_close(struct hr__write_queue *q);

#endif
