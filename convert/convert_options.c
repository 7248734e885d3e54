/*
 * Options of conversion, export and comparison.
 */
#include "convert_options.h"

#include "cpu.h"
#include "default_budget.h"
#include "error.h"
#include "input_select.h"
#include "name_ending.h"
#include "options.h"
#include "sample_range.h"
#include "shuffle_options.h"

#include <string.h>

#define DEFAULT_TIMEOUT_NS  INT64_C(60000000000)
#define DEFAULT_GZIP_LEVEL  4
#define DEFAULT_DIFFERENCES 10u
#define MAX_DIFFERENCES     4096u

/* What else the file decides, its writer refuses. */
static hr_status check_append(const hr_convert_options *o, hr_error *err) {
    if ((o->flags & HR_CONVERT_APPEND) == 0)
        return HR_OK;
    if ((o->flags & HR_CONVERT_RESUME) != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "an append is not resumed: it is there whole or not at all; leave "
                             "resuming out");
    if ((o->flags & HR_CONVERT_REPLACE) != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s cannot be appended to and be replaced; ask for one of them",
                             o->output);
    if ((o->flags & HR_CONVERT_SHUFFLE) != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "appended samples are not shuffled, as those before them stay where "
                             "they are; loaders shuffle over all, or convert everything anew");
    return HR_OK;
}

/* A list of none means all, as no list does. */
static hr_status check_fields(const char *const **fields, uint32_t n, hr_error *err) {
    if (n > 0 && *fields == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "num_fields is given without its list");
    if (n == 0)
        *fields = NULL;
    return HR_OK;
}

static hr_status check_convert(const hr_convert_options *o, hr_error *err) {
    const uint32_t known = HR_CONVERT_REPLACE | HR_CONVERT_RESUME | HR_CONVERT_FOLLOW_EXTERNAL |
                           HR_CONVERT_NO_SPACE_CHECK | HR_CONVERT_SHUFFLE | HR_CONVERT_APPEND;
    if ((o->flags & ~known) != 0)
        return hr__error_set(err, HR_ERR_INVALID, "unknown flags 0x%x", o->flags & ~known);
    if (o->output == NULL || o->output[0] == '\0')
        return hr__error_set(err, HR_ERR_INVALID, "the output has no name");
    if ((o->num_inputs > 0 && o->inputs == NULL) || (o->num_fields > 0 && o->fields == NULL) ||
        (o->raw_rank > 0 && o->raw_shape == NULL))
        return hr__error_set(err, HR_ERR_INVALID,
                             "num_inputs, num_fields or raw_rank is given without its list");
    if (o->reserved != 0)
        return hr__error_set(err, HR_ERR_INVALID, "reserved is %u; set it to 0", o->reserved);
    if (o->sparse < HR_SPARSE_REFUSE || o->sparse > HR_SPARSE_VARLEN)
        return hr__error_set(err, HR_ERR_INVALID, "sparse is %d, expected an hr_sparse", o->sparse);
    if (o->helper_timeout_ns < 0)
        return hr__error_set(err, HR_ERR_INVALID, "helper_timeout_ns is negative");
    hr_status st = check_append(o, err);
    if (st == HR_OK)
        st = hr__input_select_check(o, err);
    return st == HR_OK ? hr__shuffle_options_check(o, err) : st;
}

hr_status hr__convert_options_resolve(const hr_convert_options *opts, hr_convert_options *out,
                                      hr_error *err) {
    *out = (hr_convert_options)HR_CONVERT_OPTIONS_INIT;
    hr_status st = hr__options_copy(opts, offsetof(hr_convert_options, budget_bytes), out,
                                    sizeof *out, "hr_convert_options", err);
    if (st != HR_OK)
        return st;
    if (out->budget_bytes == 0)
        out->budget_bytes = hr_default_budget();
    if (out->num_threads == 0)
        out->num_threads = hr__cpu_count();
    if (out->num_helpers == 0)
        out->num_helpers = out->num_threads;
    if (out->helper_timeout_ns == 0)
        out->helper_timeout_ns = DEFAULT_TIMEOUT_NS;
    return check_convert(out, err);
}

