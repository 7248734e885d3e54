/*
 * format/distinct_set.c
 */
#include "clock.h"
#include "distinct_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void add(struct hr__distinct_set *s, uint64_t value) {
    assert_int_equal(hr__distinct_set_add(s, value, NULL), HR_OK);
}

static void distinct_set__repeats__count_once(void **state) {
    (void)state;
    struct hr__distinct_set s = {0};
    for (int round = 0; round < 3; round++)
        for (uint64_t v = 0; v < 1000; v++)
            add(&s, v * 7);
    assert_int_equal(hr__distinct_set_count(&s), 1000);
    hr__distinct_set_clear(&s);
    assert_int_equal(hr__distinct_set_count(&s), 0);
    add(&s, 7);
    assert_int_equal(hr__distinct_set_count(&s), 1);
    hr__distinct_set_free(&s);
}

/* 65,536 is the most, the value 0 counted, whenever it comes. */
static void distinct_set__one_too_many__overflows(void **state) {
    (void)state;
    for (uint64_t first = 0; first < 2; first++) {
        struct hr__distinct_set s = {0};
        for (uint64_t v = 0; v < HR__MAX_DISTINCT; v++)
            add(&s, first + v);
        assert_false(s.overflow);
        assert_int_equal(hr__distinct_set_count(&s), HR__MAX_DISTINCT);
        add(&s, first + 5); /* known: still not too many */
        assert_false(s.overflow);
        add(&s, first == 0 ? HR__MAX_DISTINCT : 0);
        assert_true(s.overflow);
        assert_int_equal(hr__distinct_set_count(&s), HR__MAX_DISTINCT);
        hr__distinct_set_free(&s);
    }
}

static void distinct_set__merge__is_the_union(void **state) {
    (void)state;
    struct hr__distinct_set a = {0}, b = {0};
    for (uint64_t v = 0; v < 40000; v++)
        add(&b, v);
    for (uint64_t v = 39990; v < 40010; v++)
        add(&a, v);
    assert_int_equal(hr__distinct_set_merge(&a, &b, NULL), HR_OK);
    assert_int_equal(hr__distinct_set_count(&a), 40010);
    b.overflow = true;
    assert_int_equal(hr__distinct_set_merge(&a, &b, NULL), HR_OK);
    assert_true(a.overflow);
    hr__distinct_set_free(&a);
    hr__distinct_set_free(&b);
}

static void distinct_set__sorted__by_sign(void **state) {
    (void)state;
    struct hr__distinct_set s = {0};
    uint64_t out[4];
    add(&s, 5);
    add(&s, 0);
    add(&s, (uint64_t)-3);
    add(&s, 1);
    hr__distinct_set_sorted(&s, true, out);
    assert_int_equal((int64_t)out[0], -3);
    assert_int_equal(out[1], 0);
    assert_int_equal(out[3], 5);
    hr__distinct_set_sorted(&s, false, out);
    assert_int_equal(out[0], 0);
    assert_int_equal((int64_t)out[3], -3);
    hr__distinct_set_free(&s);
}

/* Values that differ in a few bits only, wherever these are, must not share one place: what takes
 * milliseconds would take many seconds. */
static void distinct_set__values_differ_in_some_bits__stays_fast(void **state) {
    (void)state;
    for (unsigned shift = 0; shift <= 48; shift += 8) {
        struct hr__distinct_set s = {0};
        const int64_t begin_ns = hr__now_ns();
        for (int round = 0; round < 10; round++)
            for (uint64_t k = 0; k < HR__MAX_DISTINCT; k++)
                add(&s, k << shift);
        assert_int_equal(hr__distinct_set_count(&s), HR__MAX_DISTINCT);
        assert_true(hr__now_ns() - begin_ns < INT64_C(3000000000));
        hr__distinct_set_free(&s);
    }
}

/* Invariant 1: every number of values that fits leaves at most 1 MiB of slots. */
static void distinct_set__full__takes_a_mebibyte(void **state) {
    (void)state;
    struct hr__distinct_set s = {0};
    for (uint64_t v = 1; v <= HR__MAX_DISTINCT + 1; v++)
        add(&s, v);
    assert_true(s.overflow);
    assert_int_equal(s.capacity * sizeof(*s.slots), 1 << 20);
    hr__distinct_set_free(&s);
}

/* Invariant 2. */
static void distinct_set__ranges__are_values_once_one_is_added(void **state) {
    (void)state;
    struct hr__distinct_set s = {0}, other = {0};
    uint64_t out[8];
    assert_int_equal(hr__distinct_set_add_range(&s, (uint64_t)-2, 1, NULL), HR_OK);
    assert_int_equal(hr__distinct_set_add_range(&s, 5, 6, NULL), HR_OK);
    assert_int_equal(hr__distinct_set_count(&s), 6);
    assert_null(s.slots);
    hr__distinct_set_sorted(&s, true, out);
    for (int k = 0; k < 6; k++)
        assert_int_equal((int64_t)out[k], k < 4 ? k - 2 : k + 1);
    add(&other, 3);
    assert_int_equal(hr__distinct_set_merge(&other, &s, NULL), HR_OK);
    assert_int_equal(hr__distinct_set_count(&other), 7);
    add(&s, 6);
    assert_int_equal(hr__distinct_set_count(&s), 6);
    add(&s, 7);
    assert_int_equal(hr__distinct_set_count(&s), 7);
    hr__distinct_set_clear(&s);
    assert_int_equal(hr__distinct_set_count(&s), 0);
    hr__distinct_set_free(&s);
    hr__distinct_set_free(&other);
}

static void distinct_set__ranges_of_too_many_values__overflow(void **state) {
    (void)state;
    struct hr__distinct_set s = {0};
    assert_int_equal(hr__distinct_set_add_range(&s, 1, HR__MAX_DISTINCT, NULL), HR_OK);
    assert_false(s.overflow);
    assert_int_equal(hr__distinct_set_count(&s), HR__MAX_DISTINCT);
    assert_int_equal(hr__distinct_set_add_range(&s, 1u << 20, 1u << 20, NULL), HR_OK);
    assert_true(s.overflow);
    hr__distinct_set_clear(&s);
    assert_int_equal(hr__distinct_set_add_range(&s, 0, UINT64_MAX, NULL), HR_OK);
    assert_true(s.overflow);
    hr__distinct_set_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distinct_set__repeats__count_once),
        cmocka_unit_test(distinct_set__one_too_many__overflows),
        cmocka_unit_test(distinct_set__merge__is_the_union),
        cmocka_unit_test(distinct_set__sorted__by_sign),
        cmocka_unit_test(distinct_set__full__takes_a_mebibyte),
        cmocka_unit_test(distinct_set__ranges__are_values_once_one_is_added),
        cmocka_unit_test(distinct_set__ranges_of_too_many_values__overflow),
        cmocka_unit_test(distinct_set__values_differ_in_some_bits__stays_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
