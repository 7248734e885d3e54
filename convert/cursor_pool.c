/*
 * Readers and their cursors.
 */
#include "cursor_pool.h"

#include "checked.h"
#include "error.h"

#include <stdlib.h>

hr_status hr__cursor_pool_init(struct hr__cursor_pool *pool, const struct hr__cursor_ops *ops,
                               void *file, hr_error *err) {
    pool->ops = ops;
    pool->file = file;
    pool->num_sources = 1;
    hr_status st = hr__mutex_init(&pool->lock, err);
    if (st != HR_OK)
        return st;
    pool->has_lock = true;
    st = hr__cond_init(&pool->freed, err);
    pool->has_freed = st == HR_OK;
    return st;
}

void hr__cursor_pool_close(struct hr__cursor_pool *pool) {
    if (pool->has_freed)
        pthread_cond_destroy(&pool->freed);
    if (pool->has_lock)
        pthread_mutex_destroy(&pool->lock);
}

void hr__cursor_pool_hold(struct hr__cursor_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->num_sources++;
    pthread_mutex_unlock(&pool->lock);
}

bool hr__cursor_pool_release(struct hr__cursor_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    const bool last = --pool->num_sources == 0;
    pthread_mutex_unlock(&pool->lock);
    return last;
}

static uint32_t wanted_cursors(const struct hr__cursor_pool *pool) {
    return (uint32_t)hr__ceil_div(pool->num_readers, hr__max_u64(pool->num_sources, 1));
}

enum fit { FIT_OTHERS, FIT_NEW, FIT_OWN, FIT_PIECE };

static enum fit fit_of(const struct hr__cursor *c, uint64_t piece) {
    if (c->piece == piece && piece != HR__NO_PIECE)
        return FIT_PIECE;
    if (!c->used)
        return FIT_NEW;
    return pthread_equal(c->user, pthread_self()) ? FIT_OWN : FIT_OTHERS;
}

/* Takes the idle one that fits best out of the list, in which there is one. */
static struct hr__cursor *take_best(struct hr__cursor_pool *pool, uint64_t piece) {
    struct hr__cursor **best = &pool->idle;
    for (struct hr__cursor **c = &pool->idle; *c != NULL; c = &(*c)->next)
        if (fit_of(*c, piece) > fit_of(*best, piece))
            best = c;
    struct hr__cursor *taken = *best;
    *best = taken->next;
    return taken;
}

/* What is too much: first what this thread had. */
static void drop(struct hr__cursor_pool *pool) {
    while (pool->idle != NULL && pool->num_cursors > wanted_cursors(pool)) {
        struct hr__cursor *c = take_best(pool, HR__NO_PIECE);
        pool->num_cursors--;
        pool->ops->free(c);
    }
    if (pool->open && pool->num_readers == 0 && pool->num_cursors == 0) {
        pool->ops->close(pool->file);
        pool->open = false;
    }
}

static hr_status open_file(struct hr__cursor_pool *pool, hr_error *err) {
    if (pool->open || pool->ops->open == NULL)
        return HR_OK;
    const hr_status st = pool->ops->open(pool->file, err);
    pool->open = st == HR_OK;
    return st;
}

static hr_status make_cursor(struct hr__cursor_pool *pool, struct hr__budget *budget,
                             hr_error *err) {
    const struct hr__cursor_ops *ops = pool->ops;
    if (pool->num_cursors >= wanted_cursors(pool))
        return HR_OK;
    struct hr__cursor *c = calloc(1, ops->cursor_bytes);
    if (c == NULL)
        return hr__error_no_memory(err, ops->cursor_bytes, "a reader of a source");
    const hr_status st = ops->fill(c, pool->file, budget, err);
    if (st != HR_OK) {
        ops->free(c);
        return st;
    }
    c->piece = HR__NO_PIECE;
    c->next = pool->idle;
    pool->idle = c;
    pool->num_cursors++;
    return HR_OK;
}

hr_status hr__cursor_pool_enter(struct hr__cursor_pool *pool, struct hr__budget *budget,
                                hr_error *err) {
    pthread_mutex_lock(&pool->lock);
    pool->num_readers++;
    hr_status st = open_file(pool, err);
    if (st == HR_OK)
        st = make_cursor(pool, budget, err);
    if (st != HR_OK) {
        pool->num_readers--;
        drop(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return st;
}

void hr__cursor_pool_leave(struct hr__cursor_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->num_readers--;
    drop(pool);
    pthread_mutex_unlock(&pool->lock);
}

struct hr__cursor *hr__cursor_pool_take(struct hr__cursor_pool *pool, uint64_t piece) {
    pthread_mutex_lock(&pool->lock);
    while (pool->idle == NULL)
        (void)hr__cond_wait_until(&pool->freed, &pool->lock, -1);
    struct hr__cursor *taken = take_best(pool, piece);
    taken->used = true;
    taken->user = pthread_self();
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

bool hr__cursor_pool_has_one(struct hr__cursor_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    const bool one = pool->num_cursors == 1;
    pthread_mutex_unlock(&pool->lock);
    return one;
}

void hr__cursor_pool_give(struct hr__cursor_pool *pool, struct hr__cursor *cursor) {
    pthread_mutex_lock(&pool->lock);
    cursor->next = pool->idle;
    pool->idle = cursor;
    drop(pool);
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}
