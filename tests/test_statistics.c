/*
 * format/statistics*.c, against plain computations over the same values.
 */
#include "statistics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t seed;

static uint32_t random_next(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static hr_statistics get(const struct hr__statistics *s) {
    hr_statistics out = {.struct_bytes = sizeof(out)};
    hr__statistics_get(s, &out);
    return out;
}

static struct hr__statistics *of(hr_dtype dtype, bool labels, const void *data, uint64_t samples,
                                 uint64_t elements) {
    struct hr__statistics *s = hr__statistics_new(dtype, labels);
    assert_non_null(s);
    assert_int_equal(hr__statistics_add(s, data, 0, samples, elements, NULL), HR_OK);
    return s;
}

/* The figures in the widest arithmetic there is, one value after the other. */
struct plain {
    uint64_t zeros, nan, inf, finite, first_nan, first_inf;
    long double mean, m2;
    double min, max;
};

static struct plain plain_of(const double *x, uint64_t n, uint64_t elements) {
    struct plain p = {
        .first_nan = UINT64_MAX, .first_inf = UINT64_MAX, .min = INFINITY, .max = -INFINITY};
    for (uint64_t i = 0; i < n; i++) {
        p.zeros += x[i] == 0;
        if (isnan(x[i])) {
            p.first_nan = p.nan++ == 0 ? i / elements : p.first_nan;
        } else if (isinf(x[i])) {
            p.first_inf = p.inf++ == 0 ? i / elements : p.first_inf;
        } else {
            p.finite++;
            p.mean += x[i];
            p.min = x[i] < p.min ? x[i] : p.min;
            p.max = x[i] > p.max ? x[i] : p.max;
        }
    }
    p.mean /= p.finite > 0 ? (long double)p.finite : 1;
    for (uint64_t i = 0; i < n; i++)
        if (isfinite(x[i]))
            p.m2 += ((long double)x[i] - p.mean) * ((long double)x[i] - p.mean);
    return p;
}

static void assert_near(double found, long double expected, long double scale) {
    if (fabsl((long double)found - expected) > 1e-12L * scale)
        fail_msg("found %.17g, expected %.17Lg", found, expected);
}

static void assert_as_plain(const struct hr__statistics *s, const double *x, uint64_t n,
                            uint64_t elements) {
    const hr_statistics st = get(s);
    const struct plain p = plain_of(x, n, elements);
    assert_int_equal(st.valid, 1);
    assert_int_equal(st.num_values, n);
    assert_int_equal(st.num_zeros, p.zeros);
    assert_int_equal(st.num_nan, p.nan);
    assert_int_equal(st.num_inf, p.inf);
    assert_int_equal(st.first_nan_sample, p.first_nan);
    assert_int_equal(st.first_inf_sample, p.first_inf);
    assert_int_equal(st.has_moments, p.finite > 0);
    if (p.finite == 0)
        return;
    assert_true(st.min == p.min && st.max == p.max);
    const long double spread = sqrtl(p.m2 / (long double)p.finite);
    assert_near(st.mean, p.mean, fabsl(p.mean) + spread);
    assert_near(st.std, spread, fabsl(p.mean) + spread);
}

/* A value for each element, NaN, Inf and both zeros among them where the type has them. */
static double value_of(hr_dtype dtype, uint32_t i) {
    static const double special[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0};
    const uint32_t r = random_next();
    switch (dtype) {
    case HR_BOOL:
        return r % 2;
    case HR_INT8:
    case HR_UINT8:
        return (double)(r % 100) - (dtype == HR_INT8 ? 50 : 0);
    case HR_UINT16:
    case HR_UINT32:
    case HR_UINT64:
        return r % 50000;
    case HR_INT16:
    case HR_INT32:
    case HR_INT64:
        return (double)(r % 50000) - 25000;
    default:
        return i % 11 == 7 ? special[r % 5] : (double)((float)(r % 2048) - 1024) / 64;
    }
}

/* The bits of a small binary16; exact for the values above. */
static uint16_t to_float16(double v) {
    if (isnan(v))
        return 0x7e00;
    const uint16_t sign = signbit(v) ? 0x8000 : 0;
    if (isinf(v))
        return sign | 0x7c00;
    if (v == 0)
        return sign;
    int exponent;
    const double fraction = frexp(fabs(v), &exponent); /* 0.5 <= fraction < 1 */
    return (uint16_t)(sign | (exponent + 14) << 10 | ((uint32_t)ldexp(fraction, 11) & 0x3ff));
}

#define STORE(type)                                                                                \
    do {                                                                                           \
        type t = (type)v;                                                                          \
        memcpy(p, &t, sizeof(t));                                                                  \
    } while (0)

static void store(hr_dtype dtype, double v, uint8_t *p) {
    uint16_t half;
    switch (dtype) {
    case HR_BOOL:
    case HR_UINT8:
        STORE(uint8_t);
        break;
    case HR_INT8:
        STORE(int8_t);
        break;
    case HR_INT16:
        STORE(int16_t);
        break;
    case HR_UINT16:
        STORE(uint16_t);
        break;
    case HR_INT32:
        STORE(int32_t);
        break;
    case HR_UINT32:
        STORE(uint32_t);
        break;
    case HR_INT64:
        STORE(int64_t);
        break;
    case HR_UINT64:
        STORE(uint64_t);
        break;
    case HR_FLOAT16:
        half = to_float16(v);
        memcpy(p, &half, 2);
        break;
    case HR_BFLOAT16: {
        float f = (float)v;
        memcpy(p, (uint8_t *)&f + 2, 2);
        break;
    }
    case HR_FLOAT32:
        STORE(float);
        break;
    default:
        STORE(double);
    }
}

/* What the stored element is: bfloat16 keeps 8 bits only. */
static double stored_value(hr_dtype dtype, double v) {
    if (dtype != HR_BFLOAT16 || isnan(v))
        return v;
    float f = (float)v;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    bits &= 0xffff0000u;
    memcpy(&f, &bits, 4);
    return f;
}

static const hr_dtype numeric[] = {HR_BOOL,     HR_INT8,    HR_INT16,  HR_INT32,  HR_INT64,
                                   HR_UINT8,    HR_UINT16,  HR_UINT32, HR_UINT64, HR_FLOAT16,
                                   HR_BFLOAT16, HR_FLOAT32, HR_FLOAT64};

static void add__every_dtype_and_length__as_plain(void **state) {
    (void)state;
    static const uint64_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 63, 1023, 1024, 1025, 2050, 5000};
    seed = 1;
    for (size_t k = 0; k < sizeof(numeric) / sizeof(numeric[0]); k++)
        for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
            const uint32_t size = hr_dtype_bytes(numeric[k]);
            const uint64_t elements = lengths[l] % 5 == 0 ? 5 : 1, n = lengths[l];
            uint8_t *memory = malloc(n * size + 1), *data = memory + 1; /* at an odd address */
            double *x = malloc(n * sizeof(*x));
            for (uint64_t i = 0; i < n; i++) {
                x[i] = value_of(numeric[k], (uint32_t)i);
                store(numeric[k], x[i], data + i * size);
                x[i] = stored_value(numeric[k], x[i]);
            }
            struct hr__statistics *s = of(numeric[k], false, data, n / elements, elements);
            assert_as_plain(s, x, n, elements);
            hr__statistics_free(s);
            free(memory);
            free(x);
        }
}

