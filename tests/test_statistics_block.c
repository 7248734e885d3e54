/*
 * format/statistics_loops.h: each table that this processor can run against plain loops, bit for
 * bit, as files must not depend on the processor they were written on.
 */
#include "cpu.h"
#include "statistics_block.h"

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

/* Elements of a type: bytes at random, and for floats all that is special among them. */
static void fill(hr_dtype dtype, uint8_t *data, size_t n) {
    static const double special[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, 1e308, -1e308, 5e-324};
    const size_t size = hr_dtype_bytes(dtype);
    for (size_t i = 0; i < n * size; i++)
        data[i] = (uint8_t)random_next();
    for (size_t i = 0; i < n; i++) {
        const uint32_t r = random_next();
        const double v = r % 64 < 8 ? special[r % 8] : ((double)r - 8e6) / 3;
        const float f = (float)v;
        if (dtype == HR_FLOAT64)
            memcpy(data + i * size, &v, size);
        else if (dtype == HR_FLOAT32)
            memcpy(data + i * size, &f, size);
        else if (r % 16 == 0)
            memset(data + i * size, 0, size);
    }
}

static void make_finite(hr_dtype dtype, uint8_t *data, size_t n) {
    double x[HR__BLOCK_ELEMENTS];
    const size_t size = hr_dtype_bytes(dtype);
    hr__block_loops_plain.to_doubles(dtype, data, n, x);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            memset(data + i * size, 0, size);
}

static void plain_sums(const double *x, size_t n, struct hr__block_sums *s) {
    *s = (struct hr__block_sums){.min = x[0], .max = x[0]};
    for (size_t i = 0; i < n; i++) {
        s->sum[i % HR__LANES] += x[i];
        s->min = x[i] < s->min ? x[i] : s->min;
        s->max = x[i] > s->max ? x[i] : s->max;
        s->zeros += x[i] == 0.0;
    }
}

static void plain_squares(const double *x, size_t n, double mean, double out[HR__LANES]) {
    memset(out, 0, HR__LANES * sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i % HR__LANES] += (x[i] - mean) * (x[i] - mean);
}

/* The same bits, or both NaN, whose bits nobody looks at. */
static void assert_same(const double a[HR__LANES], const double b[HR__LANES]) {
    for (size_t k = 0; k < HR__LANES; k++)
        if (!(isnan(a[k]) && isnan(b[k])))
            assert_memory_equal(&a[k], &b[k], sizeof(a[k]));
}

/* min_bits and max_bits of 64-bit integers. */
static void check_bounds(hr_dtype dtype, const uint8_t *data, size_t n,
                         const struct hr__block_sums *got) {
    int64_t low = INT64_MAX, high = INT64_MIN, v;
    uint64_t ulow = UINT64_MAX, uhigh = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(&v, data + i * sizeof(v), sizeof(v));
        low = v < low ? v : low;
        high = v > high ? v : high;
        ulow = (uint64_t)v < ulow ? (uint64_t)v : ulow;
        uhigh = (uint64_t)v > uhigh ? (uint64_t)v : uhigh;
    }
    assert_true(got->min_bits == (dtype == HR_INT64 ? (uint64_t)low : ulow));
    assert_true(got->max_bits == (dtype == HR_INT64 ? (uint64_t)high : uhigh));
}

static void check_block(const struct hr__block_loops *loops, hr_dtype dtype, const uint8_t *data,
                        size_t n, bool finite) {
    double x[HR__BLOCK_ELEMENTS], want_m2[HR__LANES], got_m2[HR__LANES];
    struct hr__block_sums want, got;
    hr__block_loops_plain.to_doubles(dtype, data, n, x);
    plain_sums(x, n, &want);
    loops->sums(dtype, data, n, &got);
    assert_same(got.sum, want.sum);
    assert_true(got.zeros == want.zeros);
    if (finite)
        assert_true(got.min == want.min && got.max == want.max);
    if (dtype == HR_INT64 || dtype == HR_UINT64)
        check_bounds(dtype, data, n, &got);
    plain_squares(x, n, 12.5, want_m2);
    loops->squares(dtype, data, n, 12.5, got_m2);
    assert_same(got_m2, want_m2);
}

static void check_sums(const struct hr__block_loops *loops) {
    static const hr_dtype large[] = {HR_INT32,  HR_INT64,   HR_UINT32,
                                     HR_UINT64, HR_FLOAT32, HR_FLOAT64};
    uint8_t bytes[HR__BLOCK_ELEMENTS * 8 + 1], *data = bytes + 1; /* at an odd address */
    seed = 1;
    for (size_t t = 0; t < sizeof(large) / sizeof(large[0]); t++)
        for (size_t n = 1; n <= HR__BLOCK_ELEMENTS; n += n < 70 ? 1 : 53) {
            fill(large[t], data, n);
            check_block(loops, large[t], data, n, false);
            make_finite(large[t], data, n);
            check_block(loops, large[t], data, n, true);
        }
}

static uint32_t shifted(hr_dtype dtype, const uint8_t *data, size_t i) {
    uint16_t v;
    if (hr_dtype_bytes(dtype) == 1)
        return data[i] ^ (dtype == HR_INT8 ? 0x80u : 0);
    memcpy(&v, data + 2 * i, sizeof(v));
    return v ^ (dtype == HR_INT16 ? 0x8000u : 0);
}

