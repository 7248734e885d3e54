/*
 * The queue of writes.
 */
#include "write_queue.h"

#include "checked.h"
#include "error.h"

#include <stdlib.h>
#include <sys/uio.h>

#define BEHIND_BYTES (UINT64_C(8) << 20)
#define RUN_BYTES    (UINT64_C(1) << 20)  /* for which the thread waits */
#define SPARE_BYTES  (UINT64_C(20) << 20) /* of all spare buffers, about */
#define LEAST_SPARE  2u
#define MOST_SPARE   64u
#define LEFT_BYTES   (UINT64_C(1) << 20) /* of the budget, for others: tables grow with the file */

struct hr__written_chunk {
    uint8_t *buffer;
    size_t n_bytes;
    uint64_t off;
    struct hr__written_chunk *next;
};

static hr_status copy_failure(const struct hr__write_queue *q, hr_error *err) {
    if (q->failure.status != HR_OK && err != NULL)
        *err = q->failure;
    return q->failure.status;
}

/* ---- the thread ---- */

/* The first chunks that wait, one behind the other in the file, as one list; their bytes. */
static struct hr__written_chunk *take_run(struct hr__write_queue *q, uint64_t *n_bytes) {
    struct hr__written_chunk *first = q->waiting, *last = first;
    *n_bytes = first->n_bytes;
    for (uint32_t n = 1;
         n < MOST_SPARE && last->next != NULL && last->next->off == last->off + last->n_bytes;
         n++) {
        last = last->next;
        *n_bytes += last->n_bytes;
    }
    q->waiting = last->next;
    last->next = NULL;
    return first;
}

static hr_status write_run(const struct hr__write_queue *q, const struct hr__written_chunk *run,
                           uint64_t n_bytes, hr_error *err) {
    struct iovec parts[MOST_SPARE];
    int num_parts = 0;
    for (const struct hr__written_chunk *c = run; c != NULL; c = c->next)
        parts[num_parts++] = (struct iovec){c->buffer, c->n_bytes};
    const int rc = q->direct.ops->write_parts(q->direct.ctx, parts, num_parts, run->off);
    return rc == 0 ? HR_OK : hr__file_write_failed(q->file, n_bytes, run->off, -rc, err);
}

static void make_spare(struct hr__write_queue *q, struct hr__written_chunk *run) {
    while (run != NULL) {
        struct hr__written_chunk *next = run->next;
        run->next = q->spare;
        q->spare = run;
        run = next;
    }
}

static bool is_enough(const struct hr__write_queue *q) {
    return q->waiting != NULL && (q->waiting_bytes >= RUN_BYTES || q->num_callers > 0 || q->ending);
}

