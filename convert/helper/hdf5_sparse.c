/*
 * What a group that is a sparse matrix holds: AnnData says so by attributes, 10x by the names of
 * its data sets. All of it is untrusted.
 */
#include "hdf5_sparse.h"

#include "checked.h"

#include <inttypes.h>
#include <string.h>

static const char *const encodings[] = {"encoding-type", "encoding-version", "shape",
                                        "h5sparse_format", "h5sparse_shape"};

bool h5_sparse_is_encoding(const char *attribute) {
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (strcmp(attribute, encodings[i]) == 0)
            return true;
    return false;
}

static bool has(hid_t group, const char *name) {
    return H5Lexists(group, name, H5P_DEFAULT) > 0;
}

/* NULL: there is no such text. */
static const char *text_of(const json_t *attributes, const char *name) {
    return json_string_value(json_object_get(attributes, name));
}

static enum h5_sparse_kind kind_of_attributes(const json_t *attributes) {
    const char *type = text_of(attributes, "encoding-type");
    const char *old = text_of(attributes, "h5sparse_format");
    if (type != NULL)
        return strcmp(type, "csr_matrix") == 0   ? H5_SPARSE_CSR
               : strcmp(type, "csc_matrix") == 0 ? H5_SPARSE_CSC
                                                 : H5_SPARSE_NONE;
    if (old != NULL)
        return strcmp(old, "csr") == 0   ? H5_SPARSE_CSR
               : strcmp(old, "csc") == 0 ? H5_SPARSE_CSC
                                         : H5_SPARSE_NONE;
    return H5_SPARSE_NONE;
}

static json_t *attributes_of(hid_t group) {
    struct h5_left_out left = {0};
    json_t *attributes = json_object();
    if (attributes != NULL)
        h5_attributes(group, attributes, &left);
    return attributes;
}

enum h5_sparse_kind h5_sparse_find(hid_t group) {
    enum h5_sparse_kind kind = H5_SPARSE_NONE;
    if (H5Iget_type(group) != H5I_GROUP)
        return H5_SPARSE_NONE;
    if (H5Aexists(group, "encoding-type") > 0 || H5Aexists(group, "h5sparse_format") > 0) {
        json_t *attributes = attributes_of(group);
        kind = kind_of_attributes(attributes);
        json_decref(attributes);
    } else if (has(group, "data") && has(group, "indices") && has(group, "indptr") &&
               has(group, "shape")) {
        kind = H5_SPARSE_10X;
    }
    (void)H5Eclear2(H5E_DEFAULT);
    return kind;
}

const char *h5_sparse_row(const struct h5_sparse *s) {
    return s->kind == H5_SPARSE_CSC ? "column" : "row";
}

const char *h5_sparse_column(const struct h5_sparse *s) {
    return s->kind == H5_SPARSE_CSC ? "row" : "column";
}

/* --- its data sets -------------------------------------------------------------------------- */

static void close_part(struct h5_sparse_part *p) {
    if (p->dataset >= 0) {
        h5_leaf_close(&p->is.leaf);
        (void)H5Oclose(p->dataset);
    }
    p->dataset = -1;
}

static hr_status check_part(const struct h5_sparse_part *p, bool numbers, hr_error *err) {
    const struct h5_described *is = &p->is;
    if (is->rank != 1 || is->field.rank != 0)
        return hr__error_set(err, HR_ERR_CORRUPT, "it has more than one axis, where one is needed");
    if (is->field.width_bytes != 0 || is->leaf.variable ||
        (!numbers && H5Tget_class(is->leaf.value_type) != H5T_INTEGER))
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "it holds no %s",
                             numbers ? "numbers" : "integers");
    return HR_OK;
}

/* numbers: any; else integers only. */
static hr_status open_part(const struct h5_file *f, hid_t group, const char *name, bool numbers,
                           struct h5_sparse_part *out, hr_error *err) {
    hid_t dataset = -1;
    hr_status st = h5_walk(f, group, name, &dataset, NULL, err);
    if (st == HR_OK && H5Iget_type(dataset) != H5I_DATASET)
        st = hr__error_set(err, HR_ERR_CORRUPT, "it is no data set");
    if (st == HR_OK)
        st = h5_describe(f, dataset, "", &out->is, err);
    if (st == HR_OK)
        out->dataset = dataset;
    else if (dataset >= 0)
        (void)H5Oclose(dataset);
    if (st == HR_OK)
        st = check_part(out, numbers, err);
    if (st != HR_OK)
        hr__error_prefix(err, "its %s", name);
    return st;
}

/* --- its shape ------------------------------------------------------------------------------ */

static bool shape_of_attributes(hid_t group, int64_t shape[2]) {
    json_t *attributes = attributes_of(group);
    const json_t *list = json_object_get(attributes, "shape");
    if (list == NULL)
        list = json_object_get(attributes, "h5sparse_shape");
    bool ok = json_array_size(list) == 2;
    for (size_t i = 0; ok && i < 2; i++) {
        ok = json_is_integer(json_array_get(list, i));
        shape[i] = json_integer_value(json_array_get(list, i));
    }
    json_decref(attributes);
    return ok;
}

