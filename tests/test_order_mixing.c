/*
 * Mixing on data sorted by class: the inflation that hr__order_inflation() states is the one that
 * epochs show (docs/order.md, 6), and different seeds, epochs and streams give different orders.
 */
#include "order_internal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUM_CLASSES 10u
#define NUM_CHUNKS  2000u
#define MAX_EPOCHS  8u

static struct hr__order_params sorted_params(const struct hr__segment *segment, uint32_t S,
                                             uint32_t batch, uint32_t window, uint32_t streams) {
    return (struct hr__order_params){.kind = HR__ORDER_INTERLEAVED,
                                     .segments = segment,
                                     .num_segments = 1,
                                     .samples_per_chunk = S,
                                     .batch_samples = batch,
                                     .num_streams = streams,
                                     .window_visits = window,
                                     .seed = 20};
}

/* Adds an epoch's class counts: counts[batch x NUM_CLASSES + class], all streams together. */
static void count_classes(const struct hr__order *o, const struct hr__order_params *p,
                          uint64_t epoch, struct hr__budget *budget, uint32_t *counts) {
    struct hr__order_epoch *e;
    const uint64_t S = p->samples_per_chunk, num_batches = hr__order_num_batches(o);
    uint64_t *positions = malloc(S * sizeof(uint64_t));
    assert_non_null(positions);
    assert_int_equal(hr__order_epoch_make(o, epoch, 0, p->num_streams, budget, &e, NULL), HR_OK);
    for (uint32_t s = 0; s < p->num_streams; s++) {
        for (uint64_t v = 0; v < hr__order_num_visits(o, s); v++) {
            const uint64_t first = hr__order_visit_chunk(e, s, v) * S;
            const uint32_t n = hr__order_visit_positions(e, s, v, positions);
            for (uint32_t r = 0; r < n; r++) {
                const uint64_t batch = positions[r] / (p->batch_samples / p->num_streams);
                const uint64_t class = (first + r) * NUM_CLASSES / p->segments[0].num_samples;
                if (batch < num_batches)
                    counts[batch * NUM_CLASSES + class]++;
            }
        }
    }
    hr__order_epoch_free(e);
    free(positions);
}

/* Inflation over the batches of the interior, and what the order states. */
static double simulate(uint32_t S, uint32_t batch, uint32_t window, uint32_t streams,
                       double *stated) {
    const struct hr__segment segment = {0, NUM_CHUNKS, 0, (uint64_t)NUM_CHUNKS * S};
    const struct hr__order_params p = sorted_params(&segment, S, batch, window, streams);
    struct hr__budget budget;
    struct hr__order *o;
    hr__budget_init(&budget, 1u << 30);
    assert_int_equal(hr__order_make(&p, &budget, &o, NULL), HR_OK);
    *stated = hr__order_inflation(o);
    const uint64_t num_batches = hr__order_num_batches(o);
    const uint64_t edge = (uint64_t)window * S / batch + 2;
    const double N = (double)segment.num_samples, share = 1.0 / NUM_CLASSES;
    const double expected = batch * share,
                 variance = expected * (1 - share) * (N - batch) / (N - 1);
    uint32_t *counts = malloc((size_t)num_batches * NUM_CLASSES * sizeof(uint32_t));
    assert_non_null(counts);
    double sum = 0, terms = 0;
    for (uint64_t epoch = 0; epoch < MAX_EPOCHS; epoch++) {
        memset(counts, 0, (size_t)num_batches * NUM_CLASSES * sizeof(uint32_t));
        count_classes(o, &p, epoch, &budget, counts);
        for (uint64_t b = edge; b + edge < num_batches; b++) {
            for (uint32_t k = 0; k < NUM_CLASSES; k++, terms++)
                sum += pow(counts[b * NUM_CLASSES + k] - expected, 2);
        }
    }
    free(counts);
    hr__order_free(o);
    return sum / terms / variance;
}

static void assert_as_stated(uint32_t S, uint32_t batch, uint32_t window, uint32_t streams) {
    double stated;
    const double measured = simulate(S, batch, window, streams, &stated);
    if (fabs(measured / stated - 1) > 0.08)
        fail_msg("S %u, B %u, W %u, %u streams: measured %.3f, stated %.3f", S, batch, window,
                 streams, measured, stated);
}

