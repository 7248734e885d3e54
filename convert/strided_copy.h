/*
 * Copies of arrays of several axes from one order of axes to another. No I/O, no allocation.
 */
#ifndef HEADRACE_STRIDED_COPY_H
#define HEADRACE_STRIDED_COPY_H

#include "headrace/types.h"

#define HR__MAX_STRIDED_AXES (HR_MAX_RANK + 1)

/* One axis: how many entries, and the distances in bytes from one to the next on either side. */
struct hr__strided_axis {
    uint64_t n;
    uint64_t from, to;
};

/* Copies the elements of width_bytes that `axes` (at most HR__MAX_STRIDED_AXES) lead to, in any
 * order of the axes. An axis without entries: nothing is copied. The sides do not overlap. */
void hr__strided_copy(const struct hr__strided_axis *axes, uint32_t num_axes, size_t width_bytes,
                      const uint8_t *from, uint8_t *to);

#endif
