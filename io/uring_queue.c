/*
 * Reads by io_uring on descriptors opened with O_DIRECT, into registered memory where the system
 * lets it be registered.
 *
 * Invariants:
 *  1. a request is free, unsent (in the submission ring, not yet the kernel's), or in the kernel;
 *  2. in_flight = num_unsent + num_in_kernel, so the submission ring has room for every request;
 *  3. what is unsent is sent by the next reap, all of it by one call.
 */
#define _GNU_SOURCE
#include "io_queue.h"

#include "direct_read.h"
#include "error.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ANSWERS    16u        /* taken at a time */
#define MAX_SENT_BYTES (1u << 30) /* of one read; the rest follows, as after any short one */
#define LOOK_AGAIN_NS  1000000    /* where the kernel does not wait for an answer */
#define NEEDED         IORING_FEAT_NATIVE_WORKERS /* Linux 5.12: rings are no locked memory */

struct request {
    struct hr__direct_read read;
    uint32_t file;
    struct request *next; /* free */
};

struct uring_queue {
    struct io_uring ring;
    bool ring_made, files_registered;
    bool memory_tried, memory_registered;
    struct iovec memory; /* where all reads will go; length 0: unknown */
    const int *fds;
    uint32_t align_bytes;
    uint32_t in_flight, num_unsent, num_in_kernel;
    struct request *free_list;
    struct request requests[];
};

static void prepare(struct uring_queue *q, struct request *r) {
    const struct hr__direct_read *p = &r->read;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);
    size_t left = p->n_bytes - p->done_bytes;
    unsigned n_bytes = left < MAX_SENT_BYTES ? (unsigned)left : MAX_SENT_BYTES;
    int fd = q->files_registered ? (int)r->file : p->fd;
    if (q->memory_registered)
        io_uring_prep_read_fixed(sqe, fd, p->buf + p->done_bytes, n_bytes, p->off + p->done_bytes,
                                 0);
    else
        io_uring_prep_read(sqe, fd, p->buf + p->done_bytes, n_bytes, p->off + p->done_bytes);
    if (q->files_registered)
        io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    io_uring_sqe_set_data(sqe, r);
    q->num_unsent++;
}

/* By the thread that reads, and not by the one that opens: this is what fills the pages in, near
 * the processor that asks. It only spares work: a limit on locked memory is no reason to fail. */
static void register_memory(struct uring_queue *q) {
    q->memory_tried = true;
    if (q->memory.iov_len > 0)
        q->memory_registered = io_uring_register_buffers(&q->ring, &q->memory, 1) == 0;
}

static int uring_submit(void *ctx, uint64_t tag, uint32_t file, void *buf, size_t n_bytes,
                        uint64_t off) {
    struct uring_queue *q = ctx;
    struct request *r = q->free_list;
    if (r == NULL)
        return -EAGAIN;
    if (!q->memory_tried)
        register_memory(q);
    q->free_list = r->next;
    r->file = file;
    r->read = (struct hr__direct_read){
        .tag = tag, .fd = q->fds[file], .buf = buf, .n_bytes = n_bytes, .off = off};
    q->in_flight++;
    prepare(q, r);
    return 0;
}

/* Hands what is unsent to the kernel, and waits for that many answers. 0 or -errno. */
static int send_unsent(struct uring_queue *q, unsigned wait_for) {
    int n = io_uring_submit_and_wait(&q->ring, wait_for);
    if (n < 0)
        return n;
    q->num_unsent -= (uint32_t)n;
    q->num_in_kernel += (uint32_t)n;
    return 0;
}

/* After a refusal: an answer makes room; where none is due, time may. 0 or -errno. */
static int wait_for_room(struct uring_queue *q, int refusal, uint32_t *tries) {
    struct io_uring_cqe *cqe;
    if (q->num_in_kernel == 0)
        return hr__read_again(refusal == -EBUSY ? EAGAIN : -refusal, tries) ? 0 : refusal;
    int rc = io_uring_wait_cqe(&q->ring, &cqe);
    return rc == -EINTR || rc == -EAGAIN ? 0 : rc;
}

