/*
 * The rounds of a Feistel permutation over many elements at the same time; for permutation.c only.
 */
#ifndef HEADRACE_PERMUTATION_BLOCK_H
#define HEADRACE_PERMUTATION_BLOCK_H

#include "permutation.h"

#define HR__PERMUTATION_BLOCK 256u
#define HR__PERMUTATION_GROUP 32u /* elements that are computed together, at most */

/* x mapped to 0 .. m-1. */
static inline uint32_t hr__scaled(uint32_t x, uint32_t m) {
    return (uint32_t)(((uint64_t)x * m) >> 32);
}

/* The round function: the mixer lowbias32 over v + key, scaled to 0 .. m-1. */
static inline uint32_t hr__round_value(uint32_t key, uint32_t v, uint32_t m) {
    uint32_t x = v + key;
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    x ^= x >> 16;
    return hr__scaled(x, m);
}

/* x + y mod m, for x < m, y <= m. */
static inline uint32_t hr__add_mod(uint32_t x, uint32_t y, uint32_t m) {
    const uint32_t sum = x + y, reduced = sum - m; /* wraps to a larger one where sum < m */
    return reduced < sum ? reduced : sum;
}

/* All rounds, once, over the pairs l[k], r[k], k < count; count is at most HR__PERMUTATION_BLOCK,
 * and entries up to the next multiple of HR__PERMUTATION_GROUP must be valid pairs too. The same
 * result on every processor. */
void hr__permutation_block(const struct hr__permutation *p, uint32_t *l, uint32_t *r,
                           uint32_t count);
void hr__permutation_block_plain(const struct hr__permutation *p, uint32_t *l, uint32_t *r,
                                 uint32_t count);

#endif
