/*
 * The rounds of docs/order.md, 2.2, for whole blocks: sixteen or eight elements at a time where the
 * processor has AVX-512 or AVX2. Rounds are the outer loop, so that many independent elements hide
 * the latency of the multiplications.
 */
#include "permutation_block.h"

#include "cpu.h"

void hr__permutation_block_plain(const struct hr__permutation *p, uint32_t *l, uint32_t *r,
                                 uint32_t count) {
    for (uint32_t j = 0; j < p->rounds; j += 2) {
        for (uint32_t k = 0; k < count; k++) {
            l[k] = hr__add_mod(l[k], hr__round_value(p->key[j], r[k], p->a), p->a);
            r[k] = hr__add_mod(r[k], hr__round_value(p->key[j + 1], l[k], p->b), p->b);
        }
    }
}

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2"), always_inline)) static inline

AVX2 __m256i mixed(__m256i x) {
    x = _mm256_xor_si256(x, _mm256_srli_epi32(x, 16));
    x = _mm256_mullo_epi32(x, _mm256_set1_epi32((int)0x7feb352du));
    x = _mm256_xor_si256(x, _mm256_srli_epi32(x, 15));
    x = _mm256_mullo_epi32(x, _mm256_set1_epi32((int)0x846ca68bu));
    return _mm256_xor_si256(x, _mm256_srli_epi32(x, 16));
}

AVX2 __m256i scaled8(__m256i x, __m256i m) {
    const __m256i even = _mm256_mul_epu32(x, m);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), m);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}

AVX2 __m256i round8(__m256i to, __m256i from, __m256i key, __m256i m) {
    const __m256i value = scaled8(mixed(_mm256_add_epi32(from, key)), m);
    const __m256i sum = _mm256_add_epi32(to, value);
    return _mm256_min_epu32(sum, _mm256_sub_epi32(sum, m));
}

__attribute__((target("avx2"))) static void block_avx2(const struct hr__permutation *p, uint32_t *l,
                                                       uint32_t *r, uint32_t count) {
    const __m256i a = _mm256_set1_epi32((int)p->a), b = _mm256_set1_epi32((int)p->b);
    for (uint32_t j = 0; j < p->rounds; j += 2) {
        const __m256i key_l = _mm256_set1_epi32((int)p->key[j]);
        const __m256i key_r = _mm256_set1_epi32((int)p->key[j + 1]);
        for (uint32_t k = 0; k < count; k += 8) {
            __m256i *const l8 = (__m256i *)(void *)(l + k), *const r8 = (__m256i *)(void *)(r + k);
            const __m256i r_old = _mm256_loadu_si256(r8);
            const __m256i l_new = round8(_mm256_loadu_si256(l8), r_old, key_l, a);
            _mm256_storeu_si256(l8, l_new);
            _mm256_storeu_si256(r8, round8(r_old, l_new, key_r, b));
        }
    }
}

#define AVX512 __attribute__((target("avx512f"), always_inline)) static inline

AVX512 __m512i mixed_wide(__m512i x) {
    x = _mm512_xor_si512(x, _mm512_srli_epi32(x, 16));
    x = _mm512_mullo_epi32(x, _mm512_set1_epi32((int)0x7feb352du));
    x = _mm512_xor_si512(x, _mm512_srli_epi32(x, 15));
    x = _mm512_mullo_epi32(x, _mm512_set1_epi32((int)0x846ca68bu));
    return _mm512_xor_si512(x, _mm512_srli_epi32(x, 16));
}

AVX512 __m512i scaled16(__m512i x, __m512i m) {
    const __m512i even = _mm512_mul_epu32(x, m);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), m);
    return _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
}

AVX512 __m512i round16(__m512i to, __m512i from, __m512i key, __m512i m) {
    const __m512i value = scaled16(mixed_wide(_mm512_add_epi32(from, key)), m);
    const __m512i sum = _mm512_add_epi32(to, value);
    return _mm512_min_epu32(sum, _mm512_sub_epi32(sum, m));
}

/* All rounds of 32 elements in registers: two chains of multiplications hide each other's latency.
 */
__attribute__((target("avx512f"))) static void
block_avx512(const struct hr__permutation *p, uint32_t *l, uint32_t *r, uint32_t count) {
    const __m512i a = _mm512_set1_epi32((int)p->a), b = _mm512_set1_epi32((int)p->b);
    for (uint32_t k = 0; k < count; k += 32) {
        __m512i l0 = _mm512_loadu_si512(l + k), l1 = _mm512_loadu_si512(l + k + 16);
        __m512i r0 = _mm512_loadu_si512(r + k), r1 = _mm512_loadu_si512(r + k + 16);
        for (uint32_t j = 0; j < p->rounds; j += 2) {
            const __m512i key_l = _mm512_set1_epi32((int)p->key[j]);
            const __m512i key_r = _mm512_set1_epi32((int)p->key[j + 1]);
            l0 = round16(l0, r0, key_l, a);
            l1 = round16(l1, r1, key_l, a);
            r0 = round16(r0, l0, key_r, b);
            r1 = round16(r1, l1, key_r, b);
        }
        _mm512_storeu_si512(l + k, l0);
        _mm512_storeu_si512(l + k + 16, l1);
        _mm512_storeu_si512(r + k, r0);
        _mm512_storeu_si512(r + k + 16, r1);
    }
}

void hr__permutation_block(const struct hr__permutation *p, uint32_t *l, uint32_t *r,
                           uint32_t count) {
    if (hr__cpu_has_avx512_vbmi())
        block_avx512(p, l, r, count);
    else if (hr__cpu_has_avx2())
        block_avx2(p, l, r, count);
    else
        hr__permutation_block_plain(p, l, r, count);
}

#else

void hr__permutation_block(const struct hr__permutation *p, uint32_t *l, uint32_t *r,
                           uint32_t count) {
    hr__permutation_block_plain(p, l, r, count);
}

#endif
