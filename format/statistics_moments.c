/*
 * Counts and moments of elements (docs/format.md, 7.3). Values go through blocks of doubles, so
 * that one set of loops serves every type and can be vectorised; integers keep their exact minimum
 * and maximum beside that. Everything is computed in a fixed order, so equal data give equal bits.
 */
#include "dtype.h"
#include "statistics_internal.h"

#include <math.h>
#include <string.h>

#define BLOCK 1024u

/* out[i] = element i of data as a double, n <= BLOCK. */
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

static bool less(const struct hr__statistics *s, uint64_t a, uint64_t b) {
    return hr__dtype_is_signed(s->dtype) ? (int64_t)a < (int64_t)b : a < b;
}

void hr__moments_merge(struct hr__statistics *a, const struct hr__statistics *b) {
    if (b->finite > 0 && a->finite > 0) {
        double na = (double)a->finite, nb = (double)b->finite, n = na + nb;
        double d = b->mean - a->mean;
        a->mean += d * nb / n;
        a->m2 += b->m2 + d * d * na * nb / n;
        a->min = b->min < a->min ? b->min : a->min;
        a->max = b->max > a->max ? b->max : a->max;
        a->min_bits = less(a, b->min_bits, a->min_bits) ? b->min_bits : a->min_bits;
        a->max_bits = less(a, a->max_bits, b->max_bits) ? b->max_bits : a->max_bits;
    } else if (b->finite > 0) {
        a->mean = b->mean;
        a->m2 = b->m2;
        a->min = b->min;
        a->max = b->max;
        a->min_bits = b->min_bits;
        a->max_bits = b->max_bits;
    }
    a->values += b->values;
    a->zeros += b->zeros;
    a->nan += b->nan;
    a->inf += b->inf;
    a->finite += b->finite;
    a->first_nan = b->first_nan < a->first_nan ? b->first_nan : a->first_nan;
    a->first_inf = b->first_inf < a->first_inf ? b->first_inf : a->first_inf;
}

/* Sums side by side: the compiler may not reorder one, but it may compute these at once. */
#define LANES 4u

struct sums {
    double sum[LANES], min[LANES], max[LANES];
    double zeros[LANES]; /* exact: at most BLOCK */
    double bad[LANES];   /* NaN unless every value is finite */
};

static inline void sums_add(struct sums *s, size_t lane, double v) {
    s->sum[lane] += v;
    s->min[lane] = v < s->min[lane] ? v : s->min[lane];
    s->max[lane] = v > s->max[lane] ? v : s->max[lane];
    s->zeros[lane] += v == 0.0 ? 1.0 : 0.0;
    s->bad[lane] += v * 0.0;
}

