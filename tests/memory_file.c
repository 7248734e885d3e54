/*
 * A file in memory. Any number of threads may read it.
 */
#define _GNU_SOURCE
#include "memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 0, or what this operation fails with; *halve: it is to give less. */
static int operation(struct memory_file *m, bool *halve) {
    long nth = atomic_fetch_add(&m->operations, 1) + 1;
    *halve = false;
    if (atomic_load(&m->broken))
        return -EIO;
    bool hit = m->fail_at != 0 && nth == m->fail_at;
    *halve = hit && m->fail_errno == 0;
    return hit ? -m->fail_errno : 0;
}

static int64_t memory_read(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    struct memory_file *m = ctx;
    bool halve;
    int rc = operation(m, &halve);
    while (atomic_load(&m->paused))
        usleep(200);
    if (atomic_load(&m->delay_us) > 0)
        usleep(atomic_load(&m->delay_us));
    if (rc != 0)
        return rc;
    uint64_t left = off < m->n_bytes ? m->n_bytes - off : 0;
    size_t n = n_bytes < left ? n_bytes : (size_t)left;
    n = halve ? n / 2 : n;
    memcpy(buf, m->bytes + (n > 0 ? off : 0), n);
    return (int64_t)n;
}

static int64_t memory_size(void *ctx) {
    struct memory_file *m = ctx;
    bool halve;
    int rc = operation(m, &halve);
    if (halve && !m->grows)
        m->is_half = true;
    halve |= m->is_half;
    return rc != 0 ? rc : halve ? (int64_t)(m->n_bytes / 2) : (int64_t)m->n_bytes;
}

static int memory_write(void *ctx, const void *buf, size_t n_bytes, uint64_t off) {
    (void)ctx, (void)buf, (void)n_bytes, (void)off;
    return -EROFS;
}

static int memory_sync(void *ctx) {
    (void)ctx;
    return -EROFS;
}

static int memory_truncate(void *ctx, uint64_t n_bytes) {
    (void)ctx, (void)n_bytes;
    return -EROFS;
}

static void memory_close(void *ctx) {
    (void)ctx;
}

static const struct hr__file_ops memory_ops = {
    .name = "memory",
    .read = memory_read,
    .write = memory_write,
    .sync = memory_sync,
    .truncate = memory_truncate,
    .size = memory_size,
    .lock = memory_sync,
    .close = memory_close,
};

static int memory_open(void *ctx, const char *path, int flags, struct hr__file *out) {
    struct memory_file *m = ctx;
    bool halve;
    int rc = operation(m, &halve);
    *out = (struct hr__file){0};
    if (rc != 0)
        return rc;
    if (halve)
        return -EIO;
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EROFS;
    *out = (struct hr__file){&memory_ops, m, strdup(path)};
    return out->path != NULL ? 0 : -ENOMEM;
}

void memory_file_make(struct memory_file *m, const void *bytes, uint64_t n_bytes,
                      uint64_t extra_bytes) {
    *m = (struct memory_file){.n_bytes = n_bytes, .room_bytes = n_bytes + extra_bytes};
    m->folder = (struct hr__folder_ops){.name = "memory", .open = memory_open, .ctx = m};
    m->bytes = calloc(1, (size_t)m->room_bytes + 1);
    if (m->bytes == NULL)
        abort();
    if (bytes != NULL)
        memcpy(m->bytes, bytes, (size_t)n_bytes);
}

void memory_file_load(struct memory_file *m, const char *path, uint64_t extra_bytes) {
    FILE *f = fopen(path, "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0)
        abort();
    long n = ftell(f);
    memory_file_make(m, NULL, (uint64_t)n, extra_bytes);
    rewind(f);
    if (fread(m->bytes, 1, (size_t)n, f) != (size_t)n)
        abort();
    fclose(f);
}

void memory_file_free(struct memory_file *m) {
    free(m->bytes);
    m->bytes = NULL;
}

void memory_file_fail(struct memory_file *m, long nth, int os_errno) {
    atomic_store(&m->operations, 0);
    m->fail_at = nth;
    m->fail_errno = os_errno;
    m->is_half = false;
}
