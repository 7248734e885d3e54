/*
 * Attributes as JSON. They are untrusted: what is large, or no JSON, is left out and named.
 */
#define _GNU_SOURCE
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ATTRIBUTES 1024u
#define MAX_VALUES     8192u       /* of one attribute */
#define MAX_BYTES      (64u << 10) /* of one attribute */

struct collector {
    json_t *into;
    struct h5_left_out *left;
    uint32_t num_seen;
};

/* The values of one attribute, as they are in memory. */
struct values {
    hid_t attribute, type, memory_type;
    hr_dtype dtype;
    size_t item_bytes;
    bool is_text; /* of variable length */
    uint64_t n;
    hsize_t dims[HR_MAX_RANK];
    int rank;
    uint8_t *bytes;
};

void h5_leave_out(struct h5_left_out *left, const char *name) {
    size_t used = strlen(left->names), room = sizeof left->names - used;
    left->n++;
    (void)snprintf(left->names + used, room, "%s%s", used > 0 ? ", " : "", name);
    if (strlen(name) + 2 >= room) /* cut off: the dots say so */
        memcpy(left->names + sizeof left->names - 4, "...", 4);
}

/* HDF5's own book-keeping of dimension scales. */
static bool is_bookkeeping(const char *name) {
    return strcmp(name, "DIMENSION_LIST") == 0 || strcmp(name, "REFERENCE_LIST") == 0;
}

/* --- reading -------------------------------------------------------------------------------- */

static bool get_extent(struct values *v) {
    hid_t space = H5Aget_space(v->attribute);
    hssize_t n = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    H5S_class_t kind = space >= 0 ? H5Sget_simple_extent_type(space) : H5S_NO_CLASS;
    bool ok = n >= 0 && n <= (hssize_t)MAX_VALUES;
    v->n = ok ? (uint64_t)n : 0;
    v->rank = kind == H5S_NULL ? -1 : 0;
    if (ok && kind == H5S_SIMPLE) {
        v->rank = H5Sget_simple_extent_ndims(space);
        ok = v->rank >= 0 && v->rank <= HR_MAX_RANK &&
             H5Sget_simple_extent_dims(space, v->dims, NULL) >= 0;
    }
    if (space >= 0)
        (void)H5Sclose(space);
    return ok;
}

/* Numbers are read as the widest of their kind, text as it is. */
static bool choose_memory_type(struct values *v) {
    uint32_t width = 0;
    hid_t plain = -1;
    v->is_text = H5Tget_class(v->type) == H5T_STRING && H5Tis_variable_str(v->type) > 0;
    if (v->is_text) {
        v->memory_type = H5Tcopy(v->type);
        v->item_bytes = sizeof(char *);
        return v->memory_type >= 0;
    }
    if (H5Tget_class(v->type) == H5T_COMPOUND || H5Tget_class(v->type) == H5T_OPAQUE ||
        h5_type(v->type, &v->dtype, &width, &plain, NULL) != HR_OK)
        return false;
    v->item_bytes = width != 0 ? width : 8;
    switch (v->dtype) {
    case HR_BOOL:
        v->item_bytes = 1;
        v->memory_type = plain;
        return true;
    case HR_FIXED_BYTES:
    case HR_FIXED_UTF8:
        v->memory_type = plain;
        return true;
    case HR_INT8:
    case HR_INT16:
    case HR_INT32:
    case HR_INT64:
        v->memory_type = H5Tcopy(H5T_NATIVE_INT64);
        break;
    case HR_UINT8:
    case HR_UINT16:
    case HR_UINT32:
    case HR_UINT64: /* bits do not turn into numbers by themselves */
        v->memory_type =
            H5Tcopy(H5Tget_class(v->type) == H5T_BITFIELD ? H5T_STD_B64LE : H5T_NATIVE_UINT64);
        break;
    default:
        v->memory_type = H5Tcopy(H5T_NATIVE_DOUBLE);
    }
    (void)H5Tclose(plain);
    return v->memory_type >= 0;
}

static bool read_values(struct values *v) {
    if (v->n > MAX_BYTES / v->item_bytes)
        return false;
    v->bytes = calloc(v->n + 1, v->item_bytes);
    return v->bytes != NULL && (v->n == 0 || H5Aread(v->attribute, v->memory_type, v->bytes) >= 0);
}

