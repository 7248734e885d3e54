/*
 * Writing past the page cache.
 */
#define _GNU_SOURCE
#include "direct_write.h"

#include "direct_align.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

static int fd_of(void *ctx) {
    return (int)(intptr_t)ctx - 1;
}

/* The parts without their first n_bytes: the number of those that are left. */
static int drop_written(struct iovec *parts, int num_parts, size_t n_bytes) {
    int done = 0;
    while (done < num_parts && n_bytes >= parts[done].iov_len)
        n_bytes -= parts[done++].iov_len;
    if (n_bytes > 0) {
        parts[done].iov_base = (char *)parts[done].iov_base + n_bytes;
        parts[done].iov_len -= n_bytes;
    }
    for (int i = done; i < num_parts; i++)
        parts[i - done] = parts[i];
    return num_parts - done;
}

static int direct_write_parts(void *ctx, struct iovec *parts, int num_parts, uint64_t off) {
    while (num_parts > 0) {
        const ssize_t n = pwritev(fd_of(ctx), parts, num_parts, (off_t)off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        num_parts = drop_written(parts, num_parts, (size_t)n);
        off += (uint64_t)n;
    }
    return 0;
}

static void direct_close(void *ctx) {
    close(fd_of(ctx));
}

static const struct hr__file_ops direct_ops = {
    .name = "direct",
    .write_parts = direct_write_parts,
    .close = direct_close,
};

int hr__direct_write_open(int fd, struct hr__file *out) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* the path may name another file by now */
    uint32_t align_bytes;
    *out = (struct hr__file){0};
    if (!hr__direct_align(fd, &align_bytes) || align_bytes == 0 || align_bytes > PAGE_BYTES)
        return -EOPNOTSUPP;
    const int again = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
    if (again < 0)
        return -errno;
    *out = (struct hr__file){&direct_ops, (void *)(intptr_t)(again + 1), NULL};
    return 0;
}
