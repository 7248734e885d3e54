/*
 * The compression pool. Lock order: there is one lock, held for bookkeeping only.
 */
#include "compress_pool.h"

#include "checked.h"
#include "clock.h"
#include "error.h"
#include "writer_memory.h"

#include <stdio.h>
#include <stdlib.h>

struct hr__compress_worker {
    struct hr__compress_pool *pool;
    uint32_t number;
    uint32_t num_tasks; /* that it has seen */
    struct hr__chunk_encoder encoder;
    struct hr__thread thread;
};

static void keep_failure(struct hr__compress_pool *pool, const hr_error *why) {
    if (pool->failure.status == HR_OK)
        pool->failure = *why;
}

static struct hr__chunk_rows *take_free(struct hr__compress_pool *pool) {
    struct hr__chunk_rows *rows = pool->free_rows;
    pool->free_rows = rows->next;
    rows->next = NULL;
    rows->num_samples = 0;
    rows->values_bytes = 0;
    rows->num_counted = 0;
    rows->source = NULL;
    return rows;
}

static bool has_to_fetch(const struct hr__compress_pool *pool) {
    return pool->next_sample < pool->end_sample && pool->failure.status == HR_OK && !pool->ending;
}

static struct hr__chunk_rows *take_submitted(struct hr__compress_pool *pool) {
    struct hr__chunk_rows *rows = pool->first_submitted;
    if (rows == NULL)
        return NULL;
    pool->first_submitted = rows->next;
    if (pool->first_submitted == NULL)
        pool->last_submitted = NULL;
    rows->next = NULL;
    return rows;
}

/* A buffer for the next chunk that is to be fetched. */
static struct hr__chunk_rows *take_to_fetch(struct hr__compress_pool *pool) {
    if (!has_to_fetch(pool))
        return NULL;
    struct hr__chunk_rows *rows = take_free(pool);
    rows->number = pool->next_number++;
    rows->first_sample = pool->next_sample;
    rows->num_samples = (uint32_t)hr__min_u64(pool->plan->schema->samples_per_chunk,
                                              pool->end_sample - pool->next_sample);
    rows->source = pool->source;
    pool->next_sample += rows->num_samples;
    pool->num_busy++;
    return rows;
}

/* Under the lock, which is open meanwhile. False: there is no task for this worker. */
static bool do_task(struct hr__compress_worker *w) {
    struct hr__compress_pool *pool = w->pool;
    const bool mine = w->num_tasks != pool->num_tasks && w->number < pool->task_threads;
    w->num_tasks = pool->num_tasks;
    if (!mine)
        return false;
    pthread_mutex_unlock(&pool->lock);
    pool->task(pool->task_user, w->number);
    pthread_mutex_lock(&pool->lock);
    if (--pool->task_left == 0)
        pthread_cond_signal(&pool->idle);
    return true;
}

/* The buffer of the next chunk, or NULL at the end. *failed: the pool has failed before. */
static struct hr__chunk_rows *next_rows(struct hr__compress_worker *w, bool *failed) {
    struct hr__compress_pool *pool = w->pool;
    struct hr__chunk_rows *rows;
    pthread_mutex_lock(&pool->lock);
    while ((rows = take_submitted(pool)) == NULL && (rows = take_to_fetch(pool)) == NULL &&
           !pool->ending)
        if (!do_task(w))
            (void)hr__cond_wait_until(&pool->work, &pool->lock, -1);
    *failed = pool->failure.status != HR_OK;
    pthread_mutex_unlock(&pool->lock);
    return rows;
}

/* Waits for the turn of a chunk; whether the pool still works then. */
static bool wait_turn(struct hr__compress_pool *pool, uint64_t number) {
    pthread_mutex_lock(&pool->lock);
    while (pool->turn != number)
        (void)hr__cond_wait_until(&pool->turned, &pool->lock, -1);
    const bool works = pool->failure.status == HR_OK;
    pthread_mutex_unlock(&pool->lock);
    return works;
}

static void pass_turn(struct hr__compress_pool *pool, hr_status st, const hr_error *why) {
    pthread_mutex_lock(&pool->lock);
    if (st != HR_OK)
        keep_failure(pool, why);
    pool->turn++;
    pthread_cond_broadcast(&pool->turned);
    pthread_mutex_unlock(&pool->lock);
}

static void put_back(struct hr__compress_pool *pool, struct hr__chunk_rows *rows, hr_status st,
                     const hr_error *why) {
    pthread_mutex_lock(&pool->lock);
    if (st != HR_OK)
        keep_failure(pool, why);
    rows->next = pool->free_rows;
    pool->free_rows = rows;
    pool->num_busy--;
    pthread_cond_signal(&pool->freed);
    if (pool->num_busy == 0 && !has_to_fetch(pool))
        pthread_cond_signal(&pool->idle);
    pthread_mutex_unlock(&pool->lock);
}

