/*
 * Row stores by AVX2: two cache lines at a time. Elements of 8 and 16 bytes, of which a line holds
 * too few to fill its registers, are left to SSE2.
 */
#include "row_place.h"
#include "row_store_x86.h"

#include <immintrin.h>

#define INLINE     static inline __attribute__((always_inline))
#define PAIR_BYTES (2 * HR__LINE_BYTES)

struct pair { /* of lines */
    __m256i part[4];
};

INLINE __m256i load32(const uint8_t *p) {
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

INLINE void pair_stream(uint8_t *dst, const struct pair *p) {
    for (int i = 0; i < 4; i++)
        _mm256_stream_si256((__m256i *)(void *)dst + i, p->part[i]);
}

/* AVX2 interleaves within halves: lo and hi hold pieces 0 and 2, 1 and 3 of four. */
INLINE void pieces_join(__m256i lo, __m256i hi, __m256i *first, __m256i *second) {
    *first = _mm256_permute2x128_si256(lo, hi, 0x20);
    *second = _mm256_permute2x128_si256(lo, hi, 0x31);
}

INLINE struct pair pair2(const uint8_t *src, size_t plane) {
    __m256i a = load32(src), b = load32(src + plane);
    __m256i c = load32(src + 32), d = load32(src + 32 + plane);
    struct pair p;
    pieces_join(_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b), &p.part[0], &p.part[1]);
    pieces_join(_mm256_unpacklo_epi8(c, d), _mm256_unpackhi_epi8(c, d), &p.part[2], &p.part[3]);
    return p;
}

INLINE struct pair pair4(const uint8_t *src, size_t plane) {
    __m256i a = load32(src), b = load32(src + plane);
    __m256i c = load32(src + 2 * plane), d = load32(src + 3 * plane);
    __m256i ab_lo = _mm256_unpacklo_epi8(a, b), ab_hi = _mm256_unpackhi_epi8(a, b);
    __m256i cd_lo = _mm256_unpacklo_epi8(c, d), cd_hi = _mm256_unpackhi_epi8(c, d);
    __m256i piece[4] = {_mm256_unpacklo_epi16(ab_lo, cd_lo), _mm256_unpackhi_epi16(ab_lo, cd_lo),
                        _mm256_unpacklo_epi16(ab_hi, cd_hi), _mm256_unpackhi_epi16(ab_hi, cd_hi)};
    struct pair p;
    pieces_join(piece[0], piece[1], &p.part[0], &p.part[2]);
    pieces_join(piece[2], piece[3], &p.part[1], &p.part[3]);
    return p;
}

/* Head, pairs of lines, and what is left. */
INLINE void row_unshuffle(uint8_t *dst, const uint8_t *src, size_t plane, size_t n,
                          uint32_t planes) {
    size_t at = hr__bytes_to_line(dst, n);
    if (at % planes != 0 || at + PAIR_BYTES > n) {
        hr__row_unshuffle_sse2(dst, src, plane, n / planes, planes);
        return;
    }
    if (at > 0)
        hr__row_unshuffle_sse2(dst, src, plane, at / planes, planes);
    for (; at + PAIR_BYTES <= n; at += PAIR_BYTES) {
        struct pair p =
            planes == 2 ? pair2(src + at / planes, plane) : pair4(src + at / planes, plane);
        pair_stream(dst + at, &p);
    }
    if (at < n)
        hr__row_unshuffle_sse2(dst + at, src + at / planes, plane, (n - at) / planes, planes);
}

INLINE void unshuffle_planes(const struct hr__row_group *group, uint32_t planes) {
    const struct hr__row_group g = *group; /* which no store can change */
    const struct hr__row_planes p = hr__row_planes_of(&g);
    for (uint32_t i = 0, n; i < g.num_picks; i += n) {
        const struct hr__row_target *t = hr__row_pick(&g, i);
        const struct hr__row_shuffled s = hr__row_shuffled(&g, &p, t);
        n = hr__row_run(&g, i, s.left);
        row_unshuffle(hr__row_dst(&g, t), s.src, s.plane_bytes, n * g.row_bytes, planes);
    }
}

/* A line is a line, whether it goes in two stores or in four. */
static void copy(const struct hr__row_group *g) {
    hr__row_store_sse2.copy(g);
}

static void unshuffle(const struct hr__row_group *g) {
    if (g->element_bytes == 2)
        unshuffle_planes(g, 2);
    else if (g->element_bytes == 4)
        unshuffle_planes(g, 4);
    else
        hr__row_store_sse2.unshuffle(g);
}

static void fence(void) {
    _mm_sfence();
}

const struct hr__row_store hr__row_store_avx2 = {"avx2", copy, unshuffle, fence};
