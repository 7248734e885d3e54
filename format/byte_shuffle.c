/*
 * The byte shuffle (docs/format.md, 6.3): byte j of element i lies at j x n + i. Whole groups of
 * elements by vector code, the rest by the portable loops, which define what is right.
 */
#include "byte_shuffle.h"

#include "frame_codec.h"

void hr__byte_shuffle_portable(const uint8_t *in, size_t first, size_t n, uint32_t element_bytes,
                               uint8_t *out) {
    for (size_t j = 0; j < element_bytes; j++)
        for (size_t i = first; i < n; i++)
            out[j * n + i] = in[i * element_bytes + j];
}

void hr__byte_unshuffle_portable(const uint8_t *in, size_t first, size_t n, uint32_t element_bytes,
                                 uint8_t *out) {
    for (size_t i = first; i < n; i++)
        for (size_t j = 0; j < element_bytes; j++)
            out[i * element_bytes + j] = in[j * n + i];
}

void hr__byte_shuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out) {
    const size_t n = n_bytes / element_bytes;
    const size_t done = hr__byte_shuffle_vector(in, n, element_bytes, out);
    hr__byte_shuffle_portable(in, done, n, element_bytes, out);
}

void hr__byte_unshuffle(const uint8_t *in, size_t n_bytes, uint32_t element_bytes, uint8_t *out) {
    const size_t n = n_bytes / element_bytes;
    const size_t done = hr__byte_unshuffle_vector(in, n, element_bytes, out);
    hr__byte_unshuffle_portable(in, done, n, element_bytes, out);
}
