/*
 * Reads by a pool of threads, for files that are read neither directly nor by the page cache's
 * reads that do not wait. Several queues share one pool.
 *
 * Invariants (under the pool's lock):
 *  1. a request is in one place: its queue's free list, the pool's waiting list, the hands of one
 *     thread (counted by in_service), or its queue's done list;
 *  2. in_flight counts those of a queue that are submitted and not reaped.
 */
#include "io_queue.h"

#include "error.h"
#include "thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct request {
    struct request *next;
    struct thread_queue *owner;
    const struct hr__file *file;
    uint64_t tag;
    void *buf;
    size_t n_bytes;
    uint64_t off;
    int64_t result;
};

struct list { /* first in, first out */
    struct request *first, *last;
};

struct hr__read_pool {
    const struct hr__file *files;
    hr__mutex lock;
    hr__cond work;
    bool lock_made, work_made, stopping;
    struct list waiting;
    uint32_t num_threads;
    struct hr__thread threads[];
};

struct thread_queue {
    struct hr__read_pool *pool;
    hr__cond finished;
    bool finished_made;
    uint32_t in_flight, in_service;
    struct list done;
    struct request *free_list;
    struct request requests[];
};

static void push(struct list *l, struct request *r) {
    r->next = NULL;
    if (l->first == NULL)
        l->first = r;
    else
        l->last->next = r;
    l->last = r;
}

static struct request *pop(struct list *l) {
    struct request *r = l->first;
    if (r != NULL)
        l->first = r->next;
    return r;
}

/* ---- the pool ---- */

static void *read_run(void *pool) {
    struct hr__read_pool *p = pool;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        struct request *r = pop(&p->waiting);
        if (r == NULL) {
            (void)hr__cond_wait_until(&p->work, &p->lock, -1);
            continue;
        }
        struct thread_queue *q = r->owner;
        q->in_service++;
        pthread_mutex_unlock(&p->lock);
        r->result = r->file->ops->read(r->file->ctx, r->buf, r->n_bytes, r->off);
        pthread_mutex_lock(&p->lock);
        q->in_service--;
        push(&q->done, r);
        pthread_cond_signal(&q->finished);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static hr_status pool_start(struct hr__read_pool *p, uint32_t num_threads, hr_error *err) {
    hr_status st;
    HR_TRY(hr__mutex_init(&p->lock, err));
    p->lock_made = true;
    HR_TRY(hr__cond_init(&p->work, err));
    p->work_made = true;
    for (; p->num_threads < num_threads; p->num_threads++) {
        char name[16];
        snprintf(name, sizeof(name), "hr-read-%u", p->num_threads % 1000);
        HR_TRY(hr__thread_start(&p->threads[p->num_threads], name, read_run, p, err));
    }
done:
    return st;
}

hr_status hr__read_pool_open(const struct hr__file *files, uint32_t num_threads,
                             struct hr__read_pool **out, hr_error *err) {
    size_t n_bytes = sizeof(**out) + num_threads * sizeof((*out)->threads[0]);
    struct hr__read_pool *p = calloc(1, n_bytes);
    *out = NULL;
    if (p == NULL)
        return hr__error_no_memory(err, n_bytes, "reading threads");
    p->files = files;
    hr_status st = pool_start(p, num_threads, err);
    if (st == HR_OK)
        *out = p;
    else
        hr__read_pool_close(p);
    return st;
}

void hr__read_pool_close(struct hr__read_pool *p) {
    if (p == NULL)
        return;
    if (p->work_made) {
        pthread_mutex_lock(&p->lock);
        p->stopping = true;
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
    for (uint32_t i = 0; i < p->num_threads; i++)
        hr__thread_join(&p->threads[i]);
    if (p->work_made)
        pthread_cond_destroy(&p->work);
    if (p->lock_made)
        pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- a queue ---- */

static int thread_submit(void *ctx, uint64_t tag, uint32_t file, void *buf, size_t n_bytes,
                         uint64_t off) {
    struct thread_queue *q = ctx;
    struct hr__read_pool *p = q->pool;
    struct request *r = q->free_list;
    if (r == NULL)
        return -EAGAIN;
    q->free_list = r->next;
    r->file = &p->files[file];
    r->tag = tag;
    r->buf = buf;
    r->n_bytes = n_bytes;
    r->off = off;
    pthread_mutex_lock(&p->lock);
    q->in_flight++;
    push(&p->waiting, r);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    return 0;
}

static int thread_reap(void *ctx, struct hr__io_done *out, uint32_t max) {
    struct thread_queue *q = ctx;
    struct request *r;
    int count = 0;
    pthread_mutex_lock(&q->pool->lock);
    while (max > 0 && q->in_flight > 0 && q->done.first == NULL)
        (void)hr__cond_wait_until(&q->finished, &q->pool->lock, -1);
    while ((uint32_t)count < max && (r = pop(&q->done)) != NULL) {
        out[count++] = (struct hr__io_done){r->tag, r->result};
        q->in_flight--;
        r->next = q->free_list;
        q->free_list = r;
    }
    pthread_mutex_unlock(&q->pool->lock);
    return count;
}

/* Takes back what no thread has begun with. */
static void withdraw(struct thread_queue *q) {
    struct list others = {0};
    struct request *r;
    while ((r = pop(&q->pool->waiting)) != NULL)
        if (r->owner != q)
            push(&others, r);
    q->pool->waiting = others;
}

static void thread_close(void *ctx) {
    struct thread_queue *q = ctx;
    if (q->finished_made) {
        pthread_mutex_lock(&q->pool->lock);
        withdraw(q);
        while (q->in_service > 0)
            (void)hr__cond_wait_until(&q->finished, &q->pool->lock, -1);
        pthread_mutex_unlock(&q->pool->lock);
        pthread_cond_destroy(&q->finished);
    }
    free(q);
}

static const struct hr__io_ops thread_ops = {"threads", thread_submit, thread_reap, thread_close};

hr_status hr__thread_queue_open(struct hr__read_pool *p, uint32_t depth, struct hr__io_queue *out,
                                hr_error *err) {
    struct thread_queue *q;
    size_t n_bytes = sizeof(*q) + depth * sizeof(q->requests[0]);
    q = calloc(1, n_bytes);
    if (q == NULL)
        return hr__error_no_memory(err, n_bytes, "a queue of reads");
    q->pool = p;
    hr_status st = hr__cond_init(&q->finished, err);
    if (st != HR_OK) {
        thread_close(q);
        return st;
    }
    q->finished_made = true;
    for (uint32_t i = 0; i < depth; i++) {
        q->requests[i].owner = q;
        q->requests[i].next = q->free_list;
        q->free_list = &q->requests[i];
    }
    *out = (struct hr__io_queue){&thread_ops, q, 1};
    return HR_OK;
}
