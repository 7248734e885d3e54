/*
 * Opening a file once more with O_DIRECT, and the alignment that direct reads of it need.
 */
#define _GNU_SOURCE
#include "io_queue.h"

#include "direct_align.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Where the kernel does not say: this suits every disk. */
#define DEFAULT_ALIGN_BYTES 4096u

/* Chunks begin on pages of this size; a disk that wants more is read through the page cache. */
#define MAX_ALIGN_BYTES 4096u

/* Some file systems take the flag and refuse the read. */
static int probe(int fd, uint32_t align_bytes) {
    void *buf = NULL;
    if (posix_memalign(&buf, align_bytes, align_bytes) != 0)
        return -ENOMEM;
    ssize_t n = pread(fd, buf, align_bytes, 0);
    int rc = n < 0 ? -errno : 0;
    free(buf);
    return rc;
}

int hr__direct_open(const struct hr__file *file, uint32_t *align_bytes) {
    int cached = file->ops->descriptor != NULL ? file->ops->descriptor(file->ctx) : -1;
    if (cached < 0)
        return -EINVAL;
    /* By descriptor, not by path: the path may name another file by now. */
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", cached);
    int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    uint32_t align;
    if (!hr__direct_align(fd, &align))
        align = DEFAULT_ALIGN_BYTES;
    int rc = align == 0 || (align & (align - 1)) != 0 || align > MAX_ALIGN_BYTES ? -EINVAL : 0;
    if (align < 512)
        align = 512;
    if (rc == 0)
        rc = probe(fd, align);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *align_bytes = align;
    return fd;
}

void hr__direct_close(int fd) {
    if (fd >= 0)
        close(fd);
}