/* Far from zero, a one-pass sum of squares would lose everything. */
static void add__large_mean_small_spread__keeps_the_spread(void **state) {
    (void)state;
    enum { N = 100000 };
    double *x = malloc(N * sizeof(*x));
    seed = 2;
    for (int i = 0; i < N; i++)
        x[i] = 1e9 + (double)(random_next() % 1000) / 1000;
    struct hr__statistics *s = of(HR_FLOAT64, false, x, N, 1);
    const struct plain p = plain_of(x, N, 1);
    assert_true(fabs(get(s).std - (double)sqrtl(p.m2 / N)) < 1e-6);
    hr__statistics_free(s);
    free(x);
}

static void add__only_nan_and_inf__has_no_moments(void **state) {
    (void)state;
    const float x[] = {NAN, INFINITY, -INFINITY, NAN};
    struct hr__statistics *s = of(HR_FLOAT32, false, x, 4, 1);
    hr_statistics st = get(s);
    assert_int_equal(st.num_nan, 2);
    assert_int_equal(st.num_inf, 2);
    assert_int_equal(st.first_inf_sample, 1);
    assert_int_equal(st.has_moments, 0);
    hr__statistics_free(s);
}

static void add__first_nan__is_a_sample_of_the_data_set(void **state) {
    (void)state;
    float x[30] = {0};
    x[17] = NAN; /* sample 5 of this call, 3 elements each */
    x[29] = -INFINITY;
    struct hr__statistics *s = hr__statistics_new(HR_FLOAT32, false);
    assert_int_equal(hr__statistics_add(s, x, 1000, 10, 3, NULL), HR_OK);
    assert_int_equal(get(s).first_nan_sample, 1005);
    assert_int_equal(get(s).first_inf_sample, 1009);
    assert_int_equal(get(s).num_zeros, 28);
    hr__statistics_free(s);
}

