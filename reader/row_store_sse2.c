/*
 * Row stores for x86-64. Whole cache lines are written by non-temporal stores; the ends of rows
 * that begin or end inside a line, and rows shorter than a line, by ordinary ones (a non-temporal
 * store of part of a line costs a read of it).
 */
#include "row_store.h"

#include <emmintrin.h>
#include <string.h>

#define LINE_BYTES ((size_t)64)

static void line_store(uint8_t *dst, __m128i a, __m128i b, __m128i c, __m128i d) {
    _mm_stream_si128((__m128i *)(void *)dst, a);
    _mm_stream_si128((__m128i *)(void *)(dst + 16), b);
    _mm_stream_si128((__m128i *)(void *)(dst + 32), c);
    _mm_stream_si128((__m128i *)(void *)(dst + 48), d);
}

static __m128i load16(const uint8_t *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static __m128i load8(const uint8_t *p) {
    return _mm_loadl_epi64((const __m128i *)(const void *)p);
}

/* Bytes up to the next line, at most n. */
static size_t bytes_to_line(const uint8_t *dst, size_t n) {
    size_t head = (size_t)(-(uintptr_t)dst) % LINE_BYTES;
    return head < n ? head : n;
}

static void row_copy(uint8_t *dst, const uint8_t *src, size_t n) {
    size_t at = bytes_to_line(dst, n);
    memcpy(dst, src, at);
    for (; at + LINE_BYTES <= n; at += LINE_BYTES)
        line_store(dst + at, load16(src + at), load16(src + at + 16), load16(src + at + 32),
                   load16(src + at + 48));
    memcpy(dst + at, src + at, n - at);
}

void hr__rows_copy(const struct hr__row_targets *t, uint32_t first, uint32_t count,
                   uint64_t field_off, size_t row_bytes, const uint8_t *src) {
    for (uint32_t r = first; r < first + count; r++, src += row_bytes) {
        uint8_t *slot = t->slot[r];
        if (slot == NULL)
            continue;
        uint8_t *dst = slot + field_off + (size_t)t->row[r] * row_bytes;
        if (row_bytes < LINE_BYTES)
            memcpy(dst, src, row_bytes);
        else
            row_copy(dst, src, row_bytes);
    }
}

/* One element at a time: elements first .. first + n - 1 of `planes` planes. */
static void few(uint8_t *dst, const uint8_t *src, size_t plane_bytes, size_t first, size_t n,
                size_t planes) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < planes; j++)
            dst[i * planes + j] = src[j * plane_bytes + first + i];
}

static void line2(uint8_t *dst, const uint8_t *src, size_t plane) {
    __m128i a0 = load16(src), a1 = load16(src + 16);
    __m128i b0 = load16(src + plane), b1 = load16(src + plane + 16);
    line_store(dst, _mm_unpacklo_epi8(a0, b0), _mm_unpackhi_epi8(a0, b0), _mm_unpacklo_epi8(a1, b1),
               _mm_unpackhi_epi8(a1, b1));
}

static void line4(uint8_t *dst, const uint8_t *src, size_t plane) {
    __m128i a = load16(src), b = load16(src + plane);
    __m128i c = load16(src + 2 * plane), d = load16(src + 3 * plane);
    __m128i ab_lo = _mm_unpacklo_epi8(a, b), ab_hi = _mm_unpackhi_epi8(a, b);
    __m128i cd_lo = _mm_unpacklo_epi8(c, d), cd_hi = _mm_unpackhi_epi8(c, d);
    line_store(dst, _mm_unpacklo_epi16(ab_lo, cd_lo), _mm_unpackhi_epi16(ab_lo, cd_lo),
               _mm_unpacklo_epi16(ab_hi, cd_hi), _mm_unpackhi_epi16(ab_hi, cd_hi));
}

static void line8(uint8_t *dst, const uint8_t *src, size_t plane) {
    __m128i ab = _mm_unpacklo_epi8(load8(src), load8(src + plane));
    __m128i cd = _mm_unpacklo_epi8(load8(src + 2 * plane), load8(src + 3 * plane));
    __m128i ef = _mm_unpacklo_epi8(load8(src + 4 * plane), load8(src + 5 * plane));
    __m128i gh = _mm_unpacklo_epi8(load8(src + 6 * plane), load8(src + 7 * plane));
    __m128i ad_lo = _mm_unpacklo_epi16(ab, cd), ad_hi = _mm_unpackhi_epi16(ab, cd);
    __m128i eh_lo = _mm_unpacklo_epi16(ef, gh), eh_hi = _mm_unpackhi_epi16(ef, gh);
    line_store(dst, _mm_unpacklo_epi32(ad_lo, eh_lo), _mm_unpackhi_epi32(ad_lo, eh_lo),
               _mm_unpacklo_epi32(ad_hi, eh_hi), _mm_unpackhi_epi32(ad_hi, eh_hi));
}

static void line_any(uint8_t *dst, const uint8_t *src, size_t plane, size_t planes) {
    if (planes == 4)
        line4(dst, src, plane);
    else if (planes == 2)
        line2(dst, src, plane);
    else if (planes == 8)
        line8(dst, src, plane);
    else
        few(dst, src, plane, 0, LINE_BYTES / planes, planes);
}

/* n elements of the frame from element `first` on. */
static void row_unshuffle(uint8_t *dst, const uint8_t *src, size_t plane, size_t first, size_t n,
                          size_t planes) {
    size_t head = bytes_to_line(dst, n * planes), per_line = LINE_BYTES / planes, at;
    if (head % planes != 0 || n * planes < LINE_BYTES) { /* no element ever begins a line */
        few(dst, src, plane, first, n, planes);
        return;
    }
    at = head / planes;
    few(dst, src, plane, first, at, planes);
    for (; at + per_line <= n; at += per_line)
        line_any(dst + at * planes, src + first + at, plane, planes);
    few(dst + at * planes, src, plane, first + at, n - at, planes);
}

void hr__rows_unshuffle(const struct hr__row_targets *t, uint32_t first, uint32_t count,
                        uint64_t field_off, size_t row_bytes, uint32_t element_bytes,
                        const uint8_t *src) {
    size_t n = row_bytes / element_bytes, plane = count * n;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *slot = t->slot[first + i];
        if (slot != NULL)
            row_unshuffle(slot + field_off + (size_t)t->row[first + i] * row_bytes, src, plane,
                          i * n, n, element_bytes);
    }
}

void hr__rows_fence(void) {
    _mm_sfence();
}
