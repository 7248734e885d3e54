/*
 * The inner loops of statistics, over blocks of elements. They are compiled for several processors
 * from one source (statistics_loops.h); every lane is summed in the order of the elements, so the
 * results are the same bits on all of them.
 */
#ifndef HEADRACE_STATISTICS_BLOCK_H
#define HEADRACE_STATISTICS_BLOCK_H

#include "headrace/types.h"

#include <stddef.h>
#include <stdint.h>

#define HR__BLOCK_ELEMENTS 1024u
#define HR__LANES          4u /* sums side by side: of elements 0, 4, 8 ..., of 1, 5, 9 ... */

struct hr__block_sums {
    double sum[HR__LANES], min[HR__LANES], max[HR__LANES];
    double bad[HR__LANES]; /* NaN unless every value is finite */
    uint64_t zeros[HR__LANES];
};

/* n is 1 to HR__BLOCK_ELEMENTS. */
struct hr__block_loops {
    /* out[i] = element i of data, which need not be aligned. */
    void (*to_doubles)(hr_dtype dtype, const void *data, size_t n, double *out);
    void (*sums)(const double *x, size_t n, struct hr__block_sums *out);
    /* Sums of the squares of x[i] - mean. */
    void (*squares)(const double *x, size_t n, double mean, double out[HR__LANES]);
};

extern const struct hr__block_loops hr__block_loops_plain;
extern const struct hr__block_loops hr__block_loops_avx2; /* x86-64, where hr__cpu_has_avx2() */

/* The best for this processor. */
const struct hr__block_loops *hr__block_loops(void);

#endif
