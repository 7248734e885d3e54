/*
 * format/statistics_loops.h: each table that this processor can run against plain loops, bit for
 * bit, as files must not depend on the processor they were written on.
 */
#include "cpu.h"
#include "dtype.h"
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

static void fill(double *x, size_t n) {
    static const double special[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, 1e308, -1e308, 5e-324};
    for (size_t i = 0; i < n; i++) {
        uint32_t r = random_next();
        x[i] = r % 64 < 8 ? special[r % 8] : ((double)r - 8e6) / 3;
    }
}

static void plain_sums(const double *x, size_t n, struct hr__block_sums *s) {
    memset(s, 0, sizeof(*s));
    for (size_t k = 0; k < HR__LANES; k++)
        s->min[k] = s->max[k] = x[0];
    for (size_t i = 0; i < n; i++) {
        size_t k = i % HR__LANES;
        s->sum[k] += x[i];
        s->min[k] = x[i] < s->min[k] ? x[i] : s->min[k];
        s->max[k] = x[i] > s->max[k] ? x[i] : s->max[k];
        s->zeros[k] += x[i] == 0.0;
        s->bad[k] += x[i] * 0.0;
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

static void check_block(const struct hr__block_loops *loops, const double *x, size_t n) {
    struct hr__block_sums want, got;
    double want_m2[HR__LANES], got_m2[HR__LANES];
    plain_sums(x, n, &want);
    loops->sums(x, n, &got);
    assert_same(got.sum, want.sum);
    assert_same(got.bad, want.bad);
    assert_memory_equal(got.zeros, want.zeros, sizeof(want.zeros));
    for (size_t k = 0; k < HR__LANES && !isnan(want.bad[k]); k++) { /* zeros of either sign */
        assert_true(got.min[k] == want.min[k]);
        assert_true(got.max[k] == want.max[k]);
    }
    plain_squares(x, n, 12.5, want_m2);
    loops->squares(x, n, 12.5, got_m2);
    assert_same(got_m2, want_m2);
}

static void check_sums(const struct hr__block_loops *loops) {
    double x[HR__BLOCK_ELEMENTS];
    seed = 1;
    for (size_t n = 1; n <= HR__BLOCK_ELEMENTS; n += n < 70 ? 1 : 53) {
        fill(x, n);
        check_block(loops, x, n);
        for (size_t i = 0; i < n; i++)
            x[i] = isfinite(x[i]) ? x[i] : 1.0;
        check_block(loops, x, n);
    }
}

static void check_conversion(const struct hr__block_loops *loops) {
    uint8_t bytes[HR__BLOCK_ELEMENTS * 8 + 1];
    double want[HR__BLOCK_ELEMENTS], got[HR__BLOCK_ELEMENTS];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)random_next();
    for (int t = HR_BOOL; t <= HR_FLOAT64; t++) {
        size_t n = 1 + random_next() % HR__BLOCK_ELEMENTS, size = hr_dtype_bytes((hr_dtype)t);
        hr__block_loops_plain.to_doubles((hr_dtype)t, bytes + 1, n, want);
        loops->to_doubles((hr_dtype)t, bytes + 1, n, got);
        for (size_t i = 0; i < n; i++)
            assert_true(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])));
        loops->to_doubles((hr_dtype)t, bytes + 1 + (n - 1) * size, 1, got);
        assert_true(got[0] == want[n - 1] || isnan(got[0]));
    }
}

static void plain__every_length__is_the_lanes_in_order(void **state) {
    (void)state;
    check_sums(&hr__block_loops_plain);
    check_conversion(&hr__block_loops_plain);
}

static void best__every_length__gives_the_same_bits(void **state) {
    (void)state;
    if (hr__block_loops() == &hr__block_loops_plain)
        skip();
    check_sums(hr__block_loops());
    check_conversion(hr__block_loops());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain__every_length__is_the_lanes_in_order),
        cmocka_unit_test(best__every_length__gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
