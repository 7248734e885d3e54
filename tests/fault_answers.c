/*
 * Changed answers of the system. Linked only into tests that wrap these calls.
 */
#define _GNU_SOURCE
#include "fault_answers.h"

#include <errno.h>
#include <libaio.h>
#include <liburing.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct fault_answers fault_answers;

ssize_t __real_pread(int fd, void *buf, size_t n, off_t off);
ssize_t __real_preadv2(int fd, const struct iovec *v, int n, off_t off, int flags);
int __real_io_setup(int n, io_context_t *out);
int __real_io_submit(io_context_t c, long n, struct iocb *list[]);
int __real_io_getevents(io_context_t c, long min, long max, struct io_event *out,
                        struct timespec *timeout);
int __real_io_uring_queue_init(unsigned n, struct io_uring *ring, unsigned flags);
int __real_io_uring_register_buffers(struct io_uring *ring, const struct iovec *v, unsigned n);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned wait);
unsigned __real_io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **out,
                                        unsigned max);
int __real___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **out, unsigned submit,
                              unsigned wait, sigset_t *mask);
int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **out, unsigned submit,
                              unsigned wait, sigset_t *mask);
int __wrap_io_uring_queue_init(unsigned n, struct io_uring *ring, unsigned flags);
int __wrap_io_uring_register_buffers(struct io_uring *ring, const struct iovec *v, unsigned n);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned wait);
unsigned __wrap_io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **out,
                                        unsigned max);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t off);
ssize_t __wrap_preadv2(int fd, const struct iovec *v, int n, off_t off, int flags);
int __wrap_io_setup(int n, io_context_t *out);
int __wrap_io_submit(io_context_t c, long n, struct iocb *list[]);
int __wrap_io_getevents(io_context_t c, long min, long max, struct io_event *out,
                        struct timespec *timeout);

/* Whether the next answer is to be changed. */
static bool next_is_hit(void) {
    long nth = atomic_fetch_add(&fault_answers.count, 1) + 1;
    long times = fault_answers.times > 0 ? fault_answers.times : 1;
    bool hit = fault_answers.at > 0 && nth >= fault_answers.at && nth - fault_answers.at < times;
    if (hit)
        atomic_fetch_add(&fault_answers.hits, 1);
    return hit;
}

static void delay(void) {
    long long ns = atomic_load(&fault_answers.delay_ns);
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    if (ns > 0)
        (void)nanosleep(&t, NULL);
}

static size_t cut(size_t n) {
    return n < fault_answers.cut_bytes ? n : (size_t)fault_answers.cut_bytes;
}

ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t off) {
    delay();
    bool hit = next_is_hit();
    if (hit && fault_answers.os_errno != 0) {
        errno = fault_answers.os_errno;
        return -1;
    }
    return __real_pread(fd, buf, hit ? cut(n) : n, off);
}

ssize_t __wrap_preadv2(int fd, const struct iovec *v, int n, off_t off, int flags) {
    if (fault_answers.cannot_tell) {
        errno = EOPNOTSUPP;
        return -1;
    }
    delay();
    bool hit = next_is_hit();
    if (hit && fault_answers.os_errno != 0) {
        errno = fault_answers.os_errno;
        return -1;
    }
    struct iovec part = {v->iov_base, hit ? cut(v->iov_len) : v->iov_len};
    return __real_preadv2(fd, n == 1 ? &part : v, n, off, flags);
}

int __wrap_io_setup(int n, io_context_t *out) {
    return fault_answers.setup_errno != 0 ? -fault_answers.setup_errno : __real_io_setup(n, out);
}

static bool submit_is_hit(void) {
    long nth = ++fault_answers.submits;
    return fault_answers.submit_at > 0 && nth >= fault_answers.submit_at &&
           nth - fault_answers.submit_at < fault_answers.submit_times;
}

int __wrap_io_submit(io_context_t c, long n, struct iocb *list[]) {
    return submit_is_hit() ? -fault_answers.submit_errno : __real_io_submit(c, n, list);
}

int __wrap_io_uring_queue_init(unsigned n, struct io_uring *ring, unsigned flags) {
    return fault_answers.ring_errno != 0 && --fault_answers.rings_left < 0
               ? -fault_answers.ring_errno
               : __real_io_uring_queue_init(n, ring, flags);
}

int __wrap_io_uring_register_buffers(struct io_uring *ring, const struct iovec *v, unsigned n) {
    return fault_answers.no_locked_memory ? -ENOMEM : __real_io_uring_register_buffers(ring, v, n);
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned wait) {
    return submit_is_hit() ? -fault_answers.submit_errno
                           : __real_io_uring_submit_and_wait(ring, wait);
}

unsigned __wrap_io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **out,
                                        unsigned max) {
    unsigned n = __real_io_uring_peek_batch_cqe(ring, out, max);
    for (unsigned i = 0; i < n; i++)
        if (out[i]->res >= 0 && next_is_hit())
            out[i]->res = fault_answers.os_errno != 0 ? -fault_answers.os_errno
                                                      : (int)cut((size_t)out[i]->res);
    return n;
}

/* 0, or what waiting fails with. */
static int wait_fails(void) {
    int rc = -fault_answers.wait_errno;
    if (rc != 0 && --fault_answers.wait_times <= 0)
        fault_answers.wait_errno = 0;
    return rc;
}

/* Where io_uring_wait_cqe() goes when no answer is there yet. */
int __wrap___io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **out, unsigned submit,
                              unsigned wait, sigset_t *mask) {
    int rc = wait_fails();
    return rc != 0 ? rc : __real___io_uring_get_cqe(ring, out, submit, wait, mask);
}

int __wrap_io_getevents(io_context_t c, long min, long max, struct io_event *out,
                        struct timespec *timeout) {
    int rc = wait_fails();
    if (rc != 0)
        return rc;
    int n = __real_io_getevents(c, min, max, out, timeout);
    for (int i = 0; i < n; i++) {
        if ((long)out[i].res < 0 || !next_is_hit())
            continue;
        out[i].res = fault_answers.os_errno != 0 ? (unsigned long)-fault_answers.os_errno
                                                 : (unsigned long)cut(out[i].res);
    }
    return n;
}