/* NaN and Inf at every place of a block, whose values are then found by other loops. */
static void add__one_nan_anywhere__is_found(void **state) {
    (void)state;
    enum { N = 1100 };
    float x[N];
    for (int at = 0; at < N; at++) {
        for (int i = 0; i < N; i++)
            x[i] = (float)i;
        x[at] = at % 2 == 0 ? NAN : INFINITY;
        struct hr__statistics *s = of(HR_FLOAT32, false, x, N, 1);
        hr_statistics st = get(s);
        assert_int_equal(st.num_nan + st.num_inf, 1);
        assert_int_equal(at % 2 == 0 ? st.first_nan_sample : st.first_inf_sample, at);
        assert_true(st.min == (at == 0 ? 1 : 0) && st.max == (at == N - 1 ? N - 2 : N - 1));
        hr__statistics_free(s);
    }
}

static void integers__extremes__are_exact(void **state) {
    (void)state;
    const int64_t i64[] = {0, INT64_MAX, INT64_MIN, INT64_MAX - 1, 9007199254740993};
    const uint64_t u64[] = {UINT64_MAX, 9007199254740993, UINT64_MAX - 1};
    const int8_t i8[] = {-128, 127, 0};
    struct hr__statistics *s = of(HR_INT64, false, i64, 5, 1);
    assert_int_equal(get(s).min_int, INT64_MIN);
    assert_int_equal(get(s).max_int, INT64_MAX);
    hr__statistics_free(s);
    s = of(HR_INT64, false, i64 + 3, 1, 1);
    assert_int_equal(get(s).min_int, INT64_MAX - 1);
    hr__statistics_free(s);
    s = of(HR_UINT64, false, u64, 3, 1);
    assert_int_equal(get(s).min_uint, 9007199254740993);
    assert_int_equal(get(s).max_uint, UINT64_MAX);
    hr__statistics_free(s);
    s = of(HR_INT8, false, i8, 3, 1);
    assert_int_equal(get(s).min_int, -128);
    assert_int_equal(get(s).max_int, 127);
    hr__statistics_free(s);
}

static void complex__parts__decide_the_count(void **state) {
    (void)state;
    const float x[] = {1, 2, NAN, INFINITY, INFINITY, 0, 0, -0.0f, 3, NAN};
    struct hr__statistics *s = of(HR_COMPLEX64, false, x, 5, 1);
    hr_statistics st = get(s);
    assert_int_equal(st.num_values, 5);
    assert_int_equal(st.num_nan, 2);
    assert_int_equal(st.num_inf, 1);
    assert_int_equal(st.num_zeros, 1);
    assert_int_equal(st.first_nan_sample, 1);
    assert_int_equal(st.first_inf_sample, 2);
    assert_int_equal(st.has_moments, 0);
    hr__statistics_free(s);
    const double one[] = {0, INFINITY};
    s = of(HR_COMPLEX128, false, one, 1, 1);
    assert_int_equal(get(s).num_inf, 1);
    hr__statistics_free(s);
}

/* Runs and distinct values by comparing neighbours and everything with everything. */
static void assert_labels_as_plain(const struct hr__statistics *s, const int32_t *y, uint64_t n) {
    uint64_t runs = 0, run = 0, longest = 0, distinct = 0;
    for (uint64_t i = 0; i < n; i++) {
        bool seen = false;
        for (uint64_t k = 0; k < i && !seen; k++)
            seen = y[k] == y[i];
        distinct += !seen;
        run = i > 0 && y[i] == y[i - 1] ? run + 1 : 1;
        runs += run == 1;
        longest = run > longest ? run : longest;
    }
    const hr_statistics st = get(s);
    assert_int_equal(st.has_labels, 1);
    assert_int_equal(st.num_runs, runs);
    assert_int_equal(st.longest_run_samples, longest);
    assert_int_equal(st.num_distinct, distinct);
    assert_int_equal(st.looks_sorted, distinct >= 2 && n >= 4 * distinct && runs <= 2 * distinct);
}

