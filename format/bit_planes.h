/*
 * Eight rows transposed bit by bit, by vectors of LANES_BYTES: bit i of byte c of row k against bit
 * k of byte c of row i. Squares of 4 x 4, 2 x 2 and 1 bits change places with those across the
 * diagonal.
 */
#ifndef HEADRACE_BIT_PLANES_H
#define HEADRACE_BIT_PLANES_H

#include "bit_shuffle.h"
#include "lanes.h"

LANES_INLINE void swap_squares(lanes_u64 *a, lanes_u64 *b, int side, uint64_t lower) {
    const lanes_u64 t = (*a >> side ^ *b) & lower;
    *b ^= t;
    *a ^= t << side;
}

LANES_INLINE void bits_transpose(lanes_u64 r[8]) {
    for (int k = 0; k < 4; k++)
        swap_squares(&r[k], &r[k + 4], 4, UINT64_C(0x0f0f0f0f0f0f0f0f));
    for (int k = 0; k < 8; k += k % 2 == 0 ? 1 : 3)
        swap_squares(&r[k], &r[k + 2], 2, UINT64_C(0x3333333333333333));
    for (int k = 0; k < 8; k += 2)
        swap_squares(&r[k], &r[k + 1], 1, UINT64_C(0x5555555555555555));
}

#endif