static void inflation__one_stream__is_as_stated(void **state) {
    (void)state;
    assert_as_stated(128, 256, 256, 1);
    assert_as_stated(128, 256, 64, 1);
    assert_as_stated(128, 256, 200, 1);
    assert_as_stated(333, 256, 256, 1);
    assert_as_stated(333, 256, 333, 1);
}

static void inflation__lanes__is_as_stated(void **state) {
    (void)state;
    assert_as_stated(500, 100, 100, 1);
    assert_as_stated(500, 100, 40, 1);
}

static void inflation__several_streams__is_as_stated(void **state) {
    (void)state;
    assert_as_stated(128, 256, 256, 4);
    assert_as_stated(128, 256, 64, 4);
}

static void inflation__default_window__is_a_good_shuffle(void **state) {
    (void)state;
    const uint32_t S = 128; /* of 2 KiB */
    const struct hr__segment segment = {0, 160000, 0, (uint64_t)160000 * S};
    struct hr__order_params p = sorted_params(&segment, S, 256, 0, 1);
    p.sample_bytes = 2048;
    struct hr__budget budget;
    struct hr__order *o;
    hr__budget_init(&budget, 1u << 30);
    assert_int_equal(hr__order_make(&p, &budget, &o, NULL), HR_OK);
    assert_int_equal(hr__order_window(o), 256);
    assert_true(hr__order_inflation(o) <= 1.25);
    hr__order_free(o);
}

/* Positions of one visit that are the same in two epochs (of other seeds). */
static uint32_t count_same(uint64_t seed0, uint64_t epoch0, uint64_t seed1, uint64_t epoch1) {
    const struct hr__segment segment = {0, NUM_CHUNKS, 0, (uint64_t)NUM_CHUNKS * 128};
    struct hr__order_params p = sorted_params(&segment, 128, 256, 256, 1);
    const uint64_t seeds[2] = {seed0, seed1}, epochs[2] = {epoch0, epoch1};
    uint64_t *at[2];
    struct hr__budget budget;
    hr__budget_init(&budget, 1u << 30);
    for (int k = 0; k < 2; k++) {
        struct hr__order *o;
        struct hr__order_epoch *e;
        uint64_t positions[128];
        p.seed = seeds[k];
        at[k] = malloc((size_t)segment.num_samples * sizeof(uint64_t));
        assert_non_null(at[k]);
        assert_int_equal(hr__order_make(&p, &budget, &o, NULL), HR_OK);
        assert_int_equal(hr__order_epoch_make(o, epochs[k], 0, 1, &budget, &e, NULL), HR_OK);
        for (uint64_t v = 0; v < NUM_CHUNKS; v++) {
            const uint64_t chunk = hr__order_visit_chunk(e, 0, v);
            hr__order_visit_positions(e, 0, v, positions);
            memcpy(at[k] + chunk * 128, positions, sizeof positions);
        }
        hr__order_epoch_free(e);
        hr__order_free(o);
    }
    uint32_t same = 0;
    for (uint64_t i = 0; i < segment.num_samples; i++)
        same += at[0][i] == at[1][i];
    free(at[0]);
    free(at[1]);
    return same;
}

static void order__other_seed_or_epoch__is_another_order(void **state) {
    (void)state;
    assert_int_equal(count_same(1, 0, 1, 0), NUM_CHUNKS * 128);
    assert_true(count_same(1, 0, 2, 0) < 20);
    assert_true(count_same(1, 0, 1, 1) < 20);
    assert_true(count_same(1, 2, 2, 1) < 20);
    assert_true(count_same(0, 1, 1, 0) < 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inflation__one_stream__is_as_stated),
        cmocka_unit_test(inflation__lanes__is_as_stated),
        cmocka_unit_test(inflation__several_streams__is_as_stated),
        cmocka_unit_test(inflation__default_window__is_a_good_shuffle),
        cmocka_unit_test(order__other_seed_or_epoch__is_another_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
