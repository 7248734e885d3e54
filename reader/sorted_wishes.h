/*
 * Samples that are asked for in any order, with repeats, in the order in which they lie in the
 * file.
 */
#ifndef HEADRACE_SORTED_WISHES_H
#define HEADRACE_SORTED_WISHES_H

#include "dataset.h"

struct hr__wish {
    uint64_t sample;
    uint64_t target; /* its place among the indices */
};

/* Checked, and sorted by sample, equal ones by target. HR_ERR_INVALID names an index that is no
 * sample. */
hr_status hr__wishes_make(const hr_dataset *ds, struct hr__budget *budget, const uint64_t *indices,
                          size_t n, struct hr__wish **out, hr_error *err);
void hr__wishes_free(struct hr__budget *budget, struct hr__wish *wishes,
                     size_t n); /* NULL is fine */

#endif
