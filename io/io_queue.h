/*
 * A queue of asynchronous reads of one or several files, which are told apart by their numbers. One
 * queue belongs to one thread. Its back ends: io_uring and libaio past the page cache, the page
 * cache, and a pool of reading threads.
 *
 * Invariants:
 *  1. at most depth reads are in flight; submit beyond that returns -EAGAIN, and only then;
 *  2. every submitted read is reaped exactly once, or drained by close;
 *  3. a buffer belongs to the queue from submit until its read is reaped.
 */
#ifndef HEADRACE_IO_QUEUE_H
#define HEADRACE_IO_QUEUE_H

#include "file.h"

struct hr__io_done {
    uint64_t tag;
    int64_t result; /* bytes read (less than asked for only at the end of the file), or -errno */
};

struct hr__io_ops {
    const char *name;
    /* 0; -EAGAIN: reap first; -errno. Offset, length and buffer are multiples of align_bytes. file:
     * below the number that the queue was opened with. */
    int (*submit)(void *ctx, uint64_t tag, uint32_t file, void *buf, size_t n_bytes, uint64_t off);
    /* Number of reads reaped, at least 1 if any is in flight; or -errno. Blocks for the first. They
     * come in any order. */
    int (*reap)(void *ctx, struct hr__io_done *out, uint32_t max);
    void (*close)(void *ctx); /* waits for what is in flight */
};

struct hr__io_queue {
    const struct hr__io_ops *ops;
    void *ctx;
    uint32_t align_bytes; /* of offset, length and buffer; 1: no rule */
};

/* Reads through the page cache: what is there already is copied when it is reaped, before what is
 * not; that is announced to the kernel, and waited for when nothing else is left. Works on every
 * hr__file. The files must outlive the queue. */
hr_status hr__cached_queue_open(const struct hr__file *files, uint32_t num_files, uint32_t depth,
                                struct hr__io_queue *out, hr_error *err);

/* Descriptors of files that were opened with O_DIRECT. */
struct hr__direct_files {
    const int *fds;
    uint32_t num_files;
    uint32_t align_bytes; /* that suits all of them */
};

/* libaio on them; they must outlive the queue. HR_ERR_UNSUPPORTED where the system refuses a
 * context. */
hr_status hr__aio_queue_open(const struct hr__direct_files *files, uint32_t depth,
                             struct hr__io_queue *out, hr_error *err);

/* io_uring on them. buffers: where all reads will go, or NULL; the first submit registers them if
 * the system lets it, and they must outlive the queue. HR_ERR_UNSUPPORTED where the system refuses
 * a ring, or is older than Linux 5.12. */
hr_status hr__uring_queue_open(const struct hr__direct_files *files, uint32_t depth, void *buffers,
                               size_t buffers_bytes, struct hr__io_queue *out, hr_error *err);

/* Threads that read files for any number of queues, first come, first served. The files must
 * outlive the pool. HR_ERR_NO_MEMORY. */
struct hr__read_pool;
hr_status hr__read_pool_open(const struct hr__file *files, uint32_t num_threads,
                             struct hr__read_pool **out, hr_error *err);
void hr__read_pool_close(struct hr__read_pool *p); /* after its queues; joins; NULL is fine */

/* Works on every hr__file. The pool must outlive the queue. */
hr_status hr__thread_queue_open(struct hr__read_pool *p, uint32_t depth, struct hr__io_queue *out,
                                hr_error *err);

void hr__io_queue_close(struct hr__io_queue *q); /* a zeroed queue is fine */

/* Memory for reads: on huge pages as far as they can be had (a direct read then needs few segments
 * and few pages to pin), and not inherited by fork, which would lose what a direct read in flight
 * brings. Aligned to pages. NULL: there is none. */
void *hr__read_buffers_alloc(size_t n_bytes);
void hr__read_buffers_free(void *buffers, size_t n_bytes);

/* The file again, with O_DIRECT. *align_bytes: of offset, length and buffer. The descriptor, or
 * -errno where the file system cannot. */
int hr__direct_open(const struct hr__file *file, uint32_t *align_bytes);
void hr__direct_close(int fd);

#endif
