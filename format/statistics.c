/*
 * Statistics of a field (docs/format.md, 7.3). Values go through blocks of doubles, so that one set
 * of loops serves every type and can be vectorised; integers keep their exact minimum and maximum
 * beside that. Everything is computed in a fixed order, so equal data give equal bits.
 */
#include "statistics_internal.h"

#include "dtype.h"
#include "error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 1024u

bool hr__statistics_wanted(hr_dtype dtype) {
    return hr__dtype_is_integer(dtype) || hr__dtype_is_real(dtype) || hr__dtype_is_complex(dtype);
}

struct hr__statistics *hr__statistics_new(hr_dtype dtype, bool labels) {
    struct hr__statistics *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->dtype = dtype;
    s->labels = labels;
    hr__statistics_reset(s);
    return s;
}

void hr__statistics_free(struct hr__statistics *s) {
    if (s != NULL)
        hr__distinct_set_free(&s->distinct);
    free(s);
}

void hr__statistics_reset(struct hr__statistics *s) {
    struct hr__statistics empty = {.dtype = s->dtype,
                                   .labels = s->labels,
                                   .first_nan = UINT64_MAX,
                                   .first_inf = UINT64_MAX,
                                   .distinct = s->distinct};
    hr__distinct_set_clear(&empty.distinct);
    *s = empty;
}

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

/* An integer element as 64 bits, sign-extended if its type is signed. */
static uint64_t integer_bits(hr_dtype dtype, const uint8_t *p) {
    int8_t i8;
    int16_t i16;
    int32_t i32;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (dtype) {
    case HR_INT8:
        memcpy(&i8, p, 1);
        return (uint64_t)(int64_t)i8;
    case HR_INT16:
        memcpy(&i16, p, 2);
        return (uint64_t)(int64_t)i16;
    case HR_INT32:
        memcpy(&i32, p, 4);
        return (uint64_t)(int64_t)i32;
    case HR_UINT16:
        memcpy(&u16, p, 2);
        return u16;
    case HR_UINT32:
        memcpy(&u32, p, 4);
        return u32;
    case HR_INT64:
    case HR_UINT64:
        memcpy(&u64, p, 8);
        return u64;
    default:
        return p[0];
    }
}

static bool less(const struct hr__statistics *s, uint64_t a, uint64_t b) {
    return hr__dtype_is_signed(s->dtype) ? (int64_t)a < (int64_t)b : a < b;
}

