/*
 * Eight rows transposed by vectors of 32 bytes.
 */
#define LANES_BYTES 32
#include "bit_transpose.h"

void hr__bit_transpose_avx2(const uint8_t *from, size_t from_bytes, uint8_t *to, size_t to_bytes) {
    bit_transpose(from, from_bytes, to, to_bytes);
}
