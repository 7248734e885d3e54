/*
 * Finishing on the host: every element function against its definition, found another way, and
 * whole passes of every pair of types, layout and kind of loops against one value at a time.
 */
#include "finish.h"
#include "finish_elements.h"
#include "host_finish_block.h"
#include "order_cases.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Value of a float format of so many bits of exponent and mantissa, by its definition; infinite
 * where the exponent is all ones. */
static double defined_value(uint32_t bits, int exponent_bits, int mantissa_bits) {
    const int bias = (1 << (exponent_bits - 1)) - 1, most = (1 << exponent_bits) - 1;
    const int exponent = (int)(bits >> mantissa_bits) & most;
    const double mantissa = (double)(bits & ((1u << mantissa_bits) - 1));
    double v = exponent == 0 ? ldexp(mantissa, 1 - bias - mantissa_bits)
                             : ldexp(mantissa + (double)(1u << mantissa_bits),
                                     exponent - bias - mantissa_bits);
    if (exponent == most)
        v = INFINITY;
    return bits >> (exponent_bits + mantissa_bits) & 1 ? -v : v;
}

/* The nearest finite or infinite number of the format, ties to the even pattern, by search among
 * its patterns: infinity stands where the next number would be. */
static uint32_t nearest(double x, int exponent_bits, int mantissa_bits) {
    const uint32_t inf = ((1u << exponent_bits) - 1) << mantissa_bits;
    const uint32_t sign = signbit(x) ? 1u << (exponent_bits + mantissa_bits) : 0;
    const double magnitude = fabs(x);
    uint32_t lo = 0, hi = inf;
    while (hi - lo > 1) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (defined_value(mid, exponent_bits, mantissa_bits) <= magnitude)
            lo = mid;
        else
            hi = mid;
    }
    const double below = defined_value(lo, exponent_bits, mantissa_bits);
    double above = defined_value(hi, exponent_bits, mantissa_bits);
    if (hi == inf) /* as if the exponent went on */
        above = ldexp(1, (1 << (exponent_bits - 1)));
    if (magnitude >= above)
        return sign | inf;
    const double down = magnitude - below, up = above - magnitude; /* exact: they are close */
    if (down != up)
        return sign | (down < up ? lo : hi);
    return sign | (lo % 2 == 0 ? lo : hi);
}

static void check_float16(uint32_t bits) {
    const float x = hr__bits_float(bits);
    assert_int_equal(hr__to_float16(x), nearest((double)x, 5, 10));
}

static void check_bfloat16(uint32_t bits) {
    const float x = hr__bits_float(bits);
    assert_int_equal(hr__to_bfloat16(x), nearest((double)x, 8, 7));
}

static void check_casts(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof(x));
    if (isnan(x)) {
        assert_int_equal(hr__to_float16(x), 0x7e00);
        assert_int_equal(hr__to_bfloat16(x), 0x7fc0);
        assert_int_equal(hr__to_float32(x), 0x7fc00000);
        return;
    }
    check_float16(bits);
    check_bfloat16(bits);
    assert_int_equal(hr__to_float32(x), bits);
}

static void from_float16__every_pattern__is_its_value(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const float x = hr__from_float16((uint16_t)h);
        if ((h & 0x7fff) > 0x7c00) {
            assert_true(isnan(x));
            continue;
        }
        assert_true((double)x == defined_value(h, 5, 10));
        assert_int_equal(signbit(x) != 0, h >> 15);
        assert_int_equal(hr__to_float16(x), h); /* and back */
    }
}

static void to_float16__halfway_and_beside__rounds_to_nearest_even(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x7c00; h++) { /* from each number to the next, or to infinity */
        const double a = defined_value(h, 5, 10);
        const double b = h == 0x7bff ? 65536 : defined_value(h + 1, 5, 10);
        const float half = (float)((a + b) / 2); /* exact */
        uint32_t bits;
        memcpy(&bits, &half, sizeof(bits));
        for (uint32_t beside = bits - 1; beside != bits + 2; beside++) {
            check_float16(beside);
            check_float16(beside | 0x80000000u);
        }
        assert_int_equal(hr__to_float16(half), h + h % 2);
    }
}