static void write_chunk(struct hr__compress_worker *w, struct hr__chunk_rows *rows, bool failed) {
    struct hr__compress_pool *pool = w->pool;
    hr_error why = {.status = HR_OK};
    hr_status st = HR_OK;
    uint32_t pages = 0;
    uint64_t off = 0;
    if (!failed && rows->source != NULL)
        st = hr__chunk_rows_fetch(pool->plan, rows, w->number, w->encoder.columns, &why);
    if (!failed && st == HR_OK)
        st = hr__chunk_encode(&w->encoder, &pool->identity, rows, &pages, &why);
    failed |= st != HR_OK;
    const bool works = wait_turn(pool, rows->number) && !failed;
    if (works)
        st = hr__chunk_sink_take(pool->sink, pages, rows->num_samples, w->encoder.statistics, &off,
                                 &why);
    pass_turn(pool, st, &why);
    if (works && st == HR_OK)
        st = hr__write_queue_put(&pool->queue, &w->encoder.stored, (size_t)pages * HR__PAGE_BYTES,
                                 off, &why);
    put_back(pool, rows, st, &why);
}

static void *worker_run(void *arg) {
    struct hr__compress_worker *w = arg;
    struct hr__chunk_rows *rows;
    bool failed = false;
    while ((rows = next_rows(w, &failed)) != NULL)
        write_chunk(w, rows, failed);
    return NULL;
}

static hr_status init_locks(struct hr__compress_pool *pool, hr_error *err) {
    hr_status st = hr__mutex_init(&pool->lock, err);
    if (st != HR_OK)
        return st;
    if ((st = hr__cond_init(&pool->work, err)) != HR_OK)
        goto no_work;
    if ((st = hr__cond_init(&pool->freed, err)) != HR_OK)
        goto no_freed;
    if ((st = hr__cond_init(&pool->idle, err)) != HR_OK)
        goto no_idle;
    if ((st = hr__cond_init(&pool->turned, err)) != HR_OK)
        goto no_turned;
    pool->locks_ready = true;
    return HR_OK;
no_turned:
    pthread_cond_destroy(&pool->idle);
no_idle:
    pthread_cond_destroy(&pool->freed);
no_freed:
    pthread_cond_destroy(&pool->work);
no_work:
    pthread_mutex_destroy(&pool->lock);
    return st;
}

static size_t rows_bytes(const struct hr__compress_pool *pool) {
    return pool->plan->decoded_bytes > 64 ? (size_t)pool->plan->decoded_bytes : 64;
}

static hr_status make_rows(struct hr__compress_pool *pool, uint32_t num_rows, hr_error *err) {
    pool->rows = calloc(num_rows, sizeof *pool->rows);
    if (pool->rows == NULL)
        return hr__error_no_memory(err, num_rows * sizeof *pool->rows, "row buffers");
    pool->num_rows = num_rows;
    for (uint32_t i = 0; i < num_rows; i++) {
        struct hr__chunk_rows *rows = &pool->rows[i];
        hr_status st = HR_OK;
        rows->bytes = hr__budget_take_raw(pool->budget, rows_bytes(pool), "a row buffer", &st, err);
        if (rows->bytes == NULL)
            return st;
        rows->next = pool->free_rows;
        pool->free_rows = rows;
    }
    return HR_OK;
}

static hr_status start_workers(struct hr__compress_pool *pool, uint32_t num_threads, int32_t level,
                               hr_error *err) {
    pool->workers = calloc(num_threads, sizeof *pool->workers);
    if (pool->workers == NULL)
        return hr__error_no_memory(err, num_threads * sizeof *pool->workers, "workers");
    pool->num_workers = num_threads;
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < num_threads && st == HR_OK; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].number = i;
        st =
            hr__chunk_encoder_init(&pool->workers[i].encoder, pool->plan, level, pool->budget, err);
    }
    for (uint32_t i = 0; i < num_threads && st == HR_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "hr-write-%u", i % 1000);
        st = hr__thread_start(&pool->workers[i].thread, name, worker_run, &pool->workers[i], err);
    }
    return st;
}

hr_status hr__compress_pool_open(struct hr__compress_pool *pool, const struct hr__chunk_plan *plan,
                                 struct hr__chunk_sink *sink, int32_t level, uint32_t num_threads,
                                 uint32_t num_rows, struct hr__budget *budget, hr_error *err) {
    *pool = (struct hr__compress_pool){.plan = plan, .sink = sink, .budget = budget};
    hr_status st;
    HR_TRY(init_locks(pool, err));
    HR_TRY(hr__write_queue_open(&pool->queue, sink->file, (size_t)plan->stored_bytes, budget, err));
    HR_TRY(make_rows(pool, num_rows, err));
    HR_TRY(start_workers(pool, num_threads, level, err));
    return HR_OK;
done:
    hr__compress_pool_close(pool);
    return st;
}

static hr_status copy_failure(const struct hr__compress_pool *pool, hr_error *err) {
    if (pool->failure.status != HR_OK && err != NULL)
        *err = pool->failure;
    return pool->failure.status;
}

hr_status hr__compress_pool_take(struct hr__compress_pool *pool, struct hr__chunk_rows **out,
                                 hr_error *err) {
    *out = NULL;
    pthread_mutex_lock(&pool->lock);
    while (pool->free_rows == NULL && pool->failure.status == HR_OK)
        (void)hr__cond_wait_until(&pool->freed, &pool->lock, -1);
    const hr_status st = copy_failure(pool, err);
    if (st == HR_OK)
        *out = take_free(pool);
    pthread_mutex_unlock(&pool->lock);
    return st;
}

