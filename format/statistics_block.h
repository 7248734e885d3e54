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
#define HR__LANES          16u /* sums side by side: of elements 0, 16, 32 ..., of 1, 17, 33 ... */

/* zeros: how many are 0. min_bits, max_bits: of 64-bit integers, which a double would round. */
struct hr__block_sums {
    double sum[HR__LANES]; /* not finite where an element is not */
    double min, max;       /* anything where an element is not finite */
    uint64_t zeros;
    uint64_t min_bits, max_bits;
};

/* Integers of 8 and 16 bits are summed exactly, in blocks of their own. */
#define HR__SMALL_ELEMENTS 65536u

struct hr__small_sums {
    uint64_t sum, squares; /* of the values less the least one of the type */
    uint32_t min, max;     /* likewise */
    uint64_t zeros;
};

struct hr__block_loops {
    /* out[i] = element i of data, which need not be aligned; n at most HR__BLOCK_ELEMENTS. Of all
     * types but binary16 and bfloat16. */
    void (*to_doubles)(hr_dtype dtype, const void *data, size_t n, double *out);
    /* Of binary16 and bfloat16. */
    void (*to_floats)(hr_dtype dtype, const void *data, size_t n, float *out);
    /* Of 32 and 64 bits; n is 1 to HR__BLOCK_ELEMENTS. */
    void (*sums)(hr_dtype dtype, const void *data, size_t n, struct hr__block_sums *out);
    /* Sums of the squares of element i - mean. */
    void (*squares)(hr_dtype dtype, const void *data, size_t n, double mean, double out[HR__LANES]);
    /* Of bool and integers of 8 and 16 bits; n is 1 to HR__SMALL_ELEMENTS. */
    void (*small)(hr_dtype dtype, const void *data, size_t n, struct hr__small_sums *out);
};

extern const struct hr__block_loops hr__block_loops_plain;
extern const struct hr__block_loops hr__block_loops_avx2;   /* x86-64, where hr__cpu_has_avx2() */
extern const struct hr__block_loops hr__block_loops_avx512; /* hr__cpu_has_avx512_vbmi() */

/* The best for this processor. */
const struct hr__block_loops *hr__block_loops(void);

#endif