static int take_answers(struct uring_queue *q, struct hr__io_done *out, uint32_t max) {
    struct io_uring_cqe *cqes[MAX_ANSWERS];
    unsigned n = io_uring_peek_batch_cqe(&q->ring, cqes, max < MAX_ANSWERS ? max : MAX_ANSWERS);
    int count = 0;
    for (unsigned i = 0; i < n; i++) {
        struct request *r = io_uring_cqe_get_data(cqes[i]);
        int64_t result;
        q->num_in_kernel--;
        if (hr__direct_read_answer(&r->read, q->align_bytes, cqes[i]->res, &result)) {
            prepare(q, r);
            continue;
        }
        out[count++] = (struct hr__io_done){r->read.tag, result};
        r->next = q->free_list;
        q->free_list = r;
        q->in_flight--;
    }
    io_uring_cq_advance(&q->ring, n);
    return count;
}

static int uring_reap(void *ctx, struct hr__io_done *out, uint32_t max) {
    struct uring_queue *q = ctx;
    uint32_t tries = 0;
    int count = 0;
    while (count == 0 && q->in_flight > 0 && max > 0) {
        bool none = io_uring_cq_ready(&q->ring) == 0;
        int rc = none || q->num_unsent > 0 ? send_unsent(q, none ? 1 : 0) : 0;
        if (rc < 0 && none)
            rc = wait_for_room(q, rc, &tries);
        if (rc < 0 && none)
            return rc;
        count = take_answers(q, out, max);
    }
    return count;
}

/* An answer, however long it takes. It comes through memory that kernel and process share, so it is
 * seen even where the kernel refuses to wait for it. */
static struct io_uring_cqe *any_answer(struct uring_queue *q) {
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_NS};
    struct io_uring_cqe *cqe;
    while (io_uring_wait_cqe(&q->ring, &cqe) < 0)
        (void)nanosleep(&pause, NULL);
    return cqe;
}

static void uring_close(void *ctx) {
    struct uring_queue *q = ctx;
    for (; q->num_in_kernel > 0; q->num_in_kernel--) /* the end of a ring does not wait for them */
        io_uring_cqe_seen(&q->ring, any_answer(q));
    if (q->ring_made)
        io_uring_queue_exit(&q->ring);
    free(q);
}

static const struct hr__io_ops uring_ops = {"io_uring", uring_submit, uring_reap, uring_close};

hr_status hr__uring_queue_open(const struct hr__direct_files *files, uint32_t depth, void *buffers,
                               size_t buffers_bytes, struct hr__io_queue *out, hr_error *err) {
    struct uring_queue *q;
    size_t n_bytes = sizeof(*q) + depth * sizeof(q->requests[0]);
    q = calloc(1, n_bytes);
    if (q == NULL)
        return hr__error_no_memory(err, n_bytes, "a queue of reads");
    q->fds = files->fds;
    q->align_bytes = files->align_bytes;
    for (uint32_t i = 0; i < depth; i++) {
        q->requests[i].next = q->free_list;
        q->free_list = &q->requests[i];
    }
    int rc = io_uring_queue_init(depth, &q->ring, 0);
    q->ring_made = rc == 0;
    if (rc == 0 && (q->ring.features & NEEDED) == 0)
        rc = -ENOSYS;
    if (rc < 0) {
        uring_close(q);
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "io_uring refused a ring of %u reads (%s); read by libaio", depth,
                             strerror(-rc));
    }
    q->files_registered = io_uring_register_files(&q->ring, q->fds, files->num_files) == 0;
    q->memory = (struct iovec){buffers, buffers_bytes};
    *out = (struct hr__io_queue){&uring_ops, q, files->align_bytes};
    return HR_OK;
}
