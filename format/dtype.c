/*
 * Data types (docs/format.md, 2.1).
 */
#include "dtype.h"

#include "error.h"

#include <string.h>

enum kind { NONE, BOOL, SIGNED, UNSIGNED, REAL, COMPLEX, FIXED, VARIABLE };

static const struct type {
    const char *name;
    uint8_t kind;
    uint8_t bytes;
    uint8_t shuffle_bytes;
} types[] = {
    [HR_BOOL] = {"bool", BOOL, 1, 1},
    [HR_INT8] = {"int8", SIGNED, 1, 1},
    [HR_INT16] = {"int16", SIGNED, 2, 2},
    [HR_INT32] = {"int32", SIGNED, 4, 4},
    [HR_INT64] = {"int64", SIGNED, 8, 8},
    [HR_UINT8] = {"uint8", UNSIGNED, 1, 1},
    [HR_UINT16] = {"uint16", UNSIGNED, 2, 2},
    [HR_UINT32] = {"uint32", UNSIGNED, 4, 4},
    [HR_UINT64] = {"uint64", UNSIGNED, 8, 8},
    [HR_FLOAT16] = {"float16", REAL, 2, 2},
    [HR_BFLOAT16] = {"bfloat16", REAL, 2, 2},
    [HR_FLOAT32] = {"float32", REAL, 4, 4},
    [HR_FLOAT64] = {"float64", REAL, 8, 8},
    [HR_COMPLEX64] = {"complex64", COMPLEX, 8, 4},
    [HR_COMPLEX128] = {"complex128", COMPLEX, 16, 8},
    [HR_FIXED_BYTES] = {"fixed_bytes", FIXED, 0, 1},
    [HR_FIXED_UTF8] = {"fixed_utf8", FIXED, 0, 1},
    [HR_VAR_BYTES] = {"bytes", VARIABLE, 0, 1},
    [HR_VAR_UTF8] = {"utf8", VARIABLE, 0, 1},
};
#define NUM_TYPES (sizeof(types) / sizeof(types[0]))

bool hr__dtype_valid(hr_dtype t) {
    return (int)t > 0 && (size_t)t < NUM_TYPES;
}

static uint8_t kind_of(hr_dtype t) {
    return hr__dtype_valid(t) ? types[t].kind : NONE;
}

bool hr__dtype_is_variable(hr_dtype t) {
    return kind_of(t) == VARIABLE;
}

bool hr__dtype_is_fixed_width(hr_dtype t) {
    return kind_of(t) == FIXED;
}

bool hr__dtype_is_integer(hr_dtype t) {
    return kind_of(t) == BOOL || kind_of(t) == SIGNED || kind_of(t) == UNSIGNED;
}

bool hr__dtype_is_signed(hr_dtype t) {
    return kind_of(t) == SIGNED;
}

bool hr__dtype_is_real(hr_dtype t) {
    return kind_of(t) == REAL;
}

bool hr__dtype_is_complex(hr_dtype t) {
    return kind_of(t) == COMPLEX;
}

uint32_t hr__dtype_shuffle_bytes(hr_dtype t) {
    return hr__dtype_valid(t) ? types[t].shuffle_bytes : 1;
}

const char *hr_dtype_name(hr_dtype dtype) {
    return hr__dtype_valid(dtype) ? types[dtype].name : NULL;
}

uint32_t hr_dtype_bytes(hr_dtype dtype) {
    return hr__dtype_valid(dtype) ? types[dtype].bytes : 0;
}

hr_status hr_dtype_from_name(const char *name, hr_dtype *out, hr_error *err) {
    if (name == NULL || out == NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_dtype_from_name needs a name and a place for "
                             "the dtype; one of them is NULL");
    for (size_t i = 1; i < NUM_TYPES; i++)
        if (strcmp(types[i].name, name) == 0) {
            *out = (hr_dtype)i;
            return HR_OK;
        }
    return hr__error_set(err, HR_ERR_INVALID,
                         "\"%.64s\" is no dtype; expected bool, int8 to int64, uint8 to uint64, "
                         "float16, bfloat16, float32, float64, complex64, complex128, fixed_bytes, "
                         "fixed_utf8, bytes or utf8",
                         name);
}
