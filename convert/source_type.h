/*
 * Whether sources can be parts of one field.
 */
#ifndef HEADRACE_SOURCE_TYPE_H
#define HEADRACE_SOURCE_TYPE_H

#include "source.h"

/* HR_ERR_UNSUPPORTED: their samples differ in dtype or shape; the message says how. */
hr_status hr__source_check_same(const struct hr__source_info *a, const struct hr__source_info *b,
                                hr_error *err);

#endif
