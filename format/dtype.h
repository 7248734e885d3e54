/*
 * Data types (docs/format.md, 2.1).
 */
#ifndef HEADRACE_DTYPE_H
#define HEADRACE_DTYPE_H

#include "headrace/types.h"

#include <stdbool.h>

bool hr__dtype_valid(hr_dtype t);
bool hr__dtype_is_variable(hr_dtype t);
bool hr__dtype_is_fixed_width(hr_dtype t); /* HR_FIXED_* */
bool hr__dtype_is_integer(hr_dtype t);     /* bool included */
bool hr__dtype_is_signed(hr_dtype t);      /* signed integers */
bool hr__dtype_is_real(hr_dtype t);        /* float16 .. float64 */
bool hr__dtype_is_complex(hr_dtype t);
/* What the byte shuffle of a field works on: 1, 2, 4, 8; 4 and 8 for the complex types. */
uint32_t hr__dtype_shuffle_bytes(hr_dtype t);

#endif