static void free_values(struct values *v) {
    hid_t space = v->is_text && v->bytes != NULL && v->n > 0 ? H5Aget_space(v->attribute) : -1;
    if (space >= 0) {
        (void)H5Dvlen_reclaim(v->memory_type, space, H5P_DEFAULT, v->bytes);
        (void)H5Sclose(space);
    }
    free(v->bytes);
    if (v->memory_type >= 0)
        (void)H5Tclose(v->memory_type);
    if (v->type >= 0)
        (void)H5Tclose(v->type);
    if (v->attribute >= 0)
        (void)H5Aclose(v->attribute);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static json_t *text_of(const struct values *v, const uint8_t *item) {
    if (!v->is_text)
        return json_stringn((const char *)item, strnlen((const char *)item, v->item_bytes));
    const char *text;
    memcpy(&text, item, sizeof text);
    if (text == NULL)
        return json_string("");
    return strnlen(text, MAX_BYTES) < MAX_BYTES ? json_string(text) : NULL;
}

/* NULL: JSON cannot hold it. */
static json_t *item_of(const struct values *v, uint64_t i) {
    const uint8_t *item = v->bytes + i * v->item_bytes;
    if (v->is_text || v->dtype == HR_FIXED_BYTES || v->dtype == HR_FIXED_UTF8)
        return text_of(v, item);
    if (v->dtype == HR_BOOL)
        return item[0] <= 1 ? json_boolean(item[0] == 1) : NULL;
    uint64_t bits;
    double real;
    memcpy(&bits, item, sizeof bits);
    memcpy(&real, item, sizeof real);
    switch (v->dtype) {
    case HR_INT8:
    case HR_INT16:
    case HR_INT32:
    case HR_INT64:
        return json_integer((json_int_t)bits);
    case HR_UINT8:
    case HR_UINT16:
    case HR_UINT32:
    case HR_UINT64:
        return bits <= INT64_MAX ? json_integer((json_int_t)bits) : NULL;
    default:
        return json_real(real); /* of NaN and Inf: NULL */
    }
}

/* The values from *next on, as nested arrays by the axes from `axis` on. */
static json_t *array_of(const struct values *v, int axis, uint64_t *next) {
    if (axis >= v->rank)
        return item_of(v, (*next)++);
    json_t *array = json_array();
    for (hsize_t i = 0; array != NULL && i < v->dims[axis]; i++) {
        json_t *part = array_of(v, axis + 1, next);
        if (part == NULL || json_array_append_new(array, part) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static json_t *json_of(hid_t object, const char *name) {
    struct values v = {.type = -1, .memory_type = -1};
    uint64_t next = 0;
    json_t *json = NULL;
    v.attribute = H5Aopen(object, name, H5P_DEFAULT);
    v.type = v.attribute >= 0 ? H5Aget_type(v.attribute) : -1;
    if (v.type >= 0 && get_extent(&v)) {
        if (v.rank < 0)
            json = json_null();
        else if (v.n > 0 || v.rank == 1) /* no values in several axes: any number of empty arrays */
            json = choose_memory_type(&v) && read_values(&v) ? array_of(&v, 0, &next) : NULL;
    }
    free_values(&v);
    (void)H5Eclear2(H5E_DEFAULT);
    return json;
}

static herr_t collect(hid_t object, const char *name, const H5A_info_t *info, void *arg) {
    struct collector *c = arg;
    (void)info;
    if (is_bookkeeping(name))
        return 0;
    json_t *json = c->num_seen < MAX_ATTRIBUTES ? json_of(object, name) : NULL;
    c->num_seen++;
    if (json == NULL || json_object_set_new(c->into, name, json) != 0)
        h5_leave_out(c->left, name);
    return 0;
}

void h5_attributes(hid_t object, json_t *into, struct h5_left_out *left) {
    struct collector c = {.into = into, .left = left};
    if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, collect, &c) < 0) {
        (void)H5Eclear2(H5E_DEFAULT);
        h5_leave_out(left, "those that cannot be read");
    }
}

/* --- types ---------------------------------------------------------------------------------- */

static json_t *names_of_enum(hid_t type) {
    int n = H5Tget_nmembers(type);
    hid_t base = H5Tget_super(type);
    bool is_signed = base >= 0 && H5Tget_sign(base) == H5T_SGN_2;
    json_t *names = base >= 0 && n <= (int)MAX_VALUES ? json_object() : NULL;
    for (unsigned i = 0; names != NULL && n > 0 && i < (unsigned)n; i++) {
        union {
            uint64_t number;
            uint8_t room[16]; /* conversion is in place */
        } value = {0};
        char *name = H5Tget_member_name(type, i);
        bool ok = name != NULL && H5Tget_size(base) <= 8 &&
                  H5Tget_member_value(type, i, &value) >= 0 &&
                  H5Tconvert(base, is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64, 1, &value,
                             NULL, H5P_DEFAULT) >= 0 &&
                  (is_signed || value.number <= INT64_MAX) &&
                  json_object_set_new(names, name, json_integer((json_int_t)value.number)) == 0;
        (void)H5free_memory(name);
        if (!ok) {
            json_decref(names);
            names = NULL;
        }
    }
    if (base >= 0)
        (void)H5Tclose(base);
    return names;
}

void h5_type_attributes(hid_t type, json_t *into, struct h5_left_out *left) {
    H5T_class_t kind = H5Tget_class(type);
    char *tag = kind == H5T_OPAQUE ? H5Tget_tag(type) : NULL;
    if (kind == H5T_ENUM && !h5_is_bool(type) &&
        json_object_set_new(into, "headrace:enum", names_of_enum(type)) != 0)
        h5_leave_out(left, "the names of its enumeration");
    if (tag != NULL && tag[0] != '\0' &&
        json_object_set_new(into, "headrace:opaque_tag", json_string(tag)) != 0)
        h5_leave_out(left, "the tag of its opaque type");
    (void)H5free_memory(tag);
    (void)H5Eclear2(H5E_DEFAULT);
}
