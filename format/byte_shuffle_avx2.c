/*
 * The byte shuffle, 32 elements at a time, by the rounds of byte_shuffle_sse2.c.
 */
#include "byte_shuffle.h"

#include "byte_rounds_avx2.h"

#define GROUP 32

INLINE size_t shuffle(const uint8_t *in, size_t n, int e, uint8_t *out) {
    size_t at = 0;
    for (; n - at >= GROUP; at += GROUP) {
        __m256i v[16];
        groups_load(in + at * (size_t)e, e, v);
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
        groups_store(v, e, out + at * (size_t)e);
    }
    return at;
}

#define HR__BYTE_SHUFFLE   hr__byte_shuffle_avx2
#define HR__BYTE_UNSHUFFLE hr__byte_unshuffle_avx2
#include "byte_shuffle_cases.h"