/* a := a followed by b, for counts and moments. */
static void merge_moments(struct hr__statistics *a, const struct hr__statistics *b) {
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

/* Moments of n finite values, n > 0. Four sums side by side: the compiler may not reorder one. */
static void block_moments(struct hr__statistics *b, const double *x, size_t n) {
    double sum[4] = {0}, m2[4] = {0};
    double min = x[0], max = x[0];
    for (size_t i = 0; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; k++)
            sum[k] += x[i + k];
    for (size_t i = n & ~(size_t)3; i < n; i++)
        sum[i & 3] += x[i];
    b->mean = ((sum[0] + sum[1]) + (sum[2] + sum[3])) / (double)n;
    for (size_t i = 0; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; k++)
            m2[k] += (x[i + k] - b->mean) * (x[i + k] - b->mean);
    for (size_t i = n & ~(size_t)3; i < n; i++)
        m2[i & 3] += (x[i] - b->mean) * (x[i] - b->mean);
    b->m2 = (m2[0] + m2[1]) + (m2[2] + m2[3]);
    for (size_t i = 0; i < n; i++) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
    }
    b->min = min;
    b->max = max;
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

static bool all_finite(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * 0.0; /* NaN unless every value is finite */
    return sum == 0.0;
}

static uint64_t count_zeros(const double *x, size_t n) {
    uint64_t zeros = 0;
    for (size_t i = 0; i < n; i++)
        zeros += x[i] == 0.0;
    return zeros;
}

static void block_bounds(struct hr__statistics *b, const uint8_t *data, size_t n, size_t size) {
    b->min_bits = b->max_bits = integer_bits(b->dtype, data);
    for (size_t i = 1; i < n; i++) {
        uint64_t v = integer_bits(b->dtype, data + i * size);
        b->min_bits = less(b, v, b->min_bits) ? v : b->min_bits;
        b->max_bits = less(b, b->max_bits, v) ? v : b->max_bits;
    }
}

static void add_real(struct hr__statistics *s, const uint8_t *data, uint64_t first_sample,
                     uint64_t count, uint64_t elements) {
    size_t size = hr_dtype_bytes(s->dtype);
    double x[BLOCK];
    for (uint64_t at = 0; at < count; at += BLOCK) {
        size_t n = count - at < BLOCK ? (size_t)(count - at) : BLOCK, finite = n;
        struct hr__statistics b = {
            .dtype = s->dtype, .values = n, .first_nan = UINT64_MAX, .first_inf = UINT64_MAX};
        to_doubles(s->dtype, data + at * size, n, x);
        b.zeros = count_zeros(x, n);
        if (hr__dtype_is_integer(s->dtype) && size == 8)
            block_bounds(&b, data + at * size, n, size); /* a double would round them */
        else if (!all_finite(x, n))
            finite = keep_finite(&b, x, n, at, elements, first_sample);
        if (finite > 0)
            block_moments(&b, x, finite);
        if (hr__dtype_is_integer(s->dtype) && size < 8) {
            b.min_bits = (uint64_t)(int64_t)b.min;
            b.max_bits = (uint64_t)(int64_t)b.max;
        }
        merge_moments(s, &b);
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

static void end_run(struct hr__statistics *s) {
    if (s->last_run.samples > s->longest_run)
        s->longest_run = s->last_run.samples;
    if (s->runs == 1)
        s->first_run = s->last_run;
}

static hr_status add_labels(struct hr__statistics *s, const uint8_t *data, uint64_t count,
                            hr_error *err) {
    size_t size = hr_dtype_bytes(s->dtype);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t v = integer_bits(s->dtype, data + i * size);
        if (s->runs > 0 && v == s->last_run.value) {
            s->last_run.samples++;
            continue;
        }
        end_run(s);
        s->runs++;
        s->last_run = (struct hr__run){v, 1};
        hr_status st = hr__distinct_set_add(&s->distinct, v, err);
        if (st != HR_OK)
            return st;
    }
    end_run(s);
    return HR_OK;
}

hr_status hr__statistics_add(struct hr__statistics *s, const void *data, uint64_t first_sample,
                             uint64_t num_samples, uint64_t num_elements, hr_error *err) {
    uint64_t count = num_samples * num_elements;
    if (count == 0)
        return HR_OK;
    if (hr__dtype_is_complex(s->dtype))
        add_complex(s, data, first_sample, count, num_elements);
    else
        add_real(s, data, first_sample, count, num_elements);
    return s->labels ? add_labels(s, data, count, err) : HR_OK;
}

/* Runs of a followed by those of b: the last of a and the first of b may be one. */
static void merge_runs(struct hr__statistics *a, const struct hr__statistics *b) {
    if (b->runs == 0)
        return;
    if (a->runs == 0) {
        a->runs = b->runs;
        a->longest_run = b->longest_run;
        a->first_run = b->first_run;
        a->last_run = b->last_run;
        return;
    }
    bool joined = a->last_run.value == b->first_run.value;
    uint64_t joint = a->last_run.samples + b->first_run.samples;
    a->longest_run = a->longest_run > b->longest_run ? a->longest_run : b->longest_run;
    if (joined && joint > a->longest_run)
        a->longest_run = joint;
    if (joined && a->runs == 1)
        a->first_run.samples = joint;
    a->last_run = b->last_run;
    if (joined && b->runs == 1)
        a->last_run.samples = joint;
    a->runs += b->runs - joined;
}

hr_status hr__statistics_merge(struct hr__statistics *a, const struct hr__statistics *b,
                               hr_error *err) {
    merge_moments(a, b);
    if (!a->labels)
        return HR_OK;
    merge_runs(a, b);
    return hr__distinct_set_merge(&a->distinct, &b->distinct, err);
}

static bool looks_sorted(const struct hr__statistics *s) {
    uint64_t distinct = hr__distinct_set_count(&s->distinct);
    return s->labels && !s->distinct.overflow && distinct >= 2 && s->values >= 4 * distinct &&
           s->runs <= 2 * distinct;
}

void hr__statistics_get(const struct hr__statistics *s, hr_statistics *out) {
    bool moments = s->finite > 0 && !hr__dtype_is_complex(s->dtype);
    *out = (hr_statistics){.struct_bytes = sizeof(*out),
                           .valid = 1,
                           .has_moments = moments,
                           .has_labels = s->labels,
                           .num_values = s->values,
                           .num_zeros = s->zeros,
                           .num_nan = s->nan,
                           .num_inf = s->inf,
                           .first_nan_sample = s->first_nan,
                           .first_inf_sample = s->first_inf,
                           .longest_run_samples = s->longest_run,
                           .num_runs = s->runs,
                           .num_distinct = hr__distinct_set_count(&s->distinct),
                           .distinct_overflow = s->distinct.overflow,
                           .looks_sorted = looks_sorted(s)};
    if (!moments)
        return;
    out->min = s->min;
    out->max = s->max;
    out->mean = s->mean;
    out->std = sqrt(s->m2 / (double)s->finite);
    if (hr__dtype_is_integer(s->dtype)) {
        out->min_int = (int64_t)s->min_bits;
        out->max_int = (int64_t)s->max_bits;
        out->min_uint = s->min_bits;
        out->max_uint = s->max_bits;
    }
}
