/*
 * Keyed permutations (docs/order.md, 2): up to 256 elements a Fisher-Yates shuffle, above it a
 * Feistel network on Z_a x Z_b with cycle walking. Input is trusted (n and keys are the order's).
 *
 * Invariants
 * 1. n > 256: a is even, a x b >= n, every l < a and r < b, so l x b + r < a x b.
 * 2. All arithmetic on halves is 32-bit: a, b <= 2^31, so a sum of two residues fits.
 */
#include "permutation_block.h"

#include <string.h>

static uint64_t splitmix64_next(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t next32(uint64_t *state) {
    return (uint32_t)(splitmix64_next(state) >> 32);
}

static uint64_t ceil_sqrt(uint64_t n) {
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit != 0; bit >>= 1) {
        if ((root + bit) * (root + bit) < n)
            root += bit;
    }
    return root + 1; /* root is the largest number whose square is below n */
}

static void shuffle_table(struct hr__permutation *p, uint64_t key) {
    const uint32_t n = (uint32_t)p->n;
    for (uint32_t i = 0; i < n; i++)
        p->table[i] = (uint8_t)i;
    for (uint32_t i = n - 1; i > 0; i--) {
        const uint32_t j = hr__scaled(next32(&key), i + 1);
        const uint8_t swapped = p->table[i];
        p->table[i] = p->table[j];
        p->table[j] = swapped;
    }
}

void hr__permutation_init(struct hr__permutation *p, uint64_t n, uint64_t key) {
    p->n = n;
    p->a = p->b = p->rounds = 0;
    if (n <= HR__PERMUTATION_TABLE) {
        shuffle_table(p, key);
        return;
    }
    const uint64_t root = ceil_sqrt(n);
    p->a = (uint32_t)(root + (root & 1));
    p->b = (uint32_t)((n + p->a - 1) / p->a);
    p->rounds = n < HR__PERMUTATION_LARGE ? HR__PERMUTATION_MAX_ROUNDS : 8;
    for (uint32_t j = 0; j < p->rounds; j++)
        p->key[j] = next32(&key);
}

static uint64_t forward_once(const struct hr__permutation *p, uint64_t x) {
    uint32_t l = (uint32_t)(x / p->b), r = (uint32_t)(x % p->b);
    for (uint32_t j = 0; j < p->rounds; j += 2) {
        l = hr__add_mod(l, hr__round_value(p->key[j], r, p->a), p->a);
        r = hr__add_mod(r, hr__round_value(p->key[j + 1], l, p->b), p->b);
    }
    return (uint64_t)l * p->b + r;
}

static uint64_t backward_once(const struct hr__permutation *p, uint64_t x) {
    uint32_t l = (uint32_t)(x / p->b), r = (uint32_t)(x % p->b);
    for (uint32_t j = p->rounds; j > 0; j -= 2) {
        r = hr__add_mod(r, p->b - hr__round_value(p->key[j - 1], l, p->b), p->b);
        l = hr__add_mod(l, p->a - hr__round_value(p->key[j - 2], r, p->a), p->a);
    }
    return (uint64_t)l * p->b + r;
}

uint64_t hr__permutation_apply(const struct hr__permutation *p, uint64_t i) {
    if (p->n <= HR__PERMUTATION_TABLE)
        return p->table[i];
    do
        i = forward_once(p, i);
    while (i >= p->n);
    return i;
}

uint64_t hr__permutation_invert(const struct hr__permutation *p, uint64_t i) {
    if (p->n <= HR__PERMUTATION_TABLE) {
        const uint8_t *at = memchr(p->table, (int)i, (size_t)p->n);
        return (uint64_t)(at - p->table);
    }
    do
        i = backward_once(p, i);
    while (i >= p->n);
    return i;
}

/* The pairs of elements *next_l x b + *next_r and on; goes on past n, where images are not used. */
static void block_pairs(const struct hr__permutation *p, uint32_t *next_l, uint32_t *next_r,
                        uint32_t *l, uint32_t *r, uint32_t count) {
    uint32_t row = *next_l, column = *next_r;
    for (uint32_t k = 0; k < count; k++) {
        l[k] = row;
        r[k] = column++;
        if (column == p->b) {
            column = 0;
            row = row + 1 < p->a ? row + 1 : 0;
        }
    }
    *next_l = row;
    *next_r = column;
}

static uint32_t in_groups(uint32_t count) {
    return (count + HR__PERMUTATION_GROUP - 1) / HR__PERMUTATION_GROUP * HR__PERMUTATION_GROUP;
}

static void range_by_blocks(const struct hr__permutation *p, uint64_t first, uint64_t count,
                            uint64_t *out) {
    uint32_t l[HR__PERMUTATION_BLOCK], r[HR__PERMUTATION_BLOCK];
    uint32_t next_l = (uint32_t)(first / p->b), next_r = (uint32_t)(first % p->b);
    while (count > 0) {
        const uint32_t n = count < HR__PERMUTATION_BLOCK ? (uint32_t)count : HR__PERMUTATION_BLOCK;
        block_pairs(p, &next_l, &next_r, l, r, in_groups(n));
        hr__permutation_block(p, l, r, n);
        for (uint32_t k = 0; k < n; k++) {
            const uint64_t image = (uint64_t)l[k] * p->b + r[k];
            out[k] = image < p->n ? image : hr__permutation_apply(p, image);
        }
        out += n;
        count -= n;
    }
}

void hr__permutation_range(const struct hr__permutation *p, uint64_t first, uint64_t count,
                           uint64_t *out) {
    if (p->n > HR__PERMUTATION_TABLE) {
        range_by_blocks(p, first, count, out);
        return;
    }
    for (uint64_t k = 0; k < count; k++)
        out[k] = p->table[first + k];
}

/* Products fit 32 bits: a x b < n + a + 2. */
void hr__permutation_all(const struct hr__permutation *p, uint32_t *out) {
    const uint32_t n = (uint32_t)p->n;
    if (n <= HR__PERMUTATION_TABLE) {
        for (uint32_t k = 0; k < n; k++)
            out[k] = p->table[k];
        return;
    }
    uint32_t l[HR__PERMUTATION_BLOCK], r[HR__PERMUTATION_BLOCK], next_l = 0, next_r = 0;
    for (uint32_t done = 0; done < n; done += HR__PERMUTATION_BLOCK) {
        const uint32_t count = n - done < HR__PERMUTATION_BLOCK ? n - done : HR__PERMUTATION_BLOCK;
        block_pairs(p, &next_l, &next_r, l, r, in_groups(count));
        hr__permutation_block(p, l, r, count);
        for (uint32_t k = 0; k < count; k++)
            out[done + k] = l[k] * p->b + r[k];
    }
    for (uint32_t k = 0; p->a * p->b > n && k < n; k++)
        if (out[k] >= n)
            out[k] = (uint32_t)hr__permutation_apply(p, out[k]);
}
