/*
 * NumPy's names of element types. Input is untrusted text.
 */
#include "numpy_dtype.h"

#include "error.h"

#include <stdio.h>
#include <string.h>

#define MAX_WIDTH_BYTES UINT32_C(0x7fffffff)

/* The parts of a type string: byte order, kind, size. */
struct type_string {
    char order; /* '<', '>'; '=' for native, none and "does not matter" */
    char kind;
    uint32_t size;
    bool has_size;
    const char *rest; /* what follows the size */
};

static bool split(const char *text, struct type_string *out) {
    const char *p = text;
    *out = (struct type_string){.order = '='};
    if (*p != '\0' && strchr("<>=|", *p) != NULL) {
        out->order = *p == '|' ? '=' : *p;
        p++;
    }
    if (*p == '\0')
        return false;
    out->kind = *p++;
    uint64_t size = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        size = size * 10 + (uint64_t)(*p - '0');
        if (size > MAX_WIDTH_BYTES)
            return false;
        out->has_size = true;
    }
    out->size = (uint32_t)size;
    out->rest = p;
    return true;
}

static const struct {
    char kind;
    uint32_t size;
    hr_dtype dtype;
    uint32_t unit_bytes; /* what a byte order applies to */
} numeric[] = {
    {'b', 1, HR_BOOL, 1},    {'?', 0, HR_BOOL, 1},      {'i', 1, HR_INT8, 1},
    {'i', 2, HR_INT16, 2},   {'i', 4, HR_INT32, 4},     {'i', 8, HR_INT64, 8},
    {'u', 1, HR_UINT8, 1},   {'u', 2, HR_UINT16, 2},    {'u', 4, HR_UINT32, 4},
    {'u', 8, HR_UINT64, 8},  {'f', 2, HR_FLOAT16, 2},   {'f', 4, HR_FLOAT32, 4},
    {'f', 8, HR_FLOAT64, 8}, {'c', 8, HR_COMPLEX64, 4}, {'c', 16, HR_COMPLEX128, 8},
};

static bool find_numeric(const struct type_string *t, struct hr__element *out) {
    for (size_t i = 0; i < sizeof numeric / sizeof numeric[0]; i++) {
        if (numeric[i].kind != t->kind || numeric[i].size != t->size)
            continue;
        *out = (struct hr__element){.dtype = numeric[i].dtype,
                                    .width_bytes = hr_dtype_bytes(numeric[i].dtype)};
        if (t->order == '>' && numeric[i].unit_bytes > 1)
            out->swap_bytes = numeric[i].unit_bytes;
        return true;
    }
    return false;
}

static bool find_string(const struct type_string *t, struct hr__element *out) {
    if (!t->has_size)
        return false;
    if (t->kind == 'S' || t->kind == 'a') {
        *out = (struct hr__element){.dtype = HR_FIXED_BYTES, .width_bytes = t->size};
        return true;
    }
    if (t->kind == 'U' && t->size <= MAX_WIDTH_BYTES / 4) {
        *out = (struct hr__element){.dtype = HR_FIXED_UTF8,
                                    .width_bytes = t->size * 4,
                                    .swap_bytes = t->order == '>' ? 4 : 0,
                                    .ucs4 = true};
        return true;
    }
    return false;
}

/* A name of the format, such as "bfloat16"; only those whose elements have a size of their own. */
static bool find_name(const char *text, struct hr__element *out) {
    hr_dtype dtype;
    if (hr_dtype_from_name(text, &dtype, NULL) != HR_OK || hr_dtype_bytes(dtype) == 0)
        return false;
    *out = (struct hr__element){.dtype = dtype, .width_bytes = hr_dtype_bytes(dtype)};
    return true;
}

static hr_status refuse(const char *text, const struct type_string *t, hr_error *err) {
    const char *why = NULL;
    switch (t->kind) {
    case 'O':
        why = "Python objects, which are pickled programs and are never loaded; save the values "
              "with a numeric or a fixed-width string dtype (array.astype(...))";
        break;
    case 'M':
    case 'm':
        why = "dates or time spans, which have no dtype here; save them as numbers "
              "(array.view('int64'))";
        break;
    case 'V':
        why = "plain bytes without a meaning (void; bfloat16 arrays are saved like this too); save "
              "them as numbers (for bfloat16: array.view('uint16')), or each field by itself";
        break;
    case 'f':
        if (t->size > 8)
            why = "long double, which differs between machines; save as float64 "
                  "(array.astype('float64'))";
        break;
    case 'c':
        if (t->size > 16)
            why = "complex long double, which differs between machines; save as complex128 "
                  "(array.astype('complex128'))";
        break;
    default:
        break;
    }
    if (why != NULL)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "the dtype '%.40s' means %s", text, why);
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "'%.40s' is no dtype known here; bool, int8 to int64, uint8 to uint64, "
                         "float16, bfloat16, float32, float64, complex64, complex128 and NumPy's "
                         "strings such as '<f4', '|S10', '<U12' are",
                         text);
}

hr_status hr__numpy_dtype_parse(const char *text, struct hr__element *out, hr_error *err) {
    struct type_string t;
    if (find_name(text, out))
        return HR_OK;
    if (!split(text, &t))
        t = (struct type_string){0};
    else if (*t.rest == '\0' && (find_numeric(&t, out) || find_string(&t, out)))
        return HR_OK;
    return refuse(text, &t, err);
}

void hr__numpy_dtype_print(hr_dtype dtype, uint32_t width_bytes, uint32_t num_chars,
                           char out[HR__NUMPY_DTYPE_BYTES]) {
    if (dtype == HR_FIXED_BYTES) {
        snprintf(out, HR__NUMPY_DTYPE_BYTES, "|S%u", width_bytes);
        return;
    }
    if (dtype == HR_FIXED_UTF8) {
        snprintf(out, HR__NUMPY_DTYPE_BYTES, "<U%u", num_chars);
        return;
    }
    if (dtype == HR_BFLOAT16)
        dtype = HR_UINT16;
    for (size_t i = 0; i < sizeof numeric / sizeof numeric[0]; i++) {
        if (numeric[i].dtype == dtype && numeric[i].size != 0) {
            snprintf(out, HR__NUMPY_DTYPE_BYTES, "%c%c%u", numeric[i].size == 1 ? '|' : '<',
                     numeric[i].kind, numeric[i].size);
            return;
        }
    }
    out[0] = '\0';
}
