/*
 * Sizes and dealing of a split, in whole numbers, so that they are the same everywhere. Fractions
 * come from a user.
 */
#include "split_sizes.h"

#include "error.h"

#include <math.h>

#define WHOLE UINT64_C(1000000000) /* the weight of 1 */

__extension__ typedef unsigned __int128 wide;

/* floor(a * b / c) and what is left; c > 0. */
static uint64_t share(uint64_t a, uint64_t b, uint64_t c, uint64_t *rest) {
    if (a <= UINT32_MAX && b <= UINT32_MAX) {
        *rest = a * b % c;
        return a * b / c;
    }
    const wide product = (wide)a * b;
    *rest = (uint64_t)(product % c);
    return (uint64_t)(product / c);
}

static hr_status find_weights(const double *fractions, uint32_t num_parts, uint64_t *weights,
                              uint64_t *sum, hr_error *err) {
    double exact = 0;
    *sum = 0;
    for (uint32_t j = 0; j < num_parts; j++) {
        const double f = fractions[j];
        if (!(f >= 1e-9 && f <= 1)) /* so is NaN refused */
            return hr__error_set(err, HR_ERR_INVALID,
                                 "fraction %u is %g, expected above 0 and at most 1, to nine "
                                 "places",
                                 j, f);
        const double scaled = f * 1e9; /* by itself, so that no compiler fuses the two steps */
        weights[j] = (uint64_t)floor(scaled + 0.5);
        *sum += weights[j];
        exact += f;
    }
    weights[num_parts] = 0;
    if (*sum > WHOLE + num_parts)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the fractions add up to %.9g, expected at most 1; make one smaller",
                             exact);
    if (*sum < WHOLE - num_parts) {
        weights[num_parts] = WHOLE - *sum; /* the part that nobody gets */
        *sum = WHOLE;
    }
    return HR_OK;
}

/* One sample more for the part with the largest remainder, which is then used up. */
static void give_one(uint64_t *sizes, uint64_t *rests, uint32_t count) {
    uint32_t most = 0;
    for (uint32_t j = 1; j < count; j++)
        if (rests[j] > rests[most])
            most = j;
    sizes[most]++;
    rests[most] = 0;
}

hr_status hr__split_sizes(uint64_t num_samples, const double *fractions, uint32_t num_parts,
                          uint64_t *sizes, hr_error *err) {
    uint64_t weights[HR__MAX_PARTS + 1], all[HR__MAX_PARTS + 1], rests[HR__MAX_PARTS + 1], sum;
    uint64_t left = num_samples;
    hr_status st = find_weights(fractions, num_parts, weights, &sum, err);
    if (st != HR_OK)
        return st;
    for (uint32_t j = 0; j <= num_parts; j++) {
        all[j] = share(num_samples, weights[j], sum, &rests[j]);
        left -= all[j];
    }
    for (; left > 0; left--)
        give_one(all, rests, num_parts + 1);
    for (uint32_t j = 0; j < num_parts; j++) {
        sizes[j] = all[j];
        if (all[j] == 0)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "part %u, %g of %llu samples, has none; make it larger", j,
                                 fractions[j], (unsigned long long)num_samples);
    }
    return HR_OK;
}

uint32_t hr__split_deal(uint64_t num_samples, const uint64_t *sizes, uint32_t num_parts,
                        uint64_t place) {
    uint64_t among = num_samples, rest;
    for (uint32_t j = 0; j < num_parts; j++) {
        const uint64_t before = share(place, sizes[j], among, &rest);
        if (rest >= among - sizes[j]) /* the next place has one more before it */
            return j;
        place -= before;
        among -= sizes[j];
    }
    return num_parts;
}
