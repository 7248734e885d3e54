/*
 * What a data set is: type, shape, layout and filters. All of it is untrusted.
 */
#include "checked.h"
#include "helper.h"

#include <inttypes.h>
#include <string.h>

hr_status h5_check_filters(hid_t plist, hr_error *err) {
    int n = H5Pget_nfilters(plist);
    if (n < 0)
        return h5_error(err, HR_ERR_CORRUPT, "its filters cannot be read");
    for (unsigned i = 0; i < (unsigned)n; i++) {
        char name[64] = "";
        unsigned flags = 0, config = 0;
        size_t num_values = 0;
        H5Z_filter_t filter =
            H5Pget_filter2(plist, i, &flags, &num_values, NULL, sizeof name - 1, name, &config);
        if (filter < 0)
            return h5_error(err, HR_ERR_CORRUPT, "its filters cannot be read");
        const char *known = h5_filter_name(filter);
        /* Plugins are off, so this knows only HDF5's own and those of hdf5_filters.c. */
        if (H5Zfilter_avail(filter) <= 0)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "it is compressed by the filter %d (%s), which this program "
                                 "cannot decode; write it anew with gzip: h5repack -f GZIP=1, "
                                 "where that filter is installed",
                                 (int)filter,
                                 known != NULL     ? known
                                 : name[0] != '\0' ? name
                                                   : "no name");
    }
    return HR_OK;
}

static hr_status get_dims(hid_t dataset, hsize_t *dims, int *out_rank, bool *can_grow,
                          hr_error *err) {
    hid_t space = H5Dget_space(dataset);
    if (space < 0)
        return h5_error(err, HR_ERR_CORRUPT, "its shape cannot be read");
    hr_status st = HR_OK;
    hsize_t most[HR_MAX_RANK] = {0};
    H5S_class_t kind = H5Sget_simple_extent_type(space);
    *out_rank = H5Sget_simple_extent_ndims(space);
    if (kind == H5S_SCALAR || kind == H5S_NULL)
        st = hr__error_set(err, HR_ERR_UNSUPPORTED,
                           "it has no axis of samples (%s); choose the other data sets, by their "
                           "paths or as fields (--fields)",
                           kind == H5S_SCALAR ? "a single value" : "no values at all");
    else if (*out_rank < 1 || *out_rank > HR_MAX_RANK ||
             H5Sget_simple_extent_dims(space, dims, most) < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "its shape cannot be read");
    *can_grow = st == HR_OK && most[0] > dims[0];
    (void)H5Sclose(space);
    return st;
}

/* The figures of the chunks, where there are any. */
static hr_status get_chunks(hid_t plist, const hsize_t *dims, int rank, uint64_t element_bytes,
                            struct hr__helper_field *f, hr_error *err) {
    hsize_t chunk[HR_MAX_RANK];
    f->granule_samples = 1;
    if (H5Pget_layout(plist) != H5D_CHUNKED)
        return HR_OK;
    if (H5Pget_chunk(plist, HR_MAX_RANK, chunk) != rank || chunk[0] == 0)
        return h5_error(err, HR_ERR_CORRUPT, "its chunks cannot be read");
    uint64_t bytes = element_bytes, across = 1;
    bool fits = true;
    for (int i = 0; i < rank; i++) {
        fits = fits && chunk[i] != 0 && hr__mul_u64(bytes, chunk[i], &bytes);
        if (fits && i > 0)
            fits = hr__mul_u64(across, hr__ceil_div(dims[i], chunk[i]), &across);
    }
    if (!fits || !hr__mul_u64(bytes, across, &f->chunk_row_bytes))
        return hr__error_set(err, HR_ERR_CORRUPT, "the size of its chunks is no size");
    f->flags |= HR__HELPER_CHUNKED;
    f->chunk_bytes = bytes;
    f->granule_samples = chunk[0];
    return HR_OK;
}

static hr_status set_shape(struct h5_described *out, const hsize_t *dims, hr_error *err) {
    struct hr__helper_field *f = &out->field;
    const struct h5_leaf *leaf = &out->leaf;
    const uint32_t outer = (uint32_t)out->rank - 1;
    if (outer + leaf->rank > HR_MAX_RANK)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "it has more than %d axes", HR_MAX_RANK);
    f->num_samples = dims[0];
    f->rank = outer + leaf->rank;
    f->sample_bytes = f->width_bytes != 0 ? f->width_bytes : hr_dtype_bytes(f->dtype);
    bool fits = true, empty = false;
    for (uint32_t i = 0; i < f->rank; i++) {
        f->shape[i] = i < outer ? dims[i + 1] : leaf->dims[i - outer];
        empty = empty || f->shape[i] == 0;
        fits = fits && hr__mul_u64(f->sample_bytes, f->shape[i], &f->sample_bytes);
    }
    if (empty)
        f->sample_bytes = 0;
    if (!(fits || empty) || !hr__helper_field_valid(f))
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "one sample is larger than 16 GiB, or all are larger than 8 EiB");
    return HR_OK;
}

