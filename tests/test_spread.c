/*
 * measure/spread.c
 */
#include "spread.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void same(hr_bench_spread found, double median, double lowest, double highest) {
    assert_true(fabs(found.median - median) < 1e-12);
    assert_true(fabs(found.lowest - lowest) < 1e-12);
    assert_true(fabs(found.highest - highest) < 1e-12);
}

static void spread__odd_number__is_the_middle_one(void **state) {
    (void)state;
    double values[] = {5, -1, 300, 2, 4};
    same(hr__spread_of(values, 5), 4, -1, 300);
}

static void spread__even_number__is_the_mean_of_the_middle_two(void **state) {
    (void)state;
    double values[] = {8, 1, 3, 2};
    same(hr__spread_of(values, 4), 2.5, 1, 8);
}

static void spread__one_value__is_all_three(void **state) {
    (void)state;
    double value = 0.25;
    same(hr__spread_of(&value, 1), 0.25, 0.25, 0.25);
}

static void spread__none__is_zero(void **state) {
    (void)state;
    double value = 7;
    same(hr__spread_of(&value, 0), 0, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spread__odd_number__is_the_middle_one),
        cmocka_unit_test(spread__even_number__is_the_mean_of_the_middle_two),
        cmocka_unit_test(spread__one_value__is_all_three),
        cmocka_unit_test(spread__none__is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
