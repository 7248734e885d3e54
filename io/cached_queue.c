/*
 * Reads through the page cache. A submitted read is announced to the kernel, and copied when it is
 * reaped, so that it is still in the processor's cache when it is decoded. What the page cache
 * holds goes before what is still to come from the disk. The queue reads through hr__file, so a
 * faulty disk in its place reaches the loader too.
 *
 * Invariant: pending[0 .. count - 1] are the reads in flight, the oldest first.
 */
#include "io_queue.h"

#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pending {
    uint64_t tag;
    uint32_t file;
    uint8_t *buf;
    size_t n_bytes;
    uint64_t off;
    size_t done_bytes;
};

struct cached_queue {
    const struct hr__file *files;
    bool *cannot_tell; /* [file]: read_now does not work on it */
    uint32_t depth, count;
    struct pending pending[];
};

static int cached_submit(void *ctx, uint64_t tag, uint32_t file, void *buf, size_t n_bytes,
                         uint64_t off) {
    struct cached_queue *q = ctx;
    if (q->count == q->depth)
        return -EAGAIN;
    const struct hr__file *f = &q->files[file];
    if (f->ops->prefetch != NULL && q->depth > 1)
        f->ops->prefetch(f->ctx, n_bytes, off);
    q->pending[q->count++] =
        (struct pending){.tag = tag, .file = file, .buf = buf, .n_bytes = n_bytes, .off = off};
    return 0;
}

/* True: the read is finished, with *result. */
static bool read_now(struct cached_queue *q, struct pending *p, int64_t *result) {
    const struct hr__file *f = &q->files[p->file];
    int64_t n = q->cannot_tell[p->file] ? -EOPNOTSUPP : 1;
    while (n > 0 && p->done_bytes < p->n_bytes) {
        n = f->ops->read_now(f->ctx, p->buf + p->done_bytes, p->n_bytes - p->done_bytes,
                             p->off + p->done_bytes);
        p->done_bytes += n > 0 ? (size_t)n : 0;
    }
    if (n == -EOPNOTSUPP)
        q->cannot_tell[p->file] = true;
    if (n == -EAGAIN || n == -EOPNOTSUPP)
        return false;
    *result = n < 0 ? n : (int64_t)p->done_bytes;
    return true;
}

static int64_t read_waiting(const struct cached_queue *q, const struct pending *p) {
    const struct hr__file *f = &q->files[p->file];
    int64_t n = f->ops->read(f->ctx, p->buf + p->done_bytes, p->n_bytes - p->done_bytes,
                             p->off + p->done_bytes);
    return n < 0 ? n : n + (int64_t)p->done_bytes;
}

/* The first read that need not wait; else the oldest, after waiting for it. */
static uint32_t finish_one(struct cached_queue *q, int64_t *result) {
    for (uint32_t i = 0; i < q->count; i++)
        if (read_now(q, &q->pending[i], result))
            return i;
    *result = read_waiting(q, &q->pending[0]);
    return 0;
}

static int cached_reap(void *ctx, struct hr__io_done *out, uint32_t max) {
    struct cached_queue *q = ctx;
    if (q->count == 0 || max == 0)
        return 0;
    uint32_t i = finish_one(q, &out->result);
    out->tag = q->pending[i].tag;
    q->count--;
    memmove(&q->pending[i], &q->pending[i + 1], (q->count - i) * sizeof(q->pending[0]));
    return 1;
}

static void cached_close(void *ctx) {
    struct cached_queue *q = ctx;
    free(q->cannot_tell);
    free(q);
}

static const struct hr__io_ops cached_ops = {"page cache", cached_submit, cached_reap,
                                             cached_close};

hr_status hr__cached_queue_open(const struct hr__file *files, uint32_t num_files, uint32_t depth,
                                struct hr__io_queue *out, hr_error *err) {
    struct cached_queue *q;
    size_t n_bytes = sizeof(*q) + depth * sizeof(q->pending[0]);
    q = calloc(1, n_bytes);
    if (q == NULL)
        return hr__error_no_memory(err, n_bytes, "a queue of reads");
    q->cannot_tell = calloc(num_files, sizeof(*q->cannot_tell));
    if (q->cannot_tell == NULL) {
        cached_close(q);
        return hr__error_no_memory(err, num_files * sizeof(*q->cannot_tell), "a queue of reads");
    }
    for (uint32_t i = 0; i < num_files; i++)
        q->cannot_tell[i] = files[i].ops->read_now == NULL;
    q->files = files;
    q->depth = depth;
    *out = (struct hr__io_queue){&cached_ops, q, 1};
    return HR_OK;
}

void hr__io_queue_close(struct hr__io_queue *q) {
    if (q->ops != NULL)
        q->ops->close(q->ctx);
    *q = (struct hr__io_queue){0};
}
