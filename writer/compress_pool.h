/*
 * Worker threads that take full row buffers, or fetch the rows of chunks themselves, encode them
 * and write them.
 *
 * Invariants:
 *  1. row buffers are submitted, or taken to be fetched, with consecutive numbers; a worker that
 *     has encoded number k waits for its turn (k), takes its place in the sink, passes the turn on,
 *     and only then writes (write_queue.h): so places are in ascending order and writes run side
 *     by side;
 *  2. the oldest chunk that has not had its turn is always held by a worker, since buffers are
 *     handed out in the order in which they were submitted: the turn cannot stand still;
 *  3. after the first failure no chunk is encoded or placed any more, but every buffer still comes
 *     back: nobody waits for ever;
 *  4. every row buffer is in exactly one place: free, submitted, with a worker, or with the caller;
 *  5. while chunks are left to be fetched the caller has no buffer and submits none: as there are
 *     at least as many buffers as workers, a worker without one finds one free.
 */
#ifndef HEADRACE_COMPRESS_POOL_H
#define HEADRACE_COMPRESS_POOL_H

#include "chunk_encoder.h"
#include "chunk_sink.h"
#include "thread.h"
#include "write_queue.h"

struct hr__compress_worker;

/* A worker's part of something else. `thread` is below the number of those that take part. */
typedef void (*hr__pool_task)(void *user, uint32_t thread);

struct hr__compress_pool {
    const struct hr__chunk_plan *plan;
    struct hr__chunk_sink *sink;
    struct hr__budget *budget;
    struct hr__chunk_identity identity; /* set before the first submit */

    struct hr__compress_worker *workers;
    uint32_t num_workers;
    struct hr__chunk_rows *rows;
    uint32_t num_rows;
    struct hr__write_queue queue;

    bool locks_ready;
    hr__mutex lock; /* over all that follows */
    hr__cond work;  /* something was submitted or is to be fetched, or a task, or the end */
    hr__cond freed; /* a buffer came back */
    hr__cond idle;  /* nothing is left to be done, or of a task */
    hr__cond turned;
    struct hr__chunk_rows *free_rows;
    struct hr__chunk_rows *first_submitted;
    struct hr__chunk_rows *last_submitted;
    uint32_t num_busy; /* submitted or being fetched, and not yet back */
    const struct hr__row_source *source;
    uint64_t next_number, next_sample, end_sample; /* to be fetched */
    uint64_t turn;
    hr__pool_task task;
    void *task_user;
    uint32_t num_tasks, task_threads; /* tasks so far; workers that take part in the last */
    uint32_t task_left;               /* of these, workers that are not done with it */
    bool ending;
    hr_error failure; /* status HR_OK: none */
};

/* Starts the threads. Buffers and contexts are charged to the budget. */
hr_status hr__compress_pool_open(struct hr__compress_pool *pool, const struct hr__chunk_plan *plan,
                                 struct hr__chunk_sink *sink, int32_t level, uint32_t num_threads,
                                 uint32_t num_rows, struct hr__budget *budget, hr_error *err);
/* An empty row buffer. Blocks until one is free. Or the pool's first failure. */
hr_status hr__compress_pool_take(struct hr__compress_pool *pool, struct hr__chunk_rows **out,
                                 hr_error *err);
/* Hands a row buffer over to be written as chunk rows->number. */
void hr__compress_pool_submit(struct hr__compress_pool *pool, struct hr__chunk_rows *rows);
/* Gives a buffer back unwritten. */
void hr__compress_pool_return(struct hr__compress_pool *pool, struct hr__chunk_rows *rows);
/* The workers fetch these samples, as the chunks from `number` on. Nothing is submitted any more,
 * and the caller has no buffer. The source must live until the pool is drained or closed. */
void hr__compress_pool_fetch(struct hr__compress_pool *pool, const struct hr__row_source *source,
                             uint64_t number, uint64_t first_sample, uint64_t num_samples);
/* The sample up to which fetching has begun. */
uint64_t hr__compress_pool_fetched(struct hr__compress_pool *pool);
/* Waits, for ever if timeout_ns is below 0, until all is written that was submitted or is to be
 * fetched: HR_OK; HR_TIMEOUT: not yet; or the first failure, if there was one. */
hr_status hr__compress_pool_drain(struct hr__compress_pool *pool, int64_t timeout_ns,
                                  hr_error *err);
/* The first failure so far. Does not block. */
hr_status hr__compress_pool_failure(struct hr__compress_pool *pool, hr_error *err);
/* The encoder of thread 0 to num_workers - 1: only in a task of that thread, or while nothing is
 * submitted. */
struct hr__chunk_encoder *hr__compress_pool_encoder(struct hr__compress_pool *pool,
                                                    uint32_t thread);
/* Calls task(user, thread) in the threads 0 to num_threads - 1, side by side, and waits for them.
 * Only while nothing is submitted; num_threads is at most num_workers. */
void hr__compress_pool_run(struct hr__compress_pool *pool, uint32_t num_threads, hr__pool_task task,
                           void *user);
/* Chunks up to this number are written already (resume). Only while nothing is submitted. */
void hr__compress_pool_skip_to(struct hr__compress_pool *pool, uint64_t number);
/* Drains, joins, frees; a zeroed pool is fine. */
void hr__compress_pool_close(struct hr__compress_pool *pool);

#endif
