/*
 * The life of a partial file.
 */
#define _GNU_SOURCE
#include "partial_file.h"

#include "bytes.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX       ".partial"
#define MAX_ATTEMPTS 100

static hr_status make_names(struct hr__partial_file *p, const char *target, hr_error *err) {
    const size_t n = strlen(target);
    if (n == 0 || target[n - 1] == '/')
        return hr__error_set(err, HR_ERR_INVALID, "'%s' is no name of a file; give one to write to",
                             target);
    p->target = strdup(target);
    p->path = malloc(n + sizeof SUFFIX);
    if (p->target == NULL || p->path == NULL)
        return hr__error_no_memory(err, n, "a path");
    memcpy(p->path, target, n);
    memcpy(p->path + n, SUFFIX, sizeof SUFFIX);
    return HR_OK;
}

static int descriptor(const struct hr__partial_file *p) {
    const struct hr__file *f = &p->file;
    return f->ops->descriptor != NULL ? f->ops->descriptor(f->ctx) : -1;
}

static bool is_called(int fd, const char *path, int flags) {
    struct stat by_fd, by_name;
    return fstat(fd, &by_fd) == 0 && fstatat(AT_FDCWD, path, &by_name, flags) == 0 &&
           by_fd.st_dev == by_name.st_dev && by_fd.st_ino == by_name.st_ino;
}

/* Between opening and locking, the writer that had the file may have renamed it to the target,
 * which must not be touched. */
bool hr__partial_file_has_name(const struct hr__partial_file *p) {
    const int fd = descriptor(p);
    return fd < 0 || is_called(fd, p->path, 0);
}

/* It is the target itself: where files are renamed by a second name, one ended before it took away
 * the first. */
static bool is_complete(const struct hr__partial_file *p) {
    const int fd = descriptor(p);
    return fd >= 0 && is_called(fd, p->target, AT_SYMLINK_NOFOLLOW);
}

static hr_status open_and_lock(struct hr__partial_file *p, hr_error *err) {
    int rc = p->folder->open(p->folder->ctx, p->path, O_RDWR | O_CREAT, &p->file);
    if (rc == -ENOENT)
        return hr__error_os(err, -rc,
                            "cannot make %s: its folder is not there, make it or choose another "
                            "output",
                            p->path);
    if (rc != 0)
        return hr__error_os(err, -rc, "cannot make %s", p->path);
    rc = p->file.ops->lock(p->file.ctx);
    if (rc == -EAGAIN || rc == -EACCES)
        return hr__error_set(err, HR_ERR_BUSY,
                             "another writer is at work on %s: wait for it, or choose another "
                             "output",
                             p->path);
    if (rc != 0)
        return hr__error_os(err, -rc, "cannot lock %s", p->path);
    return HR_OK;
}

/* A device or a pipe that has the target's name is not replaced, whatever was asked for. */
static hr_status check_target(const struct hr__partial_file *p, bool replace, hr_error *err) {
    struct stat there;
    if (stat(p->target, &there) == 0 && !S_ISREG(there.st_mode))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s is no regular file, and nothing else is replaced: choose another "
                             "output",
                             p->target);
    if (replace || !p->folder->exists(p->folder->ctx, p->target))
        return HR_OK;
    return hr__error_os(
        err, EEXIST, "%s exists: choose another output, or ask for it to be replaced", p->target);
}

static hr_status look_inside(struct hr__partial_file *p, hr_error *err) {
    const int64_t size = p->file.ops->size(p->file.ctx);
    if (size < 0)
        return hr__error_os(err, (int)-size, "%s: cannot tell its size", p->path);
    p->in_use = size > 0;
    return HR_OK;
}

