/*
 * Where the samples of an array lie whose samples are not one after the other: in Fortran order, or
 * along another axis than the first. A pure function of the array's shape. Shapes are untrusted.
 *
 * In the file, the axes from the slowest to the fastest are the array's (C order) or these
 * backwards (Fortran order). The sample axis divides them: `outer` lines, one after the other, each
 * of num_samples pieces of inner_bytes. So a run of samples is a run of bytes in each line.
 */
#ifndef HEADRACE_AXIS_LAYOUT_H
#define HEADRACE_AXIS_LAYOUT_H

#include "headrace/status.h"
#include "headrace/types.h"

#include <stdbool.h>

struct hr__axis_array {
    uint32_t rank; /* of the whole array, at least 1 */
    uint64_t shape[HR_MAX_RANK + 1];
    bool fortran;
    uint32_t width_bytes; /* of an element */
};

struct hr__axis_layout {
    uint64_t outer, num_samples, inner_bytes;
    uint64_t sample_bytes; /* outer x inner_bytes */
    uint64_t total_bytes;  /* fits int64_t */
    uint32_t width_bytes;
    uint32_t rank; /* of one sample */
    uint64_t shape[HR_MAX_RANK];
    /* Of the file, from the slowest axis to the fastest, rank + 1 of them: entries, and the
     * distance from one to the next in samples that lie one after the other. */
    uint64_t file_shape[HR_MAX_RANK + 1];
    uint64_t to[HR_MAX_RANK + 1];
    uint32_t sample_at; /* which of these is the sample axis */
};

/* axis: negative counts from the last; of an array with a single axis it is always that one.
 * HR_ERR_INVALID: there is no such axis; HR_ERR_UNSUPPORTED: too large. */
hr_status hr__axis_layout_make(const struct hr__axis_array *array, int32_t axis,
                               struct hr__axis_layout *out, hr_error *err);

/* Whether the samples lie one after the other, each in C order: there is nothing to be done. */
bool hr__axis_layout_is_plain(const struct hr__axis_array *array, int32_t axis);

/* A panel is a run of samples as they lie in the file: its piece of every line, one after the
 * other. Puts `n` of its panel_samples samples, from `first` on, one after the other. */
void hr__axis_layout_gather(const struct hr__axis_layout *l, const uint8_t *panel,
                            uint64_t panel_samples, uint64_t first, uint64_t n, uint8_t *dst);

#endif
