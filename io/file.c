/*
 * Files and folders of the operating system, behind the tables of file.h.
 */
#define _GNU_SOURCE
#include "file.h"

#include "direct_write.h"
#include "error.h"
#include "memory_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* A read that finds no resources is tried again so often, so far apart. */
#define MAX_TRIES    200u
#define TRY_AGAIN_NS 5000000

#define SMALL_BYTES (UINT64_C(16) << 20) /* a file for which memory is not looked at */

static int fd_of(void *ctx) {
    return (int)(intptr_t)ctx - 1; /* so that a zeroed file is none */
}

bool hr__read_again(int os_errno, uint32_t *tries) {
    if (os_errno == EINTR)
        return true;
    if (os_errno != EAGAIN || ++*tries == MAX_TRIES)
        return false;
    struct timespec pause = {.tv_nsec = TRY_AGAIN_NS};
    (void)nanosleep(&pause, NULL);
    return true;
}

static int64_t posix_read(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    size_t done = 0;
    uint32_t tries = 0;
    while (done < n_bytes) {
        ssize_t n = pread(fd_of(ctx), (char *)buf + done, n_bytes - done, (off_t)(off + done));
        if (n < 0 && hr__read_again(errno, &tries))
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

static int64_t posix_read_now(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    struct iovec part = {buf, n_bytes};
    ssize_t n;
    do
        n = preadv2(fd_of(ctx), &part, 1, (off_t)off, RWF_NOWAIT);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? n : errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

static int posix_write(void *ctx, const void *buf, size_t n_bytes, uint64_t off) {
    size_t done = 0;
    while (done < n_bytes) {
        ssize_t n =
            pwrite(fd_of(ctx), (const char *)buf + done, n_bytes - done, (off_t)(off + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        done += (size_t)n;
    }
    return 0;
}

static int posix_sync(void *ctx) {
    return fsync(fd_of(ctx)) == 0 ? 0 : -errno;
}

static int posix_truncate(void *ctx, uint64_t n_bytes) {
    int rc;
    do
        rc = ftruncate(fd_of(ctx), (off_t)n_bytes);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

static int64_t posix_size(void *ctx) {
    struct stat st;
    return fstat(fd_of(ctx), &st) == 0 ? (int64_t)st.st_size : -errno;
}

static int posix_lock(void *ctx) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd_of(ctx), F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

static void posix_close(void *ctx) {
    close(fd_of(ctx));
}

static int posix_descriptor(void *ctx) {
    return fd_of(ctx);
}

static void posix_prefetch(void *ctx, size_t n_bytes, uint64_t off) {
    (void)posix_fadvise(fd_of(ctx), (off_t)off, (off_t)n_bytes, POSIX_FADV_WILLNEED);
}

static void posix_write_behind(void *ctx, size_t n_bytes, uint64_t off) {
    (void)sync_file_range(fd_of(ctx), (off_t)off, (off_t)n_bytes, SYNC_FILE_RANGE_WRITE);
}

/* As the kernel has them, since Linux 6.5; the number is the same on every processor. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
struct cache_range {
    uint64_t off, n_bytes;
};
struct cache_counts {
    uint64_t cached, dirty, writeback, evicted, recently_evicted; /* pages */
};

static int64_t posix_cached(void *ctx, uint64_t n_bytes, uint64_t off) {
    struct cache_range range = {off, n_bytes};
    struct cache_counts counts;
    if (syscall(SYS_cachestat, (unsigned)fd_of(ctx), &range, &counts, 0u) != 0)
        return -errno;
    return (int64_t)(counts.cached * (uint64_t)sysconf(_SC_PAGESIZE));
}

static int posix_open_direct(void *ctx, struct hr__file *out) {
    return hr__direct_write_open(fd_of(ctx), out);
}

/* A loader reads a file that fits well through the page cache: there its first epoch finds it. */
static uint64_t posix_keep_cached(void *ctx, uint64_t off) {
    (void)ctx;
    return off < SMALL_BYTES ? SMALL_BYTES : hr__page_cache_share("");
}

static const struct hr__file_ops posix_file = {
    .name = "posix",
    .read = posix_read,
    .read_now = posix_read_now,
    .write = posix_write,
    .sync = posix_sync,
    .truncate = posix_truncate,
    .size = posix_size,
    .lock = posix_lock,
    .close = posix_close,
    .descriptor = posix_descriptor,
    .prefetch = posix_prefetch,
    .write_behind = posix_write_behind,
    .cached = posix_cached,
    .open_direct = posix_open_direct,
    .keep_cached = posix_keep_cached,
};

static int folder_open(void *ctx, const char *path, int flags, struct hr__file *out) {
    (void)ctx;
    int fd, rc = 0;
    struct stat st;
    *out = (struct hr__file){0};
    char *name = strdup(path);
    if (name == NULL)
        return -ENOMEM;
    do
        fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0666); /* a FIFO must not block us */
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        rc = -errno;
    else if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if (rc != 0) {
        free(name);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    *out = (struct hr__file){&posix_file, (void *)(intptr_t)(fd + 1), name};
    return 0;
}

static int folder_rename(void *ctx, const char *from, const char *to, bool replace) {
    (void)ctx;
    if (replace)
        return rename(from, to) == 0 ? 0 : -errno;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return -errno;
    /* File systems that cannot rename without replacing can make a second name, which fails if it
     * is there. */
    if (link(from, to) != 0)
        return -errno;
    (void)unlink(from); /* else who opens the partial file the next time sees what it is */
    return 0;
}

static int folder_unlink(void *ctx, const char *path) {
    (void)ctx;
    return unlink(path) == 0 ? 0 : -errno;
}

/* Where a folder may be written to but not opened, or its file system has no such call. */
static int sync_file_system(const char *path) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = syncfs(fd) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

static int folder_sync_parent(void *ctx, const char *path) {
    (void)ctx;
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (n >= sizeof(parent))
        return -ENAMETOOLONG;
    memcpy(parent, path, n);
    parent[n] = 0;
    int fd = open(n > 0 ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? sync_file_system(path) : -errno;
    int rc = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return rc == -EINVAL ? sync_file_system(path) : rc;
}

static bool folder_exists(void *ctx, const char *path) {
    (void)ctx;
    struct stat st;
    return lstat(path, &st) == 0;
}

const struct hr__folder_ops hr__posix_folder = {
    .name = "posix",
    .open = folder_open,
    .rename = folder_rename,
    .unlink = folder_unlink,
    .sync_parent = folder_sync_parent,
    .exists = folder_exists,
};

void hr__file_close(struct hr__file *f) {
    if (f->ops != NULL)
        f->ops->close(f->ctx);
    free(f->path);
    *f = (struct hr__file){0};
}

/* Where a file ends of which n_bytes were left at off. */
static uint64_t end_of(const struct hr__file *f, uint64_t off, uint64_t n_bytes) {
    int64_t size = n_bytes == 0 ? f->ops->size(f->ctx) : -1;
    return size >= 0 && (uint64_t)size < off ? (uint64_t)size : off + n_bytes;
}

hr_status hr__file_read_exact(const struct hr__file *f, void *buf, size_t n_bytes, uint64_t off,
                              hr_error *err) {
    int64_t n = f->ops->read(f->ctx, buf, n_bytes, off);
    if (n < 0) {
        hr_status st = hr__error_os(err, (int)-n, "reading %zu bytes at offset %llu failed",
                                    n_bytes, (unsigned long long)off);
        if (err != NULL)
            err->file_off = off;
        return st;
    }
    if ((size_t)n < n_bytes) {
        uint64_t end = end_of(f, off, (uint64_t)n);
        return hr__error_at(err, HR_ERR_CORRUPT, end,
                            "truncated: the file ends at offset %llu, %zu bytes at %llu were "
                            "expected; copy the file again",
                            (unsigned long long)end, n_bytes, (unsigned long long)off);
    }
    return HR_OK;
}

hr_status hr__file_write_all(const struct hr__file *f, const void *buf, size_t n_bytes,
                             uint64_t off, hr_error *err) {
    int rc = f->ops->write(f->ctx, buf, n_bytes, off);
    return rc == 0 ? HR_OK : hr__file_write_failed(f, n_bytes, off, -rc, err);
}

hr_status hr__file_write_failed(const struct hr__file *f, uint64_t n_bytes, uint64_t off,
                                int os_errno, hr_error *err) {
    hr_status st = hr__error_os(err, os_errno, "%s: writing %llu bytes at offset %llu failed",
                                f->path, (unsigned long long)n_bytes, (unsigned long long)off);
    if (err != NULL)
        err->file_off = off;
    return st;
}

hr_status hr__file_sync(const struct hr__file *f, hr_error *err) {
    int rc = f->ops->sync(f->ctx);
    if (rc == 0)
        return HR_OK;
    (void)hr__error_os(err, -rc,
                       "%s: fsync failed, so it is unknown what is on the disk; check the disk, "
                       "then run headrace verify",
                       f->path);
    if (err != NULL)
        err->status = HR_ERR_UNCERTAIN;
    return HR_ERR_UNCERTAIN;
}
