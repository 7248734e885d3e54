/*
 * Threads that hash and write pieces. There is one lock, held for bookkeeping only.
 */
#include "piece_pool.h"

#include "bytes.h"
#include "clock.h"
#include "error.h"
#include "hash.h"
#include "shuffle_plan.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert(sizeof(struct hr__bucket_piece) <= HR__BUCKET_PIECE_BYTES,
               "a plan counts HR__BUCKET_PIECE_BYTES");

uint64_t hr__piece_hash(const void *bytes, size_t n_bytes, uint64_t number) {
    uint8_t pair[16];
    hr__put_u64(pair, number);
    hr__put_u64(pair + 8, hr__hash(bytes, n_bytes));
    return hr__hash(pair, sizeof pair);
}

/* The oldest submitted piece, or NULL at the end. *failed: the pool has failed before. */
static struct hr__bucket_piece *next_piece(struct hr__piece_pool *pool, bool *failed) {
    pthread_mutex_lock(&pool->lock);
    while (pool->first_submitted == NULL && !pool->ending)
        (void)hr__cond_wait_until(&pool->work, &pool->lock, -1);
    struct hr__bucket_piece *piece = pool->first_submitted;
    if (piece != NULL)
        pool->first_submitted = piece->next;
    *failed = pool->failure.status != HR_OK;
    pthread_mutex_unlock(&pool->lock);
    return piece;
}

static void put_back(struct hr__piece_pool *pool, struct hr__bucket_piece *piece, uint64_t hash,
                     const hr_error *why) {
    pthread_mutex_lock(&pool->lock);
    *piece->sum += hash;
    if (why->status != HR_OK && pool->failure.status == HR_OK)
        pool->failure = *why;
    piece->next = pool->free_pieces;
    pool->free_pieces = piece;
    pool->num_busy--;
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

static void *write_pieces(void *arg) {
    struct hr__piece_pool *pool = arg;
    struct hr__bucket_piece *piece;
    bool failed = false;
    while ((piece = next_piece(pool, &failed)) != NULL) {
        hr_error why = {.status = HR_OK};
        uint64_t hash = 0;
        if (!failed) {
            hash = hr__piece_hash(piece->bytes, piece->n_bytes, piece->number);
            why.status =
                hr__file_write_all(pool->file, piece->bytes, piece->n_bytes, piece->off, &why);
        }
        put_back(pool, piece, hash, &why);
    }
    return NULL;
}

static hr_status init_locks(struct hr__piece_pool *pool, hr_error *err) {
    hr_status st;
    HR_TRY(hr__mutex_init(&pool->lock, err));
    pool->has_lock = true;
    HR_TRY(hr__cond_init(&pool->work, err));
    pool->has_work = true;
    HR_TRY(hr__cond_init(&pool->freed, err));
    pool->has_freed = true;
done:
    return st;
}

static hr_status make_pieces(struct hr__piece_pool *pool, uint64_t num_pieces, uint64_t piece_bytes,
                             hr_error *err) {
    hr_status st = HR_OK;
    pool->num_pieces = num_pieces;
    pool->n_bytes = num_pieces * piece_bytes;
    pool->pieces = hr__budget_take(pool->budget, num_pieces * sizeof *pool->pieces,
                                   "pieces of a shuffle", &st, err);
    if (pool->pieces == NULL)
        return st;
    st = hr__shuffle_alloc(pool->budget, pool->n_bytes, "pieces of a shuffle", &pool->bytes, err);
    for (uint64_t i = 0; i < num_pieces && st == HR_OK; i++) {
        pool->pieces[i].bytes = pool->bytes + i * piece_bytes;
        pool->pieces[i].next = pool->free_pieces;
        pool->free_pieces = &pool->pieces[i];
    }
    return st;
}

static hr_status start_threads(struct hr__piece_pool *pool, uint32_t num_threads, hr_error *err) {
    hr_status st = HR_OK;
    pool->threads = calloc(num_threads, sizeof *pool->threads);
    if (pool->threads == NULL)
        return hr__error_no_memory(err, num_threads * sizeof *pool->threads, "threads");
    pool->num_threads = num_threads;
    for (uint32_t i = 0; i < num_threads && st == HR_OK; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "hr-spill-%u", i % 1000);
        st = hr__thread_start(&pool->threads[i], name, write_pieces, pool, err);
    }
    return st;
}

hr_status hr__piece_pool_open(struct hr__piece_pool *pool, const struct hr__file *file,
                              uint64_t num_pieces, uint64_t piece_bytes, uint32_t num_threads,
                              struct hr__budget *budget, hr_error *err) {
    *pool = (struct hr__piece_pool){.file = file, .budget = budget};
    hr_status st;
    HR_TRY(make_pieces(pool, num_pieces, piece_bytes, err));
    HR_TRY(init_locks(pool, err));
    HR_TRY(start_threads(pool, num_threads, err));
    return HR_OK;
done:
    hr__piece_pool_close(pool);
    return st;
}

static hr_status copy_failure(const struct hr__piece_pool *pool, hr_error *err) {
    if (pool->failure.status != HR_OK && err != NULL)
        *err = pool->failure;
    return pool->failure.status;
}

hr_status hr__piece_pool_take(struct hr__piece_pool *pool, struct hr__bucket_piece **out,
                              hr_error *err) {
    *out = NULL;
    pthread_mutex_lock(&pool->lock);
    while (pool->free_pieces == NULL && pool->failure.status == HR_OK)
        (void)hr__cond_wait_until(&pool->freed, &pool->lock, -1);
    const hr_status st = copy_failure(pool, err);
    if (st == HR_OK) {
        *out = pool->free_pieces;
        pool->free_pieces = (*out)->next;
        (*out)->n_bytes = 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return st;
}

void hr__piece_pool_submit(struct hr__piece_pool *pool, struct hr__bucket_piece *piece) {
    pthread_mutex_lock(&pool->lock);
    piece->next = NULL;
    if (pool->first_submitted != NULL)
        pool->last_submitted->next = piece;
    else
        pool->first_submitted = piece;
    pool->last_submitted = piece;
    pool->num_busy++;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

hr_status hr__piece_pool_drain(struct hr__piece_pool *pool, int64_t timeout_ns, hr_error *err) {
    const int64_t deadline_ns = hr__now_ns() + timeout_ns;
    bool in_time = true;
    pthread_mutex_lock(&pool->lock);
    while (pool->num_busy > 0 && in_time)
        in_time = hr__cond_wait_until(&pool->freed, &pool->lock, deadline_ns);
    const hr_status st = pool->num_busy > 0 ? HR_TIMEOUT : copy_failure(pool, err);
    pthread_mutex_unlock(&pool->lock);
    return st;
}

static void join_threads(struct hr__piece_pool *pool) {
    if (pool->has_freed) {
        pthread_mutex_lock(&pool->lock);
        pool->ending = true;
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->lock);
    }
    for (uint32_t i = 0; i < pool->num_threads; i++)
        hr__thread_join(&pool->threads[i]);
}

void hr__piece_pool_close(struct hr__piece_pool *pool) {
    join_threads(pool);
    if (pool->has_freed)
        pthread_cond_destroy(&pool->freed);
    if (pool->has_work)
        pthread_cond_destroy(&pool->work);
    if (pool->has_lock)
        pthread_mutex_destroy(&pool->lock);
    if (pool->budget != NULL) {
        hr__shuffle_free(pool->budget, pool->bytes, pool->n_bytes);
        hr__budget_free(pool->budget, pool->pieces, pool->num_pieces * sizeof *pool->pieces);
    }
    free(pool->threads);
    *pool = (struct hr__piece_pool){0};
}
