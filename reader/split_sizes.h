/*
 * The arithmetic of split/1 (docs/order.md, 10): how many samples each part gets, and which part a
 * place in the line belongs to.
 */
#ifndef HEADRACE_SPLIT_SIZES_H
#define HEADRACE_SPLIT_SIZES_H

#include "headrace/status.h"

#define HR__MAX_PARTS 256u

/* sizes[j] of num_samples for each fraction. HR_ERR_INVALID: a fraction is out of range, they are
 * more than 1 together, or one of them is too small for a sample. */
hr_status hr__split_sizes(uint64_t num_samples, const double *fractions, uint32_t num_parts,
                          uint64_t *sizes, hr_error *err);

/* The part of a place, num_parts: none. */
uint32_t hr__split_deal(uint64_t num_samples, const uint64_t *sizes, uint32_t num_parts,
                        uint64_t place);

#endif
