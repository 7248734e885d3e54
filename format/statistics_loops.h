/*
 * The source of the loops of statistics_block.h, for files that are compiled for one kind of
 * processor each. They define HR__BLOCK_LOOPS, the name of their table; VECTOR_LANES, the doubles
 * of a register; LEAST_F32, LEAST_F64, MOST_F32, MOST_F64 of two vectors of so many floats or
 * doubles: in each lane the first where it is less (more), else the second; and WIDEN_F32,
 * WIDEN_I32, WIDEN_U32, which make doubles of a vector: compilers may do so by halves.
 */
#ifndef HEADRACE_STATISTICS_LOOPS_H
#define HEADRACE_STATISTICS_LOOPS_H

#include "dtype.h"
#include "statistics_block.h"
#include "statistics_small.h"

#include <string.h>

#define VECTORS  (HR__LANES / VECTOR_LANES)
#define WIDEN(v) __builtin_convertvector(v, lanes)

#define CONVERT(type)                                                                              \
    do {                                                                                           \
        const uint8_t *p = data;                                                                   \
        for (size_t i = 0; i < n; i++) {                                                           \
            type v;                                                                                \
            memcpy(&v, p + i * sizeof(v), sizeof(v));                                              \
            out[i] = (double)v;                                                                    \
        }                                                                                          \
    } while (0)

/* Elements of 16 bits as binary32, by loops that vectorise. The fraction of a subnormal one is put
 * behind a leading 1, which is then subtracted: subnormal operands would be slow. */
static void float16_to_floats(const uint8_t *p, size_t n, float *out) {
    uint32_t bits[HR__BLOCK_ELEMENTS], tiny[HR__BLOCK_ELEMENTS];
    uint16_t half[HR__BLOCK_ELEMENTS];
    memcpy(half, p, n * sizeof(*half));
    for (size_t i = 0; i < n; i++)
        tiny[i] = (113u << 23) + ((uint32_t)(half[i] & 0x3ffu) << 13);
    memcpy(out, tiny, n * sizeof(*tiny));
    for (size_t i = 0; i < n; i++)
        out[i] -= 0x1p-14f;
    memcpy(tiny, out, n * sizeof(*tiny));
    for (size_t i = 0; i < n; i++) {
        const uint32_t exponent = half[i] & 0x7c00u;
        const uint32_t normal = (112u << 23) + ((uint32_t)(half[i] & 0x7fffu) << 13);
        bits[i] = exponent == 0 ? tiny[i] : exponent == 0x7c00u ? normal | 0x7f800000u : normal;
        bits[i] |= (uint32_t)(half[i] & 0x8000u) << 16;
    }
    memcpy(out, bits, n * sizeof(*bits));
}

static void bfloat16_to_floats(const uint8_t *p, size_t n, float *out) {
    uint32_t bits[HR__BLOCK_ELEMENTS];
    uint16_t half[HR__BLOCK_ELEMENTS];
    memcpy(half, p, n * sizeof(*half));
    for (size_t i = 0; i < n; i++)
        bits[i] = (uint32_t)half[i] << 16;
    memcpy(out, bits, n * sizeof(*bits));
}

static void to_floats(hr_dtype dtype, const void *data, size_t n, float *out) {
    if (dtype == HR_FLOAT16)
        float16_to_floats(data, n, out);
    else
        bfloat16_to_floats(data, n, out);
}

static void to_doubles(hr_dtype dtype, const void *data, size_t n, double *out) {
    switch (dtype) {
    case HR_INT8:
        CONVERT(int8_t);
        break;
    case HR_INT16:
        CONVERT(int16_t);
        break;
    case HR_INT32:
        CONVERT(int32_t);
        break;
    case HR_INT64:
        CONVERT(int64_t);
        break;
    case HR_UINT16:
        CONVERT(uint16_t);
        break;
    case HR_UINT32:
        CONVERT(uint32_t);
        break;
    case HR_UINT64:
        CONVERT(uint64_t);
        break;
    case HR_FLOAT32:
    case HR_COMPLEX64:
        CONVERT(float);
        break;
    case HR_FLOAT64:
    case HR_COMPLEX128:
        CONVERT(double);
        break;
    default:
        CONVERT(uint8_t); /* bool, uint8 */
    }
}

