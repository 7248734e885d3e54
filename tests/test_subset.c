/*
 * Subsets by themselves: how they are given, kept, counted and refused.
 */
#include "made_dataset.h"
#include "order_cases.h"
#include "subset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUM_SAMPLES 9001u /* more than two blocks of ranks, and no multiple of 64 */

static hr_dataset *data;

static hr_subset *listed(const uint64_t *indices, uint64_t n) {
    hr_error err = {0};
    hr_subset *s = NULL;
    made_ok(hr_subset_from_indices(data, indices, n, &s, &err), &err);
    return s;
}

static hr_subset *ranged(uint64_t first, uint64_t end, uint64_t step) {
    hr_error err = {0};
    hr_subset *s = NULL;
    made_ok(hr_subset_from_range(data, first, end, step, &s, &err), &err);
    return s;
}

/* Each sample with a probability of so many in a thousand; at least one. */
static uint64_t draw(uint64_t *random, uint32_t per_mille, uint64_t *out) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < NUM_SAMPLES; i++)
        if (case_random(random) % 1000 < per_mille || (n == 0 && i == NUM_SAMPLES - 1))
            out[n++] = i;
    return n;
}

/* Every question that can be put to a subset, against the plain list. */
static void check_answers(const hr_subset *s, const uint64_t *list, uint64_t n, uint64_t *random) {
    static uint64_t found[NUM_SAMPLES];
    assert_int_equal(hr_subset_num_samples(s), n);
    made_ok(hr_subset_indices(s, 0, n, found, NULL), &(hr_error){0});
    assert_memory_equal(found, list, n * sizeof(*list));
    for (uint64_t i = 0, rank = 0; i <= NUM_SAMPLES; i++) {
        assert_int_equal(hr__subset_rank(s, i), rank);
        rank += rank < n && list[rank] == i;
    }
    for (uint64_t k = 0; k < n; k++)
        assert_int_equal(hr__subset_index(s, k), list[k]);
    for (int k = 0; k < 100; k++) {
        uint16_t places[300];
        const uint64_t first = case_random(random) % n, count = case_random(random) % (n - first);
        made_ok(hr_subset_indices(s, first, count, found, NULL), &(hr_error){0});
        assert_memory_equal(found, list + first, count * sizeof(*list));
        const uint64_t end = list[first] + 1 + case_random(random) % 200;
        const uint32_t most =
            1 + (uint32_t)(case_random(random) % (n - first < 200 ? n - first : 200));
        const uint32_t got = hr__subset_run(s, first, list[first], end, most, list[first], places);
        for (uint32_t r = 0; r < got; r++)
            assert_int_equal(list[first] + places[r], list[first + r]);
        assert_true(got >= 1 && got <= most);
        assert_true(got == most || first + got == n || list[first + got] >= end);
    }
}

static void subset__lists_of_all_densities__answer_as_the_list(void **state) {
    (void)state;
    static const uint32_t per_mille[] = {1, 5, 10, 20, 100, 500, 800, 990, 1000};
    static uint64_t list[NUM_SAMPLES];
    uint64_t random = 77;
    for (size_t k = 0; k < sizeof per_mille / sizeof per_mille[0]; k++) {
        const uint64_t n = draw(&random, per_mille[k], list);
        hr_subset *s = listed(list, n);
        check_answers(s, list, n, &random);
        hr_subset_free(s);
    }
}

static void subset__ranges__answer_as_their_lists_and_are_the_same(void **state) {
    (void)state;
    static const uint64_t cases[][3] = {
        {0, NUM_SAMPLES, 1}, {3, UINT64_MAX, 10},         {64, 4096, 64},    {8999, UINT64_MAX, 5},
        {9000, 9001, 1},     {0, UINT64_MAX, UINT64_MAX}, {100, 8000, 4500}, {1, 300, 2}};
    static uint64_t list[NUM_SAMPLES];
    uint64_t random = 78;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const uint64_t end = cases[k][1] < NUM_SAMPLES ? cases[k][1] : NUM_SAMPLES;
        uint64_t n = 0;
        for (uint64_t i = cases[k][0]; i < end; i += cases[k][2] < NUM_SAMPLES ? cases[k][2] : end)
            list[n++] = i;
        hr_subset *range = ranged(cases[k][0], cases[k][1], cases[k][2]), *same = listed(list, n);
        check_answers(range, list, n, &random);
        assert_int_equal(range->kind, HR__SUBSET_RANGE);
        assert_int_equal(same->kind, HR__SUBSET_RANGE);
        assert_int_equal(same->memory_bytes, 0);
        assert_true(range->hash == same->hash);
        hr_subset_free(range);
        hr_subset_free(same);
    }
}

static void subset_hash__one_sample_more_or_another__differs(void **state) {
    (void)state;
    const uint64_t list[] = {3, 13, 23, 24, 25, 40}, other[] = {3, 13, 23, 24, 25, 41};
    hr_subset *s = listed(list, 6), *t = listed(other, 6), *u = listed(list, 5);
    assert_true(s->hash == 0x2f4eb12291f549b6u); /* docs/order.md, 9.1 */
    assert_true(s->hash != t->hash && s->hash != u->hash && t->hash != u->hash);
    hr_subset_free(s);
    hr_subset_free(t);
    hr_subset_free(u);
}

