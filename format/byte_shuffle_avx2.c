/*
 * The byte shuffle, 32 elements at a time: the rounds of byte_shuffle_sse2.c on two groups of 16
 * side by side, since AVX2 interleaves within each half of a register.
 */
#include "byte_shuffle.h"

#include <immintrin.h>

#define GROUP      32
#define INLINE     static inline __attribute__((always_inline))
#define EACH(i, n) for (int i = 0; i < (n); i++)

INLINE void rounds(__m256i *v, int e, int count) {
    __m256i w[16];
    EACH(r, count) {
        EACH(i, e / 2) {
            w[2 * i] = _mm256_unpacklo_epi8(v[i], v[i + e / 2]);
            w[2 * i + 1] = _mm256_unpackhi_epi8(v[i], v[i + e / 2]);
        }
        EACH(i, e) v[i] = w[i];
    }
}

/* Register i: the i-th 16 bytes of the first group below those of the second. */
INLINE size_t shuffle(const uint8_t *in, size_t n, int e, uint8_t *out) {
    size_t at = 0;
    for (; n - at >= GROUP; at += GROUP) {
        __m256i v[16];
        const __m128i *p = (const __m128i *)(in + at * (size_t)e);
        EACH(i, e)
        v[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(p + i)),
                                       _mm_loadu_si128(p + e + i), 1);
        rounds(v, e, 4);
        EACH(j, e) _mm256_storeu_si256((__m256i *)(out + (size_t)j * n + at), v[j]);
    }
    return at;
}

INLINE size_t unshuffle(const uint8_t *in, size_t n, int e, int log2_e, uint8_t *out) {
    size_t at = 0;
    for (; n - at >= GROUP; at += GROUP) {
        __m256i v[16];
        EACH(j, e) v[j] = _mm256_loadu_si256((const __m256i *)(in + (size_t)j * n + at));
        rounds(v, e, log2_e);
        __m256i *p = (__m256i *)(out + at * (size_t)e);
        EACH(i, e / 2) {
            const __m256i a = v[2 * i], b = v[2 * i + 1];
            _mm256_storeu_si256(p + i, _mm256_permute2x128_si256(a, b, 0x20));
            _mm256_storeu_si256(p + e / 2 + i, _mm256_permute2x128_si256(a, b, 0x31));
        }
    }
    return at;
}

size_t hr__byte_shuffle_avx2(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out) {
    switch (element_bytes) {
    case 2:
        return shuffle(in, n, 2, out);
    case 4:
        return shuffle(in, n, 4, out);
    case 8:
        return shuffle(in, n, 8, out);
    case 16:
        return shuffle(in, n, 16, out);
    default:
        return 0;
    }
}

size_t hr__byte_unshuffle_avx2(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out) {
    switch (element_bytes) {
    case 2:
        return unshuffle(in, n, 2, 1, out);
    case 4:
        return unshuffle(in, n, 4, 2, out);
    case 8:
        return unshuffle(in, n, 8, 3, out);
    case 16:
        return unshuffle(in, n, 16, 4, out);
    default:
        return 0;
    }
}
