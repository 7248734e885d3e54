/*
 * Orders, permutations and keys against the golden files under tests/golden/order, which
 * order_reference.py computed from docs/order.md. They must never change: a released order is a
 * promise.
 */
#include "golden_text.h"
#include "order_internal.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_SEGMENTS 8u

static void read_segments(FILE *f, struct hr__segment *segments, struct hr__order_params *p) {
    p->num_segments = golden_named(f, "segments");
    p->segments = segments;
    assert_true(p->num_segments <= MAX_SEGMENTS);
    uint64_t samples = 0;
    for (uint64_t i = 0; i < p->num_segments; i++) {
        segments[i].first_sample = samples;
        segments[i].num_samples = golden_number(f);
        samples += segments[i].num_samples;
    }
    p->samples_per_chunk = (uint32_t)golden_named(f, "S");
    uint64_t chunks = 0;
    for (uint64_t i = 0; i < p->num_segments; i++) {
        segments[i].first_chunk = chunks;
        segments[i].num_chunks =
            (segments[i].num_samples + p->samples_per_chunk - 1) / p->samples_per_chunk;
        chunks += segments[i].num_chunks;
    }
}

static void read_params(FILE *f, struct hr__segment *segments, struct hr__order_params *p) {
    char kind[32];
    assert_int_equal(fscanf(f, "%31s", kind), 1);
    p->kind = strcmp(kind, "sequential/1") == 0 ? HR__ORDER_SEQUENTIAL : HR__ORDER_INTERLEAVED;
    read_segments(f, segments, p);
    p->batch_samples = (uint32_t)golden_named(f, "B");
    p->num_streams = (uint32_t)golden_named(f, "streams");
    p->window_visits = (uint32_t)golden_named(f, "W");
    p->sample_bytes = golden_named(f, "sample_bytes");
    p->seed = golden_named(f, "seed");
    const uint64_t last = golden_named(f, "drop"); /* a short last batch is kept, dropped, padded */
    p->drop_last = last == 1;
    p->pad_last = last == 2;
}

static uint64_t sample_index(const struct hr__order_params *p, uint64_t chunk, uint32_t place) {
    uint64_t k = 0;
    while (chunk >= p->segments[k].first_chunk + p->segments[k].num_chunks)
        k++;
    return p->segments[k].first_sample +
           (chunk - p->segments[k].first_chunk) * p->samples_per_chunk + place;
}

/* The batch's samples by visiting, laid out as rows: index_at[stream x stride + position]. */
static void lay_out(const struct hr__order_params *p, const struct hr__order_epoch *e,
                    uint64_t *index_at, uint64_t stride) {
    uint64_t *positions = malloc(p->samples_per_chunk * sizeof(uint64_t));
    assert_non_null(positions);
    for (uint32_t s = 0; s < p->num_streams; s++) {
        for (uint64_t v = 0; v < hr__order_epoch_visits(e, s); v++) {
            const uint64_t chunk = hr__order_visit_chunk(e, s, v);
            const uint32_t n = hr__order_visit_positions(e, s, v, positions);
            for (uint32_t r = 0; r < n; r++)
                if (positions[r] < stride)
                    index_at[s * stride + positions[r]] = sample_index(p, chunk, r);
        }
    }
    free(positions);
}

static void check_epoch(FILE *f, const struct hr__order_params *p, const struct hr__order *o,
                        struct hr__budget *budget) {
    struct hr__order_epoch *e;
    const uint64_t number = golden_named(f, "epoch");
    assert_int_equal(hr__order_epoch_make(o, number, 0, p->num_streams, budget, &e, NULL), HR_OK);
    const uint64_t stride = hr__order_num_visits(o, 0) * p->samples_per_chunk + p->batch_samples;
    uint64_t *index_at = calloc((size_t)(stride * p->num_streams), sizeof(uint64_t));
    assert_non_null(index_at);
    lay_out(p, e, index_at, stride);
    const uint32_t slice = p->batch_samples / p->num_streams;
    for (uint64_t b = 0; b < hr__order_num_batches(o); b++) {
        uint64_t left = golden_number(f);
        for (uint32_t s = 0; s < p->num_streams; s++) {
            const uint32_t n = hr__order_epoch_batch_samples(e, s, b);
            for (uint32_t row = 0; row < n; row++, left--)
                assert_int_equal(golden_number(f), index_at[s * stride + b * slice + row]);
        }
        assert_int_equal(left, 0);
        for (uint32_t s = 0; s < p->num_streams && p->pad_last; s++)
            assert_int_equal(golden_number(f), hr__order_epoch_batch_repeats(e, s, b));
    }
    free(index_at);
    hr__order_epoch_free(e);
}