hr_status hr__partial_file_open(const struct hr__folder_ops *folder, const char *target,
                                bool replace, struct hr__partial_file *out, hr_error *err) {
    *out = (struct hr__partial_file){.folder = folder};
    hr_status st;
    HR_TRY(make_names(out, target, err));
    HR_TRY(check_target(out, replace, err));
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        HR_TRY(open_and_lock(out, err));
        if (is_complete(out)) {
            (void)folder->unlink(folder->ctx, out->path);
        } else if (hr__partial_file_has_name(out)) {
            out->locked = true;
            out->in_use = true; /* until it is known to be empty: close must not remove it */
            HR_TRY(look_inside(out, err));
            /* The writer before may have finished while this one waited. */
            return check_target(out, replace, err);
        }
        hr__file_close(&out->file);
    }
    st = hr__error_set(err, HR_ERR_BUSY, "%s is renamed again and again by other writers",
                       out->path);
done:
    return st;
}

/* What an unfinished file of Headrace begins with, as far as it goes: a data set with zeros, or its
 * signature; what is exported with that of its kind, or not yet. */
static bool begins_as_ours(const uint8_t *bytes, size_t n) {
    static const char *const ours[] = {"\x89HRD\r\n\x1a\n", "\x89HDF\r\n\x1a\n", "\x93NUMPY",
                                       "PK\3\4", "{\"displayTimeUni"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        const size_t k = strlen(ours[i]);
        if (memcmp(bytes, ours[i], n < k ? n : k) == 0)
            return true;
    }
    return hr__is_zero(bytes, n);
}

static hr_status check_ours(const struct hr__partial_file *p, hr_error *err) {
    uint8_t bytes[16] = {0};
    const int64_t n = p->file.ops->read(p->file.ctx, bytes, sizeof bytes, 0);
    if (n < 0)
        return hr__error_os(err, (int)-n, "%s cannot be read", p->path);
    if (begins_as_ours(bytes, (size_t)n))
        return HR_OK;
    return hr__error_set(err, HR_ERR_MISMATCH,
                         "%s is in the way, and Headrace did not make it: move it, or choose "
                         "another output",
                         p->path);
}

hr_status hr__partial_file_empty(struct hr__partial_file *p, hr_error *err) {
    const hr_status st = p->in_use ? check_ours(p, err) : HR_OK;
    if (st != HR_OK)
        return st;
    const int rc = p->file.ops->truncate(p->file.ctx, 0);
    if (rc != 0)
        return hr__error_os(err, -rc, "cannot empty %s", p->path);
    p->in_use = false;
    return HR_OK;
}

hr_status hr__partial_file_complete(struct hr__partial_file *p, bool replace, hr_error *err) {
    int rc = p->file.ops->sync(p->file.ctx);
    if (rc != 0)
        return hr__error_os(
            err, -rc, "fsync of %s failed, so %s was not made; check the disk, then write it again",
            p->path, p->target);
    rc = p->folder->rename(p->folder->ctx, p->path, p->target, replace);
    if (rc != 0)
        return hr__error_os(err, -rc, "%s cannot be given its name", p->target);
    p->in_use = true; /* by its own name */
    rc = p->folder->sync_parent(p->folder->ctx, p->target);
    return rc == 0 ? HR_OK : hr__name_uncertain(p->target, -rc, err);
}

hr_status hr__name_uncertain(const char *target, int os_errno, hr_error *err) {
    hr_error os = {.status = HR_OK};
    (void)hr__error_os(&os, os_errno, "cannot synchronise the folder");
    (void)hr__error_set(err, HR_ERR_UNCERTAIN,
                        "%s is complete, but its name may not survive a power cut: %.300s", target,
                        os.message);
    if (err != NULL)
        err->os_errno = os_errno;
    return HR_ERR_UNCERTAIN;
}

void hr__partial_file_close(struct hr__partial_file *p) {
    if (p->locked && !p->in_use)
        (void)p->folder->unlink(p->folder->ctx, p->path);
    hr__file_close(&p->file);
    free(p->target);
    free(p->path);
    *p = (struct hr__partial_file){0};
}
