/*
 * The schema as JSON (docs/format.md, 7.2). Text that was read is untrusted.
 */
#include "dtype.h"
#include "error.h"
#include "frame_filter.h"
#include "json_text.h"
#include "schema_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_RANGES 16384u /* of labels, of all fields: a footer is read whole */

hr_status hr__schema_check_object(const char *text, const char *whose, hr_error *err) {
    json_t *json = NULL;
    hr_status st = hr__json_parse(text, strlen(text), &json, err);
    json_decref(json);
    if (st != HR_OK && st != HR_ERR_NO_MEMORY) {
        hr__error_prefix(err, "the attributes of %s", whose);
        st = HR_ERR_INVALID;
        if (err != NULL)
            err->status = st;
    }
    return st;
}

static hr_status no_memory(hr_error *err) {
    return hr__error_no_memory(err, 0, "JSON");
}

/* ---- printing: NULL everywhere means out of memory ---- */

static json_t *value_of(const char *text) {
    json_t *json = NULL;
    return hr__json_parse_value(text, strlen(text), &json, NULL) == HR_OK ? json : NULL;
}

static json_t *object_of(const char *text) {
    return text != NULL ? value_of(text) : json_object();
}

static json_t *shape_json(const struct hr__schema_field *f) {
    json_t *shape = json_array();
    for (uint32_t i = 0; i < f->rank; i++)
        if (json_array_append_new(shape, hr__json_u64(f->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return shape;
}

static json_t *storage_json(const struct hr__storage *s) {
    json_t *o = json_object(), *why = object_of(s->why_json);
    int bad =
        json_object_set_new(o, "codec", json_string(s->codec == HR__CODEC_ZSTD ? "zstd" : "raw"));
    if (s->codec == HR__CODEC_ZSTD)
        bad |= json_object_set_new(o, "level", json_integer(s->level));
    bad |= json_object_set_new(o, "filter", json_string(hr__filter_name(s->filter)));
    if (s->filter != HR__FILTER_NONE)
        bad |= json_object_set_new(o, "element_bytes", json_integer(s->element_bytes));
    if (hr__filter_has_delta(s->filter))
        bad |= json_object_set_new(o, "distance_bytes", json_integer(s->distance_bytes));
    bad |= why == NULL || json_object_update_missing(o, why) != 0;
    json_decref(why);
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

/* What is told of a field's values. */
enum told { NO_STATISTICS, NO_LABELS, ALL };

static json_t *field_json(const struct hr__schema_field *f, enum told told) {
    json_t *o = json_object();
    int bad = json_object_set_new(o, "name", json_string(f->name)) |
              json_object_set_new(o, "dtype", json_string(hr_dtype_name(f->dtype))) |
              json_object_set_new(o, "shape", shape_json(f));
    if (hr__dtype_is_fixed_width(f->dtype))
        bad |= json_object_set_new(o, "width", json_integer(f->width_bytes));
    bad |= json_object_set_new(o, "attributes", object_of(f->attributes_json)) |
           json_object_set_new(o, "storage", storage_json(&f->storage));
    if (f->element_dtype != 0)
        bad |=
            json_object_set_new(o, "element_dtype", json_string(hr_dtype_name(f->element_dtype)));
    if (told != NO_STATISTICS && f->statistics != NULL)
        bad |= hr__dtype_is_variable(f->dtype)
                   ? json_object_set_new(o, "lengths", hr__lengths_to_json(f->statistics))
                   : json_object_set_new(o, "statistics",
                                         hr__statistics_to_json(f->statistics, told == ALL));
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

struct field_ranges {
    uint32_t field, num_ranges;
};

static int fewer_ranges(const void *a, const void *b) {
    const struct field_ranges *x = a, *y = b;
    if (x->num_ranges != y->num_ranges)
        return x->num_ranges < y->num_ranges ? -1 : 1;
    return x->field < y->field ? -1 : x->field > y->field;
}

/* Labels of the fields with the fewest ranges, as many as fit; malloc'ed. */
static enum told *choose_told(const struct hr__schema *s) {
    struct field_ranges *ranges = calloc(s->num_fields, sizeof *ranges);
    enum told *told = calloc(s->num_fields, sizeof *told);
    bool ok = ranges != NULL && told != NULL;
    uint64_t sum = 0;
    for (uint32_t i = 0; ok && i < s->num_fields; i++) {
        const struct hr__schema_field *f = &s->fields[i];
        ranges[i].field = i;
        if (f->statistics != NULL && !hr__dtype_is_variable(f->dtype))
            ok = hr__statistics_num_ranges(f->statistics, &ranges[i].num_ranges);
    }
    if (ok)
        qsort(ranges, s->num_fields, sizeof *ranges, fewer_ranges);
    for (uint32_t i = 0; ok && i < s->num_fields; i++) {
        sum += ranges[i].num_ranges;
        told[ranges[i].field] = sum <= MAX_RANGES ? ALL : NO_LABELS;
    }
    free(ranges);
    if (ok)
        return told;
    free(told);
    return NULL;
}

static json_t *schema_json(const struct hr__schema *s, bool with_statistics) {
    json_t *o = json_object(), *fields = json_array();
    enum told *told = with_statistics ? choose_told(s) : NULL;
    int bad = (with_statistics && told == NULL) |
              json_object_set_new(o, "format", json_string("headrace/1")) |
              json_object_set(o, "fields", fields);
    for (uint32_t i = 0; i < s->num_fields && bad == 0; i++)
        bad |= json_array_append_new(
            fields, field_json(&s->fields[i], told != NULL ? told[i] : NO_STATISTICS));
    free(told);
    bad |= json_object_set_new(o, "attributes", object_of(s->attributes_json)) |
           json_object_set_new(o, "provenance", object_of(s->provenance_json));
    json_decref(fields);
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

static hr_status print_capped(json_t *o, char **out, size_t *n_bytes, hr_error *err) {
    *out = NULL;
    if (o == NULL)
        return no_memory(err);
    hr_status st = hr__json_print(o, out, n_bytes, err);
    json_decref(o);
    if (st == HR_OK && *n_bytes > HR__MAX_JSON_BYTES) {
        free(*out);
        *out = NULL;
        return hr__error_set(err, HR_ERR_INVALID,
                             "the schema takes %zu bytes as JSON, at most %llu; use fewer fields, "
                             "or smaller attributes",
                             *n_bytes, (unsigned long long)HR__MAX_JSON_BYTES);
    }
    return st;
}

hr_status hr__schema_print(const struct hr__schema *s, char **out, size_t *n_bytes, hr_error *err) {
    return print_capped(schema_json(s, true), out, n_bytes, err);
}

hr_status hr__schema_print_job(const struct hr__schema *s, const char *options_json,
                               const char *sources_json, char **out, size_t *n_bytes,
                               hr_error *err) {
    json_t *o = schema_json(s, false);
    if (o != NULL &&
        (json_object_set_new(o, "options", object_of(options_json)) != 0 ||
         json_object_set_new(o, "sources",
                             sources_json != NULL ? value_of(sources_json) : json_array()) != 0)) {
        json_decref(o);
        o = NULL;
    }
    return print_capped(o, out, n_bytes, err);
}

hr_status hr__json_member(const char *json, size_t n_bytes, const char *key, char **out,
                          hr_error *err) {
    json_t *o = NULL;
    *out = NULL;
    hr_status st = hr__json_parse(json, n_bytes, &o, err);
    if (st != HR_OK)
        return st;
    const json_t *member = json_object_get(o, key);
    if (member == NULL)
        member = json_null();
    *out = json_dumps(member,
                      JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    json_decref(o);
    return *out != NULL ? HR_OK : no_memory(err);
}

/* ---- parsing ---- */

static hr_status bad_key(hr_error *err, const char *key, const char *expected) {
    return hr__error_set(err, HR_ERR_CORRUPT, "its schema is malformed: \"%s\" is not %s", key,
                         expected);
}

/* The text of a member that is an object, or NULL where it is missing or empty. */
static hr_status object_text(const json_t *o, const char *key, char **out, hr_error *err) {
    const json_t *member = json_object_get(o, key);
    *out = NULL;
    if (member == NULL || (json_is_object(member) && json_object_size(member) == 0))
        return HR_OK;
    if (!json_is_object(member))
        return bad_key(err, key, "an object");
    *out = json_dumps(member, JSON_COMPACT | JSON_REAL_PRECISION(17));
    return *out != NULL ? HR_OK : no_memory(err);
}

static hr_status shape_parse(const json_t *shape, struct hr__schema_field *f, hr_error *err) {
    size_t rank = json_array_size(shape);
    if (!json_is_array(shape) || rank > HR_MAX_RANK)
        return bad_key(err, "shape", "a list of at most 32 numbers");
    f->rank = (uint32_t)rank;
    for (size_t i = 0; i < rank; i++)
        if (!hr__json_get_u64(json_array_get(shape, i), &f->shape[i]))
            return bad_key(err, "shape", "a list of at most 32 numbers");
    return HR_OK;
}

/* A job that is resumed encodes by what stands here, so it must be what a frame may hold. */
static hr_status storage_numbers(const json_t *o, struct hr__storage *out, hr_error *err) {
    const json_t *level = json_object_get(o, "level"), *bytes = json_object_get(o, "element_bytes");
    const json_t *distance = json_object_get(o, "distance_bytes");
    int64_t n = 0, d = 0;
    if (level != NULL && (!hr__json_get_i64(level, &n) || n < INT32_MIN || n > INT32_MAX))
        return bad_key(err, "level", "a 32-bit number");
    out->level = (int32_t)n;
    n = 0;
    if (bytes != NULL && !hr__json_get_i64(bytes, &n))
        return bad_key(err, "element_bytes", "a number");
    if (distance != NULL && !hr__json_get_i64(distance, &d))
        return bad_key(err, "distance_bytes", "a number");
    if (out->filter == HR__FILTER_NONE)
        return HR_OK;
    if (n < 0 || n > UINT8_MAX || d < 0 || d > UINT32_MAX ||
        !hr__filter_fits(out->filter, (uint32_t)n, (uint32_t)d, 0))
        return bad_key(err, "filter", "one that has these element_bytes and distance_bytes");
    out->element_bytes = (uint8_t)n;
    out->distance_bytes = (uint32_t)d;
    return HR_OK;
}

static hr_status storage_parse(const json_t *o, struct hr__storage *out, hr_error *err) {
    if (o == NULL)
        return HR_OK;
    const char *codec = json_string_value(json_object_get(o, "codec"));
    const char *filter = json_string_value(json_object_get(o, "filter"));
    if (!json_is_object(o) || codec == NULL || filter == NULL)
        return bad_key(err, "storage", "an object with codec and filter");
    out->codec = strcmp(codec, "zstd") == 0 ? HR__CODEC_ZSTD : HR__CODEC_RAW;
    if (!hr__filter_from_name(filter, &out->filter))
        out->filter = HR__FILTER_NONE;
    hr_status st = storage_numbers(o, out, err);
    if (st != HR_OK)
        return st;
    out->why_json = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
    return out->why_json != NULL ? HR_OK : no_memory(err);
}

/* Of dtypes that have no elements the key is one of those that are ignored. */
static hr_status element_parse(const json_t *o, struct hr__schema_field *f, hr_error *err) {
    const json_t *member = json_object_get(o, "element_dtype");
    if (member == NULL || f->dtype != HR_VAR_BYTES)
        return HR_OK;
    const char *name = json_string_value(member);
    if (name == NULL || hr_dtype_from_name(name, &f->element_dtype, NULL) != HR_OK)
        return bad_key(err, "element_dtype", "a known dtype");
    return HR_OK;
}

static hr_status field_parse(const json_t *o, struct hr__schema_field *f, hr_error *err) {
    hr_status st;
    uint64_t width = 0;
    const char *name = json_string_value(json_object_get(o, "name"));
    const char *dtype = json_string_value(json_object_get(o, "dtype"));
    const json_t *width_json = json_object_get(o, "width");
    if (name == NULL || strlen(name) != json_string_length(json_object_get(o, "name")))
        return bad_key(err, "name", "a text");
    if (dtype == NULL || hr_dtype_from_name(dtype, &f->dtype, NULL) != HR_OK)
        return bad_key(err, "dtype", "a known dtype");
    bool wide = hr__dtype_is_fixed_width(f->dtype);
    if (wide && (!hr__json_get_u64(width_json, &width) || width > INT32_MAX))
        return bad_key(err, "width", "a number below 2^31");
    f->width_bytes = (uint32_t)width;
    HR_TRY(element_parse(o, f, err));
    HR_TRY(shape_parse(json_object_get(o, "shape"), f, err));
    f->name = malloc(strlen(name) + 1);
    if (f->name == NULL)
        return no_memory(err);
    memcpy(f->name, name, strlen(name) + 1);
    HR_TRY(object_text(o, "attributes", &f->attributes_json, err));
    HR_TRY(storage_parse(json_object_get(o, "storage"), &f->storage, err));
done:
    return st;
}

static hr_status lengths_parse(const json_t *o, struct hr__schema_field *f, hr_error *err) {
    const json_t *lengths = json_object_get(o, "lengths");
    hr_status st = lengths != NULL ? hr__lengths_from_json(lengths, &f->statistics, err) : HR_OK;
    if (st != HR_OK)
        hr__error_prefix(err, "field %s", f->name);
    return st;
}

/* After the sizes are known: labels have one element per sample. */
static hr_status statistics_parse(const json_t *o, struct hr__schema_field *f, hr_error *err) {
    if (hr__dtype_is_variable(f->dtype))
        return lengths_parse(o, f, err);
    const json_t *statistics = json_object_get(o, "statistics");
    if (statistics == NULL || !hr__statistics_wanted(f->dtype))
        return HR_OK;
    /* A writer may leave the labels out: they are large where many fields have them. */
    bool labels = hr__dtype_is_integer(f->dtype) && f->num_elements == 1 &&
                  json_object_get(statistics, "labels") != NULL;
    hr_status st = hr__statistics_from_json(statistics, f->dtype, labels, &f->statistics, err);
    if (st != HR_OK)
        hr__error_prefix(err, "field %s", f->name);
    return st;
}

static hr_status fields_parse(const json_t *fields, struct hr__schema *s, hr_error *err) {
    hr_status st;
    size_t n = json_array_size(fields);
    if (!json_is_array(fields) || n == 0 || n > HR__MAX_FIELDS)
        return bad_key(err, "fields", "a list of 1 to 4096 fields");
    HR_TRY(hr__schema_allocate(s, (uint32_t)n, err));
    for (uint32_t i = 0; i < s->num_fields; i++)
        HR_TRY(field_parse(json_array_get(fields, i), &s->fields[i], err));
    st = hr__schema_finish(s, err);
    if (st == HR_ERR_INVALID) { /* a rule broken in a file is damage */
        hr__error_prefix(err, "its schema is malformed");
        st = HR_ERR_CORRUPT;
        if (err != NULL)
            err->status = st;
    }
    for (uint32_t i = 0; i < s->num_fields && st == HR_OK; i++)
        st = statistics_parse(json_array_get(fields, i), &s->fields[i], err);
done:
    return st;
}

hr_status hr__schema_parse(const char *json, size_t n_bytes, uint32_t samples_per_chunk,
                           struct hr__schema *out, hr_error *err) {
    hr_status st;
    json_t *o = NULL;
    *out = (struct hr__schema){.samples_per_chunk = samples_per_chunk};
    HR_TRY(hr__json_parse(json, n_bytes, &o, err));
    HR_TRY(fields_parse(json_object_get(o, "fields"), out, err));
    HR_TRY(object_text(o, "attributes", &out->attributes_json, err));
    HR_TRY(object_text(o, "provenance", &out->provenance_json, err));
done:
    json_decref(o);
    if (st != HR_OK)
        hr__schema_free(out);
    return st;
}