static void subset__any_density__takes_little_memory_and_counts_it(void **state) {
    (void)state;
    static uint64_t list[NUM_SAMPLES];
    uint64_t random = 79;
    const uint64_t before = hr_memory_in_use(), words = (NUM_SAMPLES + 63) / 64;
    for (uint32_t per_mille = 1; per_mille <= 1000; per_mille += 37) {
        hr_subset *s = listed(list, draw(&random, per_mille, list));
        const uint64_t held = hr_memory_in_use() - before;
        assert_int_equal(held, s->memory_bytes);
        assert_true(held <= 8 * (words + words / HR__RANK_WORDS + 2));
        assert_true(held <= 8 * s->num_samples || s->kind == HR__SUBSET_BITS);
        hr_subset_free(s);
    }
    assert_int_equal(hr_memory_in_use(), before);
}

static void subset__cap_of_the_process__refused(void **state) {
    (void)state;
    static uint64_t list[NUM_SAMPLES];
    uint64_t random = 80;
    hr_error err = {0};
    hr_subset *s = NULL;
    const uint64_t n = draw(&random, 500, list);
    hr_memory_set_cap(hr_memory_in_use() + 1000);
    assert_int_equal(hr_subset_from_indices(data, list, n, &s, &err), HR_ERR_BUDGET);
    hr_memory_set_cap(0);
    assert_null(s);
    assert_non_null(strstr(err.message, "a subset needs"));
    hr_subset_free(ranged(0, UINT64_MAX, 3));
}

static void check_refused(const uint64_t *list, uint64_t n, const char *words) {
    hr_error err = {0};
    hr_subset *s = (hr_subset *)&err;
    assert_int_equal(hr_subset_from_indices(data, list, n, &s, &err), HR_ERR_INVALID);
    assert_null(s);
    if (strstr(err.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, err.message);
    assert_int_equal(hr_subset_from_indices(data, list, n, &s, NULL), HR_ERR_INVALID);
}

static void subset_from_indices__wrong_entries__refused_by_their_place(void **state) {
    (void)state;
    check_refused((const uint64_t[]){1}, 0, "no samples was asked for");
    check_refused((const uint64_t[]){5, NUM_SAMPLES}, 2, "index 1 of the subset is sample 9001");
    check_refused((const uint64_t[]){(uint64_t)-3, 5}, 2,
                  "index 0 of the subset is -3, expected 0");
    check_refused((const uint64_t[]){INT64_MAX}, 1, "is sample 9223372036854775807, it has 9001");
    check_refused((const uint64_t[]){1, 2, 2}, 3, "index 2 of the subset is 2, after 2: expected");
    check_refused((const uint64_t[]){1, 7, 4}, 3, "sort them, the loader shuffles");
    check_refused(NULL, 3, "must not be NULL");
}

static void subset_from_range__wrong_ones__refused(void **state) {
    (void)state;
    static const struct {
        uint64_t first, end, step;
        const char *words;
    } cases[] = {{0, 10, 0, "step of a range is 0"},
                 {5, 5, 1, "no sample is in the range from 5 up to, without, 5"},
                 {7, 5, 1, "no sample"},
                 {NUM_SAMPLES, UINT64_MAX, 1, "no sample"},
                 {UINT64_MAX, UINT64_MAX, 1, "no sample"},
                 {0, NUM_SAMPLES + 1, 1, "up to sample 9002 was asked for, it has 9001"}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        hr_error err = {0};
        hr_subset *s = (hr_subset *)&err;
        assert_int_equal(
            hr_subset_from_range(data, cases[k].first, cases[k].end, cases[k].step, &s, &err),
            HR_ERR_INVALID);
        assert_null(s);
        assert_non_null(strstr(err.message, cases[k].words));
    }
}

static void subset_indices__more_than_there_are__refused(void **state) {
    (void)state;
    uint64_t out[4];
    hr_error err = {0};
    hr_subset *s = ranged(0, 10, 3);
    assert_int_equal(hr_subset_indices(s, 1, 4, out, &err), HR_ERR_INVALID);
    assert_non_null(
        strstr(err.message, "4 samples from number 1 on were asked for, the subset has 4"));
    assert_int_equal(hr_subset_indices(s, UINT64_MAX, 2, out, NULL), HR_ERR_INVALID);
    assert_int_equal(hr_subset_indices(s, 4, 0, NULL, NULL), HR_OK);
    assert_int_equal(hr_subset_indices(s, 0, 1, NULL, NULL), HR_ERR_INVALID);
    hr_subset_free(s);
}

static int setup(void **state) {
    (void)state;
    const struct made made = {NUM_SAMPLES, 100, 0, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    hr_error err = {0};
    made_write(made_path("set.hrd"), &made);
    made_ok(hr_dataset_open(made_path("set.hrd"), NULL, &data, &err), &err);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_dataset_close(data);
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subset__lists_of_all_densities__answer_as_the_list),
        cmocka_unit_test(subset__ranges__answer_as_their_lists_and_are_the_same),
        cmocka_unit_test(subset_hash__one_sample_more_or_another__differs),
        cmocka_unit_test(subset__any_density__takes_little_memory_and_counts_it),
        cmocka_unit_test(subset__cap_of_the_process__refused),
        cmocka_unit_test(subset_from_indices__wrong_entries__refused_by_their_place),
        cmocka_unit_test(subset_from_range__wrong_ones__refused),
        cmocka_unit_test(subset_indices__more_than_there_are__refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