void hr__compress_pool_submit(struct hr__compress_pool *pool, struct hr__chunk_rows *rows) {
    pthread_mutex_lock(&pool->lock);
    rows->next = NULL;
    if (pool->last_submitted != NULL)
        pool->last_submitted->next = rows;
    else
        pool->first_submitted = rows;
    pool->last_submitted = rows;
    pool->num_busy++;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

void hr__compress_pool_return(struct hr__compress_pool *pool, struct hr__chunk_rows *rows) {
    pthread_mutex_lock(&pool->lock);
    rows->next = pool->free_rows;
    pool->free_rows = rows;
    pthread_mutex_unlock(&pool->lock);
}

void hr__compress_pool_fetch(struct hr__compress_pool *pool, const struct hr__row_source *source,
                             uint64_t number, uint64_t first_sample, uint64_t num_samples) {
    pthread_mutex_lock(&pool->lock);
    pool->source = source;
    pool->next_number = number;
    pool->next_sample = first_sample;
    pool->end_sample = first_sample + num_samples;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

/* Nothing is put into it meanwhile. */
static hr_status drain_queue(struct hr__compress_pool *pool, int64_t deadline_ns, hr_error *err) {
    hr_error why = {.status = HR_OK};
    const hr_status st = hr__write_queue_drain(&pool->queue, deadline_ns, &why);
    if (st == HR_OK || st == HR_TIMEOUT)
        return st;
    pthread_mutex_lock(&pool->lock);
    keep_failure(pool, &why);
    (void)copy_failure(pool, err);
    pthread_mutex_unlock(&pool->lock);
    return st;
}

hr_status hr__compress_pool_drain(struct hr__compress_pool *pool, int64_t timeout_ns,
                                  hr_error *err) {
    const int64_t deadline_ns = timeout_ns < 0 ? -1 : hr__now_ns() + timeout_ns;
    bool in_time = true;
    pthread_mutex_lock(&pool->lock);
    while ((pool->num_busy > 0 || has_to_fetch(pool)) && in_time)
        in_time = hr__cond_wait_until(&pool->idle, &pool->lock, deadline_ns);
    const bool busy = pool->num_busy > 0 || has_to_fetch(pool);
    const hr_status st = busy ? HR_TIMEOUT : copy_failure(pool, err);
    pthread_mutex_unlock(&pool->lock);
    return st == HR_OK ? drain_queue(pool, deadline_ns, err) : st;
}

uint64_t hr__compress_pool_fetched(struct hr__compress_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    const uint64_t sample = pool->next_sample;
    pthread_mutex_unlock(&pool->lock);
    return sample;
}

hr_status hr__compress_pool_failure(struct hr__compress_pool *pool, hr_error *err) {
    pthread_mutex_lock(&pool->lock);
    const hr_status st = copy_failure(pool, err);
    pthread_mutex_unlock(&pool->lock);
    return st;
}

struct hr__chunk_encoder *hr__compress_pool_encoder(struct hr__compress_pool *pool,
                                                    uint32_t thread) {
    return &pool->workers[thread].encoder;
}

void hr__compress_pool_run(struct hr__compress_pool *pool, uint32_t num_threads, hr__pool_task task,
                           void *user) {
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->task_user = user;
    pool->num_tasks++;
    pool->task_threads = pool->task_left = num_threads;
    pthread_cond_broadcast(&pool->work);
    while (pool->task_left > 0)
        (void)hr__cond_wait_until(&pool->idle, &pool->lock, -1);
    pthread_mutex_unlock(&pool->lock);
}

void hr__compress_pool_skip_to(struct hr__compress_pool *pool, uint64_t number) {
    pthread_mutex_lock(&pool->lock);
    pool->turn = number;
    pthread_mutex_unlock(&pool->lock);
}

static void join_workers(struct hr__compress_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; pool->workers != NULL && i < pool->num_workers; i++)
        hr__thread_join(&pool->workers[i].thread);
}

void hr__compress_pool_close(struct hr__compress_pool *pool) {
    if (pool->locks_ready) {
        join_workers(pool);
        pthread_cond_destroy(&pool->turned);
        pthread_cond_destroy(&pool->idle);
        pthread_cond_destroy(&pool->freed);
        pthread_cond_destroy(&pool->work);
        pthread_mutex_destroy(&pool->lock);
    }
    hr__write_queue_close(&pool->queue);
    for (uint32_t i = 0; pool->workers != NULL && i < pool->num_workers; i++)
        hr__chunk_encoder_free(&pool->workers[i].encoder);
    for (uint32_t i = 0; pool->rows != NULL && i < pool->num_rows; i++)
        if (pool->rows[i].bytes != NULL)
            hr__budget_free(pool->budget, pool->rows[i].bytes, rows_bytes(pool));
    free(pool->workers);
    free(pool->rows);
    *pool = (struct hr__compress_pool){0};
}