#define VECTOR_OF(type) __attribute__((vector_size(VECTOR_LANES * sizeof(type))))
typedef double lanes VECTOR_OF(double);
typedef int32_t lanes_i32 VECTOR_OF(int32_t);
typedef uint32_t lanes_u32 VECTOR_OF(uint32_t);
typedef int64_t lanes_i64 VECTOR_OF(int64_t);
typedef uint64_t lanes_u64 VECTOR_OF(uint64_t);
typedef float lanes_f32 VECTOR_OF(float);

/* In each lane a where its mask is all ones, else b. */
#define SELECT(type, mask, a, b) ((type)(((mask) & (type)(a)) | (~(mask) & (type)(b))))
#define LEAST_INT(type, a, b)    SELECT(type, (type)((a) < (b)), a, b)
#define MOST_INT(type, a, b)     SELECT(type, (type)((a) > (b)), a, b)
#define LEAST_I32(a, b)          LEAST_INT(lanes_i32, a, b)
#define LEAST_U32(a, b)          LEAST_INT(lanes_u32, a, b)
#define LEAST_I64(a, b)          LEAST_INT(lanes_i64, a, b)
#define LEAST_U64(a, b)          LEAST_INT(lanes_u64, a, b)
#define MOST_I32(a, b)           MOST_INT(lanes_i32, a, b)
#define MOST_U32(a, b)           MOST_INT(lanes_u32, a, b)
#define MOST_I64(a, b)           MOST_INT(lanes_i64, a, b)
#define MOST_U64(a, b)           MOST_INT(lanes_u64, a, b)

/* Of elements of one type: vec of them, masks of comparisons, bits as what the minimum of an
 * integer is kept. Only the sums are many, as only their order matters. */
#define SUMS(name, type, vec, masks, widen, least, most, bits)                                     \
    static void sums_##name(const uint8_t *p, size_t n, struct hr__block_sums *out) {              \
        lanes sum[VECTORS] = {{0}};                                                                \
        masks zeros = {0}; /* counted downwards: a mask is -1 */                                   \
        type x, min, max;                                                                          \
        memcpy(&x, p, sizeof(x));                                                                  \
        min = max = x;                                                                             \
        *out = (struct hr__block_sums){.zeros = 0};                                                \
        vec v, low, high, mins = x - (vec){0}, maxs = mins;                                        \
        size_t i = 0;                                                                              \
        for (; i + HR__LANES <= n; i += HR__LANES) {                                               \
            memcpy(&low, p + i * sizeof(type), sizeof(low));                                       \
            high = low;                                                                            \
            for (size_t k = 0; k < VECTORS; k++) {                                                 \
                memcpy(&v, p + (i + k * VECTOR_LANES) * sizeof(type), sizeof(v));                  \
                sum[k] += widen(v);                                                                \
                zeros += (masks)(v == 0);                                                          \
                low = least(v, low);                                                               \
                high = most(v, high);                                                              \
            }                                                                                      \
            mins = least(low, mins);                                                               \
            maxs = most(high, maxs);                                                               \
        }                                                                                          \
        for (size_t k = 0; k < HR__LANES; k++)                                                     \
            out->sum[k] = sum[k / VECTOR_LANES][k % VECTOR_LANES];                                 \
        for (size_t k = 0; k < VECTOR_LANES; k++) {                                                \
            out->zeros -= (uint64_t)(int64_t)zeros[k];                                             \
            min = mins[k] < min ? mins[k] : min;                                                   \
            max = maxs[k] > max ? maxs[k] : max;                                                   \
        }                                                                                          \
        for (; i < n; i++) {                                                                       \
            memcpy(&x, p + i * sizeof(x), sizeof(x));                                              \
            out->sum[i % HR__LANES] += (double)x;                                                  \
            out->zeros += x == 0;                                                                  \
            min = x < min ? x : min;                                                               \
            max = x > max ? x : max;                                                               \
        }                                                                                          \
        out->min = (double)min + 0.0; /* of zeros of both signs any may be met first: +0 */        \
        out->max = (double)max + 0.0;                                                              \
        out->min_bits = bits(min);                                                                 \
        out->max_bits = bits(max);                                                                 \
    }

