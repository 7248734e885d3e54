/*
 * The choice between direct reads, the page cache and reading threads.
 */
#include "io_backend.h"

#include "error.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

/* Reads in flight that a direct back end must be able to have. */
#define PROBE_DEPTH 64u

static int descriptor_of(const struct hr__file *file) {
    return file->ops->descriptor != NULL ? file->ops->descriptor(file->ctx) : -1;
}

/* File systems that keep files in memory: no read of them waits for a disk. */
static bool in_memory(const struct hr__file *file) {
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

/* Names the file where there are several. */
static hr_status direct_refused(const struct hr__io_backend *b, uint32_t file, int os_errno,
                                hr_error *err) {
    hr_status st;
    bool too_many = os_errno == EMFILE || os_errno == ENFILE;
    if (too_many && b->num_files > 1)
        st =
            hr__error_os(err, os_errno,
                         "cannot open the file once more for direct reads, which take two "
                         "descriptors for each of the %u files; allow more open files (ulimit -n), "
                         "or read through the page cache",
                         b->num_files);
    else if (too_many || os_errno == ENOMEM)
        st = hr__error_os(err, os_errno, "cannot open the file once more for direct reads");
    else
        st = hr__error_set(err, HR_ERR_UNSUPPORTED,
                           "its file system refuses direct reads (%s); read through the page cache",
                           strerror(os_errno));
    if (b->num_files > 1)
        hr__error_name_file(err, b->files[file].path);
    return st;
}

static struct hr__direct_files direct_files(const struct hr__io_backend *b) {
    return (struct hr__direct_files){b->direct_fds, b->num_files, b->align_bytes};
}

static void direct_close(struct hr__io_backend *b) {
    for (uint32_t i = 0; b->direct_fds != NULL && i < b->num_files; i++)
        hr__direct_close(b->direct_fds[i]);
    free(b->direct_fds);
    b->direct_fds = NULL;
    b->align_bytes = 1;
}

static hr_status direct_open(struct hr__io_backend *b, hr_error *err) {
    b->direct_fds = malloc(b->num_files * sizeof(*b->direct_fds));
    if (b->direct_fds == NULL)
        return hr__error_no_memory(err, b->num_files * sizeof(*b->direct_fds), "descriptors");
    for (uint32_t i = 0; i < b->num_files; i++)
        b->direct_fds[i] = -1;
    for (uint32_t i = 0; i < b->num_files; i++) {
        uint32_t align_bytes;
        b->direct_fds[i] = hr__direct_open(&b->files[i], &align_bytes);
        if (b->direct_fds[i] < 0)
            return direct_refused(b, i, -b->direct_fds[i], err);
        /* Powers of two: the largest suits all. */
        b->align_bytes = b->align_bytes > align_bytes ? b->align_bytes : align_bytes;
    }
    return HR_OK;
}

static hr_status try_direct(struct hr__io_backend *b, hr_error *err) {
    struct hr__io_queue probe = {0};
    hr_status st = direct_open(b, err);
    if (st == HR_OK) {
        const struct hr__direct_files files = direct_files(b);
        b->uring = b->io != HR_IO_LIBAIO &&
                   hr__uring_queue_open(&files, PROBE_DEPTH, NULL, 0, &probe, NULL) == HR_OK;
        if (!b->uring)
            st = hr__aio_queue_open(&files, PROBE_DEPTH, &probe, err);
        hr__io_queue_close(&probe);
    }
    if (st != HR_OK)
        direct_close(b);
    else if (b->io == HR_IO_AUTO)
        b->io = HR_IO_DIRECT;
    return st;
}

hr_status hr__io_backend_choose(const struct hr__file *files, uint32_t num_files, hr_io asked,
                                bool prefer_direct, struct hr__io_backend *out, hr_error *err) {
    *out = (struct hr__io_backend){
        .io = asked, .files = files, .num_files = num_files, .align_bytes = 1};
    if (asked == HR_IO_DIRECT || asked == HR_IO_LIBAIO)
        return try_direct(out, err);
    if (asked != HR_IO_AUTO)
        return HR_OK;
    bool memory = true, need_not_wait = true;
    for (uint32_t i = 0; i < num_files; i++) {
        bool here = in_memory(&files[i]);
        memory = memory && here;
        need_not_wait = need_not_wait && (here || can_read_now(&files[i]));
    }
    if (prefer_direct && !memory && try_direct(out, NULL) == HR_OK)
        return HR_OK; /* where another way will do, a refusal is no error */
    out->io = need_not_wait ? HR_IO_CACHED : HR_IO_THREADS;
    return HR_OK;
}

uint32_t hr__io_backend_threads(hr_io io, uint32_t io_depth) {
    if (io != HR_IO_THREADS)
        return 0;
    return io_depth < HR__MAX_IO_THREADS ? io_depth : HR__MAX_IO_THREADS;
}

hr_status hr__io_backend_start(struct hr__io_backend *b, uint32_t io_depth, hr_error *err) {
    b->num_read_threads = hr__io_backend_threads(b->io, io_depth);
    if (b->num_read_threads == 0)
        return HR_OK;
    return hr__read_pool_open(b->files, b->num_read_threads, &b->pool, err);
}

hr_status hr__io_backend_queue(const struct hr__io_backend *b, uint32_t depth, void *buffers,
                               size_t buffers_bytes, struct hr__io_queue *out, hr_error *err) {
    const struct hr__direct_files direct = direct_files(b);
    if (b->uring)
        return hr__uring_queue_open(&direct, depth, buffers, buffers_bytes, out, err);
    if (b->direct_fds != NULL)
        return hr__aio_queue_open(&direct, depth, out, err);
    if (b->io == HR_IO_THREADS)
        return hr__thread_queue_open(b->pool, depth, out, err);
    return hr__cached_queue_open(b->files, b->num_files, depth, out, err);
}

bool hr__io_backend_without_rings(struct hr__io_backend *b) {
    bool before = b->uring;
    b->uring = false;
    return before;
}

void hr__io_backend_close(struct hr__io_backend *b) {
    hr__read_pool_close(b->pool);
    direct_close(b);
    *b = (struct hr__io_backend){0};
}

const char *hr__io_backend_name(const struct hr__io_backend *b) {
    return b->uring                 ? "io_uring"
           : b->direct_fds != NULL  ? "libaio"
           : b->io == HR_IO_THREADS ? "threads"
                                    : "page cache";
}
