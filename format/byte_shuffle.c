/*
 * The byte shuffle (docs/format.md, 6.3): byte j of element i lies at j x n + i. Whole groups of
 * elements by vector code, the rest, and all of it on other processors, by the portable loops.
 * Their fixed counts of planes let compilers vectorise (built with -O3, see CMakeLists.txt).
 */
#include "byte_shuffle.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void gather(const uint8_t *in, size_t first, size_t n, size_t planes, uint8_t *out) {
    for (size_t j = 0; j < planes; j++)
        for (size_t i = first; i < n; i++)
            out[j * n + i] = in[i * planes + j];
}

void hr__byte_shuffle_portable(const uint8_t *in, size_t first, size_t n, uint32_t element_bytes,
                               uint8_t *out) {
    switch (element_bytes) {
    case 2:
        gather(in, first, n, 2, out);
        break;
    case 4:
        gather(in, first, n, 4, out);
        break;
    case 8:
        gather(in, first, n, 8, out);
        break;
    default:
        gather(in, first, n, element_bytes, out);
    }
}

INLINE void spread(const uint8_t *in, size_t first, size_t n, size_t planes, uint8_t *out) {
    for (size_t i = first; i < n; i++)
        for (size_t j = 0; j < planes; j++)
            out[i * planes + j] = in[j * n + i];
}

void hr__byte_unshuffle_portable(const uint8_t *in, size_t first, size_t n, uint32_t element_bytes,
                                 uint8_t *out) {
    switch (element_bytes) {
    case 2:
        spread(in, first, n, 2, out);
        break;
    case 4:
        spread(in, first, n, 4, out);
        break;
    case 8:
        spread(in, first, n, 8, out);
        break;
    default:
        spread(in, first, n, element_bytes, out);
    }
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