/* n > 0. */
static void block_sums(const double *x, size_t n, struct sums *out) {
    struct sums s = {.sum = {0}};
    for (size_t k = 0; k < LANES; k++)
        s.min[k] = s.max[k] = x[0];
    for (size_t i = 0; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sums_add(&s, k, x[i + k]);
    for (size_t i = n - n % LANES; i < n; i++)
        sums_add(&s, i % LANES, x[i]);
    *out = s;
}

static double total(const double lanes[LANES]) {
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

/* Moments of n finite values, n > 0, whose sums are known. */
static void block_moments(struct hr__statistics *b, const double *x, size_t n,
                          const struct sums *s) {
    double m2[LANES] = {0}, mean = total(s->sum) / (double)n;
    for (size_t i = 0; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            m2[k] += (x[i + k] - mean) * (x[i + k] - mean);
    for (size_t i = n - n % LANES; i < n; i++)
        m2[i % LANES] += (x[i] - mean) * (x[i] - mean);
    b->mean = mean;
    b->m2 = total(m2);
    b->min = s->min[0];
    b->max = s->max[0];
    for (size_t k = 1; k < LANES; k++) {
        b->min = s->min[k] < b->min ? s->min[k] : b->min;
        b->max = s->max[k] > b->max ? s->max[k] : b->max;
    }
    b->finite = n;
}

/* Counts NaN and Inf, and moves finite values to the front: their number. index: of x[0] among the
 * elements; elements: per sample. */
static size_t keep_finite(struct hr__statistics *b, double *x, size_t n, uint64_t index,
                          uint64_t elements, uint64_t first_sample) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t sample = first_sample + (index + i) / elements;
        if (isnan(x[i])) {
            b->nan++;
            b->first_nan = sample < b->first_nan ? sample : b->first_nan;
        } else if (isinf(x[i])) {
            b->inf++;
            b->first_inf = sample < b->first_inf ? sample : b->first_inf;
        } else {
            x[kept++] = x[i];
        }
    }
    return kept;
}

#define BOUNDS(type)                                                                               \
    do {                                                                                           \
        type min, max, v;                                                                          \
        memcpy(&min, data, sizeof(v));                                                             \
        max = min;                                                                                 \
        for (size_t i = 1; i < n; i++) {                                                           \
            memcpy(&v, data + i * sizeof(v), sizeof(v));                                           \
            min = v < min ? v : min;                                                               \
            max = v > max ? v : max;                                                               \
        }                                                                                          \
        b->min_bits = (uint64_t)min;                                                               \
        b->max_bits = (uint64_t)max;                                                               \
    } while (0)

/* Of 64-bit integers, which a double would round. */
static void block_bounds(struct hr__statistics *b, const uint8_t *data, size_t n) {
    if (hr__dtype_is_signed(b->dtype))
        BOUNDS(int64_t);
    else
        BOUNDS(uint64_t);
}

static void add_real(struct hr__statistics *s, const uint8_t *data, uint64_t first_sample,
                     uint64_t count, uint64_t elements) {
    size_t size = hr_dtype_bytes(s->dtype);
    double x[BLOCK];
    struct sums sums;
    for (uint64_t at = 0; at < count; at += BLOCK) {
        size_t n = count - at < BLOCK ? (size_t)(count - at) : BLOCK, finite = n;
        struct hr__statistics b = {
            .dtype = s->dtype, .values = n, .first_nan = UINT64_MAX, .first_inf = UINT64_MAX};
        to_doubles(s->dtype, data + at * size, n, x);
        block_sums(x, n, &sums);
        b.zeros = (uint64_t)total(sums.zeros);
        if (hr__dtype_is_integer(s->dtype) && size == 8)
            block_bounds(&b, data + at * size, n);
        if (isnan(total(sums.bad))) {
            finite = keep_finite(&b, x, n, at, elements, first_sample);
            if (finite > 0)
                block_sums(x, finite, &sums);
        }
        if (finite > 0)
            block_moments(&b, x, finite, &sums);
        if (hr__dtype_is_integer(s->dtype) && size < 8) {
            b.min_bits = (uint64_t)(int64_t)b.min;
            b.max_bits = (uint64_t)(int64_t)b.max;
        }
        hr__moments_merge(s, &b);
    }
}

/* Complex elements are only counted: NaN if a part is, else Inf if a part is. */
static void add_complex(struct hr__statistics *s, const uint8_t *data, uint64_t first_sample,
                        uint64_t count, uint64_t elements) {
    size_t size = hr_dtype_bytes(s->dtype);
    for (uint64_t i = 0; i < count; i++) {
        double parts[2];
        uint64_t sample = first_sample + i / elements;
        to_doubles(s->dtype, data + i * size, 2, parts);
        s->values++;
        if (isnan(parts[0]) || isnan(parts[1])) {
            s->nan++;
            s->first_nan = sample < s->first_nan ? sample : s->first_nan;
        } else if (isinf(parts[0]) || isinf(parts[1])) {
            s->inf++;
            s->first_inf = sample < s->first_inf ? sample : s->first_inf;
        } else {
            s->finite++;
            s->zeros += parts[0] == 0.0 && parts[1] == 0.0;
        }
    }
}

void hr__moments_add(struct hr__statistics *s, const uint8_t *data, uint64_t first_sample,
                     uint64_t count, uint64_t elements) {
    if (hr__dtype_is_complex(s->dtype))
        add_complex(s, data, first_sample, count, elements);
    else
        add_real(s, data, first_sample, count, elements);
}
