/*
 * The byte shuffle, 16 elements at a time.
 *
 * The 16 x E bytes of a group lie in E registers. Number each byte by its register's number
 * followed by the four bits of its place in it. One round of interleaving (register i with register
 * i + E/2) rotates that number to the left by one bit. Going from planes to elements is a rotation
 * by log2(E), going back is one by 4: both are rounds of the same kind.
 */
#include "byte_shuffle.h"

#include <emmintrin.h>

#define GROUP      16
#define INLINE     static inline __attribute__((always_inline))
#define EACH(i, n) for (int i = 0; i < (n); i++)

INLINE void rounds(__m128i *v, int e, int count) {
    __m128i w[16];
    EACH(r, count) {
        EACH(i, e / 2) {
            w[2 * i] = _mm_unpacklo_epi8(v[i], v[i + e / 2]);
            w[2 * i + 1] = _mm_unpackhi_epi8(v[i], v[i + e / 2]);
        }
        EACH(i, e) v[i] = w[i];
    }
}

INLINE size_t shuffle(const uint8_t *in, size_t n, int e, uint8_t *out) {
    size_t at = 0;
    for (; n - at >= GROUP; at += GROUP) {
        __m128i v[16];
        EACH(i, e) v[i] = _mm_loadu_si128((const __m128i *)(in + at * (size_t)e) + i);
        rounds(v, e, 4);
        EACH(j, e) _mm_storeu_si128((__m128i *)(out + (size_t)j * n + at), v[j]);
    }
    return at;
}

INLINE size_t unshuffle(const uint8_t *in, size_t n, int e, int log2_e, uint8_t *out) {
    size_t at = 0;
    for (; n - at >= GROUP; at += GROUP) {
        __m128i v[16];
        EACH(j, e) v[j] = _mm_loadu_si128((const __m128i *)(in + (size_t)j * n + at));
        rounds(v, e, log2_e);
        EACH(i, e) _mm_storeu_si128((__m128i *)(out + at * (size_t)e) + i, v[i]);
    }
    return at;
}

#define HR__BYTE_SHUFFLE   hr__byte_shuffle_sse2
#define HR__BYTE_UNSHUFFLE hr__byte_unshuffle_sse2
#include "byte_shuffle_cases.h"