static hr_status resolve_export(const hr_export_options *opts, hr_export_options *out,
                                hr_error *err) {
    *out = (hr_export_options)HR_EXPORT_OPTIONS_INIT;
    hr_status st = hr__options_copy(opts, offsetof(hr_export_options, first_sample), out,
                                    sizeof *out, "hr_export_options", err);
    if (st != HR_OK)
        return st;
    if ((out->flags & ~HR_CONVERT_REPLACE) != 0)
        return hr__error_set(err, HR_ERR_INVALID, "unknown flags 0x%x",
                             out->flags & ~HR_CONVERT_REPLACE);
    st = check_fields(&out->fields, out->num_fields, err);
    if (st != HR_OK)
        return st;
    if (out->kind < HR_EXPORT_AUTO || out->kind > HR_EXPORT_HDF5)
        return hr__error_set(err, HR_ERR_INVALID, "kind is %d, expected an hr_export_kind",
                             out->kind);
    if (out->gzip_level < HR_EXPORT_NO_GZIP || out->gzip_level > 9)
        return hr__error_set(err, HR_ERR_INVALID,
                             "gzip_level is %d, expected 1 to 9, 0 for the default, or "
                             "HR_EXPORT_NO_GZIP",
                             out->gzip_level);
    if (out->helper_timeout_ns < 0)
        return hr__error_set(err, HR_ERR_INVALID, "helper_timeout_ns is negative");
    if (out->gzip_level == 0)
        out->gzip_level = DEFAULT_GZIP_LEVEL;
    if (out->helper_timeout_ns == 0)
        out->helper_timeout_ns = DEFAULT_TIMEOUT_NS;
    if (out->budget_bytes == 0)
        out->budget_bytes = hr_default_budget();
    return hr__sample_range_check(out->first_sample, out->end_sample, err);
}

static int32_t kind_by_name(const char *path) {
    if (hr__name_ends(path, ".h5") || hr__name_ends(path, ".hdf5"))
        return HR_EXPORT_HDF5;
    return hr__name_ends(path, ".npz") ? HR_EXPORT_NPZ : HR_EXPORT_NPY;
}

hr_status hr__export_options_resolve(const hr_export_options *opts, hr_export_options *out,
                                     hr_error *err) {
    hr_status st = resolve_export(opts, out, err);
    if (st != HR_OK)
        return st;
    if (out->path == NULL || out->path[0] == '\0')
        return hr__error_set(err, HR_ERR_INVALID, "the file or folder to make has no name");
    if (out->kind == HR_EXPORT_AUTO)
        out->kind = kind_by_name(out->path);
    return HR_OK;
}

hr_status hr__export_npy_options_resolve(const hr_export_options *opts, hr_export_options *out,
                                         hr_error *err) {
    hr_status st = resolve_export(opts, out, err);
    if (st != HR_OK)
        return st;
    if (out->folder == NULL || out->folder[0] == '\0')
        return hr__error_set(err, HR_ERR_INVALID, "the folder has no name");
    out->path = out->folder;
    out->kind = HR_EXPORT_NPY;
    return HR_OK;
}

hr_status hr__compare_options_resolve(const hr_compare_options *opts, hr_compare_options *out,
                                      hr_error *err) {
    *out = (hr_compare_options)HR_COMPARE_OPTIONS_INIT;
    hr_status st = hr__options_copy(opts, offsetof(hr_compare_options, budget_bytes), out,
                                    sizeof *out, "hr_compare_options", err);
    if (st != HR_OK)
        return st;
    if ((out->flags & ~HR_CONVERT_FOLLOW_EXTERNAL) != 0)
        return hr__error_set(err, HR_ERR_INVALID, "unknown flags 0x%x",
                             out->flags & ~HR_CONVERT_FOLLOW_EXTERNAL);
    if (out->a == NULL || out->a[0] == '\0' || out->b == NULL || out->b[0] == '\0')
        return hr__error_set(err, HR_ERR_INVALID, "two files are compared: one has no name");
    st = check_fields(&out->fields, out->num_fields, err);
    if (st != HR_OK)
        return st;
    if (out->max_differences > MAX_DIFFERENCES)
        return hr__error_set(err, HR_ERR_INVALID, "max_differences is %u, at most %u are kept",
                             out->max_differences, MAX_DIFFERENCES);
    if (out->helper_timeout_ns < 0)
        return hr__error_set(err, HR_ERR_INVALID, "helper_timeout_ns is negative");
    if (out->max_differences == 0)
        out->max_differences = DEFAULT_DIFFERENCES;
    if (out->budget_bytes == 0)
        out->budget_bytes = hr_default_budget();
    if (out->num_threads == 0)
        out->num_threads = hr__cpu_count();
    if (out->num_helpers == 0)
        out->num_helpers = out->num_threads;
    if (out->helper_timeout_ns == 0)
        out->helper_timeout_ns = DEFAULT_TIMEOUT_NS;
    return HR_OK;
}