static hr_status shape_of_dataset(const struct h5_file *f, hid_t group, int64_t shape[2],
                                  hr_error *err) {
    struct h5_sparse_part part = {.dataset = -1};
    hr_status st = open_part(f, group, "shape", false, &part, err);
    if (st == HR_OK && part.is.field.num_samples != 2)
        st = hr__error_set(err, HR_ERR_CORRUPT, "its shape has %" PRIu64 " entries, expected 2",
                           part.is.field.num_samples);
    if (st == HR_OK &&
        H5Dread(part.dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, shape) < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "its shape cannot be read");
    close_part(&part);
    return st;
}

static hr_status get_shape(const struct h5_file *f, hid_t group, struct h5_sparse *s,
                           hr_error *err) {
    int64_t shape[2] = {-1, -1};
    hr_status st = HR_OK;
    if (s->kind == H5_SPARSE_10X)
        st = shape_of_dataset(f, group, shape, err);
    else if (!shape_of_attributes(group, shape))
        st = hr__error_set(err, HR_ERR_CORRUPT, "its attribute shape is not two integers");
    if (st == HR_OK && (shape[0] < 0 || shape[1] < 0))
        st = hr__error_set(err, HR_ERR_CORRUPT,
                           "its shape is (%" PRId64 ", %" PRId64 "), which is none", shape[0],
                           shape[1]);
    if (st != HR_OK)
        return st;
    const bool by_columns = s->kind != H5_SPARSE_CSR;
    s->field.num_samples = (uint64_t)shape[by_columns ? 1 : 0];
    s->num_columns = (uint64_t)shape[by_columns ? 0 : 1];
    return HR_OK;
}

static hr_status check_lengths(const struct h5_sparse *s, hr_error *err) {
    const uint64_t num_starts = s->starts.is.field.num_samples;
    if (num_starts == 0 || num_starts - 1 != s->field.num_samples)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "its indptr has %" PRIu64 " entries, expected one more than its "
                             "%" PRIu64 " %ss",
                             num_starts, s->field.num_samples, h5_sparse_row(s));
    if (s->columns.is.field.num_samples != s->num_values)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "its indices are %" PRIu64 ", its data %" PRIu64
                             ": they should be equally many",
                             s->columns.is.field.num_samples, s->num_values);
    return HR_OK;
}

/* --- the field ------------------------------------------------------------------------------ */

/* Rows begin and end inside chunks: the cache of each data set holds one of the largest, and each
 * is decoded once. Of the three caches two are in chunk_bytes, with the bits of the columns: the
 * library reserves twice that besides. */
static hr_status set_chunks(struct h5_sparse *s, hr_error *err) {
    struct hr__helper_field *f = &s->field;
    const uint64_t largest =
        hr__max_u64(s->starts.is.field.chunk_bytes,
                    hr__max_u64(s->values.is.field.chunk_bytes, s->columns.is.field.chunk_bytes));
    f->flags = HR__HELPER_SPARSE | (s->kind == H5_SPARSE_CSC ? HR__HELPER_BY_COLUMNS : 0);
    if (((s->values.is.field.flags | s->columns.is.field.flags) & HR__HELPER_CHUNKED) != 0)
        f->flags |= HR__HELPER_CHUNKED;
    f->granule_samples = 1;
    f->chunk_row_bytes = largest;
    if (hr__mul_u64(largest, 2, &f->chunk_bytes) &&
        hr__add_u64(f->chunk_bytes, hr__ceil_div(s->num_columns, 16), &f->chunk_bytes))
        return HR_OK;
    return hr__error_set(err, HR_ERR_CORRUPT, "the size of its chunks is no size");
}

static hr_status set_field(struct h5_sparse *s, hr_error *err) {
    struct hr__helper_field *f = &s->field;
    f->dtype = s->values.is.field.dtype;
    f->rank = 1;
    f->shape[0] = s->num_columns;
    hr_status st = set_chunks(s, err);
    if (st != HR_OK)
        return st;
    if (!hr__mul_u64(hr_dtype_bytes(f->dtype), s->num_columns, &f->sample_bytes) ||
        !hr__helper_field_valid(f))
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "a %s of its %" PRIu64
                             " %ss is larger than 16 GiB, or all are larger than 8 EiB",
                             h5_sparse_row(s), s->num_columns, h5_sparse_column(s));
    return HR_OK;
}

hr_status h5_sparse_open(const struct h5_file *f, hid_t group, struct h5_sparse *out,
                         hr_error *err) {
    hr_status st = HR_OK;
    *out = (struct h5_sparse){.kind = h5_sparse_find(group)};
    out->values.dataset = out->columns.dataset = out->starts.dataset = -1;
    HR_TRY(open_part(f, group, "data", true, &out->values, err));
    HR_TRY(open_part(f, group, "indices", false, &out->columns, err));
    HR_TRY(open_part(f, group, "indptr", false, &out->starts, err));
    out->num_values = out->values.is.field.num_samples;
    HR_TRY(get_shape(f, group, out, err));
    HR_TRY(check_lengths(out, err));
    HR_TRY(set_field(out, err));
done:
    if (st != HR_OK)
        h5_sparse_close(out);
    return st;
}

void h5_sparse_close(struct h5_sparse *s) {
    close_part(&s->values);
    close_part(&s->columns);
    close_part(&s->starts);
    h5_sparse_free_room(s);
}