static void *write_runs(void *arg) {
    struct hr__write_queue *q = arg;
    pthread_mutex_lock(&q->lock);
    while (!q->ending || q->waiting != NULL) {
        if (!is_enough(q)) {
            (void)hr__cond_wait_until(&q->work, &q->lock, -1);
            continue;
        }
        hr_error why = q->failure;
        struct hr__written_chunk *run = take_run(q, &q->writing_bytes);
        q->waiting_bytes -= q->writing_bytes;
        pthread_mutex_unlock(&q->lock);
        if (why.status == HR_OK)
            (void)write_run(q, run, q->writing_bytes, &why);
        pthread_mutex_lock(&q->lock);
        q->failure = why;
        q->writing_bytes = 0;
        make_spare(q, run);
        pthread_cond_broadcast(&q->freed);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* ---- its callers ---- */

static void free_spare(struct hr__write_queue *q) {
    for (uint32_t i = 0; i < q->num_chunks; i++)
        hr__budget_free(q->budget, q->chunks[i].buffer, q->buffer_bytes);
    free(q->chunks);
    q->chunks = q->spare = NULL;
    q->num_chunks = 0;
}

/* As many as the budget has room for, at least two. */
static bool make_buffers(struct hr__write_queue *q) {
    const uint64_t wanted = SPARE_BYTES / q->buffer_bytes;
    const uint32_t most = (uint32_t)hr__min_u64(hr__max_u64(wanted, LEAST_SPARE), MOST_SPARE);
    hr_status st = HR_OK;
    q->chunks = calloc(most, sizeof *q->chunks);
    while (q->chunks != NULL && q->num_chunks < most && st == HR_OK &&
           hr__budget_left(q->budget) >= q->buffer_bytes + LEFT_BYTES) {
        struct hr__written_chunk *c = &q->chunks[q->num_chunks];
        c->buffer = hr__budget_take_raw(q->budget, q->buffer_bytes, "a stored chunk", &st, NULL);
        q->num_chunks += st == HR_OK;
        if (st == HR_OK)
            make_spare(q, c);
    }
    return q->num_chunks >= LEAST_SPARE;
}

/* Where anything of it is refused, all goes through the page cache. */
static void try_direct(struct hr__write_queue *q) {
    const struct hr__file_ops *ops = q->file->ops;
    q->tried = true;
    if (ops->open_direct(q->file->ctx, &q->direct) != 0)
        return;
    if (make_buffers(q) && hr__thread_start(&q->thread, "hr-disk", write_runs, q, NULL) == HR_OK)
        return;
    free_spare(q);
    hr__file_close(&q->direct);
}

/* Whether what lies there goes past the page cache. */
static bool is_direct(struct hr__write_queue *q, uint64_t off) {
    const struct hr__file_ops *ops = q->file->ops;
    if (ops->open_direct == NULL)
        return false;
    pthread_mutex_lock(&q->lock);
    if (off >= q->cached_bytes && !q->tried) {
        q->cached_bytes = ops->keep_cached(q->file->ctx, off);
        if (off >= q->cached_bytes)
            try_direct(q);
    }
    const bool direct = off >= q->cached_bytes && q->direct.ops != NULL;
    pthread_mutex_unlock(&q->lock);
    return direct;
}

/* Whole steps of the file go to the disk meanwhile, as soon as it has grown beyond them. Chunks
 * that others are still writing there are left for the end. */
static void write_behind(const struct hr__file *file, uint64_t off, uint64_t n_bytes) {
    const uint64_t from = off / BEHIND_BYTES * BEHIND_BYTES;
    const uint64_t to = (off + n_bytes) / BEHIND_BYTES * BEHIND_BYTES;
    if (to > from && file->ops->write_behind != NULL)
        file->ops->write_behind(file->ctx, (size_t)(to - from), from);
}

/* Behind all that come before it in the file. */
static void insert(struct hr__write_queue *q, struct hr__written_chunk *c) {
    struct hr__written_chunk **at = &q->waiting;
    while (*at != NULL && (*at)->off < c->off)
        at = &(*at)->next;
    c->next = *at;
    *at = c;
    q->waiting_bytes += c->n_bytes;
}

static hr_status put_direct(struct hr__write_queue *q, uint8_t **buffer, size_t n_bytes,
                            uint64_t off, hr_error *err) {
    pthread_mutex_lock(&q->lock);
    q->num_callers++;
    while (q->spare == NULL) {
        pthread_cond_signal(&q->work);
        (void)hr__cond_wait_until(&q->freed, &q->lock, -1);
    }
    q->num_callers--;
    const hr_status st = copy_failure(q, err);
    if (st == HR_OK) {
        struct hr__written_chunk *c = q->spare;
        uint8_t *full = *buffer;
        q->spare = c->next;
        *buffer = c->buffer;
        *c = (struct hr__written_chunk){.buffer = full, .n_bytes = n_bytes, .off = off};
        insert(q, c);
        if (is_enough(q))
            pthread_cond_signal(&q->work);
    }
    pthread_mutex_unlock(&q->lock);
    return st;
}

hr_status hr__write_queue_put(struct hr__write_queue *q, uint8_t **buffer, size_t n_bytes,
                              uint64_t off, hr_error *err) {
    if (is_direct(q, off))
        return put_direct(q, buffer, n_bytes, off, err);
    const hr_status st = hr__file_write_all(q->file, *buffer, n_bytes, off, err);
    if (st == HR_OK)
        write_behind(q->file, off, n_bytes);
    return st;
}

hr_status hr__write_queue_drain(struct hr__write_queue *q, int64_t deadline_ns, hr_error *err) {
    bool in_time = true;
    pthread_mutex_lock(&q->lock);
    q->num_callers++;
    pthread_cond_signal(&q->work);
    while (q->waiting_bytes + q->writing_bytes > 0 && in_time)
        in_time = hr__cond_wait_until(&q->freed, &q->lock, deadline_ns);
    q->num_callers--;
    const bool busy = q->waiting_bytes + q->writing_bytes > 0;
    const hr_status st = busy ? HR_TIMEOUT : copy_failure(q, err);
    pthread_mutex_unlock(&q->lock);
    return st;
}

hr_status hr__write_queue_open(struct hr__write_queue *q, const struct hr__file *file,
                               size_t buffer_bytes, struct hr__budget *budget, hr_error *err) {
    *q = (struct hr__write_queue){.file = file, .budget = budget, .buffer_bytes = buffer_bytes};
    hr_status st = hr__mutex_init(&q->lock, err);
    if (st != HR_OK)
        return st;
    if ((st = hr__cond_init(&q->work, err)) != HR_OK)
        goto no_work;
    if ((st = hr__cond_init(&q->freed, err)) != HR_OK)
        goto no_freed;
    q->locks_ready = true;
    return HR_OK;
no_freed:
    pthread_cond_destroy(&q->work);
no_work:
    pthread_mutex_destroy(&q->lock);
    return st;
}

void hr__write_queue_close(struct hr__write_queue *q) {
    if (!q->locks_ready)
        return;
    pthread_mutex_lock(&q->lock);
    q->ending = true;
    pthread_cond_signal(&q->work);
    pthread_mutex_unlock(&q->lock);
    hr__thread_join(&q->thread);
    free_spare(q);
    hr__file_close(&q->direct);
    pthread_cond_destroy(&q->freed);
    pthread_cond_destroy(&q->work);
    pthread_mutex_destroy(&q->lock);
    *q = (struct hr__write_queue){0};
}
