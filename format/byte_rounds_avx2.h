/*
 * Rounds of interleaving (see byte_shuffle_sse2.c) on two groups of 16 elements side by side, since
 * AVX2 interleaves within each half of a register.
 */
#ifndef HEADRACE_BYTE_ROUNDS_AVX2_H
#define HEADRACE_BYTE_ROUNDS_AVX2_H

#include <immintrin.h>

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
INLINE void groups_load(const uint8_t *in, int e, __m256i *v) {
    const __m128i *p = (const __m128i *)(const void *)in;
    EACH(i, e)
    v[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(p + i)),
                                   _mm_loadu_si128(p + e + i), 1);
}

INLINE void groups_store(const __m256i *v, int e, uint8_t *out) {
    __m256i *p = (__m256i *)(void *)out;
    EACH(i, e / 2) {
        const __m256i a = v[2 * i], b = v[2 * i + 1];
        _mm256_storeu_si256(p + i, _mm256_permute2x128_si256(a, b, 0x20));
        _mm256_storeu_si256(p + e / 2 + i, _mm256_permute2x128_si256(a, b, 0x31));
    }
}

#endif