static void check_small_of(const struct hr__block_loops *loops, hr_dtype dtype, const uint8_t *data,
                           size_t n) {
    const uint32_t zero = dtype == HR_INT8 ? 0x80 : dtype == HR_INT16 ? 0x8000 : 0;
    struct hr__small_sums want = {.min = UINT32_MAX}, got;
    for (size_t i = 0; i < n; i++) {
        const uint32_t v = shifted(dtype, data, i);
        want.sum += v;
        want.squares += (uint64_t)v * v;
        want.min = v < want.min ? v : want.min;
        want.max = v > want.max ? v : want.max;
        want.zeros += v == zero;
    }
    loops->small(dtype, data, n, &got);
    assert_true(got.sum == want.sum && got.squares == want.squares && got.min == want.min &&
                got.max == want.max && got.zeros == want.zeros);
}

static void check_small(const struct hr__block_loops *loops) {
    static const hr_dtype small[] = {HR_BOOL, HR_INT8, HR_INT16, HR_UINT8, HR_UINT16};
    uint8_t *bytes = malloc(HR__SMALL_ELEMENTS * 2 + 1), *data = bytes + 1;
    assert_non_null(bytes);
    seed = 3;
    for (size_t t = 0; t < sizeof(small) / sizeof(small[0]); t++) {
        for (size_t n = 1; n <= HR__SMALL_ELEMENTS; n += n < 300 ? 1 : 7919) {
            fill(small[t], data, n);
            check_small_of(loops, small[t], data, n);
        }
        memset(data, 0xff, HR__SMALL_ELEMENTS * 2); /* the largest sums there can be */
        check_small_of(loops, small[t], data, HR__SMALL_ELEMENTS);
        memset(data, 0, HR__SMALL_ELEMENTS * 2); /* the most zeros */
        check_small_of(loops, small[t], data, HR__SMALL_ELEMENTS);
    }
    free(bytes);
}

/* The value that IEEE 754 gives to the bits, by its formula. */
static float binary16(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return fraction != 0 ? NAN : sign * INFINITY;
    return sign * (exponent == 0 ? ldexpf((float)fraction, -24)
                                 : ldexpf((float)(1024 + fraction), exponent - 25));
}

static float bfloat16(uint16_t bits) {
    const uint32_t upper = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &upper, sizeof(value));
    return value;
}

/* Every value of 16 bits; in lengths that are no multiple of anything. */
static void check_float16(const struct hr__block_loops *loops) {
    enum { EACH = 1021 };
    uint16_t half[EACH];
    float got[EACH];
    for (uint32_t first = 0; first <= UINT16_MAX; first += EACH)
        for (int ieee = 0; ieee < 2; ieee++) {
            for (uint32_t i = 0; i < EACH; i++)
                half[i] = (uint16_t)(first + i);
            loops->to_floats(ieee ? HR_FLOAT16 : HR_BFLOAT16, half, EACH, got);
            for (uint32_t i = 0; i < EACH; i++) {
                const float want = ieee ? binary16(half[i]) : bfloat16(half[i]);
                assert_true((isnan(got[i]) && isnan(want)) ||
                            memcmp(&got[i], &want, sizeof(want)) == 0);
            }
        }
}

static void check_conversion(const struct hr__block_loops *loops) {
    uint8_t bytes[HR__BLOCK_ELEMENTS * 8 + 1];
    double want[HR__BLOCK_ELEMENTS], got[HR__BLOCK_ELEMENTS];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)random_next();
    for (int t = HR_BOOL; t <= HR_FLOAT64; t++) {
        if (t == HR_FLOAT16 || t == HR_BFLOAT16)
            continue;
        size_t n = 1 + random_next() % HR__BLOCK_ELEMENTS, size = hr_dtype_bytes((hr_dtype)t);
        hr__block_loops_plain.to_doubles((hr_dtype)t, bytes + 1, n, want);
        loops->to_doubles((hr_dtype)t, bytes + 1, n, got);
        for (size_t i = 0; i < n; i++)
            assert_true(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])));
        loops->to_doubles((hr_dtype)t, bytes + 1 + (n - 1) * size, 1, got);
        assert_true(got[0] == want[n - 1] || isnan(got[0]));
    }
}

static void check_all(const struct hr__block_loops *loops) {
    check_sums(loops);
    check_small(loops);
    check_conversion(loops);
    check_float16(loops);
}

static void plain__every_length__is_the_lanes_in_order(void **state) {
    (void)state;
    check_all(&hr__block_loops_plain);
}

static void best__every_length__gives_the_same_bits(void **state) {
    (void)state;
    if (hr__block_loops() == &hr__block_loops_plain)
        skip();
    check_all(hr__block_loops());
}

#if defined(__x86_64__)
static void avx2__beside_better__gives_the_same_bits(void **state) {
    (void)state;
    if (!hr__cpu_has_avx2())
        skip();
    check_all(&hr__block_loops_avx2);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain__every_length__is_the_lanes_in_order),
        cmocka_unit_test(best__every_length__gives_the_same_bits),
#if defined(__x86_64__)
        cmocka_unit_test(avx2__beside_better__gives_the_same_bits),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