static void to_bfloat16__halfway_and_beside__rounds_to_nearest_even(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x7f80; h++) {
        for (uint32_t low = 0x7fff; low <= 0x8001; low++) {
            check_bfloat16(h << 16 | low);
            check_bfloat16(0x80000000u | h << 16 | low);
        }
        assert_int_equal(hr__to_bfloat16(hr__bits_float(h << 16 | 0x8000)), h + h % 2);
    }
}

static void casts__every_exponent__are_the_nearest(void **state) {
    (void)state;
    uint64_t random = 1;
    static const uint32_t mantissas[] = {0,        1,        2,        0x0fff,
                                         0x1000,   0x1001,   0x3fffff, 0x400000,
                                         0x400001, 0x7fffff, 0x7fefff, 0x7ff000};
    for (uint32_t top = 0; top < 512; top++) { /* sign and exponent */
        for (size_t i = 0; i < sizeof(mantissas) / sizeof(mantissas[0]); i++)
            check_casts(top << 23 | mantissas[i]);
        for (int i = 0; i < 24; i++)
            check_casts(top << 23 | (uint32_t)(case_random(&random) & 0x7fffff));
    }
}

static void from_float64__any_value__is_the_nearest_float(void **state) {
    (void)state;
    uint64_t random = 2;
    for (int i = 0; i < 100000; i++) {
        const uint64_t exponent = 1023 - 160 + case_random(&random) % 300;
        const uint64_t tie = i % 2 ? 0x10000000 : case_random(&random) & 0x1fffffff;
        uint64_t bits = exponent << 52 | (case_random(&random) & 0xfffffe0000000) | tie;
        double x;
        bits |= (uint64_t)(i % 3 == 0) << 63;
        memcpy(&x, &bits, sizeof(x));
        assert_int_equal(hr__float_bits(hr__from_float64(x)), nearest(x, 8, 23));
    }
}

/* Types and their sizes. */
static const hr_dtype sources[] = {HR_UINT8, HR_INT16, HR_FLOAT16, HR_FLOAT32, HR_FLOAT64};
static const hr_dtype targets[] = {HR_FLOAT16, HR_BFLOAT16, HR_FLOAT32};

/* One value of the plan, found by itself. */
static void one_value(const struct hr__finish *f, const void *src, uint64_t i, void *dst,
                      uint64_t to) {
    const uint64_t s = i / f->sample_elements, e = i % f->sample_elements;
    const uint64_t c = e % f->channels;
    if (f->to_chw)
        to = s * f->sample_elements + c * f->plane_elements + e / f->channels;
    if (f->from == f->to && f->scale == NULL && f->shift == NULL) {
        memcpy((char *)dst + to * f->to_bytes, (const char *)src + i * f->from_bytes, f->to_bytes);
        return;
    }
    volatile float y = hr__value_load(f->from, src, i);
    if (f->scale != NULL)
        y = y * f->scale[c];
    if (f->shift != NULL)
        y = y + f->shift[c];
    hr__value_store(f->to, dst, to, y);
}

static void one_by_one(const struct hr__finish *f, const void *src, uint64_t num_samples, void *dst,
                       struct hr__finish_bad *bad) {
    for (uint64_t i = 0; i < num_samples * f->sample_elements; i++) {
        uint8_t value[8];
        one_value(f, src, i, dst, i);
        struct hr__finish alone = *f;
        alone.to_chw = false;
        one_value(&alone, src, i, value, 0);
        if (!f->check_finite)
            continue;
        const uint64_t magnitude = hr__magnitude(f->to, value, 0), inf = hr__infinity(f->to);
        bad->num_nan += magnitude > inf;
        bad->num_inf += magnitude == inf;
        if (magnitude >= inf && bad->first_row == UINT64_MAX)
            bad->first_row = i / f->sample_elements;
    }
}

