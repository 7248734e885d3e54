/*
 * Row stores by SSE2, which every x86-64 processor has.
 */
#include "row_place.h"
#include "row_store_x86.h"

#include <emmintrin.h>
#include <stdbool.h>
#include <string.h>

struct line {
    __m128i part[4];
};

static inline __m128i load16(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i load8(const uint8_t *p) {
    return _mm_loadl_epi64((const __m128i *)(const void *)p);
}

static inline __m128i load4(const uint8_t *p) {
    int32_t v;
    memcpy(&v, p, sizeof(v));
    return _mm_cvtsi32_si128(v);
}

/* A line that begins on a line is stored past the caches; of others, n bytes the ordinary way. */
static inline void line_stream(uint8_t *dst, const struct line *l) {
    for (int i = 0; i < 4; i++)
        _mm_stream_si128((__m128i *)(void *)dst + i, l->part[i]);
}

static inline void line_store(uint8_t *dst, const struct line *l, size_t n) {
    memcpy(dst, l->part, n);
}

static void row_copy(uint8_t *dst, const uint8_t *src, size_t n) {
    size_t at = hr__bytes_to_line(dst, n);
    memcpy(dst, src, at);
    for (; at + HR__LINE_BYTES <= n; at += HR__LINE_BYTES)
        line_stream(dst + at, &(struct line){{load16(src + at), load16(src + at + 16),
                                              load16(src + at + 32), load16(src + at + 48)}});
    memcpy(dst + at, src + at, n - at);
}

static void copy(const struct hr__row_group *group) {
    const struct hr__row_group g = *group; /* which no store can change */
    for (uint32_t i = 0, n; i < g.num_picks; i += n) {
        const struct hr__row_target *t = hr__row_pick(&g, i);
        n = hr__row_run(&g, i, UINT32_MAX);
        if (n * g.row_bytes < HR__LINE_BYTES)
            memcpy(hr__row_dst(&g, t), hr__row_src(&g, t), n * g.row_bytes);
        else
            row_copy(hr__row_dst(&g, t), hr__row_src(&g, t), n * g.row_bytes);
    }
}

static inline struct line line2(const uint8_t *src, size_t plane) {
    __m128i a0 = load16(src), a1 = load16(src + 16);
    __m128i b0 = load16(src + plane), b1 = load16(src + plane + 16);
    return (struct line){{_mm_unpacklo_epi8(a0, b0), _mm_unpackhi_epi8(a0, b0),
                          _mm_unpacklo_epi8(a1, b1), _mm_unpackhi_epi8(a1, b1)}};
}

static inline struct line line4(const uint8_t *src, size_t plane) {
    __m128i a = load16(src), b = load16(src + plane);
    __m128i c = load16(src + 2 * plane), d = load16(src + 3 * plane);
    __m128i ab_lo = _mm_unpacklo_epi8(a, b), ab_hi = _mm_unpackhi_epi8(a, b);
    __m128i cd_lo = _mm_unpacklo_epi8(c, d), cd_hi = _mm_unpackhi_epi8(c, d);
    return (struct line){{_mm_unpacklo_epi16(ab_lo, cd_lo), _mm_unpackhi_epi16(ab_lo, cd_lo),
                          _mm_unpacklo_epi16(ab_hi, cd_hi), _mm_unpackhi_epi16(ab_hi, cd_hi)}};
}

static inline struct line line8(const uint8_t *src, size_t plane) {
    __m128i ab = _mm_unpacklo_epi8(load8(src), load8(src + plane));
    __m128i cd = _mm_unpacklo_epi8(load8(src + 2 * plane), load8(src + 3 * plane));
    __m128i ef = _mm_unpacklo_epi8(load8(src + 4 * plane), load8(src + 5 * plane));
    __m128i gh = _mm_unpacklo_epi8(load8(src + 6 * plane), load8(src + 7 * plane));
    __m128i ad_lo = _mm_unpacklo_epi16(ab, cd), ad_hi = _mm_unpackhi_epi16(ab, cd);
    __m128i eh_lo = _mm_unpacklo_epi16(ef, gh), eh_hi = _mm_unpackhi_epi16(ef, gh);
    return (struct line){{_mm_unpacklo_epi32(ad_lo, eh_lo), _mm_unpackhi_epi32(ad_lo, eh_lo),
                          _mm_unpacklo_epi32(ad_hi, eh_hi), _mm_unpackhi_epi32(ad_hi, eh_hi)}};
}

static inline struct line line16(const uint8_t *src, size_t plane) {
    __m128i four[4]; /* four[i]: planes 4i .. 4i + 3 of four elements */
    for (int i = 0; i < 4; i++, src += 4 * plane)
        four[i] =
            _mm_unpacklo_epi16(_mm_unpacklo_epi8(load4(src), load4(src + plane)),
                               _mm_unpacklo_epi8(load4(src + 2 * plane), load4(src + 3 * plane)));
    __m128i lo_01 = _mm_unpacklo_epi32(four[0], four[1]),
            hi_01 = _mm_unpackhi_epi32(four[0], four[1]);
    __m128i lo_23 = _mm_unpacklo_epi32(four[2], four[3]),
            hi_23 = _mm_unpackhi_epi32(four[2], four[3]);
    return (struct line){{_mm_unpacklo_epi64(lo_01, lo_23), _mm_unpackhi_epi64(lo_01, lo_23),
                          _mm_unpacklo_epi64(hi_01, hi_23), _mm_unpackhi_epi64(hi_01, hi_23)}};
}

static inline struct line line_of(const uint8_t *src, size_t plane, size_t planes) {
    return planes == 2   ? line2(src, plane)
           : planes == 4 ? line4(src, plane)
           : planes == 8 ? line8(src, plane)
                         : line16(src, plane);
}

/* Invariant: every line is made of whole elements, from the row's element at / planes on. */
static inline void row_unshuffle(uint8_t *dst, const uint8_t *src, size_t plane, size_t n_bytes,
                                 size_t planes) {
    size_t at = hr__bytes_to_line(dst, n_bytes);
    bool lines = at % planes == 0;
    struct line l;
    if (!lines) /* no element begins a line: so no store past the caches */
        at = 0;
    if (at > 0) {
        l = line_of(src, plane, planes);
        line_store(dst, &l, at);
    }
    for (; at + HR__LINE_BYTES <= n_bytes; at += HR__LINE_BYTES) {
        l = line_of(src + at / planes, plane, planes);
        if (lines)
            line_stream(dst + at, &l);
        else
            line_store(dst + at, &l, HR__LINE_BYTES);
    }
    if (at < n_bytes) {
        l = line_of(src + at / planes, plane, planes);
        line_store(dst + at, &l, n_bytes - at);
    }
}

void hr__row_unshuffle_sse2(uint8_t *dst, const uint8_t *src, size_t plane, size_t n,
                            uint32_t planes) {
    switch (planes) {
    case 2:
        row_unshuffle(dst, src, plane, n * 2, 2);
        break;
    case 4:
        row_unshuffle(dst, src, plane, n * 4, 4);
        break;
    case 8:
        row_unshuffle(dst, src, plane, n * 8, 8);
        break;
    default:
        row_unshuffle(dst, src, plane, n * 16, 16);
    }
}

static void unshuffle(const struct hr__row_group *group) {
    const struct hr__row_group g = *group; /* which no store can change */
    const struct hr__row_planes p = hr__row_planes_of(&g);
    for (uint32_t i = 0, n; i < g.num_picks; i += n) {
        const struct hr__row_target *t = hr__row_pick(&g, i);
        const struct hr__row_shuffled s = hr__row_shuffled(&g, &p, t);
        n = hr__row_run(&g, i, s.left);
        hr__row_unshuffle_sse2(hr__row_dst(&g, t), s.src, s.plane_bytes, n * p.row_elements,
                               g.element_bytes);
    }
}

static void fence(void) {
    _mm_sfence();
}

const struct hr__row_store hr__row_store_sse2 = {"sse2", copy, unshuffle, fence};
