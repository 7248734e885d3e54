/*
 * The distinct values of a label field: a set of 64-bit values that gives up above 65,536.
 *
 * Invariants:
 *  1. the slots take at most 1 MiB, 1.5 MiB while they grow;
 *  2. a set that was read keeps its values as ranges, so that it takes memory in proportion to the
 *     text it was read from; the first value that is added turns them into slots.
 */
#ifndef HEADRACE_DISTINCT_SET_H
#define HEADRACE_DISTINCT_SET_H

#include "headrace/status.h"

#include <stdbool.h>
#include <stddef.h>

#define HR__MAX_DISTINCT 65536u

struct hr__value_range {
    uint64_t first, last;
};

struct hr__distinct_set {
    uint64_t *slots; /* capacity entries; 0 marks an empty one, so the value 0 is kept apart */
    uint32_t capacity, count;
    bool has_zero, overflow;
    struct hr__value_range *ranges; /* beside no slot in use */
    uint32_t num_ranges, ranges_room;
    uint32_t in_ranges; /* values */
};

void hr__distinct_set_free(struct hr__distinct_set *s);
void hr__distinct_set_clear(struct hr__distinct_set *s);
/* The values first .. last, none of which is in the set; nothing was added to it yet. Above 65,536
 * values in all it overflows. HR_ERR_NO_MEMORY. */
hr_status hr__distinct_set_add_range(struct hr__distinct_set *s, uint64_t first, uint64_t last,
                                     hr_error *err);
/* HR_ERR_NO_MEMORY. Does nothing after an overflow. */
hr_status hr__distinct_set_add(struct hr__distinct_set *s, uint64_t value, hr_error *err);
hr_status hr__distinct_set_merge(struct hr__distinct_set *a, const struct hr__distinct_set *b,
                                 hr_error *err);
/* At most HR__MAX_DISTINCT, the value 0 counted. */
uint32_t hr__distinct_set_count(const struct hr__distinct_set *s);
/* All values, ascending as signed or unsigned integers; out has room for the count. */
void hr__distinct_set_sorted(const struct hr__distinct_set *s, bool is_signed, uint64_t *out);

#endif
