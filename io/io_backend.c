/*
 * The choice between direct reads, the page cache and reading threads.
 */
#define _GNU_SOURCE
#include "io_backend.h"

#include "error.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

/* Reads in flight that a direct back end must be able to have. */
#define PROBE_DEPTH 64u

static int descriptor_of(const struct hr__file *file) {
    return file->ops->descriptor != NULL ? file->ops->descriptor(file->ctx) : -1;
}

/* File systems that keep files in memory: no read of them waits for a disk. */
static bool is_memory(const struct hr__file *file) {
    struct statfs fs;
    int fd = descriptor_of(file);
    if (fd < 0 || fstatfs(fd, &fs) != 0)
        return false;
    return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC;
}

static bool can_read_now(const struct hr__file *file) {
    uint8_t byte;
    if (file->ops->read_now == NULL)
        return false;
    int64_t n = file->ops->read_now(file->ctx, &byte, 1, 0);
    return n >= 0 || n == -EAGAIN;
}

static hr_status direct_refused(int os_errno, hr_error *err) {
    if (os_errno == ENOMEM || os_errno == EMFILE || os_errno == ENFILE)
        return hr__error_os(err, os_errno, "cannot open the file once more for direct reads");
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "its file system refuses direct reads (%s); read through the page cache",
                         strerror(os_errno));
}

static hr_status try_direct(struct hr__io_backend *b, hr_error *err) {
    struct hr__io_queue probe = {0};
    uint32_t align_bytes;
    int fd = hr__direct_open(b->file, &align_bytes);
    if (fd < 0)
        return direct_refused(-fd, err);
    hr_status st = HR_ERR_UNSUPPORTED;
    if (b->io != HR_IO_LIBAIO)
        st = hr__uring_queue_open(fd, align_bytes, PROBE_DEPTH, NULL, 0, &probe, NULL);
    b->uring = st == HR_OK;
    if (!b->uring)
        st = hr__aio_queue_open(fd, align_bytes, PROBE_DEPTH, &probe, err);
    hr__io_queue_close(&probe);
    if (st != HR_OK) {
        hr__direct_close(fd);
        return st;
    }
    if (b->io == HR_IO_AUTO)
        b->io = HR_IO_DIRECT;
    b->direct_fd = fd;
    b->align_bytes = align_bytes;
    return HR_OK;
}

hr_status hr__io_backend_choose(const struct hr__file *file, hr_io asked, bool prefer_direct,
                                struct hr__io_backend *out, hr_error *err) {
    *out = (struct hr__io_backend){.io = asked, .file = file, .align_bytes = 1, .direct_fd = -1};
    if (asked == HR_IO_DIRECT || asked == HR_IO_LIBAIO)
        return try_direct(out, err);
    if (asked != HR_IO_AUTO)
        return HR_OK;
    bool memory = is_memory(file);
    if (prefer_direct && !memory && try_direct(out, NULL) == HR_OK)
        return HR_OK; /* where another way will do, a refusal is no error */
    out->io = memory || can_read_now(file) ? HR_IO_CACHED : HR_IO_THREADS;
    return HR_OK;
}

uint32_t hr__io_backend_threads(hr_io io, uint32_t io_depth) {
    if (io != HR_IO_THREADS)
        return 0;
    return io_depth < HR__MAX_READ_THREADS ? io_depth : HR__MAX_READ_THREADS;
}

hr_status hr__io_backend_start(struct hr__io_backend *b, uint32_t io_depth, hr_error *err) {
    b->num_read_threads = hr__io_backend_threads(b->io, io_depth);
    if (b->num_read_threads == 0)
        return HR_OK;
    return hr__read_pool_open(b->file, b->num_read_threads, &b->pool, err);
}

hr_status hr__io_backend_queue(const struct hr__io_backend *b, uint32_t depth, void *buffers,
                               size_t buffers_bytes, struct hr__io_queue *out, hr_error *err) {
    if (b->uring)
        return hr__uring_queue_open(b->direct_fd, b->align_bytes, depth, buffers, buffers_bytes,
                                    out, err);
    if (b->direct_fd >= 0)
        return hr__aio_queue_open(b->direct_fd, b->align_bytes, depth, out, err);
    if (b->io == HR_IO_THREADS)
        return hr__thread_queue_open(b->pool, depth, out, err);
    return hr__cached_queue_open(b->file, depth, out, err);
}

bool hr__io_backend_without_rings(struct hr__io_backend *b) {
    bool before = b->uring;
    b->uring = false;
    return before;
}

void hr__io_backend_close(struct hr__io_backend *b) {
    hr__read_pool_close(b->pool);
    if (b->file != NULL)
        hr__direct_close(b->direct_fd);
    *b = (struct hr__io_backend){0};
}

const char *hr__io_backend_name(const struct hr__io_backend *b) {
    return b->uring                 ? "io_uring"
           : b->direct_fd >= 0      ? "libaio"
           : b->io == HR_IO_THREADS ? "threads"
                                    : "page cache";
}
