/*
 * Keyed pseudo-random permutations of 0 .. n-1 in constant memory (docs/order.md, 2). Released
 * constructions never change: golden tests pin them. Nothing here is cryptographic.
 */
#ifndef HEADRACE_PERMUTATION_H
#define HEADRACE_PERMUTATION_H

#include <stdint.h>

#define HR__PERMUTATION_TABLE      256u  /* largest n that is shuffled outright */
#define HR__PERMUTATION_LARGE      4096u /* from this n on, 8 rounds are enough */
#define HR__PERMUTATION_MAX_ROUNDS 10

struct hr__permutation {
    uint64_t n;                               /* 1 .. 2^62 */
    uint32_t a, b;                            /* the halves: a x b >= n, a x b - n < a + 2 */
    uint32_t rounds;                          /* 8 or 10 */
    uint32_t key[HR__PERMUTATION_MAX_ROUNDS]; /* of each round, for n > HR__PERMUTATION_TABLE */
    uint8_t table[HR__PERMUTATION_TABLE];     /* the images, for n <= HR__PERMUTATION_TABLE */
};

void hr__permutation_init(struct hr__permutation *p, uint64_t n, uint64_t key);
uint64_t hr__permutation_apply(const struct hr__permutation *p, uint64_t i);
uint64_t hr__permutation_invert(const struct hr__permutation *p, uint64_t i);

/* out[k] = apply(first + k) for k < count; first + count <= n. A few ns for each. */
void hr__permutation_range(const struct hr__permutation *p, uint64_t first, uint64_t count,
                           uint64_t *out);

/* out[k] = apply(k) for all k < n, where n is at most 65,536. */
void hr__permutation_all(const struct hr__permutation *p, uint32_t *out);

#endif
