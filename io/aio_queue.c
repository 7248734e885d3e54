/*
 * Reads by libaio on descriptors opened with O_DIRECT (on others its submit blocks).
 *
 * Invariants:
 *  1. a request is free, in the kernel (num_in_kernel), or postponed: the kernel had no room for
 * it;
 *  2. in_flight = num_in_kernel + postponed ones. A postponed one goes to the kernel when another
 *     has come back, and is read by pread where none is in the kernel that could.
 */
#define _GNU_SOURCE
#include "io_queue.h"

#include "direct_read.h"
#include "error.h"

#include <errno.h>
#include <libaio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct iocb iocb;
    struct hr__direct_read read;
    struct request *next; /* free or postponed */
};

struct aio_queue {
    io_context_t context;
    const int *fds;
    uint32_t align_bytes;
    uint32_t depth, in_flight, num_in_kernel;
    struct request *free_list;
    struct request *postponed;
    struct io_event *events;
    struct request requests[];
};

/* Asks the kernel for what is missing of r, or postpones it. 0 or -errno. */
static int submit_rest(struct aio_queue *q, struct request *r) {
    struct iocb *iocb = &r->iocb;
    const struct hr__direct_read *p = &r->read;
    io_prep_pread(iocb, p->fd, p->buf + p->done_bytes, p->n_bytes - p->done_bytes,
                  (long long)(p->off + p->done_bytes));
    iocb->data = r;
    int n;
    do
        n = io_submit(q->context, 1, &iocb);
    while (n == -EINTR);
    if (n == 1) {
        q->num_in_kernel++;
    } else if (n == 0 || n == -EAGAIN) {
        r->next = q->postponed;
        q->postponed = r;
    }
    return n < 0 && n != -EAGAIN ? n : 0;
}

static int aio_submit(void *ctx, uint64_t tag, uint32_t file, void *buf, size_t n_bytes,
                      uint64_t off) {
    struct aio_queue *q = ctx;
    struct request *r = q->free_list;
    if (r == NULL)
        return -EAGAIN;
    q->free_list = r->next;
    r->read = (struct hr__direct_read){
        .tag = tag, .fd = q->fds[file], .buf = buf, .n_bytes = n_bytes, .off = off};
    int rc = submit_rest(q, r);
    if (rc < 0) {
        r->next = q->free_list;
        q->free_list = r;
        return rc;
    }
    q->in_flight++;
    return 0;
}

static struct hr__io_done finish(struct aio_queue *q, struct request *r, int64_t result) {
    struct hr__io_done done = {r->read.tag, result};
    r->next = q->free_list;
    q->free_list = r;
    q->in_flight--;
    return done;
}

/* Takes one answer of the kernel into account; true if its request is finished, with *done. */
static bool take_answer(struct aio_queue *q, const struct io_event *e, struct hr__io_done *done) {
    struct request *r = e->data;
    int64_t result;
    q->num_in_kernel--;
    if (hr__direct_read_answer(&r->read, q->align_bytes, (int64_t)e->res, &result)) {
        result = submit_rest(q, r);
        if (result == 0)
            return false;
    }
    *done = finish(q, r, result);
    return true;
}

/* Goes on with one that was postponed; true if it is finished, with *done. */
static bool retry_postponed(struct aio_queue *q, struct hr__io_done *done) {
    struct request *r = q->postponed;
    q->postponed = r->next;
    bool here = q->num_in_kernel == 0;
    int64_t n = here ? hr__direct_read_rest(&r->read, q->align_bytes) : submit_rest(q, r);
    if (here || n < 0)
        *done = finish(q, r, n);
    return here || n < 0;
}

static int aio_reap(void *ctx, struct hr__io_done *out, uint32_t max) {
    struct aio_queue *q = ctx;
    int count = 0;
    while (count == 0 && q->in_flight > 0 && max > 0) {
        if (q->num_in_kernel == 0) {
            count += retry_postponed(q, &out[0]);
            continue;
        }
        long want = max < q->depth ? (long)max : (long)q->depth;
        int n = io_getevents(q->context, 1, want, q->events, NULL);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return n;
        for (int i = 0; i < n; i++)
            count += take_answer(q, &q->events[i], &out[count]);
        for (int i = 0; i < n && q->postponed != NULL && (uint32_t)count < max; i++)
            count += retry_postponed(q, &out[count]);
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

hr_status hr__aio_queue_open(const struct hr__direct_files *files, uint32_t depth,
                             struct hr__io_queue *out, hr_error *err) {
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
    q->fds = files->fds;
    q->align_bytes = files->align_bytes;
    q->depth = depth;
    for (uint32_t i = 0; i < depth; i++) {
        q->requests[i].next = q->free_list;
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
    *out = (struct hr__io_queue){&aio_ops, q, files->align_bytes};
    return HR_OK;
}
