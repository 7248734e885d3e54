/*
 * Statuses and error messages.
 */
#define _GNU_SOURCE /* strerrordesc_np */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *hr_status_name(hr_status status) {
    switch (status) {
    case HR_OK:
        return "HR_OK";
    case HR_ERR_INVALID:
        return "HR_ERR_INVALID";
    case HR_ERR_NO_MEMORY:
        return "HR_ERR_NO_MEMORY";
    case HR_ERR_BUDGET:
        return "HR_ERR_BUDGET";
    case HR_ERR_IO:
        return "HR_ERR_IO";
    case HR_ERR_CORRUPT:
        return "HR_ERR_CORRUPT";
    case HR_ERR_UNSUPPORTED:
        return "HR_ERR_UNSUPPORTED";
    case HR_ERR_EXISTS:
        return "HR_ERR_EXISTS";
    case HR_ERR_NOT_FOUND:
        return "HR_ERR_NOT_FOUND";
    case HR_ERR_BUSY:
        return "HR_ERR_BUSY";
    case HR_ERR_CANCELLED:
        return "HR_ERR_CANCELLED";
    case HR_ERR_NO_SPACE:
        return "HR_ERR_NO_SPACE";
    case HR_ERR_MISMATCH:
        return "HR_ERR_MISMATCH";
    case HR_ERR_FORKED:
        return "HR_ERR_FORKED";
    case HR_ERR_HELPER:
        return "HR_ERR_HELPER";
    case HR_ERR_UNCERTAIN:
        return "HR_ERR_UNCERTAIN";
    case HR_ERR_DATA:
        return "HR_ERR_DATA";
    case HR_ERR_NO_DEVICE_MODULE:
        return "HR_ERR_NO_DEVICE_MODULE";
    case HR_ERR_NO_DRIVER:
        return "HR_ERR_NO_DRIVER";
    case HR_ERR_DRIVER_TOO_OLD:
        return "HR_ERR_DRIVER_TOO_OLD";
    case HR_ERR_NO_DEVICE:
        return "HR_ERR_NO_DEVICE";
    case HR_ERR_DEVICE_MEMORY:
        return "HR_ERR_DEVICE_MEMORY";
    case HR_ERR_DEVICE:
        return "HR_ERR_DEVICE";
    case HR_ERR_NOT_DATASET:
        return "HR_ERR_NOT_DATASET";
    case HR_TIMEOUT:
        return "HR_TIMEOUT";
    case HR_END_OF_EPOCH:
        return "HR_END_OF_EPOCH";
    }
    return "HR_ERR_UNKNOWN";
}

/* The bytes that are left when the first n of a longer text end between two characters of UTF-8. */
static size_t cut_utf8(const char *text, size_t n) {
    size_t lead = n;
    while (lead > 0 && n - lead < 3 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    unsigned char first = lead > 0 ? (unsigned char)text[lead - 1] : 0;
    size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return wanted > n - lead + 1 ? lead - 1 : n;
}

/* After a vsnprintf into a buffer of room bytes that may have been too small. */
static void end_cut_text(char *text, size_t room) {
    if (strlen(text) == room - 1)
        text[cut_utf8(text, room - 1)] = 0;
}

static void fill(hr_error *err, hr_status status, int os_errno, uint64_t off, const char *format,
                 va_list args) {
    if (err == NULL)
        return;
    err->status = status;
    err->os_errno = os_errno;
    err->file_off = off;
    vsnprintf(err->message, sizeof(err->message), format, args);
    end_cut_text(err->message, sizeof(err->message));
}

hr_status hr__error_set(hr_error *err, hr_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(err, status, 0, HR__NO_OFF, format, args);
    va_end(args);
    return status;
}

hr_status hr__error_at(hr_error *err, hr_status status, uint64_t file_off, const char *format,
                       ...) {
    va_list args;
    va_start(args, format);
    fill(err, status, 0, file_off, format, args);
    va_end(args);
    return status;
}

static hr_status status_of_errno(int os_errno) {
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
        return HR_ERR_NO_SPACE;
    case ENOMEM:
        return HR_ERR_NO_MEMORY;
    case ENOENT:
        return HR_ERR_NOT_FOUND;
    case EEXIST:
        return HR_ERR_EXISTS;
    default:
        return HR_ERR_IO;
    }
}

hr_status hr__error_os(hr_error *err, int os_errno, const char *format, ...) {
    va_list args;
    hr_status status = status_of_errno(os_errno);
    va_start(args, format);
    fill(err, status, os_errno, HR__NO_OFF, format, args);
    va_end(args);
    if (err != NULL) {
        size_t used = strlen(err->message);
        const char *text = strerrordesc_np(os_errno); /* thread-safe, unlike strerror */
        snprintf(err->message + used, sizeof(err->message) - used, ": %s",
                 text != NULL ? text : "unknown error");
    }
    return status;
}

hr_status hr__error_no_memory(hr_error *err, size_t n_bytes, const char *what) {
    return hr__error_set(err, HR_ERR_NO_MEMORY, "out of memory (%zu bytes for %s)", n_bytes, what);
}

void hr__error_prefix(hr_error *err, const char *format, ...) {
    char prefix[HR_ERROR_MESSAGE_BYTES], rest[HR_ERROR_MESSAGE_BYTES];
    va_list args;
    if (err == NULL)
        return;
    va_start(args, format);
    vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    memcpy(rest, err->message, sizeof(rest));
    end_cut_text(prefix, sizeof(prefix));
    size_t used = strlen(prefix), kept = strlen(rest), room = sizeof(err->message) - 3;
    if (used > room)
        used = cut_utf8(prefix, room);
    if (kept > room - used)
        kept = cut_utf8(rest, room - used);
    memcpy(err->message, prefix, used);
    memcpy(err->message + used, ": ", 2);
    memcpy(err->message + used + 2, rest, kept);
    err->message[used + 2 + kept] = 0;
}

void hr__error_name_file(hr_error *err, const char *path) {
    if (err != NULL && strncmp(err->message, path, strlen(path)) != 0)
        hr__error_prefix(err, "%s", path);
}
