/*
 * Values that came from a helper, looked at where it cannot change them any more.
 */
#ifndef HEADRACE_HELPER_VALUES_H
#define HEADRACE_HELPER_VALUES_H

#include "helper_reader.h"

/* Samples first .. first + n - 1 of t->field. HR_ERR_DATA names the first that is not canonical. */
hr_status hr__helper_values_check(const struct hr__helper_target *t, uint64_t first, uint64_t n,
                                  const uint8_t *rows, hr_error *err);

#endif
