/*
 * Memory of readers, divided between fields and readers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reader_shares.h"

#include "headrace/memory.h"

#include <string.h>

#define NUM_FIELDS 3u

static struct hr__source sources[NUM_FIELDS];
static struct hr__input_field fields[NUM_FIELDS];
static const struct hr__inputs inputs = {.num_fields = NUM_FIELDS, .fields = fields};

/* The second one is a plain file. */
static void make_inputs(uint64_t least_a, uint64_t wanted_a, uint64_t least_c, uint64_t wanted_c) {
    memset(sources, 0, sizeof sources);
    sources[0].info =
        (struct hr__source_info){.reader_bytes = least_a, .reader_wanted_bytes = wanted_a};
    sources[2].info =
        (struct hr__source_info){.reader_bytes = least_c, .reader_wanted_bytes = wanted_c};
    for (uint32_t i = 0; i < NUM_FIELDS; i++)
        fields[i].source = &sources[i];
}

static void shares__enough__everyone_gets_what_it_wants(void **state) {
    (void)state;
    struct hr__budget budget;
    struct hr__reader_shares s;
    make_inputs(10, 100, 20, 30);
    hr__budget_init(&budget, 1000);
    assert_int_equal(hr__reader_shares_make(&inputs, 4, &budget, &s, NULL), HR_OK);
    assert_int_equal(s.num_readers, 4);
    for (uint32_t r = 0; r < 4; r++) {
        assert_int_equal(hr__reader_shares_of(&s, r, 0)->limit_bytes, 100);
        assert_ptr_equal(hr__reader_shares_of(&s, r, 1), &budget);
        assert_int_equal(hr__reader_shares_of(&s, r, 2)->limit_bytes, 30);
    }
    assert_int_equal(budget.reserved_bytes, 4 * 130);
    hr__reader_shares_close(&s);
    assert_int_equal(budget.reserved_bytes, 0);
    hr__budget_close(&budget);
}

static void shares__little__the_least_goes_first(void **state) {
    (void)state;
    struct hr__budget budget;
    struct hr__reader_shares s;
    make_inputs(10, 100, 20, 300);
    for (uint64_t limit = 30; limit < 200; limit++) {
        hr__budget_init(&budget, limit);
        assert_int_equal(hr__reader_shares_make(&inputs, 4, &budget, &s, NULL), HR_OK);
        assert_int_equal(s.num_readers, limit / 30 < 4 ? limit / 30 : 4);
        for (uint32_t r = 0; r < s.num_readers; r++) {
            assert_true(hr__reader_shares_of(&s, r, 0)->limit_bytes >= 10);
            assert_true(hr__reader_shares_of(&s, r, 2)->limit_bytes >= 20);
        }
        hr__reader_shares_close(&s);
        assert_int_equal(budget.reserved_bytes, 0);
        hr__budget_close(&budget);
    }
}

static void shares__too_little__is_refused_and_nothing_is_kept(void **state) {
    (void)state;
    struct hr__budget budget;
    struct hr__reader_shares s;
    hr_error err = {.status = HR_OK};
    make_inputs(10, 100, 20, 300);
    hr__budget_init(&budget, 29);
    assert_int_equal(hr__reader_shares_make(&inputs, 1, &budget, &s, &err), HR_ERR_BUDGET);
    assert_int_equal(budget.reserved_bytes, 0);
    make_inputs(UINT64_MAX, UINT64_MAX, 20, 300);
    assert_int_equal(hr__reader_shares_make(&inputs, 1, &budget, &s, &err), HR_ERR_BUDGET);
    assert_int_equal(budget.reserved_bytes, 0);
    hr__reader_shares_close(&s);
    hr__budget_close(&budget);
}

static void shares__beside_cursors__leave_these_their_memory(void **state) {
    (void)state;
    struct hr__budget budget;
    struct hr__reader_shares s;
    make_inputs(10, 1000, 0, 0);
    sources[1].info = sources[2].info = (struct hr__source_info){.pool = &budget, .pool_bytes = 50};
    for (uint64_t limit = 60; limit < 300; limit++) {
        hr__budget_init(&budget, limit);
        assert_int_equal(hr__reader_shares_make(&inputs, 4, &budget, &s, NULL), HR_OK);
        assert_int_equal(s.num_readers, limit / 60 < 4 ? limit / 60 : 4);
        assert_true(limit - budget.reserved_bytes >= 50 * s.num_readers);
        assert_true(limit - budget.reserved_bytes < 50 * s.num_readers + 4);
        hr__reader_shares_close(&s);
        hr__budget_close(&budget);
    }
}