#define MOST_ELEMENTS 20000u

struct buffers {
    uint8_t *src, *dst, *expected;
    float scale[4096], shift[4096];
};

static int buffers_make(void **state) {
    struct buffers *b = calloc(1, sizeof(*b));
    uint64_t random = 3;
    b->src = malloc(MOST_ELEMENTS * 8 + 64);
    b->dst = malloc(MOST_ELEMENTS * 8 + 64);
    b->expected = malloc(MOST_ELEMENTS * 8 + 64);
    for (size_t i = 0; i < MOST_ELEMENTS * 8; i++)
        b->src[i] = (uint8_t)case_random(&random);
    for (size_t i = 0; i < 4096; i++) {
        b->scale[i] = (float)case_random(&random) / 0x1p70f;
        b->shift[i] = (float)(int64_t)case_random(&random) / 0x1p60f;
    }
    *state = b;
    return 0;
}

static int buffers_free(void **state) {
    struct buffers *b = *state;
    free(b->src);
    free(b->dst);
    free(b->expected);
    free(b);
    return 0;
}

static void check_run(struct buffers *b, const struct hr__finish *f, uint64_t num_samples) {
    struct hr__finish_bad bad = HR__FINISH_BAD_NONE, expected = HR__FINISH_BAD_NONE;
    const size_t n_bytes = num_samples * f->sample_elements * f->to_bytes;
    memset(b->dst, 0xa5, n_bytes + 64);
    memset(b->expected, 0xa5, n_bytes + 64);
    hr__finish_run(f, b->src, num_samples, b->dst, &bad);
    one_by_one(f, b->src, num_samples, b->expected, &expected);
    if (hr__finish_writes(f))
        assert_memory_equal(b->dst, b->expected, n_bytes + 64);
    assert_int_equal(bad.num_nan, expected.num_nan);
    assert_int_equal(bad.num_inf, expected.num_inf);
    assert_int_equal(bad.first_row, expected.first_row);
}

struct layout {
    uint32_t channels;
    uint64_t plane_elements, num_samples;
};

static const struct layout layouts[] = {
    {1, 1, 1},    {1, 1, 777},  {1, 5000, 3}, {2, 33, 5},  {3, 1, 4},    {3, 49, 7},
    {3, 900, 2},  {4, 341, 3},  {7, 100, 2},  {64, 17, 3}, {1024, 2, 2}, {1025, 3, 2},
    {2500, 2, 3}, {300, 11, 2}, {3, 0, 5},    {5, 1, 0},
};

static void check_layouts(struct buffers *b, struct hr__finish f) {
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        const struct layout *l = &layouts[i];
        f.channels = l->channels;
        f.plane_elements = l->plane_elements;
        f.sample_elements = l->channels * l->plane_elements;
        f.to_chw = false;
        check_run(b, &f, l->num_samples);
        f.to_chw = true;
        check_run(b, &f, l->num_samples);
    }
}

static void run__every_cast_layout_and_scale__is_each_value_by_itself(void **state) {
    struct buffers *b = *state;
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 3; j++)
            for (uint32_t how = 0; how < 8; how++) {
                struct hr__finish f = {.from = sources[i],
                                       .to = targets[j],
                                       .from_bytes = hr_dtype_bytes(sources[i]),
                                       .to_bytes = hr_dtype_bytes(targets[j]),
                                       .check_finite = how & 1,
                                       .scale = how & 2 ? b->scale : NULL,
                                       .shift = how & 4 ? b->shift : NULL};
                check_layouts(b, f);
            }
}