#define BITS(v)    ((uint64_t)(v))
#define NO_BITS(v) ((void)(v), UINT64_C(0))

SUMS(i32, int32_t, lanes_i32, lanes_i32, WIDEN_I32, LEAST_I32, MOST_I32, BITS)
SUMS(u32, uint32_t, lanes_u32, lanes_i32, WIDEN_U32, LEAST_U32, MOST_U32, BITS)
SUMS(i64, int64_t, lanes_i64, lanes_i64, WIDEN, LEAST_I64, MOST_I64, BITS)
SUMS(u64, uint64_t, lanes_u64, lanes_i64, WIDEN, LEAST_U64, MOST_U64, BITS)
SUMS(f32, float, lanes_f32, lanes_i32, WIDEN_F32, LEAST_F32, MOST_F32, NO_BITS)
SUMS(f64, double, lanes, lanes_i64, WIDEN, LEAST_F64, MOST_F64, NO_BITS)

static void block_sums(hr_dtype dtype, const void *data, size_t n, struct hr__block_sums *out) {
    switch (dtype) {
    case HR_INT32:
        sums_i32(data, n, out);
        break;
    case HR_UINT32:
        sums_u32(data, n, out);
        break;
    case HR_INT64:
        sums_i64(data, n, out);
        break;
    case HR_UINT64:
        sums_u64(data, n, out);
        break;
    case HR_FLOAT32:
        sums_f32(data, n, out);
        break;
    default:
        sums_f64(data, n, out);
    }
}

#define SQUARES(name, type, vec, widen)                                                            \
    static void squares_##name(const uint8_t *p, size_t n, double mean, double out[HR__LANES]) {   \
        lanes d, m2[VECTORS] = {{0}};                                                              \
        vec v;                                                                                     \
        size_t i = 0;                                                                              \
        for (; i + HR__LANES <= n; i += HR__LANES)                                                 \
            for (size_t k = 0; k < VECTORS; k++) {                                                 \
                memcpy(&v, p + (i + k * VECTOR_LANES) * sizeof(type), sizeof(v));                  \
                d = widen(v) - mean;                                                               \
                m2[k] += d * d;                                                                    \
            }                                                                                      \
        for (size_t k = 0; k < HR__LANES; k++)                                                     \
            out[k] = m2[k / VECTOR_LANES][k % VECTOR_LANES];                                       \
        for (type x; i < n; i++) {                                                                 \
            memcpy(&x, p + i * sizeof(x), sizeof(x));                                              \
            out[i % HR__LANES] += ((double)x - mean) * ((double)x - mean);                         \
        }                                                                                          \
    }

SQUARES(i32, int32_t, lanes_i32, WIDEN_I32)
SQUARES(u32, uint32_t, lanes_u32, WIDEN_U32)
SQUARES(i64, int64_t, lanes_i64, WIDEN)
SQUARES(u64, uint64_t, lanes_u64, WIDEN)
SQUARES(f32, float, lanes_f32, WIDEN_F32)
SQUARES(f64, double, lanes, WIDEN)

static void block_squares(hr_dtype dtype, const void *data, size_t n, double mean,
                          double out[HR__LANES]) {
    switch (dtype) {
    case HR_INT32:
        squares_i32(data, n, mean, out);
        break;
    case HR_UINT32:
        squares_u32(data, n, mean, out);
        break;
    case HR_INT64:
        squares_i64(data, n, mean, out);
        break;
    case HR_UINT64:
        squares_u64(data, n, mean, out);
        break;
    case HR_FLOAT32:
        squares_f32(data, n, mean, out);
        break;
    default:
        squares_f64(data, n, mean, out);
    }
}

const struct hr__block_loops HR__BLOCK_LOOPS = {to_doubles, to_floats, block_sums, block_squares,
                                                small_sums};

#endif