/* Of variable length: one value for each sample. */
static hr_status set_variable(struct h5_described *out, const hsize_t *dims, hr_error *err) {
    struct hr__helper_field *f = &out->field;
    if (out->rank != 1)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "it holds variable-length values along %d axes, and one is converted; "
                             "write each column as a data set of its own (h5py: f[name] = "
                             "data[:, 0])",
                             out->rank);
    f->num_samples = dims[0];
    f->flags |= HR__HELPER_VARIABLE;
    if (!hr__helper_field_valid(f))
        return hr__error_set(err, HR_ERR_CORRUPT, "it says that it has %" PRIu64 " samples",
                             f->num_samples);
    return HR_OK;
}

static bool leaves_holes(hid_t plist) {
    H5D_fill_value_t fill = H5D_FILL_VALUE_ERROR;
    H5D_fill_time_t when = H5D_FILL_TIME_ERROR;
    return H5Pfill_value_defined(plist, &fill) < 0 || fill == H5D_FILL_VALUE_UNDEFINED ||
           H5Pget_fill_time(plist, &when) < 0 || when == H5D_FILL_TIME_NEVER;
}

/* Chunks of sources are decoded once where a window holds whole ones. */
static void set_source_chunks(const struct h5_sources *sources, struct hr__helper_field *f) {
    if (sources->chunk_samples == 0)
        return;
    f->flags |= HR__HELPER_CHUNKED;
    f->granule_samples = sources->chunk_samples;
    f->chunk_bytes = sources->chunk_bytes;
}

static hr_status describe(const struct h5_file *file, hid_t dataset, hid_t type, hid_t plist,
                          struct h5_described *out, hr_error *err) {
    hr_status st = HR_OK;
    hsize_t dims[HR_MAX_RANK];
    struct h5_sources sources;
    bool can_grow = false;
    struct hr__helper_field *f = &out->field;
    f->dtype = out->leaf.dtype;
    f->width_bytes = out->leaf.width_bytes;
    out->leaves_holes = leaves_holes(plist);
    HR_TRY(get_dims(dataset, dims, &out->rank, &can_grow, err));
    HR_TRY(h5_storage_check(file, dataset, plist, &sources, err));
    HR_TRY(h5_check_filters(plist, err));
    /* In the file a reference to a value may have twice the size that it has in memory. */
    HR_TRY(get_chunks(plist, dims, out->rank, H5Tget_size(type) * (out->leaf.variable ? 2 : 1), f,
                      err));
    set_source_chunks(&sources, f);
    f->flags |= file->growing && can_grow ? HR__HELPER_GROWING : 0;
    HR_TRY(out->leaf.variable ? set_variable(out, dims, err) : set_shape(out, dims, err));
done:
    return st;
}

typedef hr_status (*select_leaf)(hid_t type, const char *path, struct h5_leaf *out, hr_error *err);

/* All members of a record are one value. */
static hr_status select_record(hid_t type, const char *rest, struct h5_leaf *out, hr_error *err) {
    struct h5_record record;
    hr_status st = h5_record_make(type, rest, &record, err);
    if (st != HR_OK)
        return st;
    const size_t n_bytes = H5Tget_size(record.type);
    if (n_bytes > INT32_MAX) {
        h5_record_close(&record);
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "its records are larger than 2 GiB");
    }
    out->dtype = HR_FIXED_BYTES;
    out->width_bytes = (uint32_t)n_bytes;
    out->memory_type = record.type;
    record.type = -1;
    h5_record_close(&record);
    return HR_OK;
}

static hr_status describe_as(const struct h5_file *f, hid_t dataset, select_leaf select,
                             const char *path, struct h5_described *out, hr_error *err) {
    hr_status st = HR_OK;
    memset(out, 0, sizeof *out);
    out->leaf.memory_type = out->leaf.value_type = -1;
    hid_t type = H5Dget_type(dataset), plist = H5Dget_create_plist(dataset);
    if (type < 0 || plist < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "its description cannot be read");
    if (st == HR_OK)
        st = select(type, path, &out->leaf, err);
    if (st == HR_OK)
        st = describe(f, dataset, type, plist, out, err);
    if (st != HR_OK)
        h5_leaf_close(&out->leaf);
    if (type >= 0)
        (void)H5Tclose(type);
    if (plist >= 0)
        (void)H5Pclose(plist);
    return st;
}

hr_status h5_describe(const struct h5_file *f, hid_t dataset, const char *path,
                      struct h5_described *out, hr_error *err) {
    return describe_as(f, dataset, h5_leaf_select, path, out, err);
}

hr_status h5_describe_records(const struct h5_file *f, hid_t dataset, const char *rest,
                              struct h5_described *out, hr_error *err) {
    return describe_as(f, dataset, select_record, rest, out, err);
}
