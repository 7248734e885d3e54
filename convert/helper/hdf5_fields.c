/*
 * What is told of a data set: a field for each value of its elements, with attributes. Types and
 * attributes are untrusted.
 */
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ATTRIBUTES        (4u << 20) /* bytes of JSON, of all objects */
#define MAX_OBJECT_ATTRIBUTES (256u << 10)

hr_status h5_tell(struct h5_teller *t, const struct hr__helper_field *field, json_t *attributes,
                  struct h5_left_out *left, hr_error *err) {
    char note[sizeof left->names + HR__HELPER_PATH_BYTES / 2], *text = NULL;
    if (json_object_size(attributes) > 0)
        text = json_dumps(attributes, JSON_COMPACT);
    size_t n_bytes = text != NULL ? strlen(text) : 0;
    if ((json_object_size(attributes) > 0 && text == NULL) || n_bytes > MAX_OBJECT_ATTRIBUTES ||
        n_bytes > MAX_ATTRIBUTES - t->attributes_bytes) {
        h5_leave_out(left, "all, as they are too large");
        free(text);
        text = NULL;
        n_bytes = 0;
    }
    t->attributes_bytes += n_bytes;
    (void)snprintf(note, sizeof note, "/%.1000s: attributes that JSON cannot hold are left out: %s",
                   field != NULL ? field->member : "", left->names);
    hr_status st = t->found(t->arg, field, text, left->n > 0 ? note : NULL, err);
    free(text);
    return st;
}

/* One data set, of which each value of its elements is a field. */
struct dataset {
    struct h5_teller *teller;
    hid_t dataset;
    const char *path, *rest; /* of the path that was asked for, behind the data set */
    uint32_t num_values;     /* told of, or refused */
    struct h5_record record;
    char record_path[HR__HELPER_PATH_BYTES];
};

static hr_status tell_value(const struct dataset *d, const struct h5_described *is, hr_error *err) {
    struct h5_left_out left = {0};
    json_t *attributes = json_object();
    if (attributes == NULL)
        return hr__error_no_memory(err, 0, "attributes");
    h5_attributes(d->dataset, attributes, &left);
    h5_type_attributes(is->leaf.value_type, attributes, &left);
    hr_status st = h5_tell(d->teller, &is->field, attributes, &left, err);
    json_decref(attributes);
    return st;
}

/* Where several values of an element can be read together. */
static void make_record(struct dataset *d, hid_t type) {
    int n = snprintf(d->record_path, sizeof d->record_path, "%s%s%s", d->path,
                     d->rest[0] != '\0' ? "/" : "", d->rest);
    const bool fits = n > 0 && (size_t)n < sizeof d->record_path;
    if (h5_record_make(type, d->rest, &d->record, NULL) == HR_OK &&
        (d->record.num_inside < 2 || !fits))
        h5_record_close(&d->record);
}

/* Of the value that is told of next. */
static void set_record(const struct dataset *d, struct h5_described *is) {
    struct hr__helper_record *r = &is->field.record;
    const uint32_t outer = (uint32_t)is->rank - 1;
    if (d->num_values >= d->record.num_places)
        return;
    const struct h5_place *place = &d->record.places[d->num_values];
    if (!place->inside || place->rank != is->leaf.rank)
        return;
    r->path = d->record_path;
    r->rank = outer;
    r->at = place->at;
    r->bytes = H5Tget_size(d->record.type);
    memcpy(r->steps + outer, place->steps, place->rank * sizeof *place->steps);
    if (!hr__helper_record_valid(&is->field))
        *r = (struct hr__helper_record){.path = NULL};
}

/* Other members may still be told of. */
static hr_status refuse_value(struct dataset *d, const char *leaf, const char *path, hr_status st,
                              hr_error *err) {
    const struct h5_teller *t = d->teller;
    if (leaf[0] != '\0')
        hr__error_prefix(err, "its member %s", leaf);
    if (leaf[0] == '\0' || t->refused == NULL || st != HR_ERR_UNSUPPORTED)
        return st;
    hr__error_prefix(err, "/%.200s", d->path);
    t->refused(t->arg, path + t->name_at, err);
    d->num_values++;
    return HR_OK;
}

static hr_status tell_value_at(void *arg, const char *leaf, hr_error *err) {
    struct dataset *d = arg;
    struct h5_teller *t = d->teller;
    struct h5_described is;
    char path[HR__HELPER_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s%s%s", d->path, leaf[0] != '\0' ? "/" : "", leaf);
    if (!h5_leaf_is_asked_for(d->rest, leaf))
        return HR_OK;
    if (n < 0 || (size_t)n >= sizeof path)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "its path is too long (%u bytes at most); rename its groups or "
                             "members",
                             HR__HELPER_PATH_BYTES - 1);
    if (t->num_found == HR__HELPER_MAX_FIELDS)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "more than %u data sets; name a group or the data sets",
                             HR__HELPER_MAX_FIELDS);
    hr_status st = h5_describe(t->file, d->dataset, leaf, &is, err);
    if (st != HR_OK)
        return refuse_value(d, leaf, path, st, err);
    is.field.member = path;
    is.field.name = path + t->name_at;
    set_record(d, &is);
    t->num_found++;
    d->num_values++;
    st = tell_value(d, &is, err);
    h5_leaf_close(&is.leaf);
    return st;
}

hr_status h5_fields_tell(struct h5_teller *t, hid_t dataset, const char *path, const char *rest,
                         hr_error *err) {
    struct dataset d = {.teller = t, .dataset = dataset, .path = path, .rest = rest};
    hid_t type = H5Dget_type(dataset);
    if (type < 0)
        return h5_error(err, HR_ERR_CORRUPT, "its type cannot be read");
    make_record(&d, type);
    hr_status st = h5_leaf_each(type, tell_value_at, &d, err);
    h5_record_close(&d.record);
    (void)H5Tclose(type);
    if (st == HR_OK && d.num_values == 0)
        return hr__error_set(err, HR_ERR_NOT_FOUND, "there is no %s in it", rest);
    return st;
}

hr_status h5_file_tell(struct h5_teller *t, hr_error *err) {
    struct h5_left_out left = {0};
    json_t *attributes = json_object();
    hid_t root = H5Gopen2(t->file->file, "/", H5P_DEFAULT);
    hr_status st = HR_OK;
    if (attributes == NULL)
        st = hr__error_no_memory(err, 0, "attributes");
    else if (root < 0)
        st = h5_error(err, HR_ERR_CORRUPT, "the root group cannot be opened");
    if (st == HR_OK) {
        h5_attributes(root, attributes, &left);
        st = h5_tell(t, NULL, attributes, &left, err);
    }
    if (root >= 0)
        (void)H5Gclose(root);
    json_decref(attributes);
    return st;
}
