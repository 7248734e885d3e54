/*
 * Input files. What they hold is untrusted; that a file changes while it is read is expected.
 */
#define _GNU_SOURCE
#include "input_file.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t hr__stat_mtime_ns(const struct stat *s) {
    int64_t ns;
    if (__builtin_mul_overflow((int64_t)s->st_mtim.tv_sec, INT64_C(1000000000), &ns) ||
        __builtin_add_overflow(ns, (int64_t)s->st_mtim.tv_nsec, &ns))
        return 0;
    return ns;
}

hr_status hr__input_file_open(const char *path, struct hr__input_file *out, hr_error *err) {
    struct stat s;
    hr_status st = HR_OK;
    *out = (struct hr__input_file){0};
    /* O_NONBLOCK: opening a pipe that nobody writes to must not hang. */
    out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (out->fd < 0)
        return hr__error_os(err, errno, "%s cannot be opened", path);
    out->open = true;
    if (fstat(out->fd, &s) != 0) {
        st = hr__error_os(err, errno, "%s: its size cannot be found", path);
    } else if (!S_ISREG(s.st_mode)) {
        st = hr__error_set(err, HR_ERR_INVALID,
                           "%s is no regular file; only files can be converted, since they are "
                           "read at several places",
                           path);
    } else {
        out->size_bytes = (uint64_t)s.st_size;
        out->mtime_ns = hr__stat_mtime_ns(&s);
        out->device = (uint64_t)s.st_dev;
        out->inode = (uint64_t)s.st_ino;
    }
    if (st != HR_OK)
        hr__input_file_close(out);
    return st;
}

hr_status hr__input_file_check_same(const struct hr__input_file *f,
                                    const hr_source_fingerprint *opened, hr_error *err) {
    if (f->size_bytes == opened->size_bytes && f->mtime_ns == opened->mtime_ns)
        return HR_OK;
    return hr__error_set(err, HR_ERR_DATA,
                         "%s was changed after the conversion had begun; begin it again",
                         opened->path);
}

hr_status hr__input_file_read(const struct hr__input_file *f, const char *path, void *buf,
                              size_t n_bytes, uint64_t off, size_t *found, hr_error *err) {
    size_t have = 0;
    while (have < n_bytes) {
        ssize_t n = pread(f->fd, (char *)buf + have, n_bytes - have, (off_t)(off + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hr__error_os(err, errno, "%s: reading %zu bytes at %llu failed", path, n_bytes,
                                (unsigned long long)off);
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *found = have;
    return HR_OK;
}

hr_status hr__input_file_read_exact(const struct hr__input_file *f, const char *path, void *buf,
                                    size_t n_bytes, uint64_t off, hr_error *err) {
    size_t found = 0;
    hr_status st = hr__input_file_read(f, path, buf, n_bytes, off, &found, err);
    if (st == HR_OK && found < n_bytes)
        st = hr__error_at(err, HR_ERR_CORRUPT, off + found,
                          "%s is truncated: it ends at byte %llu, and bytes up to %llu are needed; "
                          "copy or save it again",
                          path, (unsigned long long)(off + found),
                          (unsigned long long)(off + n_bytes));
    return st;
}

void hr__input_file_announce(const struct hr__input_file *f, uint64_t n_bytes, uint64_t off) {
    (void)posix_fadvise(f->fd, (off_t)off, (off_t)n_bytes, POSIX_FADV_WILLNEED);
}

void hr__input_file_close(struct hr__input_file *f) {
    if (f->open)
        close(f->fd);
    f->open = false;
}
