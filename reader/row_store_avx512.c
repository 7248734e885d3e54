/*
 * Row stores by AVX-512 with VBMI: 64 bytes out of the planes become a cache line by one
 * permutation of bytes, and ends of lines are masked stores.
 */
#include "row_place.h"
#include "row_store_x86.h"

#include <immintrin.h>
#include <stdbool.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __mmask64 first_bytes(size_t n) {
    return _cvtu64_mask64(_bzhi_u64(UINT64_MAX, (uint32_t)n));
}

INLINE void row_copy(uint8_t *dst, const uint8_t *src, size_t n) {
    size_t at = n < HR__LINE_BYTES ? 0 : hr__bytes_to_line(dst, n);
    if (at > 0)
        _mm512_mask_storeu_epi8(dst, first_bytes(at),
                                _mm512_maskz_loadu_epi8(first_bytes(at), src));
    for (; at + HR__LINE_BYTES <= n; at += HR__LINE_BYTES)
        _mm512_stream_si512((__m512i *)(void *)(dst + at), _mm512_loadu_si512(src + at));
    if (at < n)
        _mm512_mask_storeu_epi8(dst + at, first_bytes(n - at),
                                _mm512_maskz_loadu_epi8(first_bytes(n - at), src + at));
}

static void copy(const struct hr__row_group *group) {
    const struct hr__row_group g = *group; /* which no store can change */
    for (uint32_t i = 0, n; i < g.num_picks; i += n) {
        const struct hr__row_target *t = hr__row_pick(&g, i);
        n = hr__row_run(&g, i, UINT32_MAX);
        row_copy(hr__row_dst(&g, t), hr__row_src(&g, t), n * g.row_bytes);
    }
}

INLINE __m128i load16(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

INLINE __m256i load32(const uint8_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* 64 / planes bytes of each plane, one plane after the other. */
INLINE __m512i planes_load(const uint8_t *src, size_t plane, size_t planes) {
    if (planes == 2)
        return _mm512_inserti64x4(_mm512_castsi256_si512(load32(src)), load32(src + plane), 1);
    if (planes == 4) {
        __m256i ab =
            _mm256_inserti128_si256(_mm256_castsi128_si256(load16(src)), load16(src + plane), 1);
        __m256i cd = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(src + 2 * plane)),
                                             load16(src + 3 * plane), 1);
        return _mm512_inserti64x4(_mm512_castsi256_si512(ab), cd, 1);
    }
    if (planes == 8) {
        __m512i at = _mm512_mullo_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0),
                                        _mm512_set1_epi64((long long)plane));
        return _mm512_i64gather_epi64(at, src, 1);
    }
    /* A frame has at most 1 MiB, so offsets fit 32 bits. */
    __m512i at =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32((int)plane));
    return _mm512_i32gather_epi32(at, src, 1);
}

/* Byte i of a line is byte i / planes of plane i mod planes. */
INLINE __m512i line_places(size_t planes) {
    _Alignas(64) uint8_t places[64];
    for (size_t i = 0; i < 64; i++)
        places[i] = (uint8_t)(i % planes * (64 / planes) + i / planes);
    return _mm512_load_si512(places);
}

INLINE __m512i line_of(const uint8_t *src, size_t plane, size_t planes, __m512i places) {
    return _mm512_permutexvar_epi8(places, planes_load(src, plane, planes));
}

INLINE void row_unshuffle(uint8_t *dst, const uint8_t *src, size_t plane, size_t n, size_t planes,
                          __m512i places) {
    size_t at = n < HR__LINE_BYTES ? 0 : hr__bytes_to_line(dst, n);
    bool lines = at % planes == 0;
    if (!lines) /* no element begins a line: so no store past the caches */
        at = 0;
    if (at > 0)
        _mm512_mask_storeu_epi8(dst, first_bytes(at), line_of(src, plane, planes, places));
    for (; at + HR__LINE_BYTES <= n; at += HR__LINE_BYTES) {
        __m512i line = line_of(src + at / planes, plane, planes, places);
        if (lines)
            _mm512_stream_si512((__m512i *)(void *)(dst + at), line);
        else
            _mm512_storeu_si512(dst + at, line);
    }
    if (at < n)
        _mm512_mask_storeu_epi8(dst + at, first_bytes(n - at),
                                line_of(src + at / planes, plane, planes, places));
}

INLINE void unshuffle_planes(const struct hr__row_group *group, size_t planes) {
    const struct hr__row_group g = *group; /* which no store can change */
    const struct hr__row_planes p = hr__row_planes_of(&g);
    const __m512i places = line_places(planes);
    for (uint32_t i = 0, n; i < g.num_picks; i += n) {
        const struct hr__row_target *t = hr__row_pick(&g, i);
        const struct hr__row_shuffled s = hr__row_shuffled(&g, &p, t);
        n = hr__row_run(&g, i, s.left);
        row_unshuffle(hr__row_dst(&g, t), s.src, s.plane_bytes, n * g.row_bytes, planes, places);
    }
}

static void unshuffle(const struct hr__row_group *g) {
    switch (g->element_bytes) {
    case 2:
        unshuffle_planes(g, 2);
        break;
    case 4:
        unshuffle_planes(g, 4);
        break;
    case 8:
        unshuffle_planes(g, 8);
        break;
    default:
        unshuffle_planes(g, 16);
    }
}

static void fence(void) {
    _mm_sfence();
}

const struct hr__row_store hr__row_store_avx512 = {"avx512", copy, unshuffle, fence};
