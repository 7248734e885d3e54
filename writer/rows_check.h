/*
 * The rows that a caller appends: bools, texts, and values of variable length are checked before
 * anything of them is taken.
 */
#ifndef HEADRACE_ROWS_CHECK_H
#define HEADRACE_ROWS_CHECK_H

#include "schema.h"

/* HR_ERR_DATA with field and sample (first_sample + row) for a bool that is neither 0 nor 1, text
 * that is not UTF-8, a sequence that ends inside an element; HR_ERR_INVALID for offsets that do not
 * ascend within the values. */
hr_status hr__rows_check(const struct hr__schema *schema, const void *const *columns, uint64_t n,
                         uint64_t first_sample, hr_error *err);

#endif
