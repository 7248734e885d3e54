/*
 * Which kind of source a file is. Files are untrusted.
 */
#include "source_open.h"

#include "error.h"
#include "input_file.h"
#include "npy_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATASET_SHARE 8u /* of the budget, for what a data set that is read holds in memory */

enum kind { KIND_UNKNOWN, KIND_NPY, KIND_HDF5, KIND_ZIP, KIND_HEADRACE };

static bool has_suffix(const char *path, const char *suffix) {
    size_t n = strlen(path), k = strlen(suffix);
    return n > k && strcmp(path + n - k, suffix) == 0;
}

static enum kind kind_of_bytes(const uint8_t *bytes, size_t n_bytes) {
    if (hr__npy_is(bytes, n_bytes))
        return KIND_NPY;
    if (n_bytes >= 8 && memcmp(bytes, "\x89HDF\r\n\x1a\n", 8) == 0)
        return KIND_HDF5;
    if (n_bytes >= 8 && memcmp(bytes, "\x89HRD\r\n\x1a\n", 8) == 0)
        return KIND_HEADRACE;
    if (n_bytes >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0))
        return KIND_ZIP;
    return KIND_UNKNOWN;
}

/* An HDF5 file may begin with a user's block of 512, 1024, 2048, ... bytes. */
static hr_status find_user_block(const struct hr__input_file *file, const char *path,
                                 enum kind *kind, hr_error *err) {
    for (uint64_t off = 512; off < file->size_bytes && *kind == KIND_UNKNOWN; off *= 2) {
        uint8_t bytes[8];
        size_t found = 0;
        hr_status st = hr__input_file_read(file, path, bytes, sizeof bytes, off, &found, err);
        if (st != HR_OK)
            return st;
        if (kind_of_bytes(bytes, found) == KIND_HDF5)
            *kind = KIND_HDF5;
    }
    return HR_OK;
}

static hr_status find_kind(const char *path, bool raw, enum kind *kind, hr_error *err) {
    struct hr__input_file file = {0};
    uint8_t bytes[8];
    size_t found = 0;
    hr_status st;
    HR_TRY(hr__input_file_open(path, &file, err));
    HR_TRY(hr__input_file_read(&file, path, bytes, sizeof bytes, 0, &found, err));
    *kind = kind_of_bytes(bytes, found);
    if (*kind == KIND_UNKNOWN && (has_suffix(path, ".h5") || has_suffix(path, ".hdf5")))
        *kind = KIND_HDF5;
    if (*kind == KIND_UNKNOWN && has_suffix(path, ".npy"))
        *kind = KIND_NPY;
    if (*kind == KIND_UNKNOWN && has_suffix(path, ".npz"))
        *kind = KIND_ZIP;
    if (*kind == KIND_UNKNOWN && !raw)
        HR_TRY(find_user_block(&file, path, kind, err));
done:
    hr__input_file_close(&file);
    return st;
}

static hr_status refuse(const char *path, enum kind kind, hr_error *err) {
    return hr__error_set(
        err, HR_ERR_UNSUPPORTED,
        "%s is neither .npy, .npz, HDF5 nor .hrd; if it is raw binary, give the dtype and the "
        "shape of one sample",
        path);
}

/* What was said of raw binary files is not for files that describe themselves. */
static void note_unused(const char *path, const hr_convert_options *opts) {
    char line[512];
    (void)snprintf(
        line, sizeof line,
        "%.400s is .npy: its own dtype and shape are used, not those given for raw files", path);
    if (opts->on_note != NULL)
        opts->on_note(opts->user, line);
}

/* .npy and raw binary: one source, no members. */
static hr_status open_flat(const char *path, const char *member, enum kind kind,
                           const hr_convert_options *opts, struct hr__source ***out,
                           uint32_t *num_out, hr_error *err) {
    if (member != NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s holds a single array, so it has no member %s; leave that out",
                             path, member);
    if (kind == KIND_NPY && opts->raw_dtype != NULL)
        note_unused(path, opts);
    struct hr__source **list = calloc(1, sizeof *list);
    if (list == NULL)
        return hr__error_no_memory(err, sizeof *list, "a list of sources");
    hr_status st = kind == KIND_NPY
                       ? hr__npy_source_open(path, &list[0], err)
                       : hr__raw_source_open(path, opts->raw_dtype, opts->raw_shape, opts->raw_rank,
                                             opts->raw_skip_bytes, &list[0], err);
    if (st != HR_OK) {
        free(list);
        return st;
    }
    *out = list;
    *num_out = 1;
    return HR_OK;
}

hr_status hr__sources_open(const char *path, const char *member, const hr_convert_options *opts,
                           struct hr__source ***out, uint32_t *num_out, hr_error *err) {
    enum kind kind = KIND_UNKNOWN;
    *out = NULL;
    *num_out = 0;
    hr_status st = find_kind(path, opts->raw_dtype != NULL, &kind, err);
    if (st != HR_OK)
        return st;
    if (kind == KIND_HEADRACE) {
        const struct hr__hrd_options hrd = {
            .member = member,
            .kept = opts->kept_fields,
            .num_kept = opts->num_kept_fields,
            .num_threads = opts->num_threads,
            .budget_bytes = opts->budget_bytes / DATASET_SHARE,
        };
        return hr__hrd_sources_open(path, &hrd, out, num_out, err);
    }
    if (kind == KIND_HDF5 || kind == KIND_ZIP) {
        const struct hr__hdf5_options hdf5 = {
            .zip = kind == KIND_ZIP,
            .follow_external = (opts->flags & HR_CONVERT_FOLLOW_EXTERNAL) != 0,
            .timeout_ns = opts->helper_timeout_ns,
            .memory_bytes = opts->helper_memory_bytes,
            .max_helpers = opts->num_helpers,
        };
        return hr__hdf5_sources_open(path, member, &hdf5, out, num_out, err);
    }
    if (kind == KIND_NPY || (kind == KIND_UNKNOWN && opts->raw_dtype != NULL))
        return open_flat(path, member, kind, opts, out, num_out, err);
    return refuse(path, kind, err);
}

void hr__sources_close(struct hr__source **sources, uint32_t n) {
    for (uint32_t i = 0; sources != NULL && i < n; i++)
        if (sources[i] != NULL)
            sources[i]->ops->close(sources[i]);
    free(sources);
}
