/*
 * Eight rows transposed bit by bit, by vectors of LANES_BYTES, for the files that make a function
 * of it: squares of 4 x 4, 2 x 2 and 1 bits change places with those across the diagonal.
 */
#ifndef HEADRACE_BIT_TRANSPOSE_H
#define HEADRACE_BIT_TRANSPOSE_H

#include "bit_shuffle.h"
#include "lanes.h"

LANES_INLINE void swap_squares(lanes_u64 *a, lanes_u64 *b, int side, uint64_t lower) {
    const lanes_u64 t = (*a >> side ^ *b) & lower;
    *b ^= t;
    *a ^= t << side;
}

LANES_INLINE void bit_transpose(const uint8_t *from, size_t from_bytes, uint8_t *to,
                                size_t to_bytes) {
    for (size_t c = 0; c < HR__BIT_ROW_BYTES; c += LANES_BYTES) {
        lanes_u64 r[8];
        for (int k = 0; k < 8; k++)
            r[k] = lanes_load(from + (size_t)k * from_bytes + c);
        for (int k = 0; k < 4; k++)
            swap_squares(&r[k], &r[k + 4], 4, UINT64_C(0x0f0f0f0f0f0f0f0f));
        for (int k = 0; k < 8; k += k % 2 == 0 ? 1 : 3)
            swap_squares(&r[k], &r[k + 2], 2, UINT64_C(0x3333333333333333));
        for (int k = 0; k < 8; k += 2)
            swap_squares(&r[k], &r[k + 1], 1, UINT64_C(0x5555555555555555));
        for (int k = 0; k < 8; k++)
            lanes_store(to + (size_t)k * to_bytes + c, r[k]);
    }
}

#endif
