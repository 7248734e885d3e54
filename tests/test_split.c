/*
 * Splits: exact sizes, no sample twice, labels in proportion, and what is refused.
 */
#include "made_dataset.h"
#include "order_cases.h"
#include "split_sizes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUM_SAMPLES 3000u
#define MAX_PARTS   8u

/* Of sample i; few of class 9, most of class 0. */
static uint8_t class_of(uint64_t i) {
    return (uint8_t)(i % 500 == 7 ? 9 : i * i % 11 < 6 ? 0 : i % 9);
}

static hr_dataset *data;

static void rows_write(hr_writer *w, hr_error *err) {
    for (uint64_t i = 0; i < NUM_SAMPLES; i++) {
        const uint8_t class = class_of(i), flag = class > 4;
        const float x = (float)i;
        const int64_t id = (int64_t)i;
        const uint16_t pair[2] = {class, class};
        char text[6] = "class?";
        text[5] = (char)('a' + class);
        made_ok(hr_writer_append(w, 1, (const void *[]){&class, &flag, &x, &id, pair, text, &class},
                                 err),
                err);
    }
}

static int setup(void **state) {
    (void)state;
    static const uint64_t two[] = {2}, one[] = {1, 1};
    const hr_field fields[] = {{.name = "class", .dtype = HR_UINT8},
                               {.name = "flag", .dtype = HR_BOOL},
                               {.name = "x", .dtype = HR_FLOAT32},
                               {.name = "id", .dtype = HR_INT64},
                               {.name = "pair", .dtype = HR_UINT16, .rank = 1, .shape = two},
                               {.name = "text", .dtype = HR_FIXED_UTF8, .width_bytes = 6},
                               {.name = "column", .dtype = HR_INT8, .rank = 2, .shape = one}};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    o.samples_per_chunk = 130;
    made_ok(hr_writer_open(made_path("split.hrd"), fields, 7, &o, &w, &err), &err);
    rows_write(w, &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    made_ok(hr_dataset_open(made_path("split.hrd"), NULL, &data, &err), &err);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_dataset_close(data);
    made_cleanup();
    return 0;
}

/* The part of each sample, num_fractions: none. */
static void split_into(const hr_split_options *o, uint8_t part_of[NUM_SAMPLES],
                       uint64_t sizes[MAX_PARTS]) {
    static uint64_t indices[NUM_SAMPLES];
    hr_subset *parts[MAX_PARTS];
    hr_error err = {0};
    made_ok(hr_split(data, o, parts, &err), &err);
    memset(part_of, (int)o->num_fractions, NUM_SAMPLES);
    for (uint32_t j = 0; j < o->num_fractions; j++) {
        sizes[j] = hr_subset_num_samples(parts[j]);
        made_ok(hr_subset_indices(parts[j], 0, sizes[j], indices, &err), &err);
        for (uint64_t k = 0; k < sizes[j]; k++) {
            assert_int_equal(part_of[indices[k]], o->num_fractions);
            part_of[indices[k]] = (uint8_t)j;
        }
        hr_subset_free(parts[j]);
    }
}

/* Fractions that add up to 1, or to less. */
static uint32_t draw_fractions(uint64_t *random, double *out) {
    const uint32_t n = case_between(random, 1, MAX_PARTS - 1);
    double sum = case_random(random) % 2 == 0 ? 0 : (double)(case_random(random) % 100);
    for (uint32_t j = 0; j < n; j++) {
        out[j] = 1 + (double)(case_random(random) % 100);
        sum += out[j];
    }
    for (uint32_t j = 0; j < n; j++)
        out[j] /= sum;
    return n;
}

static void split__any_fractions_and_seed__exact_disjoint_and_in_proportion(void **state) {
    (void)state;
    static const char *const fields[] = {NULL, "class", "flag", "text", "column"};
    static uint8_t part_of[NUM_SAMPLES];
    uint64_t random = 5;
    for (int k = 0; k < 60; k++) {
        double fractions[MAX_PARTS], sum = 0;
        uint64_t sizes[MAX_PARTS], in_parts = 0;
        hr_split_options o = HR_SPLIT_OPTIONS_INIT;
        o.fractions = fractions;
        o.num_fractions = draw_fractions(&random, fractions);
        o.seed = case_random(&random);
        o.stratify_field = fields[k % 5];
        split_into(&o, part_of, sizes);
        for (uint32_t j = 0; j < o.num_fractions; j++) {
            assert_true(fabs((double)sizes[j] - fractions[j] * NUM_SAMPLES) < 1);
            in_parts += sizes[j];
            sum += fractions[j];
        }
        assert_true(sum < 0.9999 || in_parts == NUM_SAMPLES);
        for (int c = 0; c < 10 && o.stratify_field != NULL; c++) {
            double have = 0, of[MAX_PARTS + 1] = {0};
            for (uint64_t i = 0; i < NUM_SAMPLES; i++) {
                const bool is = k % 5 == 2 ? (class_of(i) > 4) == c : class_of(i) == c;
                have += is;
                of[part_of[i]] += is;
            }
            for (uint32_t j = 0; j < o.num_fractions; j++)
                assert_true(fabs(of[j] - have * (double)sizes[j] / NUM_SAMPLES) < j + 1);
        }
    }
}

static void split__same_seed_and_another__same_parts_and_others(void **state) {
    (void)state;
    static uint8_t first[NUM_SAMPLES], again[NUM_SAMPLES], other[NUM_SAMPLES];
    uint64_t sizes[MAX_PARTS], moved = 0;
    hr_split_options o = HR_SPLIT_OPTIONS_INIT;
    o.fractions = (const double[]){0.5, 0.5};
    o.num_fractions = 2;
    split_into(&o, first, sizes);
    split_into(&o, again, sizes);
    o.seed = 1;
    split_into(&o, other, sizes);
    assert_memory_equal(first, again, NUM_SAMPLES);
    for (uint64_t i = 0; i < NUM_SAMPLES; i++)
        moved += first[i] != other[i];
    assert_in_range(moved, NUM_SAMPLES * 9 / 20, NUM_SAMPLES * 11 / 20);
}

/* Whether two neighbours share a part is as for a fair draw: 1500 of 3000, 3.6 sigma. */
static void split__drawn__neighbours_are_independent(void **state) {
    (void)state;
    static uint8_t part_of[NUM_SAMPLES];
    uint64_t sizes[MAX_PARTS], alike = 0;
    hr_split_options o = HR_SPLIT_OPTIONS_INIT;
    o.fractions = (const double[]){0.5, 0.5};
    o.num_fractions = 2;
    split_into(&o, part_of, sizes);
    for (uint64_t i = 1; i < NUM_SAMPLES; i++)
        alike += part_of[i] == part_of[i - 1];
    assert_in_range(alike, 1400, 1600);
}

static void split__contiguous__ranges_without_memory(void **state) {
    (void)state;
    static uint8_t part_of[NUM_SAMPLES];
    uint64_t sizes[MAX_PARTS];
    const uint64_t before = hr_memory_in_use();
    hr_subset *parts[3];
    hr_split_options o = HR_SPLIT_OPTIONS_INIT;
    o.flags = HR_SPLIT_CONTIGUOUS;
    o.fractions = (const double[]){0.7, 0.2, 0.1};
    o.num_fractions = 3;
    split_into(&o, part_of, sizes);
    for (uint64_t i = 0; i < NUM_SAMPLES; i++)
        assert_int_equal(part_of[i], i < 2100 ? 0 : i < 2700 ? 1 : 2);
    made_ok(hr_split(data, &o, parts, NULL), &(hr_error){0});
    assert_int_equal(hr_memory_in_use(), before);
    for (int j = 0; j < 3; j++)
        hr_subset_free(parts[j]);
}

/* Places of more samples than any memory holds: the arithmetic does not wrap. */
static void split_deal__very_many_samples__sizes_and_parts_are_exact(void **state) {
    (void)state;
    const uint64_t total = ((uint64_t)1 << 62) - 12345;
    const double fractions[] = {0.8, 0.1, 0.1};
    uint64_t sizes[3], random = 9, count[4] = {0};
    made_ok(hr__split_sizes(total, fractions, 3, sizes, NULL), &(hr_error){0});
    assert_true(sizes[0] + sizes[1] + sizes[2] == total);
    assert_true(sizes[0] == total / 5 * 4 + (total % 5 * 4 + 2) / 5);
    for (int k = 0; k < 10000; k++)
        count[hr__split_deal(total, sizes, 3,
                             (case_random(&random) << 14 ^ case_random(&random)) % total)]++;
    assert_in_range(count[0], 7800, 8200);
    assert_in_range(count[1], 850, 1150);
    assert_int_equal(count[3], 0);
    assert_in_range(hr__split_deal(total, sizes, 3, total - 1), 0, 2);
}

static void check_refused(hr_split_options o, hr_status status, const char *words) {
    hr_subset *parts[MAX_PARTS] = {0};
    hr_error err = {0};
    const uint64_t before = hr_memory_in_use();
    static const double halves[] = {0.5, 0.5};
    if (o.fractions == NULL && o.num_fractions == 0) {
        o.fractions = halves;
        o.num_fractions = 2;
    }
    parts[0] = (hr_subset *)&err;
    const hr_status st = hr_split(data, &o, parts, &err);
    if (st != status || strstr(err.message, words) == NULL)
        fail_msg("%s: \"%s\" is not \"%s\"", hr_status_name(st), err.message, words);
    if (o.num_fractions > 0 && o.num_fractions < MAX_PARTS)
        assert_null(parts[0]);
    assert_int_equal(hr_memory_in_use(), before);
    assert_int_equal(hr_split(data, &o, parts, NULL), status);
}

#define OPTIONS(...)                                                                               \
    (hr_split_options) {                                                                           \
        .struct_bytes = sizeof(hr_split_options), __VA_ARGS__                                      \
    }
#define FRACTIONS(...)                                                                             \
    .fractions = (const double[]){__VA_ARGS__},                                                    \
    .num_fractions = sizeof((const double[]){__VA_ARGS__}) / sizeof(double)

static void split__wrong_fractions__refused(void **state) {
    (void)state;
    check_refused(OPTIONS(FRACTIONS(0.8, 0.3)), HR_ERR_INVALID,
                  "add up to 1.1, expected at most 1");
    check_refused(OPTIONS(FRACTIONS(0.5, 0)), HR_ERR_INVALID, "fraction 1 is 0, expected above 0");
    check_refused(OPTIONS(FRACTIONS(-0.5)), HR_ERR_INVALID, "fraction 0 is -0.5");
    check_refused(OPTIONS(FRACTIONS(NAN)), HR_ERR_INVALID, "fraction 0 is");
    check_refused(OPTIONS(FRACTIONS(INFINITY)), HR_ERR_INVALID, "fraction 0 is inf");
    check_refused(OPTIONS(FRACTIONS(1e-5, 0.5)), HR_ERR_INVALID,
                  "part 0, 1e-05 of 3000 samples, has none");
    check_refused(OPTIONS(.num_fractions = 2), HR_ERR_INVALID, "0 fractions were given");
    check_refused(OPTIONS(.fractions = (const double[]){1}, .num_fractions = 257), HR_ERR_INVALID,
                  "257 fractions were given, expected 1 to 256");
    check_refused(OPTIONS(.flags = 6), HR_ERR_INVALID, "unknown flags 0x6");
}

static void split__fields_that_are_no_labels__refused(void **state) {
    (void)state;
    check_refused(OPTIONS(.stratify_field = "x"), HR_ERR_INVALID, "field x is float32, and labels");
    check_refused(OPTIONS(.stratify_field = "pair"), HR_ERR_INVALID,
                  "field pair has 4 bytes a sample");
    check_refused(OPTIONS(.stratify_field = "nothing"), HR_ERR_NOT_FOUND, "it has: class, flag");
    check_refused(OPTIONS(.stratify_field = "class", .flags = HR_SPLIT_CONTIGUOUS), HR_ERR_INVALID,
                  "cannot be stratified by class");
}

static void split__small_budgets__refused_with_figures(void **state) {
    (void)state;
    check_refused(OPTIONS(.budget_bytes = 500), HR_ERR_BUDGET, "a subset needs");
    check_refused(OPTIONS(.budget_bytes = 1 << 20, .stratify_field = "class"), HR_ERR_BUDGET,
                  "of the budget of 1.0 MiB, 0.9 MiB are for reading labels");
}

/* A field with more values than a set of labels may have, in a data set that does not say so. */
static void split__too_many_classes__refused(void **state) {
    (void)state;
    const struct made made = {70000, 1000, 0, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    hr_dataset *many = NULL, *kept = data;
    hr_error err = {0};
    made_write(made_path("many.hrd"), &made);
    made_ok(hr_dataset_open(made_path("many.hrd"), NULL, &many, &err), &err);
    data = many;
    check_refused(OPTIONS(.stratify_field = "y"), HR_ERR_INVALID,
                  "field y has more than 65536 different values");
    data = kept;
    hr_dataset_close(many);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split__any_fractions_and_seed__exact_disjoint_and_in_proportion),
        cmocka_unit_test(split__same_seed_and_another__same_parts_and_others),
        cmocka_unit_test(split__drawn__neighbours_are_independent),
        cmocka_unit_test(split__contiguous__ranges_without_memory),
        cmocka_unit_test(split_deal__very_many_samples__sizes_and_parts_are_exact),
        cmocka_unit_test(split__wrong_fractions__refused),
        cmocka_unit_test(split__fields_that_are_no_labels__refused),
        cmocka_unit_test(split__small_budgets__refused_with_figures),
        cmocka_unit_test(split__too_many_classes__refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
