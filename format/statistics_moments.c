/*
 * Counts and moments of elements (docs/format.md, 7.3). Values go through blocks of doubles, so
 * that one set of loops (statistics_block.h) serves every type; integers keep their exact minimum
 * and maximum beside that. Everything is computed in a fixed order, so equal data give equal bits.
 */
#include "checked.h"
#include "dtype.h"
#include "statistics_block.h"
#include "statistics_internal.h"

#include <math.h>
#include <string.h>

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

static double total(const double lanes[HR__LANES]) {
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

/* Moments of n finite values, n > 0, whose sums are known. */
static void block_moments(struct hr__statistics *b, const struct hr__block_loops *loops,
                          const double *x, size_t n, const struct hr__block_sums *s) {
    double m2[HR__LANES];
    b->mean = total(s->sum) / (double)n;
    loops->squares(x, n, b->mean, m2);
    b->m2 = total(m2);
    b->min = s->min[0];
    b->max = s->max[0];
    for (size_t k = 1; k < HR__LANES; k++) {
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
    const struct hr__block_loops *loops = hr__block_loops();
    double x[HR__BLOCK_ELEMENTS];
    struct hr__block_sums sums;
    for (uint64_t at = 0; at < count; at += HR__BLOCK_ELEMENTS) {
        size_t n = (size_t)hr__min_u64(count - at, HR__BLOCK_ELEMENTS), finite = n;
        struct hr__statistics b = {
            .dtype = s->dtype, .values = n, .first_nan = UINT64_MAX, .first_inf = UINT64_MAX};
        loops->to_doubles(s->dtype, data + at * size, n, x);
        loops->sums(x, n, &sums);
        for (size_t k = 0; k < HR__LANES; k++)
            b.zeros += sums.zeros[k];
        if (hr__dtype_is_integer(s->dtype) && size == 8)
            block_bounds(&b, data + at * size, n);
        if (isnan(total(sums.bad))) {
            finite = keep_finite(&b, x, n, at, elements, first_sample);
            if (finite > 0)
                loops->sums(x, finite, &sums);
        }
        if (finite > 0)
            block_moments(&b, loops, x, finite, &sums);
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
    const struct hr__block_loops *loops = hr__block_loops();
    size_t size = hr_dtype_bytes(s->dtype);
    for (uint64_t i = 0; i < count; i++) {
        double parts[2];
        uint64_t sample = first_sample + i / elements;
        loops->to_doubles(s->dtype, data + i * size, 2, parts);
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