/* Two fields, of which each asks for more than its share. */
static void open_two(struct hr__reader_shares *s, struct hr__budget *budget,
                     struct hr__budget *own[2]) {
    make_inputs(10, 100, 20, 30);
    hr__budget_init(budget, 1000);
    assert_int_equal(hr__reader_shares_make(&inputs, 1, budget, s, NULL), HR_OK);
    own[0] = hr__reader_shares_of(s, 0, 0);
    own[1] = hr__reader_shares_of(s, 0, 2);
    assert_int_equal(hr__budget_reserve(own[0], 500, "a value", NULL), HR_ERR_BUDGET);
    assert_int_equal(hr__budget_reserve(own[1], 31, "a value", NULL), HR_ERR_BUDGET);
}

static void close_two(struct hr__reader_shares *s, struct hr__budget *budget) {
    hr__reader_shares_close(s);
    assert_int_equal(budget->reserved_bytes, 0);
    hr__budget_close(budget);
}

static void shares__lent__get_what_was_refused_until_it_is_taken_back(void **state) {
    (void)state;
    struct hr__budget budget, *own[2];
    struct hr__reader_shares s;
    open_two(&s, &budget, own);
    assert_int_equal(hr__reader_shares_lend(&s, 0, NULL), HR_OK);
    assert_int_equal(own[0]->limit_bytes, 500);
    assert_int_equal(hr__reader_shares_lend(&s, 2, NULL), HR_OK);
    assert_int_equal(own[1]->limit_bytes, 60); /* as much again */
    assert_int_equal(budget.reserved_bytes, 560);
    assert_int_equal(hr__budget_reserve(own[0], 450, "a value", NULL), HR_OK);
    hr__reader_shares_take_back(&s, 0);
    hr__reader_shares_take_back(&s, 2);
    assert_int_equal(own[0]->limit_bytes, 450);
    assert_int_equal(budget.reserved_bytes, 450);
    assert_int_equal(hr__reader_shares_lend(&s, 1, NULL), HR_OK); /* has no share */
    assert_int_equal(budget.reserved_bytes, 450);
    hr__budget_release(own[0], 450);
    close_two(&s, &budget);
}

static void shares__lent_more_than_is_left__get_that(void **state) {
    (void)state;
    struct hr__budget budget, *own[2];
    struct hr__reader_shares s;
    open_two(&s, &budget, own);
    assert_int_equal(hr__budget_reserve(own[0], 2000, "a value", NULL), HR_ERR_BUDGET);
    assert_int_equal(hr__reader_shares_lend(&s, 0, NULL), HR_OK);
    assert_int_equal(own[0]->limit_bytes, 970);
    assert_int_equal(budget.reserved_bytes, 1000);
    close_two(&s, &budget);
}

static void shares__lent_under_a_cap__get_what_fits_it_or_hear_of_it(void **state) {
    (void)state;
    struct hr__budget budget, *own[2];
    struct hr__reader_shares s;
    hr_error err = {.status = HR_OK};
    open_two(&s, &budget, own);
    hr_memory_set_cap(hr_memory_in_use() + 400);
    assert_int_equal(hr__reader_shares_lend(&s, 0, NULL), HR_OK);
    assert_int_equal(own[0]->limit_bytes, 500);
    hr_memory_set_cap(hr_memory_in_use() + 1);
    assert_int_equal(hr__reader_shares_lend(&s, 2, NULL), HR_OK); /* no room for twice as much */
    assert_int_equal(own[1]->limit_bytes, 31);
    assert_int_equal(hr__budget_reserve(own[1], 33, "a value", NULL), HR_ERR_BUDGET);
    assert_int_equal(hr__reader_shares_lend(&s, 2, &err), HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "process-wide cap"));
    assert_int_equal(own[1]->limit_bytes, 31);
    hr_memory_set_cap(0);
    close_two(&s, &budget);
}

static void shares__of_plain_files__are_the_budget_itself(void **state) {
    (void)state;
    struct hr__budget budget;
    struct hr__reader_shares s;
    make_inputs(0, 0, 0, 0);
    hr__budget_init(&budget, 1);
    assert_int_equal(hr__reader_shares_make(&inputs, 7, &budget, &s, NULL), HR_OK);
    assert_int_equal(s.num_readers, 7);
    assert_ptr_equal(hr__reader_shares_of(&s, 6, 2), &budget);
    hr__reader_shares_close(&s);
    hr__budget_close(&budget);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares__enough__everyone_gets_what_it_wants),
        cmocka_unit_test(shares__little__the_least_goes_first),
        cmocka_unit_test(shares__too_little__is_refused_and_nothing_is_kept),
        cmocka_unit_test(shares__beside_cursors__leave_these_their_memory),
        cmocka_unit_test(shares__lent__get_what_was_refused_until_it_is_taken_back),
        cmocka_unit_test(shares__lent_more_than_is_left__get_that),
        cmocka_unit_test(shares__lent_under_a_cap__get_what_fits_it_or_hear_of_it),
        cmocka_unit_test(shares__of_plain_files__are_the_budget_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
