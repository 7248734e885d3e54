/*
 * Whether the output will fit on its disk.
 */
#ifndef HEADRACE_SPACE_H
#define HEADRACE_SPACE_H

#include "headrace/writer.h"

/* Bytes that a file still needs: total_bytes decoded, of which `info` tells how many are done, and
 * the ratio. A little more than expected, so that a job that begins also ends. */
uint64_t hr__space_needed(const hr_writer_info *info, uint64_t total_bytes, uint64_t num_samples);

/* HR_ERR_NO_SPACE if fewer than `needed` bytes are free on the file system that holds path. A file
 * system that does not say counts as having room. then: what to do when there is room. */
hr_status hr__space_check(const char *path, uint64_t needed_bytes, const char *then, hr_error *err);
/* The same for a temporary file, and what it is for: "shuffling". */
hr_status hr__space_check_spill(const char *path, const char *purpose, uint64_t needed_bytes,
                                hr_error *err);

#endif
