/*
 * A range of the samples of a source.
 */
#ifndef HEADRACE_RANGE_SOURCE_H
#define HEADRACE_RANGE_SOURCE_H

#include "source.h"

/* *source becomes a source of its samples first .. first + n - 1, which exist, and is owned by
 * that; on failure it is as it was. */
hr_status hr__range_source_make(struct hr__source **source, uint64_t first, uint64_t n,
                                hr_error *err);

#endif
