/*
 * The seam between Headrace and the file system, for whole buffers at positions. The POSIX table is
 * the real one; tests put a faulty disk behind the same table.
 *
 * Blocking calls. No call moves a file position; reads and writes may run side by side. EINTR is
 * handled inside; a read that finds no resources (EAGAIN) is tried again for a while. No call is
 * retried after EIO.
 */
#ifndef HEADRACE_FILE_H
#define HEADRACE_FILE_H

#include "headrace/status.h"

#include <stdbool.h>
#include <stddef.h>

struct hr__file;
struct iovec;

struct hr__file_ops {
    const char *name;
    /* Bytes read, less than n_bytes only at the end of the file; or -errno. */
    int64_t (*read)(void *ctx, void *buf, size_t n_bytes, uint64_t off);
    /* Bytes from off on that need no waiting for a disk, maybe fewer than there are; 0: the file
     * ends at off; -EAGAIN: there are none; -EOPNOTSUPP: its file system cannot tell; -errno.
     * NULL: it cannot tell. */
    int64_t (*read_now)(void *ctx, void *buf, size_t n_bytes, uint64_t off);
    /* 0 when all n_bytes are written, or -errno. */
    int (*write)(void *ctx, const void *buf, size_t n_bytes, uint64_t off);
    /* fsync. 0 or -errno; after a failure the state of the disk is unknown: never call again. */
    int (*sync)(void *ctx);
    int (*truncate)(void *ctx, uint64_t n_bytes);
    /* Size in bytes, or -errno. */
    int64_t (*size)(void *ctx);
    /* Write lock on the whole file (open file description). 0, -EAGAIN if another has it, -errno.
     */
    int (*lock)(void *ctx);
    void (*close)(void *ctx);
    /* The POSIX descriptor behind ctx, or -1. NULL: there is none. */
    int (*descriptor)(void *ctx);
    /* Asks for n_bytes at off to be read soon; never blocks, never fails. NULL: does nothing. */
    void (*prefetch)(void *ctx, size_t n_bytes, uint64_t off);
    /* What was written there begins to go to the disk, so that sync has less to wait for; waits for
     * nothing itself, and leaves errors for sync to report. NULL: does nothing. */
    void (*write_behind)(void *ctx, size_t n_bytes, uint64_t off);
    /* How many of n_bytes (at least 1) from off on the page cache holds, in whole pages; or -errno:
     * its system cannot tell. Changes nothing. NULL: it cannot tell. */
    int64_t (*cached)(void *ctx, uint64_t n_bytes, uint64_t off);
    /* The same file, only for write_parts past the page cache, and to close. 0; -EOPNOTSUPP: its
     * file system cannot, or does not say how; -errno. NULL: it cannot. */
    int (*open_direct)(void *ctx, struct hr__file *out);
    /* How much of the beginning of a file, of which off bytes are written, is better left in the
     * page cache; where that is more than off, to be asked again there. NULL where open_direct is.
     */
    uint64_t (*keep_cached)(void *ctx, uint64_t off);
    /* All parts (at most IOV_MAX), one behind the other from off on: whole pages, in memory that
     * begins on pages. The list is changed. 0 or -errno. NULL: only through write. */
    int (*write_parts)(void *ctx, struct iovec *parts, int num_parts, uint64_t off);
};

struct hr__file {
    const struct hr__file_ops *ops;
    void *ctx;
    char *path; /* for messages */
};

/* Folder operations, behind a table for the same reason. */
struct hr__folder_ops {
    const char *name;
    /* flags: O_RDONLY, O_RDWR, O_CREAT, O_EXCL. *out is filled on 0; or -errno. */
    int (*open)(void *ctx, const char *path, int flags, struct hr__file *out);
    /* replace false: -EEXIST if to exists. */
    int (*rename)(void *ctx, const char *from, const char *to, bool replace);
    int (*unlink)(void *ctx, const char *path);
    /* fsync of the folder that holds path. */
    int (*sync_parent)(void *ctx, const char *path);
    bool (*exists)(void *ctx, const char *path);
    void *ctx;
};

extern const struct hr__folder_ops hr__posix_folder;

/* Whether a read that failed is to be tried once more: after EINTR, and after EAGAIN (it waits
 * first) for about a second. *tries: 0 before the first. */
bool hr__read_again(int os_errno, uint32_t *tries);

void hr__file_close(struct hr__file *f); /* a zeroed file is fine */

/* Reads exactly n_bytes; the end of the file before that is HR_ERR_CORRUPT ("truncated"). */
hr_status hr__file_read_exact(const struct hr__file *f, void *buf, size_t n_bytes, uint64_t off,
                              hr_error *err);
hr_status hr__file_write_all(const struct hr__file *f, const void *buf, size_t n_bytes,
                             uint64_t off, hr_error *err);
/* What to say of a write that failed with os_errno. */
hr_status hr__file_write_failed(const struct hr__file *f, uint64_t n_bytes, uint64_t off,
                                int os_errno, hr_error *err);
/* HR_ERR_UNCERTAIN on failure. */
hr_status hr__file_sync(const struct hr__file *f, hr_error *err);

#endif
