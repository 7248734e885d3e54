/*
 * Counts and moments of elements (docs/format.md, 7.3), block by block, by the loops of
 * statistics_block.h. Everything is computed exactly or in a fixed order, so equal data give equal
 * bits.
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
    double four[4];
    for (size_t k = 0; k < 4; k++)
        four[k] = (lanes[k] + lanes[4 + k]) + (lanes[8 + k] + lanes[12 + k]);
    return (four[0] + four[1]) + (four[2] + four[3]);
}

/* Elements as the loops take them. */
struct elements {
    hr_dtype dtype;
    const uint8_t *data;
    size_t n;
};

/* Moments of finite elements, whose sums are known. */
static void block_moments(struct hr__statistics *b, const struct hr__block_loops *loops,
                          struct elements e, const struct hr__block_sums *s) {
    double m2[HR__LANES];
    b->mean = total(s->sum) / (double)e.n;
    loops->squares(e.dtype, e.data, e.n, b->mean, m2);
    b->m2 = total(m2);
    b->min = s->min;
    b->max = s->max;
    b->min_bits = s->min_bits;
    b->max_bits = s->max_bits;
    b->finite = e.n;
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

/* NaN and Inf are few: what is left of the block is gone through once more, as doubles in x. */
static struct elements only_finite(struct hr__statistics *b, const struct hr__block_loops *loops,
                                   struct elements e, double *x, uint64_t index, uint64_t elements,
                                   uint64_t first_sample) {
    loops->to_doubles(e.dtype, e.data, e.n, x);
    const size_t kept = keep_finite(b, x, e.n, index, elements, first_sample);
    return (struct elements){HR_FLOAT64, (const uint8_t *)x, kept};
}

static void add_large(struct hr__statistics *s, const uint8_t *data, uint64_t first_sample,
                      uint64_t count, uint64_t elements) {
    const size_t size = hr_dtype_bytes(s->dtype);
    const struct hr__block_loops *loops = hr__block_loops();
    double x[HR__BLOCK_ELEMENTS];
    float wide[HR__BLOCK_ELEMENTS];
    struct hr__block_sums sums;
    for (uint64_t at = 0; at < count; at += HR__BLOCK_ELEMENTS) {
        const size_t n = (size_t)hr__min_u64(count - at, HR__BLOCK_ELEMENTS);
        struct elements e = {s->dtype, data + at * size, n};
        struct hr__statistics b = {
            .dtype = s->dtype, .values = n, .first_nan = UINT64_MAX, .first_inf = UINT64_MAX};
        if (size == 2) { /* floats */
            loops->to_floats(s->dtype, e.data, n, wide);
            e = (struct elements){HR_FLOAT32, (const uint8_t *)wide, n};
        }
        loops->sums(e.dtype, e.data, n, &sums);
        b.zeros = sums.zeros;
        if (!isfinite(total(sums.sum))) {
            e = only_finite(&b, loops, e, x, at, elements, first_sample);
            if (e.n > 0)
                loops->sums(e.dtype, e.data, e.n, &sums);
        }
        if (e.n > 0)
            block_moments(&b, loops, e, &sums);
        hr__moments_merge(s, &b);
    }
}

/* n x (sum of squares) and the square of the sum are below 2^64: the difference is exact. */
static void small_moments(struct hr__statistics *b, size_t n, const struct hr__small_sums *sums) {
    const int64_t least = !hr__dtype_is_signed(b->dtype)  ? 0
                          : hr_dtype_bytes(b->dtype) == 1 ? INT8_MIN
                                                          : INT16_MIN;
    const int64_t min = least + (int64_t)sums->min, max = least + (int64_t)sums->max;
    const int64_t sum = least * (int64_t)n + (int64_t)sums->sum;
    b->zeros = sums->zeros;
    b->finite = n;
    b->mean = (double)sum / (double)n;
    b->m2 = (double)(n * sums->squares - sums->sum * sums->sum) / (double)n;
    b->min = (double)min;
    b->max = (double)max;
    b->min_bits = (uint64_t)min;
    b->max_bits = (uint64_t)max;
}

/* Bool and integers of 8 and 16 bits. */
static void add_small(struct hr__statistics *s, const uint8_t *data, uint64_t count) {
    const size_t size = hr_dtype_bytes(s->dtype);
    const struct hr__block_loops *loops = hr__block_loops();
    struct hr__small_sums sums;
    for (uint64_t at = 0; at < count; at += HR__SMALL_ELEMENTS) {
        const size_t n = (size_t)hr__min_u64(count - at, HR__SMALL_ELEMENTS);
        struct hr__statistics b = {
            .dtype = s->dtype, .values = n, .first_nan = UINT64_MAX, .first_inf = UINT64_MAX};
        loops->small(s->dtype, data + at * size, n, &sums);
        small_moments(&b, n, &sums);
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
    else if (hr__dtype_is_integer(s->dtype) && hr_dtype_bytes(s->dtype) <= 2)
        add_small(s, data, count);
    else
        add_large(s, data, first_sample, count, elements);
}
