/*
 * Keyed pseudo-random permutations of 0 .. n-1 in constant memory (docs/order.md, "Permutations").
 * Released constructions never change: golden tests pin them.
 */
#ifndef HEADRACE_PERMUTATION_H
#define HEADRACE_PERMUTATION_H

#include <stdint.h>

#define HR__PERMUTATION_ROUNDS 8

struct hr__permutation {
    uint64_t n;    /* 1 .. 2^62 */
    uint32_t a, b; /* the two halves: a x b >= n, close to its square root each */
    uint32_t key[HR__PERMUTATION_ROUNDS];
};

void hr__permutation_init(struct hr__permutation *p, uint64_t n, uint64_t key);
uint64_t hr__permutation_apply(const struct hr__permutation *p, uint64_t i);
uint64_t hr__permutation_invert(const struct hr__permutation *p, uint64_t i);

/* out[i] = apply(i) for every i < n; n <= 65,536. Written to be vectorised. */
void hr__permutation_fill(const struct hr__permutation *p, uint32_t *out);

#endif
