/*
 * Memory budgets (base/budget.h).
 */
#include "budget.h"

#include "thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static void reserve__up_to_the_limit__is_given_and_one_more_byte_refused(void **state) {
    (void)state;
    struct hr__budget b;
    hr_error err = {0};
    hr__budget_init(&b, 100);
    assert_int_equal(hr__budget_reserve(&b, 60, "x", &err), HR_OK);
    assert_int_equal(hr__budget_left(&b), 40);
    assert_int_equal(hr__budget_reserve(&b, 41, "x", &err), HR_ERR_BUDGET);
    assert_int_equal(hr__budget_reserve(&b, 40, "x", &err), HR_OK);
    assert_int_equal(hr__budget_left(&b), 0);
    assert_int_equal(hr__budget_reserve(&b, 1, "x", NULL), HR_ERR_BUDGET);
    assert_int_equal(hr__budget_reserve(&b, 0, "x", NULL), HR_OK);
    assert_true(b.reserved_bytes == 100);
}

static void reserve__a_sum_that_overflows__is_refused(void **state) {
    (void)state;
    struct hr__budget b;
    hr__budget_init(&b, 100);
    assert_int_equal(hr__budget_reserve(&b, 60, "x", NULL), HR_OK);
    assert_int_equal(hr__budget_reserve(&b, UINT64_MAX, "x", NULL), HR_ERR_BUDGET);
    assert_int_equal(hr__budget_reserve(&b, UINT64_MAX - 59, "x", NULL), HR_ERR_BUDGET);
    assert_true(b.reserved_bytes == 60);
}

static void reserve__refused__says_what_and_how_much(void **state) {
    (void)state;
    struct hr__budget b;
    hr_error err = {0};
    hr__budget_init(&b, 8 * MIB);
    assert_int_equal(hr__budget_reserve(&b, 3 * MIB, "the index", &err), HR_OK);
    assert_int_equal(hr__budget_reserve(&b, 6 * MIB, "the ring", &err), HR_ERR_BUDGET);
    assert_int_equal(err.status, HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "the ring needs 6.0 MiB"));
    assert_non_null(strstr(err.message, "5.0 MiB of the budget of 8.0 MiB"));
}

static void reserve__refused_of_little__says_so_in_small_units(void **state) {
    (void)state;
    struct hr__budget b;
    hr_error err = {0};
    hr__budget_init(&b, 40 << 10);
    assert_int_equal(hr__budget_reserve(&b, (40 << 10) - 1, "x", &err), HR_OK);
    assert_int_equal(hr__budget_reserve(&b, 2000, "the ring", &err), HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "the ring needs 2.0 KiB, and 1 byte of the budget of "
                                        "40.0 KiB"));
}

static void release__then_reserve__works_and_the_peak_stays(void **state) {
    (void)state;
    struct hr__budget b;
    hr__budget_init(&b, 100);
    assert_int_equal(hr__budget_reserve(&b, 90, "x", NULL), HR_OK);
    hr__budget_release(&b, 90);
    assert_true(b.reserved_bytes == 0);
    assert_int_equal(hr__budget_reserve(&b, 50, "x", NULL), HR_OK);
    assert_true(b.peak_bytes == 90);
}

static void take__any_size__is_aligned_zeroed_and_charged(void **state) {
    (void)state;
    struct hr__budget b;
    hr_status st = HR_OK;
    hr__budget_init(&b, 10000);
    for (size_t n = 0; n < 200; n++) {
        uint8_t *p = hr__budget_take(&b, n, "x", &st, NULL);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        assert_true(b.reserved_bytes == n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n); /* the next one must be zeroed, not lucky */
        hr__budget_free(&b, p, n);
        assert_true(b.reserved_bytes == 0);
    }
}

static void take__beyond_the_limit__is_refused(void **state) {
    (void)state;
    struct hr__budget b;
    hr_status st = HR_OK;
    hr_error err = {0};
    hr__budget_init(&b, 10);
    assert_null(hr__budget_take(&b, 11, "x", &st, &err));
    assert_int_equal(st, HR_ERR_BUDGET);
    assert_int_equal(err.status, HR_ERR_BUDGET);
    assert_true(b.reserved_bytes == 0);
}

static void take__more_than_there_can_be__gives_the_charge_back(void **state) {
    (void)state;
    struct hr__budget b;
    hr_status st = HR_OK;
    hr_error err = {0};
    hr__budget_init(&b, UINT64_MAX);
    assert_null(hr__budget_take(&b, SIZE_MAX, "x", &st, &err));
    assert_int_equal(st, HR_ERR_NO_MEMORY);
    assert_int_equal(err.status, HR_ERR_NO_MEMORY);
    assert_null(hr__budget_take(&b, SIZE_MAX - 62, "x", &st, &err));
    assert_true(b.reserved_bytes == 0);
}

static void take__without_an_error_to_fill__says_the_status(void **state) {
    (void)state;
    struct hr__budget b;
    hr_status st = HR_OK;
    hr__budget_init(&b, 10);
    void *p = hr__budget_take(&b, 10, "x", &st, NULL);
    assert_non_null(p);
    assert_int_equal(st, HR_OK);
    assert_null(hr__budget_take_raw(&b, 1, "x", &st, NULL));
    assert_int_equal(st, HR_ERR_BUDGET);
    hr__budget_free(&b, p, 10);
    hr__budget_close(&b);
}

static void free__of_null__changes_nothing(void **state) {
    (void)state;
    struct hr__budget b;
    hr__budget_init(&b, 10);
    assert_int_equal(hr__budget_reserve(&b, 5, "x", NULL), HR_OK);
    hr__budget_free(&b, NULL, 5);
    assert_true(b.reserved_bytes == 5);
}

/* Reserves a third of the limit again and again: at most three at a time may have it. */
static void *contend(void *arg) {
    struct hr__budget *b = arg;
    uintptr_t given = 0;
    for (int i = 0; i < 20000; i++)
        if (hr__budget_reserve(b, 100, "x", NULL) == HR_OK) {
            given++;
            hr__budget_release(b, 100);
        }
    return (void *)given;
}

static void reserve__by_many_threads__never_exceeds_the_limit(void **state) {
    (void)state;
    struct hr__thread threads[6] = {{0}};
    struct hr__budget b;
    hr__budget_init(&b, 300);
    for (int i = 0; i < 6; i++)
        assert_int_equal(hr__thread_start(&threads[i], "contend", contend, &b, NULL), HR_OK);
    for (int i = 0; i < 6; i++)
        hr__thread_join(&threads[i]);
    assert_true(b.reserved_bytes == 0);
    assert_in_range(b.peak_bytes, 100, 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserve__up_to_the_limit__is_given_and_one_more_byte_refused),
        cmocka_unit_test(reserve__a_sum_that_overflows__is_refused),
        cmocka_unit_test(reserve__refused__says_what_and_how_much),
        cmocka_unit_test(reserve__refused_of_little__says_so_in_small_units),
        cmocka_unit_test(release__then_reserve__works_and_the_peak_stays),
        cmocka_unit_test(take__any_size__is_aligned_zeroed_and_charged),
        cmocka_unit_test(take__beyond_the_limit__is_refused),
        cmocka_unit_test(take__more_than_there_can_be__gives_the_charge_back),
        cmocka_unit_test(take__without_an_error_to_fill__says_the_status),
        cmocka_unit_test(free__of_null__changes_nothing),
        cmocka_unit_test(reserve__by_many_threads__never_exceeds_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
