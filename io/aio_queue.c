/*
 * Reads by libaio on a descriptor opened with O_DIRECT (on others its submit blocks).
 *
 * A short result that is not the end of the file is continued here, so callers see whole reads. A
 * direct read can be cut at any multiple of the alignment.
 */
#define _GNU_SOURCE
#include "io_queue.h"

#include "error.h"

#include <errno.h>
#include <libaio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct iocb iocb;
    uint64_t tag;
    uint8_t *buf;
    size_t n_bytes;
    uint64_t off;
    size_t done_bytes;
    struct request *next_free;
};

struct aio_queue {
    io_context_t context;
    int fd;
    uint32_t align_bytes;
    uint32_t depth, in_flight;
    struct request *free_list;
    struct io_event *events;
    struct request requests[];
};

static int submit_rest(struct aio_queue *q, struct request *r) {
    struct iocb *iocb = &r->iocb;
    io_prep_pread(iocb, q->fd, r->buf + r->done_bytes, r->n_bytes - r->done_bytes,
                  (long long)(r->off + r->done_bytes));
    iocb->data = r;
    int n;
    do
        n = io_submit(q->context, 1, &iocb);
    while (n == -EINTR);
    return n == 1 ? 0 : n == 0 ? -EAGAIN : n;
}

static int aio_submit(void *ctx, uint64_t tag, void *buf, size_t n_bytes, uint64_t off) {
    struct aio_queue *q = ctx;
    struct request *r = q->free_list;
    if (r == NULL)
        return -EAGAIN;
    r->tag = tag;
    r->buf = buf;
    r->n_bytes = n_bytes;
    r->off = off;
    r->done_bytes = 0;
    int rc = submit_rest(q, r);
    if (rc < 0)
        return rc;
    q->free_list = r->next_free;
    q->in_flight++;
    return 0;
}

/* Takes one completion into account; true if its request is finished, with *result. */
static bool finish(struct aio_queue *q, struct request *r, int64_t res, int64_t *result) {
    if (res > 0) {
        r->done_bytes += (size_t)res;
        bool more = r->done_bytes < r->n_bytes && (uint64_t)res % q->align_bytes == 0;
        int rc = more ? submit_rest(q, r) : 0;
        if (more && rc == 0)
            return false;
        *result = more ? rc : (int64_t)r->done_bytes;
    } else {
        *result = res < 0 ? res : (int64_t)r->done_bytes;
    }
    r->next_free = q->free_list;
    q->free_list = r;
    q->in_flight--;
    return true;
}

static int aio_reap(void *ctx, struct hr__io_done *out, uint32_t max) {
    struct aio_queue *q = ctx;
    int count = 0;
    while (count == 0 && q->in_flight > 0) {
        long want = max < q->depth ? (long)max : (long)q->depth;
        int n = io_getevents(q->context, 1, want, q->events, NULL);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return n;
        for (int i = 0; i < n; i++) {
            struct request *r = q->events[i].data;
            uint64_t tag = r->tag;
            int64_t result;
            if (finish(q, r, (int64_t)q->events[i].res, &result))
                out[count++] = (struct hr__io_done){tag, result};
        }
    }
    return count;
}

static void aio_close(void *ctx) {
    struct aio_queue *q = ctx;
    if (q->context != NULL)
        io_destroy(q->context); /* waits for what is in flight */
    free(q->events);
    free(q);
}

static const struct hr__io_ops aio_ops = {"libaio", aio_submit, aio_reap, aio_close};

hr_status hr__aio_queue_open(int fd, uint32_t align_bytes, uint32_t depth, struct hr__io_queue *out,
                             hr_error *err) {
    struct aio_queue *q;
    size_t n_bytes = sizeof(*q) + depth * sizeof(q->requests[0]);
    q = calloc(1, n_bytes);
    if (q == NULL)
        return hr__error_no_memory(err, n_bytes, "a queue of reads");
    q->events = calloc(depth, sizeof(*q->events));
    if (q->events == NULL) {
        aio_close(q);
        return hr__error_no_memory(err, depth * sizeof(*q->events), "a queue of reads");
    }
    q->fd = fd;
    q->align_bytes = align_bytes;
    q->depth = depth;
    for (uint32_t i = 0; i < depth; i++) {
        q->requests[i].next_free = q->free_list;
        q->free_list = &q->requests[i];
    }
    int rc = io_setup((int)depth, &q->context);
    if (rc < 0) {
        q->context = NULL;
        aio_close(q);
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "io_setup refused a context of %u reads (%s); raise "
                             "/proc/sys/fs/aio-max-nr or read through the page cache",
                             depth, strerror(-rc));
    }
    *out = (struct hr__io_queue){&aio_ops, q, align_bytes};
    return HR_OK;
}
