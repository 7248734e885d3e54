/*
 * Free disk space, estimated from the chunks that were tried.
 */
#define _GNU_SOURCE
#include "space.h"

#include "checked.h"
#include "error.h"
#include "size_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define PAGE_BYTES 4096u

/* Of a resumed job, which has no trial, what is there tells the ratio. */
static double ratio_of(const hr_writer_info *info) {
    double ratio = info->trial_ratio;
    if (ratio <= 0 && info->resumed_samples > 0 && info->stored_bytes > 0)
        ratio = (double)info->decoded_bytes / (double)info->stored_bytes;
    return ratio >= 0.5 ? ratio : 1.0;
}

uint64_t hr__space_needed(const hr_writer_info *info, uint64_t total_bytes, uint64_t num_samples) {
    uint64_t left_bytes = total_bytes - hr__min_u64(total_bytes, info->decoded_bytes);
    uint64_t left_samples = num_samples - hr__min_u64(num_samples, info->num_samples);
    uint64_t chunks = hr__ceil_div(left_samples, hr__max_u64(info->samples_per_chunk, 1));
    /* 2 % for chunks that compress worse than those tried; index entries of 8 bytes. */
    double bytes = (double)left_bytes / ratio_of(info) * 1.02 + (double)chunks * 8 + 4 * PAGE_BYTES;
    if (total_bytes == 0)
        bytes += (double)chunks * PAGE_BYTES;
    return bytes < (double)INT64_MAX ? (uint64_t)bytes : INT64_MAX;
}

/* The folder that a path is in, malloc'ed. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Whether needed_bytes are free on the file system that holds path; *free_bytes: how many. */
static hr_status look(const char *path, uint64_t needed_bytes, uint64_t *free_bytes, bool *enough,
                      hr_error *err) {
    struct statvfs disk;
    char *folder = folder_of(path);
    if (folder == NULL)
        return hr__error_no_memory(err, strlen(path), "the name of a folder");
    int rc;
    do
        rc = statvfs(folder, &disk);
    while (rc != 0 && errno == EINTR);
    free(folder);
    *enough = rc != 0 || disk.f_blocks == 0 ||
              !hr__mul_u64((uint64_t)disk.f_bavail, (uint64_t)disk.f_frsize, free_bytes) ||
              *free_bytes >= needed_bytes;
    return HR_OK;
}

hr_status hr__space_check(const char *path, uint64_t needed_bytes, const char *then,
                          hr_error *err) {
    uint64_t free_bytes = 0;
    bool enough;
    const hr_status st = look(path, needed_bytes, &free_bytes, &enough, err);
    if (st != HR_OK || enough)
        return st;
    return hr__error_set(err, HR_ERR_NO_SPACE,
                         "%s needs about %s more, and %s are free on its disk; free some and %s, "
                         "or convert to another disk",
                         path, hr__size_text(needed_bytes).text, hr__size_text(free_bytes).text,
                         then);
}

hr_status hr__space_check_spill(const char *path, const char *purpose, uint64_t needed_bytes,
                                hr_error *err) {
    uint64_t free_bytes = 0;
    bool enough;
    const hr_status st = look(path, needed_bytes, &free_bytes, &enough, err);
    if (st != HR_OK || enough)
        return st;
    return hr__error_set(err, HR_ERR_NO_SPACE,
                         "%s needs %s for a temporary file (%s), and %s are free on its disk; free "
                         "some, convert to another disk, or give a budget "
                         "that holds all samples",
                         purpose, hr__size_text(needed_bytes).text, path,
                         hr__size_text(free_bytes).text);
}
