/*
 * Input files: opened, told apart, and read at positions. What they hold is untrusted.
 */
#ifndef HEADRACE_INPUT_FILE_H
#define HEADRACE_INPUT_FILE_H

#include "headrace/writer.h"

#include <stdbool.h>
#include <stddef.h>

struct stat;

/* 0: later than can be said. */
int64_t hr__stat_mtime_ns(const struct stat *s);

struct hr__input_file {
    bool open;
    int fd;
    uint64_t size_bytes;
    int64_t mtime_ns;
    uint64_t device, inode; /* the same for two names of one file */
};

/* Only regular files. HR_ERR_NOT_FOUND, HR_ERR_INVALID, HR_ERR_IO. The message names the file. */
hr_status hr__input_file_open(const char *path, struct hr__input_file *out, hr_error *err);

/* HR_ERR_DATA: it is no longer the file of which this was written down. */
hr_status hr__input_file_check_same(const struct hr__input_file *f,
                                    const hr_source_fingerprint *opened, hr_error *err);

/* Bytes read into *found: fewer than n_bytes only at the end of the file. */
hr_status hr__input_file_read(const struct hr__input_file *f, const char *path, void *buf,
                              size_t n_bytes, uint64_t off, size_t *found, hr_error *err);

/* Exactly n_bytes; HR_ERR_CORRUPT where the file ends before. */
hr_status hr__input_file_read_exact(const struct hr__input_file *f, const char *path, void *buf,
                                    size_t n_bytes, uint64_t off, hr_error *err);

/* They will be read soon: begins to bring them into the page cache, and does not wait. */
void hr__input_file_announce(const struct hr__input_file *f, uint64_t n_bytes, uint64_t off);

void hr__input_file_close(struct hr__input_file *f); /* a zeroed one is fine */

#endif