/* In pieces of 1, 7, 100 and all: the runs go on over the seams. */
static void labels__cut_anywhere__as_plain(void **state) {
    (void)state;
    enum { N = 400 };
    static const uint64_t pieces[] = {1, 7, 100, N};
    int32_t y[N];
    seed = 3;
    for (int kind = 0; kind < 4; kind++) {
        for (int i = 0; i < N; i++)
            y[i] = kind == 0   ? i / 40 - 5
                   : kind == 1 ? (int32_t)(random_next() % 10)
                   : kind == 2 ? 7
                               : i;
        for (int p = 0; p < 4; p++) {
            struct hr__statistics *all = hr__statistics_new(HR_INT32, true);
            struct hr__statistics *in_place = hr__statistics_new(HR_INT32, true);
            for (uint64_t at = 0; at < N; at += pieces[p]) {
                const uint64_t n = N - at < pieces[p] ? N - at : pieces[p];
                struct hr__statistics *part = hr__statistics_new(HR_INT32, true);
                assert_int_equal(hr__statistics_add(part, y + at, at, n, 1, NULL), HR_OK);
                assert_int_equal(hr__statistics_add(in_place, y + at, at, n, 1, NULL), HR_OK);
                assert_int_equal(hr__statistics_merge(all, part, NULL), HR_OK);
                hr__statistics_free(part);
            }
            assert_labels_as_plain(all, y, N);
            assert_labels_as_plain(in_place, y, N);
            hr__statistics_free(all);
            hr__statistics_free(in_place);
        }
    }
}

static void labels__too_many_values__overflow(void **state) {
    (void)state;
    enum { N = 65537 };
    int64_t *y = malloc(N * sizeof(*y));
    for (int64_t i = 0; i < N; i++)
        y[i] = i * 1000003 - 7;
    struct hr__statistics *s = of(HR_INT64, true, y, N - 1, 1);
    assert_int_equal(get(s).num_distinct, 65536);
    assert_int_equal(get(s).distinct_overflow, 0);
    assert_int_equal(hr__statistics_add(s, y + N - 1, N - 1, 1, 1, NULL), HR_OK);
    assert_int_equal(get(s).num_distinct, 65536);
    assert_int_equal(get(s).distinct_overflow, 1);
    assert_int_equal(get(s).looks_sorted, 0);
    assert_int_equal(get(s).num_runs, N);
    hr__statistics_reset(s);
    assert_int_equal(get(s).num_distinct, 0);
    assert_int_equal(get(s).distinct_overflow, 0);
    hr__statistics_free(s);
    free(y);
}

static void bool_labels__two_runs__look_sorted(void **state) {
    (void)state;
    const uint8_t y[] = {0, 0, 0, 0, 1, 1, 1, 1};
    struct hr__statistics *s = of(HR_BOOL, true, y, 8, 1);
    hr_statistics st = get(s);
    assert_int_equal(st.num_runs, 2);
    assert_int_equal(st.looks_sorted, 1);
    assert_int_equal(st.min_int, 0);
    assert_int_equal(st.max_int, 1);
    assert_true(st.mean == 0.5 && st.std == 0.5);
    hr__statistics_free(s);
}

static struct hr__statistics *merged(const double *x, uint64_t n, uint64_t piece) {
    struct hr__statistics *all = hr__statistics_new(HR_FLOAT64, false);
    struct hr__statistics *part = hr__statistics_new(HR_FLOAT64, false);
    for (uint64_t at = 0; at < n; at += piece) {
        hr__statistics_reset(part);
        assert_int_equal(
            hr__statistics_add(part, x + at, at, n - at < piece ? n - at : piece, 1, NULL), HR_OK);
        assert_int_equal(hr__statistics_merge(all, part, NULL), HR_OK);
    }
    hr__statistics_free(part);
    return all;
}

/* Counts and extremes exactly, mean and deviation to rounding; the same cut gives the same bits. */
static void merge__any_cut__as_one_pass(void **state) {
    (void)state;
    enum { N = 20000 };
    static const uint64_t pieces[] = {1, 3, 334, 1024, 5000, N};
    double *x = malloc(N * sizeof(*x));
    seed = 4;
    for (uint32_t i = 0; i < N; i++)
        x[i] = value_of(HR_FLOAT64, i) * 1e3 + 1e5;
    for (int p = 0; p < 6; p++) {
        struct hr__statistics *a = merged(x, N, pieces[p]), *b = merged(x, N, pieces[p]);
        assert_as_plain(a, x, N, 1);
        const hr_statistics sa = get(a), sb = get(b);
        assert_memory_equal(&sa, &sb, sizeof(sa));
        hr__statistics_free(a);
        hr__statistics_free(b);
    }
    free(x);
}

