/*
 * A pair of fields of variable length compared, value by value.
 */
#ifndef HEADRACE_COMPARE_VARIABLE_H
#define HEADRACE_COMPARE_VARIABLE_H

#include "comparison.h"

bool hr__column_is_variable(const struct hr__column *c);

/* As hr__comparison_run(), of one such pair, by one thread. A value is one element; its bytes are
 * kept from the first that differs on, where it is long. *num_bytes: of all values of a. */
hr_status hr__comparison_run_variable(const struct hr__comparison *c, uint64_t *num_bytes,
                                      hr_error *err);

#endif
