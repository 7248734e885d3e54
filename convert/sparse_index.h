/*
 * Numbers of rows and columns as sparse matrices hold them. Untrusted.
 */
#ifndef HEADRACE_SPARSE_INDEX_H
#define HEADRACE_SPARSE_INDEX_H

#include "headrace/types.h"

/* Little-endian, of an integer dtype; UINT64_MAX where it is negative. */
uint64_t hr__sparse_index_at(const uint8_t *bytes, hr_dtype dtype);

/* The dtype for numbers below `end`: the given one where it holds them, else int32 or int64. */
hr_dtype hr__sparse_index_dtype(hr_dtype dtype, uint64_t end);
/* The other way; the number fits. */
void hr__sparse_index_put(uint8_t *bytes, hr_dtype dtype, uint64_t index);

#endif
