/*
 * Temporary files beside the output: OUTPUT.shuffle, OUTPUT.axis. They have no name from the moment
 * they are made, so nothing is left of them, however the process ends. What is read from one is
 * untrusted.
 */
#ifndef HEADRACE_SPILL_FILE_H
#define HEADRACE_SPILL_FILE_H

#include "file.h"

/* What a file is for. */
struct hr__spill_use {
    const char *suffix;  /* of its name */
    const char *purpose; /* for messages: "shuffling" */
};

/* An empty file that an earlier process left under its name is removed; anything else there is
 * HR_ERR_EXISTS. needed_bytes: HR_ERR_NO_SPACE if fewer are free on its disk; 0: that is not looked
 * at. The folder outlives the file; close with hr__file_close(). */
hr_status hr__spill_file_open(const struct hr__folder_ops *folder, const char *output,
                              const struct hr__spill_use *use, uint64_t needed_bytes,
                              struct hr__file *out, hr_error *err);

/* Exactly n_bytes; HR_ERR_CORRUPT where the file ends before. Threads: any. */
hr_status hr__spill_file_read(const struct hr__file *f, void *buf, size_t n_bytes, uint64_t off,
                              hr_error *err);

/* HR_ERR_CORRUPT: what was read at off is not what was written. */
hr_status hr__spill_file_damaged(const struct hr__file *f, uint64_t off, hr_error *err);

#endif
