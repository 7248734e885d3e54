/*
 * The loops over integers of 8 and 16 bits: exact sums, so that neither the order of the elements
 * nor the processor matters. Part of statistics_loops.h, compiled with it for each processor.
 *
 * Signed values are shifted by the least of their type (the sign bit is flipped), which changes no
 * differences. Sums of two neighbours are taken at twice their width: which of the two is the lower
 * half does not matter.
 */
#ifndef HEADRACE_STATISTICS_SMALL_H
#define HEADRACE_STATISTICS_SMALL_H

#include "dtype.h"
#include "statistics_block.h"

#include <string.h>

#define SMALL_BYTES (VECTOR_LANES * sizeof(double))
typedef uint8_t small_u8 __attribute__((vector_size(SMALL_BYTES)));
typedef uint16_t small_u16 __attribute__((vector_size(SMALL_BYTES)));
typedef uint32_t small_u32 __attribute__((vector_size(SMALL_BYTES)));
typedef uint64_t small_u64 __attribute__((vector_size(SMALL_BYTES)));

#define SMALL_LEAST(type, a, b) ((((type)((a) < (b))) & (a)) | (~((type)((a) < (b))) & (b)))
#define SMALL_MOST(type, a, b)  ((((type)((a) > (b))) & (a)) | (~((type)((a) > (b))) & (b)))

/* Pairs of elements, added up at twice their width. */
#define PAIRS_U16(v) (((small_u16)(v)&0xff) + ((small_u16)(v) >> 8))
#define PAIRS_U32(v) (((small_u32)(v)&0xffff) + ((small_u32)(v) >> 16))
#define PAIRS_U64(v) (((small_u64)(v)&0xffffffffu) + ((small_u64)(v) >> 32))

static uint64_t small_total(small_u64 v) {
    uint64_t all = 0;
    for (size_t k = 0; k < VECTOR_LANES; k++)
        all += v[k];
    return all;
}

/* So many vectors are added up in 8 bits (zeros) or 16 bits (sums) until they are moved on. */
#define SMALL_RUN 128u

struct small_state {
    small_u64 sum, squares, zeros;
};

static void small_run_u8(const uint8_t *p, size_t vectors, uint8_t flip, small_u8 *min,
                         small_u8 *max, struct small_state *s) {
    small_u8 v, zeros = {0};
    small_u16 sum = {0};
    small_u32 squares = {0};
    for (size_t i = 0; i < vectors; i++) {
        memcpy(&v, p + i * sizeof(v), sizeof(v));
        v ^= flip;
        *min = SMALL_LEAST(small_u8, v, *min);
        *max = SMALL_MOST(small_u8, v, *max);
        zeros -= (small_u8)(v == flip);
        const small_u16 low = (small_u16)v & 0xff, high = (small_u16)v >> 8;
        const small_u16 low2 = low * low, high2 = high * high;
        sum += low + high;
        squares += PAIRS_U32(low2) + PAIRS_U32(high2);
    }
    const small_u32 sum32 = PAIRS_U32(sum), zeros32 = PAIRS_U32(PAIRS_U16(zeros));
    s->sum += PAIRS_U64(sum32);
    s->squares += PAIRS_U64(squares);
    s->zeros += PAIRS_U64(zeros32);
}

static void small_run_u16(const uint8_t *p, size_t vectors, uint16_t flip, small_u16 *min,
                          small_u16 *max, struct small_state *s) {
    small_u16 v, zeros = {0};
    small_u32 sum = {0};
    for (size_t i = 0; i < vectors; i++) {
        memcpy(&v, p + i * sizeof(v), sizeof(v));
        v ^= flip;
        *min = SMALL_LEAST(small_u16, v, *min);
        *max = SMALL_MOST(small_u16, v, *max);
        zeros -= (small_u16)(v == flip);
        const small_u32 low = (small_u32)v & 0xffff, high = (small_u32)v >> 16;
        const small_u32 low2 = low * low, high2 = high * high;
        sum += low + high;
        s->squares += PAIRS_U64(low2) + PAIRS_U64(high2);
    }
    const small_u32 zeros32 = PAIRS_U32(zeros);
    s->sum += PAIRS_U64(sum);
    s->zeros += PAIRS_U64(zeros32);
}

#define SMALL_SUMS(name, type, vec, run)                                                           \
    static void small_##name##_sums(const uint8_t *p, size_t n, type flip,                         \
                                    struct hr__small_sums *out) {                                  \
        const size_t each = sizeof(vec) / sizeof(type);                                            \
        struct small_state s = {{0}, {0}, {0}};                                                    \
        type x;                                                                                    \
        memcpy(&x, p, sizeof(x));                                                                  \
        x = (type)(x ^ flip);                                                                      \
        *out = (struct hr__small_sums){.min = x, .max = x};                                        \
        vec min = (vec){0} + x, max = min;                                                         \
        size_t i = 0;                                                                              \
        while (n - i >= each) {                                                                    \
            const size_t left = (n - i) / each, vectors = left < SMALL_RUN ? left : SMALL_RUN;     \
            run(p + i * sizeof(type), vectors, flip, &min, &max, &s);                              \
            i += vectors * each;                                                                   \
        }                                                                                          \
        out->sum = small_total(s.sum);                                                             \
        out->squares = small_total(s.squares);                                                     \
        out->zeros = small_total(s.zeros);                                                         \
        for (size_t k = 0; k < each; k++) {                                                        \
            out->min = min[k] < out->min ? min[k] : out->min;                                      \
            out->max = max[k] > out->max ? max[k] : out->max;                                      \
        }                                                                                          \
        for (; i < n; i++) {                                                                       \
            memcpy(&x, p + i * sizeof(x), sizeof(x));                                              \
            out->zeros += x == 0;                                                                  \
            x = (type)(x ^ flip);                                                                  \
            out->sum += x;                                                                         \
            out->squares += (uint64_t)x * x;                                                       \
            out->min = x < out->min ? x : out->min;                                                \
            out->max = x > out->max ? x : out->max;                                                \
        }                                                                                          \
    }

SMALL_SUMS(u8, uint8_t, small_u8, small_run_u8)
SMALL_SUMS(u16, uint16_t, small_u16, small_run_u16)

static void small_sums(hr_dtype dtype, const void *data, size_t n, struct hr__small_sums *out) {
    const bool is_signed = hr__dtype_is_signed(dtype);
    if (hr_dtype_bytes(dtype) == 1)
        small_u8_sums(data, n, is_signed ? 0x80 : 0, out);
    else
        small_u16_sums(data, n, is_signed ? 0x8000 : 0, out);
}

#endif
