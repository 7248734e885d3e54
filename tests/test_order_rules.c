/*
 * The rules for an order's parameters: what is refused and how, default windows, numbers of
 * batches, memory, and epochs of a part of the streams.
 */
#include "order_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct hr__order_params plain_params(const struct hr__segment *segment) {
    return (struct hr__order_params){.kind = HR__ORDER_INTERLEAVED,
                                     .segments = segment,
                                     .num_segments = 1,
                                     .samples_per_chunk = 10,
                                     .batch_samples = 12,
                                     .num_streams = 1,
                                     .sample_bytes = 100};
}

static const struct hr__segment hundred = {0, 10, 0, 100};

static void assert_refused(const struct hr__order_params *p, const char *words) {
    struct hr__budget budget;
    struct hr__order *o = (struct hr__order *)(void *)&budget;
    hr_error err = {0};
    hr__budget_init(&budget, 1u << 20);
    assert_int_equal(hr__order_make(p, &budget, &o, &err), HR_ERR_INVALID);
    assert_null(o);
    assert_int_equal(err.status, HR_ERR_INVALID);
    if (strstr(err.message, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, words);
    assert_int_equal(budget.reserved_bytes, 0);
    assert_int_equal(hr__order_make(p, &budget, &o, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__order_bytes(p, 2), 0);
}

static void order_make__violated_rule__is_refused_in_words(void **state) {
    (void)state;
    struct hr__order_params p = plain_params(&hundred);
    p.batch_samples = 0;
    assert_refused(&p, "the batch size is 0");
    p = plain_params(&hundred);
    p.num_streams = 0;
    assert_refused(&p, "the number of streams is 0");
    p = plain_params(&hundred);
    p.num_streams = 5;
    assert_refused(&p, "the batch of 12 samples cannot be divided by 5 streams");
    p.num_streams = 2;
    p.window_visits = 7;
    assert_refused(&p, "the window of 7 chunks cannot be divided by 2 streams");
    p.num_streams = 11;
    p.batch_samples = 11;
    p.window_visits = 0;
    assert_refused(&p, "11 streams need at least as many chunks");
    p = plain_params(&hundred);
    p.batch_samples = 101;
    p.drop_last = true;
    assert_refused(&p, "no batch would come");
    p.batch_samples = 102;
    p.num_streams = 2;
    assert_refused(&p, "no batch would come");
    p = plain_params(&hundred);
    p.drop_last = p.pad_last = true;
    assert_refused(&p, "dropped or padded, not both");
    p = plain_params(&hundred);
    p.num_segments = 0;
    assert_refused(&p, "no samples");
    p = plain_params(&hundred);
    p.samples_per_chunk = 65537;
    assert_refused(&p, "expected 1 to 65536");
}

static void order_make__too_many_samples__is_refused(void **state) {
    (void)state;
    struct hr__segment wide = {0, 200000, 0, 200000u * (uint64_t)65536};
    struct hr__order_params p = plain_params(&wide);
    p.samples_per_chunk = 65536;
    p.window_visits = 65536;
    assert_refused(&p, "smaller window");
    wide.num_chunks = (uint64_t)1 << 50;
    wide.num_samples = wide.num_chunks * 65536;
    p.window_visits = 4;
    assert_refused(&p, "more than an order can hold");
}

static void order_make__short_budget__is_refused(void **state) {
    (void)state;
    const struct hr__order_params p = plain_params(&hundred);
    struct hr__budget budget;
    struct hr__order *o;
    hr_error err = {0};
    hr__budget_init(&budget, 10);
    assert_int_equal(hr__order_make(&p, &budget, &o, &err), HR_ERR_BUDGET);
    assert_null(o);
}

static void order_bytes__any_parameters__cover_so_many_epochs(void **state) {
    (void)state;
    for (uint64_t k = 0; k < 500; k++) {
        struct order_case c;
        struct hr__budget budget;
        struct hr__order *o;
        struct hr__order_epoch *e[5];
        const int n = 1 + (int)k % 5;
        case_make(&c, k);
        hr__budget_init(&budget, hr__order_bytes(&c.params, (uint64_t)n));
        if (hr__order_make(&c.params, &budget, &o, NULL) != HR_OK)
            continue;
        for (int i = 0; i < n; i++)
            assert_int_equal(hr__order_epoch_make(o, c.epoch + (uint64_t)i, 0, c.params.num_streams,
                                                  &budget, &e[i], NULL),
                             HR_OK);
        for (int i = 0; i < n; i++)
            hr__order_epoch_free(e[i]);
        hr__order_free(o);
        assert_int_equal(budget.reserved_bytes, 0);
    }
}

static uint32_t default_window(uint64_t num_chunks, uint32_t S, uint32_t batch, uint32_t streams,
                               uint64_t sample_bytes) {
    const struct hr__segment segment = {0, num_chunks, 0, num_chunks * S};
    struct hr__order_params p = plain_params(&segment);
    p.samples_per_chunk = S;
    p.batch_samples = batch;
    p.num_streams = streams;
    p.sample_bytes = sample_bytes;
    return hr__order_default_window(&p);
}

static void default_window__as_the_specification_says(void **state) {
    (void)state;
    assert_int_equal(default_window(10000, 128, 256, 1, 2048), 256);   /* B, and 64 MiB */
    assert_int_equal(default_window(10000, 128, 512, 1, 2048), 512);   /* B between the clamps */
    assert_int_equal(default_window(10000, 128, 4096, 1, 2048), 1024); /* at most 256 MiB */
    assert_int_equal(default_window(10000, 333, 200, 1, 700), 333);    /* a lane */
    assert_int_equal(default_window(100, 128, 256, 1, 2048), 100);     /* every chunk */
    assert_int_equal(default_window(101, 128, 256, 4, 2048), 104);     /* ceil(101 / 4) each */
    assert_int_equal(default_window(10000, 128, 256, 4, 2048), 256);   /* lanes of 64 */
    assert_int_equal(default_window(10000, 1, 256, 1, 150000), 1);
    assert_int_equal(default_window(10000, 1, 256, 8, 150000), 8);
    assert_int_equal(default_window(10000, 2, 8, 1, (uint64_t)1 << 30), 1);
    assert_int_equal(default_window(100, 65536, 256, 1, 0), 100);
}

enum last { KEPT, DROPPED, PADDED };

static uint64_t count_batches(const struct hr__segment *segments, uint64_t n, uint32_t batch,
                              uint32_t streams, enum last last) {
    struct hr__order_params p = plain_params(segments);
    struct hr__budget budget;
    struct hr__order *o;
    p.num_segments = n;
    p.batch_samples = batch;
    p.num_streams = streams;
    p.drop_last = last == DROPPED;
    p.pad_last = last == PADDED;
    hr__budget_init(&budget, 1u << 20);
    assert_int_equal(hr__order_make(&p, &budget, &o, NULL), HR_OK);
    const uint64_t num_batches = hr__order_num_batches(o);
    hr__order_free(o);
    return num_batches;
}

static void num_batches__short_chunks__as_the_specification_says(void **state) {
    (void)state;
    const struct hr__segment segments[] = {
        {0, 2, 0, 13}, {2, 2, 13, 15}, {4, 1, 28, 4}, {5, 1, 32, 9}};
    assert_int_equal(count_batches(segments, 4, 10, 1, KEPT), 5); /* 41 samples */
    assert_int_equal(count_batches(segments, 4, 10, 1, DROPPED), 4);
    assert_int_equal(count_batches(segments, 4, 2, 2, KEPT), 12); /* 30 - 7 - 6 - 5 = 12 */
    assert_int_equal(count_batches(segments, 4, 3, 3, KEPT), 7);  /* 20 - 7 - 6 */
    assert_int_equal(count_batches(segments, 4, 6, 6, KEPT), 3);  /* 10 - 7 */
    assert_int_equal(count_batches(segments, 4, 10, 1, PADDED), 5);
    assert_int_equal(count_batches(segments, 4, 2, 2, PADDED), 29); /* 30 - 0 - 0 - 1 */
    assert_int_equal(count_batches(segments, 4, 12, 4, PADDED), 7); /* 20 / 3 */
    assert_int_equal(count_batches(segments, 4, 60, 6, PADDED), 1);
    assert_int_equal(count_batches(segments, 4, 1000, 1, PADDED), 1);
}

static void order_epoch__part_of_the_streams__is_the_same(void **state) {
    (void)state;
    const struct hr__segment segments[] = {{0, 30, 0, 293}, {30, 25, 293, 247}};
    struct hr__order_params p = plain_params(segments);
    p.num_segments = 2;
    p.num_streams = 3;
    p.window_visits = 12;
    struct hr__budget budget;
    struct hr__order *o;
    struct hr__order_epoch *all, *two;
    hr__budget_init(&budget, 1u << 20);
    assert_int_equal(hr__order_make(&p, &budget, &o, NULL), HR_OK);
    assert_int_equal(hr__order_epoch_make(o, 4, 0, 3, &budget, &all, NULL), HR_OK);
    assert_int_equal(hr__order_epoch_make(o, 4, 1, 2, &budget, &two, NULL), HR_OK);
    for (uint32_t s = 1; s < 3; s++) {
        for (uint64_t v = 0; v < hr__order_num_visits(o, s); v++) {
            uint64_t expected[10], found[10];
            const uint32_t n = hr__order_visit_positions(all, s, v, expected);
            assert_int_equal(hr__order_visit_positions(two, s, v, found), n);
            assert_memory_equal(found, expected, n * sizeof(uint64_t));
        }
    }
    hr__order_epoch_free(all);
    hr__order_epoch_free(two);
    hr__order_free(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_make__violated_rule__is_refused_in_words),
        cmocka_unit_test(order_make__too_many_samples__is_refused),
        cmocka_unit_test(order_make__short_budget__is_refused),
        cmocka_unit_test(order_bytes__any_parameters__cover_so_many_epochs),
        cmocka_unit_test(default_window__as_the_specification_says),
        cmocka_unit_test(num_batches__short_chunks__as_the_specification_says),
        cmocka_unit_test(order_epoch__part_of_the_streams__is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
