/*
 * The distinct values of a label field: a set of 64-bit values that gives up above 65,536.
 */
#ifndef HEADRACE_DISTINCT_SET_H
#define HEADRACE_DISTINCT_SET_H

#include "headrace/status.h"

#include <stdbool.h>
#include <stddef.h>

#define HR__MAX_DISTINCT 65536u

struct hr__distinct_set {
    uint64_t *slots; /* capacity entries; 0 marks an empty one, so the value 0 is kept apart */
    uint32_t capacity, count;
    bool has_zero, overflow;
};

void hr__distinct_set_free(struct hr__distinct_set *s);
void hr__distinct_set_clear(struct hr__distinct_set *s);
/* HR_ERR_NO_MEMORY. Does nothing after an overflow. */
hr_status hr__distinct_set_add(struct hr__distinct_set *s, uint64_t value, hr_error *err);
hr_status hr__distinct_set_merge(struct hr__distinct_set *a, const struct hr__distinct_set *b,
                                 hr_error *err);
/* At most HR__MAX_DISTINCT, the value 0 counted. */
uint32_t hr__distinct_set_count(const struct hr__distinct_set *s);
/* All values, ascending as signed or unsigned integers; out has room for the count. */
void hr__distinct_set_sorted(const struct hr__distinct_set *s, bool is_signed, uint64_t *out);

#endif
