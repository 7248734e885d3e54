/*
 * Pieces of buckets, on their way to the temporary file: threads hash and write them.
 *
 * Invariants
 *  1. every piece is in exactly one place: free, submitted, with a thread, or with the caller;
 *  2. after the first failure nothing is written any more, but every piece still comes back: nobody
 *     waits for ever;
 *  3. a bucket's sum changes only under the lock, and is complete after a drain.
 */
#ifndef HEADRACE_PIECE_POOL_H
#define HEADRACE_PIECE_POOL_H

#include "budget.h"
#include "file.h"
#include "thread.h"

/* Part of what proves that a bucket is read as it was written: the hashes of its pieces, each with
 * the piece's number, added up. So pieces can be hashed in any order, by any thread. */
uint64_t hr__piece_hash(const void *bytes, size_t n_bytes, uint64_t number);

struct hr__bucket_piece {
    uint8_t *bytes;
    size_t n_bytes;  /* used */
    uint64_t off;    /* in the file */
    uint64_t number; /* in its bucket */
    uint64_t *sum;   /* of its bucket */
    struct hr__bucket_piece *next;
};

struct hr__piece_pool {
    const struct hr__file *file;
    struct hr__budget *budget;
    uint8_t *bytes; /* of all pieces */
    uint64_t n_bytes;
    struct hr__bucket_piece *pieces;
    uint64_t num_pieces;
    struct hr__thread *threads;
    uint32_t num_threads;

    bool has_lock, has_work, has_freed;
    hr__mutex lock; /* over all that follows */
    hr__cond work;  /* something was submitted, or the end */
    hr__cond freed; /* a piece came back */
    struct hr__bucket_piece *free_pieces;
    struct hr__bucket_piece *first_submitted;
    struct hr__bucket_piece *last_submitted;
    uint64_t num_busy; /* submitted and not yet back */
    bool ending;
    hr_error failure; /* status HR_OK: none */
};

/* num_pieces of piece_bytes each. Starts the threads. */
hr_status hr__piece_pool_open(struct hr__piece_pool *pool, const struct hr__file *file,
                              uint64_t num_pieces, uint64_t piece_bytes, uint32_t num_threads,
                              struct hr__budget *budget, hr_error *err);
/* An empty piece. Blocks until one is free. Or the pool's first failure. */
hr_status hr__piece_pool_take(struct hr__piece_pool *pool, struct hr__bucket_piece **out,
                              hr_error *err);
/* Hands a piece over to be written. */
void hr__piece_pool_submit(struct hr__piece_pool *pool, struct hr__bucket_piece *piece);
/* Waits until all that was submitted is written: HR_OK; HR_TIMEOUT: not yet; or the first failure,
 * if there was one. */
hr_status hr__piece_pool_drain(struct hr__piece_pool *pool, int64_t timeout_ns, hr_error *err);
/* Drains, joins, frees; a zeroed pool is fine. */
void hr__piece_pool_close(struct hr__piece_pool *pool);

#endif
