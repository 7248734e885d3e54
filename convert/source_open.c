/*
 * Sources of a file, by its kind. Files are untrusted.
 */
#include "source_open.h"

#include "error.h"
#include "source_kind.h"

#include <stdio.h>
#include <stdlib.h>

#define DATASET_SHARE 8u /* of the budget, for what a data set that is read holds in memory */

static hr_status refuse(const char *path, hr_error *err) {
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "%s is neither .npy, .npz, HDF5, IDX, CSV nor .hrd; if it is raw binary, "
                         "convert it with the dtype and the shape of one sample "
                         "(--dtype, --shape)",
                         path);
}

/* What was said of raw binary files is not for files that describe themselves. */
static void note_unused(const char *path, const char *kind, const hr_convert_options *opts) {
    char line[512];
    (void)snprintf(line, sizeof line,
                   "%.400s is %s: its own dtype and shape are used, not those given for raw files",
                   path, kind);
    if (opts->on_note != NULL)
        opts->on_note(opts->user, line);
}

static struct hr__axis_options axis_options(const hr_convert_options *opts) {
    return (struct hr__axis_options){.axis = opts->sample_axis,
                                     .output = opts->output,
                                     .check_space = (opts->flags & HR_CONVERT_NO_SPACE_CHECK) == 0};
}

static hr_status open_by_kind(const char *path, const struct hr__source_kind *kind,
                              const hr_convert_options *opts, struct hr__source **out,
                              hr_error *err) {
    return kind->kind == HR__KIND_IDX
               ? hr__idx_source_open(path, kind->gzip, out, err)
               : hr__raw_source_open(path, opts->raw_dtype, opts->raw_shape, opts->raw_rank,
                                     opts->raw_skip_bytes, out, err);
}

/* IDX and raw binary: one source, no members. */
static hr_status open_flat(const char *path, const char *member, const struct hr__source_kind *kind,
                           const hr_convert_options *opts, struct hr__source ***out,
                           uint32_t *num_out, hr_error *err) {
    if (member != NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s holds a single array, so it has no member %s; leave that out",
                             path, member);
    if (kind->kind != HR__KIND_UNKNOWN && opts->raw_dtype != NULL)
        note_unused(path, "IDX", opts);
    struct hr__source **list = calloc(1, sizeof *list);
    if (list == NULL)
        return hr__error_no_memory(err, sizeof *list, "a list of sources");
    const hr_status st = open_by_kind(path, kind, opts, &list[0], err);
    if (st != HR_OK) {
        free(list);
        return st;
    }
    *out = list;
    *num_out = 1;
    return HR_OK;
}

static hr_status open_npy(const char *path, const char *member, bool as_one,
                          const hr_convert_options *opts, struct hr__source ***out,
                          uint32_t *num_out, hr_error *err) {
    const struct hr__npy_options npy = {
        .axis = axis_options(opts),
        .member = member,
        .kept = opts->kept_fields,
        .num_kept = as_one ? 0 : opts->num_kept_fields,
        .num_threads = opts->num_threads,
    };
    if (opts->raw_dtype != NULL)
        note_unused(path, ".npy", opts);
    return hr__npy_sources_open(path, &npy, out, num_out, err);
}

/* as_one: whatever it holds becomes part of a field, so that nothing may be missing. */
static hr_status open_by_helper(const char *path, const char *member, bool zip, bool as_one,
                                const hr_convert_options *opts, struct hr__source ***out,
                                uint32_t *num_out, hr_error *err) {
    if (opts->raw_dtype != NULL)
        note_unused(path, zip ? "a .npz archive" : "HDF5", opts);
    const struct hr__helper_options hdf5 = {
        .zip = zip,
        .kept = opts->kept_fields,
        .num_kept = as_one ? 0 : opts->num_kept_fields,
        .follow_external = (opts->flags & HR_CONVERT_FOLLOW_EXTERNAL) != 0,
        .sparse = (hr_sparse)opts->sparse,
        .timeout_ns = opts->helper_timeout_ns,
        .memory_bytes = opts->helper_memory_bytes,
        .max_helpers = opts->num_helpers,
        .axis = axis_options(opts),
    };
    return hr__helper_sources_open(path, member, &hdf5, out, num_out, err);
}

static hr_status open_dataset(const char *path, const char *member, const hr_convert_options *opts,
                              struct hr__source ***out, uint32_t *num_out, hr_error *err) {
    if (opts->raw_dtype != NULL)
        note_unused(path, "a data set", opts);
    const struct hr__hrd_options hrd = {
        .member = member,
        .num_threads = opts->num_threads,
        .budget_bytes = opts->budget_bytes / DATASET_SHARE,
    };
    return hr__hrd_sources_open(path, &hrd, out, num_out, err);
}

static hr_status open_csv(const char *path, const char *member, bool as_one, bool gzip,
                          const hr_convert_options *opts, struct hr__left_out *left_out,
                          struct hr__source ***out, uint32_t *num_out, hr_error *err) {
    const struct hr__csv_options csv = {
        .left_out = left_out,
        .member = member != NULL && member[0] == '/' ? member + 1 : member,
        .kept = opts->kept_fields,
        .num_kept = as_one ? 0 : opts->num_kept_fields,
        .as_one = as_one && member == NULL,
        .gzip = gzip,
        .dtype = opts->raw_dtype,
        .num_threads = opts->num_threads,
    };
    return hr__csv_sources_open(path, &csv, out, num_out, err);
}

static bool has_axes(enum hr__kind kind) {
    return kind == HR__KIND_NPY || kind == HR__KIND_ZIP || kind == HR__KIND_HDF5;
}

hr_status hr__sources_open(const char *path, const char *member, bool as_one,
                           const hr_convert_options *opts, struct hr__left_out *left_out,
                           struct hr__source ***out, uint32_t *num_out, hr_error *err) {
    struct hr__source_kind kind;
    *out = NULL;
    *num_out = 0;
    const hr_status st = hr__source_kind_find(path, opts->raw_dtype != NULL, &kind, err);
    if (st != HR_OK)
        return st;
    if (opts->sample_axis != 0 && !has_axes(kind.kind))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s is no array of several axes, of which one could be chosen: its "
                             "samples are one after the other; leave the axis out",
                             path);
    switch (kind.kind) {
    case HR__KIND_HEADRACE:
        return open_dataset(path, member, opts, out, num_out, err);
    case HR__KIND_HDF5:
    case HR__KIND_ZIP:
        return open_by_helper(path, member, kind.kind == HR__KIND_ZIP, as_one, opts, out, num_out,
                              err);
    case HR__KIND_NPY:
        return open_npy(path, member, as_one, opts, out, num_out, err);
    case HR__KIND_CSV:
        return open_csv(path, member, as_one, kind.gzip, opts, left_out, out, num_out, err);
    case HR__KIND_UNKNOWN:
        if (opts->raw_dtype == NULL)
            return refuse(path, err);
        break;
    case HR__KIND_IDX:
        break;
    }
    return open_flat(path, member, &kind, opts, out, num_out, err);
}

void hr__sources_close(struct hr__source **sources, uint32_t n) {
    for (uint32_t i = 0; sources != NULL && i < n; i++)
        if (sources[i] != NULL)
            sources[i]->ops->close(sources[i]);
    free(sources);
}
