/*
 * base/checked.h
 */
#include "checked.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void range_within__off_beyond_end__is_false(void **state) {
    (void)state;
    assert_false(hr__range_within(11, 0, 10));
    assert_true(hr__range_within(10, 0, 10));
    assert_false(hr__range_within(10, 1, 10));
    assert_false(hr__range_within(1, UINT64_MAX, 10));
}

static void mul__overflow__is_refused(void **state) {
    (void)state;
    uint64_t out = 7;
    assert_false(hr__mul_u64(UINT64_MAX, 2, &out));
    assert_true(hr__mul_u64(UINT64_MAX, 1, &out));
    assert_int_equal(out, UINT64_MAX);
    assert_false(hr__add_u64(UINT64_MAX, 1, &out));
}

static void ceil_div__edges__no_overflow(void **state) {
    (void)state;
    assert_int_equal(hr__ceil_div(0, 4), 0);
    assert_int_equal(hr__ceil_div(1, 4), 1);
    assert_int_equal(hr__ceil_div(UINT64_MAX, 1), UINT64_MAX);
    assert_int_equal(hr__round_up(5, 4), 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_within__off_beyond_end__is_false),
        cmocka_unit_test(mul__overflow__is_refused),
        cmocka_unit_test(ceil_div__edges__no_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
