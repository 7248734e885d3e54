/*
 * The accumulators behind hr__statistics, shared by their computation and their JSON form.
 */
#ifndef HEADRACE_STATISTICS_INTERNAL_H
#define HEADRACE_STATISTICS_INTERNAL_H

#include "distinct_set.h"
#include "statistics.h"

struct hr__run {
    uint64_t value; /* bits of the integer, sign-extended */
    uint64_t samples;
};

struct hr__statistics {
    hr_dtype dtype;
    bool labels;
    uint64_t values, zeros, nan, inf, finite;
    uint64_t first_nan, first_inf; /* UINT64_MAX: none */
    /* Of finite values, valid if finite > 0. */
    double min, max, mean, m2;
    uint64_t min_bits, max_bits; /* integers: exact */
    /* Labels: runs of equal values over consecutive samples. */
    uint64_t runs, longest_run;
    struct hr__run first_run, last_run;
    struct hr__distinct_set distinct;
    uint64_t total; /* of lengths: their sum, UINT64_MAX where it is more */
};

/* Counts and moments of count elements, `elements` per sample; first_sample: of the first. */
void hr__moments_add(struct hr__statistics *s, const uint8_t *data, uint64_t first_sample,
                     uint64_t count, uint64_t elements);
/* a := a followed by b, for counts and moments. */
void hr__moments_merge(struct hr__statistics *a, const struct hr__statistics *b);

#endif
