/*
 * The steps of the delta by vectors of 32 bytes, and distances below 16 bytes at once: in each half
 * of a vector the sums by shifting and adding, doubled each time; then what the half before and the
 * vectors before come to.
 */
#define LANES_BYTES 32
#include "delta_steps.h"

#include <immintrin.h>

/* A half of 16 bytes, by the distance. */
LANES_INLINE __m256i shifted(__m256i v, size_t d) {
    switch (d) {
    case 1:
        return _mm256_slli_si256(v, 1);
    case 2:
        return _mm256_slli_si256(v, 2);
    case 3:
        return _mm256_slli_si256(v, 3);
    case 4:
        return _mm256_slli_si256(v, 4);
    case 6:
        return _mm256_slli_si256(v, 6);
    case 8:
        return _mm256_slli_si256(v, 8);
    case 12:
        return _mm256_slli_si256(v, 12);
    default:
        return _mm256_setzero_si256(); /* nothing of a half is left */
    }
}

LANES_INLINE __m256i added(__m256i a, __m256i b, uint32_t e) {
    return (__m256i)lanes_add((lanes_u64)a, (lanes_u64)b, e);
}

/* Where the last d bytes of a half lie, over and over: what the bytes behind it have added. */
LANES_INLINE __m256i last_places(size_t d) {
    uint8_t places[16];
    for (size_t i = 0; i < 16; i++)
        places[i] = (uint8_t)(16 - d + i % d);
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)places));
}

/* d: 1, 2, 3, 4, 6, 8 or 12. */
LANES_INLINE bool sum_by(uint8_t *p, size_t n, uint32_t e, size_t d) {
    const __m256i last = last_places(d);
    __m256i before = _mm256_setzero_si256(); /* for both halves, as if each came next */
    size_t at = 0;
    for (; at + LANES_BYTES <= n; at += LANES_BYTES) {
        __m256i *place = (__m256i *)(void *)(p + at);
        __m256i v = _mm256_loadu_si256(place);
        for (size_t by = d; by < 16; by *= 2)
            v = added(v, shifted(v, by), e);
        const __m256i halves = _mm256_shuffle_epi8(v, last);
        v = added(v, _mm256_permute2x128_si256(halves, halves, 0x08), e);
        if (16 % d == 0) {
            const __m256i swapped = _mm256_permute2x128_si256(halves, halves, 0x01);
            v = added(v, before, e);
            before = added(before, added(halves, swapped, e), e);
        } else {
            const __m256i next = _mm256_shuffle_epi8(before, last);
            v = added(v, _mm256_blend_epi32(before, next, 0xf0), e);
            const __m256i ends = _mm256_shuffle_epi8(v, last);
            before = _mm256_permute2x128_si256(ends, ends, 0x11);
        }
        _mm256_storeu_si256(place, v);
    }
    for (at = at > d ? at : d; at < n; at += e)
        add_element(p + at, p + at - d, e);
    return true;
}

static bool sum_near(uint8_t *bytes, size_t n_bytes, uint32_t element_bytes,
                     size_t distance_bytes) {
    switch (element_bytes << 8 | distance_bytes) {
    case 0x101:
        return sum_by(bytes, n_bytes, 1, 1);
    case 0x102:
        return sum_by(bytes, n_bytes, 1, 2);
    case 0x103:
        return sum_by(bytes, n_bytes, 1, 3);
    case 0x104:
        return sum_by(bytes, n_bytes, 1, 4);
    case 0x202:
        return sum_by(bytes, n_bytes, 2, 2);
    case 0x204:
        return sum_by(bytes, n_bytes, 2, 4);
    case 0x206:
        return sum_by(bytes, n_bytes, 2, 6);
    case 0x208:
        return sum_by(bytes, n_bytes, 2, 8);
    case 0x404:
        return sum_by(bytes, n_bytes, 4, 4);
    case 0x408:
        return sum_by(bytes, n_bytes, 4, 8);
    case 0x40c:
        return sum_by(bytes, n_bytes, 4, 12);
    case 0x808:
        return sum_by(bytes, n_bytes, 8, 8);
    default:
        return false;
    }
}

const struct hr__delta_steps hr__delta_steps_avx2 = {add_old, add_new, sum_near};
