/*
 * Eight rows transposed by vectors of 16 bytes: SSE2, NEON, or what the compiler makes of them.
 */
#define LANES_BYTES 16
#include "bit_transpose.h"

void hr__bit_transpose_base(const uint8_t *from, size_t from_bytes, uint8_t *to, size_t to_bytes) {
    bit_transpose(from, from_bytes, to, to_bytes);
}