/* What `a` adds to nothing, and what nothing adds to `a`, is `a`, to the bit. */
static void merge__with_nothing__changes_nothing(void **state) {
    (void)state;
    const double x[] = {0.1, 0.2, NAN, 0.7, -INFINITY};
    struct hr__statistics *a = of(HR_FLOAT64, false, x, 5, 1);
    struct hr__statistics *nothing = hr__statistics_new(HR_FLOAT64, false);
    struct hr__statistics *into = hr__statistics_new(HR_FLOAT64, false);
    const hr_statistics before = get(a);
    assert_int_equal(hr__statistics_merge(a, nothing, NULL), HR_OK);
    assert_int_equal(hr__statistics_merge(into, a, NULL), HR_OK);
    const hr_statistics after = get(a), copied = get(into);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_memory_equal(&before, &copied, sizeof(before));
    hr__statistics_free(a);
    hr__statistics_free(nothing);
    hr__statistics_free(into);
}

static void wanted__kinds__as_specified(void **state) {
    (void)state;
    for (int t = HR_BOOL; t <= HR_VAR_UTF8; t++)
        assert_int_equal(hr__statistics_wanted((hr_dtype)t), t <= HR_COMPLEX128);
}

/* Two data sets, each of which counts its samples from 0. */
static void append__other_data_set__samples_move_and_labels_need_both(void **state) {
    (void)state;
    const float first[] = {1, 2, 3}, second[] = {4, NAN, 5, INFINITY};
    struct hr__statistics *a = of(HR_FLOAT32, false, first, 3, 1);
    struct hr__statistics *b = of(HR_FLOAT32, false, second, 4, 1);
    assert_int_equal(hr__statistics_append(a, b, 1000, NULL), HR_OK);
    assert_int_equal(get(a).first_nan_sample, 1001);
    assert_int_equal(get(a).first_inf_sample, 1003);
    assert_int_equal(get(b).first_nan_sample, 1);
    /* A file that lies about its first NaN makes it none, not a small number. */
    assert_int_equal(hr__statistics_append(a, b, UINT64_MAX - 1, NULL), HR_OK);
    assert_int_equal(get(a).first_nan_sample, 1001);
    hr__statistics_free(a);
    hr__statistics_free(b);
    const int32_t labels[] = {1, 1, 2};
    a = of(HR_INT32, true, labels, 3, 1);
    b = of(HR_INT32, true, labels, 3, 1);
    assert_int_equal(hr__statistics_append(a, b, 3, NULL), HR_OK);
    assert_true(get(a).has_labels && get(a).num_distinct == 2 && get(a).num_runs == 4);
    assert_true(hr__statistics_held_bytes(a) > 512);
    hr__statistics_free(b);
    b = of(HR_INT32, false, labels, 3, 1);
    assert_int_equal(hr__statistics_append(a, b, 6, NULL), HR_OK);
    assert_false(get(a).has_labels);
    assert_int_equal(get(a).num_values, 9);
    assert_true(hr__statistics_held_bytes(a) < 512);
    hr__statistics_free(a);
    hr__statistics_free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add__every_dtype_and_length__as_plain),
        cmocka_unit_test(add__large_mean_small_spread__keeps_the_spread),
        cmocka_unit_test(add__only_nan_and_inf__has_no_moments),
        cmocka_unit_test(add__first_nan__is_a_sample_of_the_data_set),
        cmocka_unit_test(add__one_nan_anywhere__is_found),
        cmocka_unit_test(integers__extremes__are_exact),
        cmocka_unit_test(complex__parts__decide_the_count),
        cmocka_unit_test(labels__cut_anywhere__as_plain),
        cmocka_unit_test(labels__too_many_values__overflow),
        cmocka_unit_test(bool_labels__two_runs__look_sorted),
        cmocka_unit_test(merge__any_cut__as_one_pass),
        cmocka_unit_test(merge__with_nothing__changes_nothing),
        cmocka_unit_test(wanted__kinds__as_specified),
        cmocka_unit_test(append__other_data_set__samples_move_and_labels_need_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
