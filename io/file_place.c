/*
 * Owners, permissions and free space, by descriptors.
 */
#define _GNU_SOURCE
#include "file_place.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static int descriptor_of(const struct hr__file *f) {
    return f->ops->descriptor != NULL ? f->ops->descriptor(f->ctx) : -1;
}

int hr__file_copy_owner(const struct hr__file *from, const struct hr__file *to) {
    const int old_fd = descriptor_of(from), new_fd = descriptor_of(to);
    struct stat has, is;
    if (old_fd < 0 || new_fd < 0)
        return 0;
    if (fstat(old_fd, &has) != 0 || fstat(new_fd, &is) != 0)
        return -errno;
    if (has.st_nlink > 1)
        return -EMLINK;
    if (fgetxattr(old_fd, "system.posix_acl_access", NULL, 0) > 0)
        return -ENOTSUP;
    /* The owner first: a change of owner may take permissions away. */
    if ((has.st_uid != is.st_uid || has.st_gid != is.st_gid) &&
        fchown(new_fd, has.st_uid, has.st_gid) != 0)
        return -errno;
    return fchmod(new_fd, has.st_mode & 07777) == 0 ? 0 : -errno;
}

uint64_t hr__file_free_bytes(const struct hr__file *f) {
    struct statvfs disk;
    uint64_t n_bytes;
    const int fd = descriptor_of(f);
    if (fd < 0 || fstatvfs(fd, &disk) != 0 || disk.f_blocks == 0 ||
        __builtin_mul_overflow((uint64_t)disk.f_bavail, (uint64_t)disk.f_frsize, &n_bytes))
        return UINT64_MAX;
    return n_bytes;
}
