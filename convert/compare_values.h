/*
 * Which elements of two runs of samples differ.
 */
#ifndef HEADRACE_COMPARE_VALUES_H
#define HEADRACE_COMPARE_VALUES_H

#include "headrace/compare.h"

#include <stdbool.h>

/* The first differences by (sample, element), and how many there are. */
struct hr__differences {
    hr_difference *list; /* room entries, ascending */
    uint32_t n, room;
    uint64_t num_different;
};

/* Two runs of num_elements elements of width_bytes each, from sample `first` on. Counts, and keeps
 * the first ones: at most room of *out, which is empty before. */
void hr__compare_elements(const uint8_t *a, const uint8_t *b, uint64_t num_elements,
                          uint32_t width_bytes, uint64_t elements_per_sample, uint64_t first,
                          struct hr__differences *out);

/* What was found elsewhere, in any order of calls: the same as if it had been found in one run. */
void hr__differences_merge(struct hr__differences *to, const struct hr__differences *from);

#endif
