/*
 * What is told of a sparse matrix: one field of its rows with their zeros, or two fields of what
 * its rows hold, or why it is refused. Untrusted.
 */
#include "hdf5_sparse.h"

#include <inttypes.h>
#include <stdio.h>

/* It may be a thousand times as large with its zeros: only who asked for that gets it. */
static hr_status refuse(const struct h5_sparse *s, hr_error *err) {
    const struct hr__helper_field *f = &s->field;
    const bool columns = (f->flags & HR__HELPER_BY_COLUMNS) != 0;
    const uint64_t each = s->values.is.field.sample_bytes + s->columns.is.field.sample_bytes;
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "it is a sparse matrix of %" PRIu64 " x %" PRIu64 " with %" PRIu64
                         " values, which has %" PRIu64
                         " bytes when every row holds its zeros, too (they compress well); convert "
                         "it that way with --sparse dense, or what its rows hold, %.0f bytes, as "
                         "two fields of variable length with --sparse varlen (Python: "
                         "sparse=\"dense\", sparse=\"varlen\")",
                         columns ? s->num_columns : f->num_samples,
                         columns ? f->num_samples : s->num_columns, s->num_values,
                         f->num_samples * f->sample_bytes, (double)s->num_values * (double)each);
}

/* Attributes of the group but for those that say how it is stored; NULL: no memory. */
static json_t *attributes_of(hid_t group, struct h5_left_out *left) {
    json_t *attributes = json_object(), *value;
    const char *name;
    void *next;
    if (attributes == NULL)
        return NULL;
    h5_attributes(group, attributes, left);
    json_object_foreach_safe(attributes, next, name, value) {
        if (h5_sparse_is_encoding(name))
            (void)json_object_del(attributes, name);
    }
    return attributes;
}

static hr_status tell_dense(struct h5_teller *t, hid_t group, const struct h5_sparse *s,
                            hr_error *err) {
    struct h5_left_out left = {0};
    json_t *attributes = attributes_of(group, &left);
    if (attributes == NULL)
        return hr__error_no_memory(err, 0, "attributes");
    h5_type_attributes(s->values.is.leaf.value_type, attributes, &left);
    t->num_found++;
    hr_status st = h5_tell(t, &s->field, attributes, &left, err);
    json_decref(attributes);
    return st;
}

static hr_status tell_values(struct h5_teller *t, hid_t group, const struct h5_sparse *s,
                             const struct h5_sparse_part *part, const char *name, hr_error *err) {
    struct h5_left_out left = {0};
    char path[HR__HELPER_PATH_BYTES];
    struct hr__helper_field f = h5_sparse_values_field(s, part);
    const bool columns = (f.flags & HR__HELPER_BY_COLUMNS) != 0;
    const uint64_t num_columns = columns ? s->field.num_samples : s->num_columns;
    const int n = snprintf(path, sizeof path, "%s%s%s", s->field.member,
                           s->field.member[0] != '\0' ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof path)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "its path is too long; rename its groups");
    json_t *attributes = attributes_of(group, &left);
    if (attributes == NULL)
        return hr__error_no_memory(err, 0, "attributes");
    h5_type_attributes(part->is.leaf.value_type, attributes, &left);
    if (json_object_set_new(attributes, HR__SPARSE_COLUMNS,
                            json_integer((json_int_t)num_columns)) != 0)
        h5_leave_out(&left, "the number of columns");
    f.member = path;
    f.name = path + t->name_at;
    t->num_found++;
    hr_status st = h5_tell(t, &f, attributes, &left, err);
    json_decref(attributes);
    return st;
}

static hr_status tell(struct h5_teller *t, hid_t group, const struct h5_sparse *s, hr_error *err) {
    if ((t->sparse & HR__HELPER_DENSE) != 0)
        return tell_dense(t, group, s, err);
    if ((t->sparse & HR__HELPER_ROW_VALUES) == 0)
        return refuse(s, err);
    hr_status st = tell_values(t, group, s, &s->columns, "indices", err);
    return st == HR_OK ? tell_values(t, group, s, &s->values, "data", err) : st;
}

hr_status h5_sparse_tell(struct h5_teller *t, hid_t group, const char *path, hr_error *err) {
    struct h5_sparse s;
    if (t->num_found + 2 > HR__HELPER_MAX_FIELDS)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "more than %u data sets; name a group or the data sets",
                             HR__HELPER_MAX_FIELDS);
    hr_status st = h5_sparse_open(t->file, group, &s, err);
    if (st != HR_OK)
        return st;
    s.field.member = path;
    s.field.name = path + t->name_at;
    st = tell(t, group, &s, err);
    h5_sparse_close(&s);
    return st;
}