static void check_order(const char *name) {
    FILE *f = golden_open(name);
    struct hr__segment segments[MAX_SEGMENTS];
    struct hr__order_params p = {0};
    struct hr__budget budget;
    struct hr__order *o;
    read_params(f, segments, &p);
    hr__budget_init(&budget, 1u << 30);
    assert_int_equal(hr__order_make(&p, &budget, &o, NULL), HR_OK);
    assert_int_equal(hr__order_window(o), golden_named(f, "window"));
    assert_int_equal(hr__order_num_batches(o), golden_named(f, "batches"));
    const uint64_t num_epochs = golden_named(f, "epochs");
    for (uint64_t k = 0; k < num_epochs; k++)
        check_epoch(f, &p, o, &budget);
    hr__order_free(o);
    fclose(f);
}

static void order__golden_files__same_batches(void **state) {
    (void)state;
    static const char *const names[] = {"sequential",
                                        "sequential_streams",
                                        "one_chunk",
                                        "interior",
                                        "short_chunk",
                                        "segments",
                                        "lanes",
                                        "lanes_single",
                                        "single_samples",
                                        "streams",
                                        "single_samples_window",
                                        "streams_short",
                                        "streams_mixed",
                                        "whole",
                                        "feistel_chunks",
                                        "feistel_samples",
                                        "feistel_large",
                                        "default_window",
                                        "pad",
                                        "pad_sequential",
                                        "pad_sequential_streams",
                                        "pad_streams",
                                        "pad_streams_mixed",
                                        "pad_whole",
                                        "pad_few_samples",
                                        "pad_unequal"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        char file[64];
        snprintf(file, sizeof file, "order_%s.txt", names[k]);
        check_order(file);
    }
}

static void permutation__golden_file__same_images(void **state) {
    (void)state;
    FILE *f = golden_open("permutations.txt");
    uint64_t n;
    uint32_t count = 0;
    for (; fscanf(f, "%" SCNu64, &n) == 1; count++) {
        struct hr__permutation p;
        hr__permutation_init(&p, n, golden_number(f));
        for (int k = 0; k < 8; k++) {
            const uint64_t element = golden_number(f), image = golden_number(f);
            assert_int_equal(hr__permutation_apply(&p, element), image);
            assert_int_equal(hr__permutation_invert(&p, image), element);
        }
    }
    assert_int_equal(count, 16);
    fclose(f);
}

static void shuffle__golden_file__same_places(void **state) {
    (void)state;
    FILE *f = golden_open("shuffles.txt");
    uint64_t n;
    uint32_t count = 0;
    for (; fscanf(f, "%" SCNu64, &n) == 1; count++) {
        struct hr__permutation p;
        const uint64_t seed = golden_number(f);
        hr__permutation_init(&p, n, hr__order_key(seed, 0, HR__KEY_DATASET, 0, 0));
        for (int k = 0; k < 8; k++) {
            const uint64_t sample = golden_number(f), place = golden_number(f);
            assert_int_equal(hr__permutation_apply(&p, sample), place);
            assert_int_equal(hr__permutation_invert(&p, place), sample);
        }
    }
    assert_int_equal(count, 7);
    fclose(f);
}

static void order_key__golden_file__same_keys(void **state) {
    (void)state;
    FILE *f = golden_open("keys.txt");
    uint64_t seed;
    uint32_t count = 0;
    for (; fscanf(f, "%" SCNu64, &seed) == 1; count++) {
        const uint64_t epoch = golden_number(f), purpose = golden_number(f);
        const uint64_t stream = golden_number(f), index = golden_number(f);
        const uint64_t key =
            hr__order_key(seed, epoch, (enum hr__order_purpose)purpose, stream, index);
        assert_true(key == golden_number(f));
    }
    assert_int_equal(count, 4);
    fclose(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order__golden_files__same_batches),
        cmocka_unit_test(permutation__golden_file__same_images),
        cmocka_unit_test(order_key__golden_file__same_keys),
        cmocka_unit_test(shuffle__golden_file__same_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
