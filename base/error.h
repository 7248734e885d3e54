/*
 * Filling a caller's hr_error. Every function takes a NULL error.
 */
#ifndef HEADRACE_ERROR_INTERNAL_H
#define HEADRACE_ERROR_INTERNAL_H

#include "headrace/status.h"

#include <stddef.h>

#define HR__NO_OFF UINT64_MAX

/* On failure of expr (an hr_status), leaves by `done` with `st` set. */
#define HR_TRY(expr)                                                                               \
    do {                                                                                           \
        if ((st = (expr)) != HR_OK)                                                                \
            goto done;                                                                             \
    } while (0)

/* Sets status and message and returns the status: `return hr__error_set(err, HR_ERR_..., ...)`. */
hr_status hr__error_set(hr_error *err, hr_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same about a position in a file. */
hr_status hr__error_at(hr_error *err, hr_status status, uint64_t file_off, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same about a failed system call. ENOSPC, EDQUOT become HR_ERR_NO_SPACE, ENOMEM
 * HR_ERR_NO_MEMORY, ENOENT HR_ERR_NOT_FOUND, EEXIST HR_ERR_EXISTS, others HR_ERR_IO. The text of
 * os_errno is put behind the message. */
hr_status hr__error_os(hr_error *err, int os_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "out of memory (N bytes for WHAT)": HR_ERR_NO_MEMORY. */
hr_status hr__error_no_memory(hr_error *err, size_t n_bytes, const char *what);

/* Puts "PATH: " before the message that is there, unless it begins with it: the layer that failed
 * may have known the file already. */
void hr__error_name_file(hr_error *err, const char *path);

/* Puts "PREFIX: " before the message that is there. */
void hr__error_prefix(hr_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
