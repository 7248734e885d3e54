/*
 * Reads through the page cache. A submitted read is only announced to the kernel; the copy is made
 * when it is reaped, in the order of submission. The queue reads through hr__file, so a faulty disk
 * in its place reaches the loader too.
 */
#include "io_queue.h"

#include "error.h"

#include <errno.h>
#include <stdlib.h>

struct pending {
    uint64_t tag;
    void *buf;
    size_t n_bytes;
    uint64_t off;
};

struct cached_queue {
    const struct hr__file *file;
    uint32_t depth, first, count; /* a ring of pending reads */
    struct pending pending[];
};

static int cached_submit(void *ctx, uint64_t tag, void *buf, size_t n_bytes, uint64_t off) {
    struct cached_queue *q = ctx;
    if (q->count == q->depth)
        return -EAGAIN;
    if (q->file->ops->prefetch != NULL && q->depth > 1)
        q->file->ops->prefetch(q->file->ctx, n_bytes, off);
    q->pending[(q->first + q->count) % q->depth] = (struct pending){tag, buf, n_bytes, off};
    q->count++;
    return 0;
}

static int cached_reap(void *ctx, struct hr__io_done *out, uint32_t max) {
    struct cached_queue *q = ctx;
    if (q->count == 0 || max == 0)
        return 0;
    const struct pending *p = &q->pending[q->first];
    out->tag = p->tag;
    out->result = q->file->ops->read(q->file->ctx, p->buf, p->n_bytes, p->off);
    q->first = (q->first + 1) % q->depth;
    q->count--;
    return 1;
}

static void cached_close(void *ctx) {
    free(ctx);
}

static const struct hr__io_ops cached_ops = {"page cache", cached_submit, cached_reap,
                                             cached_close};

hr_status hr__cached_queue_open(const struct hr__file *file, uint32_t depth,
                                struct hr__io_queue *out, hr_error *err) {
    struct cached_queue *q;
    size_t n_bytes = sizeof(*q) + depth * sizeof(q->pending[0]);
    q = calloc(1, n_bytes);
    if (q == NULL)
        return hr__error_no_memory(err, n_bytes, "a queue of reads");
    q->file = file;
    q->depth = depth;
    *out = (struct hr__io_queue){&cached_ops, q, 1};
    return HR_OK;
}

void hr__io_queue_close(struct hr__io_queue *q) {
    if (q->ops != NULL)
        q->ops->close(q->ctx);
    *q = (struct hr__io_queue){0};
}
