/*
 * Bit planes by vectors of 16 bytes (SSE2, NEON, or what the compiler makes of them): of the bytes,
 * every eighth makes a row, by the byte shuffle; the rows' bits transposed are the planes.
 */
#define LANES_BYTES 16
#include "bit_planes.h"

#include "byte_shuffle.h"

static void transpose(const uint8_t *from, size_t from_bytes, uint8_t *to, size_t to_bytes) {
    for (size_t c = 0; c < HR__BIT_PLANE_BYTES; c += LANES_BYTES) {
        lanes_u64 r[8];
        for (size_t k = 0; k < 8; k++)
            r[k] = lanes_load(from + k * from_bytes + c);
        bits_transpose(r);
        for (size_t k = 0; k < 8; k++)
            lanes_store(to + k * to_bytes + c, r[k]);
    }
}

static void split(const uint8_t *bytes, uint8_t *planes, size_t apart_bytes) {
    uint8_t rows[8 * HR__BIT_PLANE_BYTES];
    hr__byte_shuffle(bytes, sizeof(rows), 8, rows);
    transpose(rows, HR__BIT_PLANE_BYTES, planes, apart_bytes);
}

static void join(const uint8_t *planes, size_t apart_bytes, uint8_t *bytes) {
    uint8_t rows[8 * HR__BIT_PLANE_BYTES];
    transpose(planes, apart_bytes, rows, HR__BIT_PLANE_BYTES);
    hr__byte_unshuffle(rows, sizeof(rows), 8, bytes);
}

const struct hr__bit_planes hr__bit_planes_base = {split, join};
