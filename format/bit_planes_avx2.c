/*
 * Bit planes by vectors of 32 bytes: as bit_planes_base.c, without leaving the registers.
 */
#define LANES_BYTES 32
#include "bit_planes.h"

#include "byte_rounds_avx2.h"

static void split(const uint8_t *bytes, uint8_t *planes, size_t apart_bytes) {
    for (size_t c = 0; c < HR__BIT_PLANE_BYTES; c += LANES_BYTES) {
        lanes_u64 r[8];
        __m256i *v = (__m256i *)r; /* which may alias anything */
        groups_load(bytes + 8 * c, 8, v);
        rounds(v, 8, 4);
        bits_transpose(r);
        for (size_t k = 0; k < 8; k++)
            lanes_store(planes + k * apart_bytes + c, r[k]);
    }
}

static void join(const uint8_t *planes, size_t apart_bytes, uint8_t *bytes) {
    for (size_t c = 0; c < HR__BIT_PLANE_BYTES; c += LANES_BYTES) {
        lanes_u64 r[8];
        __m256i *v = (__m256i *)r;
        for (size_t k = 0; k < 8; k++)
            r[k] = lanes_load(planes + k * apart_bytes + c);
        bits_transpose(r);
        rounds(v, 8, 3);
        groups_store(v, 8, bytes + 8 * c);
    }
}

const struct hr__bit_planes hr__bit_planes_avx2 = {split, join};
