/*
 * The source of the loops of statistics_block.h, for files that are compiled for one kind of
 * processor each and define HR__BLOCK_LOOPS, the name of their table.
 */
#ifndef HEADRACE_STATISTICS_LOOPS_H
#define HEADRACE_STATISTICS_LOOPS_H

#include "dtype.h"
#include "statistics_block.h"

#include <string.h>

#define CONVERT(type)                                                                              \
    do {                                                                                           \
        const uint8_t *p = data;                                                                   \
        for (size_t i = 0; i < n; i++) {                                                           \
            type v;                                                                                \
            memcpy(&v, p + i * sizeof(v), sizeof(v));                                              \
            out[i] = (double)v;                                                                    \
        }                                                                                          \
    } while (0)

static void to_doubles(hr_dtype dtype, const void *data, size_t n, double *out) {
    const uint8_t *bytes = data;
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
    case HR_FLOAT16:
    case HR_BFLOAT16:
        for (size_t i = 0; i < n; i++) {
            uint16_t bits = (uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
            out[i] = (double)(dtype == HR_FLOAT16 ? hr__float16_to_float(bits)
                                                  : hr__bfloat16_to_float(bits));
        }
        break;
    default:
        CONVERT(uint8_t); /* bool, uint8 */
    }
}

/* The lanes as one value; compilers split it where registers are smaller. */
typedef double lanes __attribute__((vector_size(HR__LANES * sizeof(double))));
typedef int64_t lane_masks __attribute__((vector_size(HR__LANES * sizeof(int64_t))));

/* In each lane a where its mask is all ones, else b. */
#define SELECT(mask, a, b) ((lanes)(((mask) & (lane_masks)(a)) | (~(mask) & (lane_masks)(b))))
#define MIN(a, b)          SELECT((a) < (b), a, b)
#define MAX(a, b)          SELECT((a) > (b), a, b)

static void sums_add(struct hr__block_sums *s, size_t lane, double v) {
    s->sum[lane] += v;
    s->min[lane] = v < s->min[lane] ? v : s->min[lane];
    s->max[lane] = v > s->max[lane] ? v : s->max[lane];
    s->zeros[lane] += v == 0.0;
    s->bad[lane] += v * 0.0;
}

/* Two groups of lanes at a time, so that minimum and maximum are a chain of half the length. */
static void block_sums(const double *x, size_t n, struct hr__block_sums *out) {
    lanes v, w, min = {x[0], x[0], x[0], x[0]}, max = min;
    lanes sum = {0}, bad = {0};
    lane_masks zeros = {0}; /* counted downwards: a mask is -1 */
    size_t i = 0;
    for (; i + 2 * HR__LANES <= n; i += 2 * HR__LANES) {
        memcpy(&v, x + i, sizeof(v));
        memcpy(&w, x + i + HR__LANES, sizeof(w));
        sum = sum + v + w;
        min = MIN(MIN(v, w), min);
        max = MAX(MAX(v, w), max);
        zeros += (v == 0.0) + (w == 0.0);
        bad += v * 0.0 + w * 0.0;
    }
    memcpy(out->sum, &sum, sizeof(sum));
    memcpy(out->min, &min, sizeof(min));
    memcpy(out->max, &max, sizeof(max));
    memcpy(out->bad, &bad, sizeof(bad));
    for (size_t k = 0; k < HR__LANES; k++)
        out->zeros[k] = (uint64_t)-zeros[k];
    for (; i < n; i++)
        sums_add(out, i % HR__LANES, x[i]);
}

static void block_squares(const double *x, size_t n, double mean, double out[HR__LANES]) {
    lanes v, m2 = {0};
    size_t i = 0;
    for (; i + HR__LANES <= n; i += HR__LANES) {
        memcpy(&v, x + i, sizeof(v));
        m2 += (v - mean) * (v - mean);
    }
    memcpy(out, &m2, sizeof(m2));
    for (size_t k = 0; i + k < n; k++)
        out[k] += (x[i + k] - mean) * (x[i + k] - mean);
}

const struct hr__block_loops HR__BLOCK_LOOPS = {to_doubles, block_sums, block_squares};

#endif
