/*
 * JSON values as typed attributes. They come from a file and may be anything.
 */
#include "export_attributes.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

#define OWN_PREFIX "headrace:"

/* The type that all values of a list have in common; 0: none. */
static hr_dtype common_type(const json_t *list) {
    size_t n = json_array_size(list), num_bools = 0, num_integers = 0, num_numbers = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        num_bools += json_is_boolean(value);
        num_integers += json_is_integer(value);
        num_numbers += json_is_number(value);
    }
    if (n == 0)
        return (hr_dtype)0;
    return num_bools == n      ? HR_BOOL
           : num_integers == n ? HR_INT64
           : num_numbers == n  ? HR_FLOAT64
                               : (hr_dtype)0;
}

static void put_value(const json_t *value, hr_dtype dtype, uint8_t *to) {
    const uint8_t truth = json_is_true(value);
    const int64_t integer = json_integer_value(value);
    const double real = json_number_value(value);
    memcpy(to,
           dtype == HR_BOOL    ? (const void *)&truth
           : dtype == HR_INT64 ? (const void *)&integer
                               : (const void *)&real,
           hr_dtype_bytes(dtype));
}

/* A list, or a list of one that is a scalar. */
static hr_status send_list(struct hr__container *c, struct hr__attribute *a, const json_t *list,
                           hr_error *err) {
    size_t width = hr_dtype_bytes(a->dtype);
    a->count = (uint32_t)json_array_size(list);
    uint8_t *values = malloc(a->count * width);
    if (values == NULL)
        return hr__error_no_memory(err, a->count * width, "an attribute");
    for (uint32_t i = 0; i < a->count; i++)
        put_value(json_array_get(list, i), a->dtype, values + i * width);
    a->values = values;
    hr_status st = hr__container_attribute(c, a, err);
    free(values);
    return st;
}

static hr_status send_text(struct hr__container *c, struct hr__attribute *a, const char *text,
                           hr_error *err) {
    a->dtype = HR_FIXED_UTF8;
    a->count = (uint32_t)strlen(text);
    a->values = text;
    return hr__container_attribute(c, a, err);
}

static bool fits(const struct hr__export_job *job, const char *member, const char *name,
                 size_t n_bytes) {
    if (n_bytes <= HR__MAX_ATTRIBUTE_BYTES && strlen(name) <= HR__HELPER_PATH_BYTES / 4)
        return true;
    hr__export_note(job, "the attribute %.200s of %s is too large for HDF5 and left out", name,
                    member[0] != '\0' ? member : "the data set");
    return false;
}

static hr_status send_json(const struct hr__export_job *job, struct hr__container *c,
                           struct hr__attribute *a, const json_t *value, hr_error *err) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text == NULL)
        return hr__error_no_memory(err, 0, "an attribute as JSON");
    hr_status st = HR_OK;
    if (fits(job, a->member, a->name, strlen(text)))
        st = send_text(c, a, text, err);
    free(text);
    return st;
}

static hr_status send_one(const struct hr__export_job *job, struct hr__container *c,
                          struct hr__attribute *a, const json_t *value, hr_error *err) {
    if (json_is_string(value))
        return fits(job, a->member, a->name, json_string_length(value))
                   ? send_text(c, a, json_string_value(value), err)
                   : HR_OK;
    json_t *list =
        json_is_array(value) ? json_incref((json_t *)(uintptr_t)value) : json_pack("[O]", value);
    if (list == NULL)
        return hr__error_no_memory(err, 0, "an attribute");
    hr_status st = HR_OK;
    a->scalar = !json_is_array(value);
    a->dtype = common_type(list);
    if (a->dtype == (hr_dtype)0)
        st = send_json(job, c, a, value, err);
    else if (fits(job, a->member, a->name, json_array_size(list) * hr_dtype_bytes(a->dtype)))
        st = send_list(c, a, list, err);
    json_decref(list);
    return st;
}

hr_status hr__export_attributes(const struct hr__export_job *job, struct hr__container *container,
                                const char *member, const json_t *attributes, hr_error *err) {
    hr_status st = HR_OK;
    const char *name;
    json_t *value, *object = (json_t *)(uintptr_t)attributes;
    json_object_foreach(object, name, value) {
        struct hr__attribute a = {.member = member, .name = name};
        if (name[0] == '\0' || strncmp(name, OWN_PREFIX, strlen(OWN_PREFIX)) == 0)
            continue;
        HR_TRY(send_one(job, container, &a, value, err));
    }
done:
    return st;
}