static void run__as_stored__moves_bits_and_counts(void **state) {
    struct buffers *b = *state;
    static const hr_dtype types[] = {HR_BOOL,    HR_INT16,   HR_UINT32,   HR_INT64,
                                     HR_FLOAT16, HR_FLOAT32, HR_BFLOAT16, HR_FLOAT64};
    for (size_t i = 0; i < 8; i++) {
        struct hr__finish f = {.from = types[i],
                               .to = types[i],
                               .from_bytes = hr_dtype_bytes(types[i]),
                               .to_bytes = hr_dtype_bytes(types[i])};
        check_layouts(b, f);
        f.check_finite = i >= 4;
        check_layouts(b, f);
    }
}

static void run__one_bad_value_anywhere__is_counted_in_its_row(void **state) {
    struct buffers *b = *state;
    const uint32_t n = 3 * 1024 + 5;
    struct hr__finish f = {.from = HR_FLOAT32,
                           .to = HR_FLOAT16,
                           .from_bytes = 4,
                           .to_bytes = 2,
                           .sample_elements = 3,
                           .plane_elements = 3,
                           .channels = 1,
                           .check_finite = true};
    memset(b->expected, 0, n * 4);
    for (uint32_t at = 0; at < n / 3 * 3; at += 17) {
        struct hr__finish_bad bad = HR__FINISH_BAD_NONE;
        float *x = (float *)b->expected;
        x[at] = at % 2 ? NAN : -65520.0f; /* becomes infinite as float16 */
        hr__finish_run(&f, x, n / 3, b->dst, &bad);
        x[at] = 65519.0f;
        assert_int_equal(bad.num_nan, at % 2);
        assert_int_equal(bad.num_inf, 1 - at % 2);
        assert_int_equal(bad.first_row, at / 3);
    }
}

static void bad_add__parts_in_any_order__is_the_first(void **state) {
    (void)state;
    struct hr__finish_bad sum = HR__FINISH_BAD_NONE;
    const struct hr__finish_bad none = HR__FINISH_BAD_NONE, some = {1, 2, 3};
    hr__finish_bad_add(&sum, &none, 100);
    assert_true(sum.first_row == UINT64_MAX);
    hr__finish_bad_add(&sum, &some, 50);
    hr__finish_bad_add(&sum, &some, 10);
    hr__finish_bad_add(&sum, &some, 70);
    assert_int_equal(sum.num_nan, 3);
    assert_int_equal(sum.num_inf, 6);
    assert_int_equal(sum.first_row, 13);
}

/* The loops that this processor would not choose, too. */
static void loops__of_each_processor__give_the_same_bits(void **state) {
    struct buffers *b = *state;
    const struct hr__finish_loops *best = hr__finish_loops(), *plain = &hr__finish_loops_plain;
    const uint32_t n = 1019;
    for (uint32_t i = 0; i < 128; i++) /* halfway between numbers of the small types, too */
        ((uint32_t *)b->src)[i] = i << 24 | (i % 2 ? 0x1000 : 0x8000);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 3; j++) {
            memset(b->dst, 0, n * 4);
            memset(b->expected, 0, n * 4);
            best->cast(sources[i], targets[j], b->src, b->scale, b->shift, n, b->dst);
            plain->cast(sources[i], targets[j], b->src, b->scale, b->shift, n, b->expected);
            assert_memory_equal(b->dst, b->expected, n * 4);
        }
    if (best == plain)
        print_message("only the plain loops run on this processor\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_float16__every_pattern__is_its_value),
        cmocka_unit_test(to_float16__halfway_and_beside__rounds_to_nearest_even),
        cmocka_unit_test(to_bfloat16__halfway_and_beside__rounds_to_nearest_even),
        cmocka_unit_test(casts__every_exponent__are_the_nearest),
        cmocka_unit_test(from_float64__any_value__is_the_nearest_float),
        cmocka_unit_test(run__every_cast_layout_and_scale__is_each_value_by_itself),
        cmocka_unit_test(run__as_stored__moves_bits_and_counts),
        cmocka_unit_test(run__one_bad_value_anywhere__is_counted_in_its_row),
        cmocka_unit_test(bad_add__parts_in_any_order__is_the_first),
        cmocka_unit_test(loops__of_each_processor__give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, buffers_make, buffers_free);
}
