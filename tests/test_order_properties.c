/*
 * What holds for several streams and ranks together, on thousands of seeded parameter sets: ranks
 * share the samples out, all of them have the same batches, and those of a rank's streams fit the
 * ring that they share. (test_order.c: one stream; test_loader_properties.c: whole loaders.)
 */
#include "order_cases.h"
#include "order_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NUM_CASES 2000u

struct rank {
    const struct order_case *c;
    const struct hr__order *order;
    struct hr__order_epoch *epoch;
    uint32_t first_stream, num_streams;
    uint64_t batch, num_batches; /* of a stream; of the epoch */
};

static struct rank rank_open(const struct order_case *c, const struct hr__order *o,
                             struct hr__budget *budget, uint64_t epoch, uint32_t world,
                             uint32_t number) {
    struct rank r = {.c = c, .order = o};
    r.num_streams = c->params.num_streams / world;
    r.first_stream = number * r.num_streams;
    r.batch = c->params.batch_samples / c->params.num_streams;
    r.num_batches = hr__order_num_batches(o);
    assert_int_equal(
        hr__order_epoch_make(o, epoch, r.first_stream, r.num_streams, budget, &r.epoch, NULL),
        HR_OK);
    return r;
}

/* Items as a loader takes them: visit by visit, in each the rank's streams. */
static uint64_t num_items(const struct rank *r) {
    uint64_t visits = 0;
    for (uint32_t s = r->first_stream; s < r->first_stream + r->num_streams; s++) {
        const uint64_t of_stream = hr__order_epoch_visits(r->epoch, s);
        visits = of_stream > visits ? of_stream : visits;
    }
    return visits * r->num_streams;
}

/* The first item before which all that a batch needs is done. */
static uint64_t needed_items(const struct rank *r, uint64_t batch) {
    uint64_t need = 0;
    for (uint32_t k = 0; k < r->num_streams; k++) {
        uint64_t first, last;
        hr__order_batch_visits(r->epoch, r->first_stream + k, batch, &first, &last);
        const uint64_t end = last * r->num_streams + k + 1;
        need = end > need ? end : need;
    }
    return need;
}

/* Where all items are done in turn, the batches between the first incomplete one and the last that
 * an item reaches fit the ring, and they ascend; at the end, all are complete. */
static void check_ring(const struct rank *r) {
    const uint64_t rows = hr__order_live_rows(r->order, r->first_stream, r->num_streams);
    const uint64_t ring = (rows + r->batch - 1) / r->batch + 2;
    uint64_t incomplete = 0, reached = 0, need = needed_items(r, 0);
    for (uint64_t item = 0; item < num_items(r); item++) {
        const uint32_t s = r->first_stream + (uint32_t)(item % r->num_streams);
        const uint64_t visit = item / r->num_streams;
        if (visit >= hr__order_epoch_visits(r->epoch, s))
            continue;
        while (incomplete < r->num_batches && need <= item) {
            const uint64_t before = need;
            if (++incomplete < r->num_batches)
                need = needed_items(r, incomplete);
            assert_true(need >= before);
        }
        const uint64_t last = hr__order_visit_last_batch(r->epoch, s, visit);
        assert_true(last < r->num_batches);
        reached = last > reached ? last : reached;
        assert_true(reached < incomplete + ring);
    }
    assert_true(needed_items(r, r->num_batches - 1) <= num_items(r));
}

static uint64_t first_sample(const struct order_case *c, uint64_t chunk) {
    uint64_t i = 0;
    while (chunk >= c->segments[i].first_chunk + c->segments[i].num_chunks)
        i++;
    return c->segments[i].first_sample +
           (chunk - c->segments[i].first_chunk) * c->params.samples_per_chunk;
}

/* Counts what the batches of a rank hold; all batches of all ranks have the same number of rows,
 * but for one stream's kept short one. */
static void take_batches(const struct rank *r, uint8_t *taken) {
    for (uint64_t b = 0; b < r->num_batches; b++)
        for (uint32_t s = r->first_stream; s < r->first_stream + r->num_streams; s++) {
            const uint32_t n = hr__order_epoch_batch_samples(r->epoch, s, b);
            if (r->c->params.num_streams > 1 || r->c->params.pad_last || b + 1 < r->num_batches)
                assert_int_equal(n, r->batch);
            const uint32_t repeats = hr__order_epoch_batch_repeats(r->epoch, s, b);
            for (uint32_t i = 0; i < n - repeats; i++) {
                uint64_t chunk;
                uint32_t place;
                hr__order_position_sample(r->epoch, s, b * r->batch + i, &chunk, &place);
                assert_int_equal(taken[first_sample(r->c, chunk) + place]++, 0);
            }
        }
}

static uint64_t count_taken(const struct order_case *c, const uint8_t *taken) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < c->num_samples; i++)
        n += taken[i];
    return n;
}

/* An order without tables says the same of its size. */
static void check_count(const struct rank *r, uint64_t epoch, struct hr__budget *budget) {
    struct hr__order *outline;
    uint64_t found, samples = 0;
    assert_int_equal(hr__order_outline(&r->c->params, budget, &outline, NULL), HR_OK);
    assert_int_equal(hr__order_count_samples(outline, epoch, r->first_stream, r->num_streams,
                                             budget, &found, NULL),
                     HR_OK);
    for (uint32_t s = r->first_stream; s < r->first_stream + r->num_streams; s++)
        samples += hr__order_epoch_samples(r->epoch, s);
    assert_int_equal(found, samples);
    assert_int_equal(hr__order_num_batches(outline), hr__order_num_batches(r->order));
    assert_int_equal(hr__order_window(outline), hr__order_window(r->order));
    assert_int_equal(hr__order_live_rows(outline, r->first_stream, r->num_streams),
                     hr__order_live_rows(r->order, r->first_stream, r->num_streams));
    assert_true(hr__order_inflation(outline) == hr__order_inflation(r->order));
    hr__order_free(outline);
}

/* All ranks of one world size. */
static void check_world(const struct order_case *c, const struct hr__order *o,
                        struct hr__budget *budget, uint64_t epoch, uint32_t world) {
    uint8_t *taken = calloc((size_t)c->num_samples, 1);
    assert_non_null(taken);
    for (uint32_t number = 0; number < world; number++) {
        struct rank r = rank_open(c, o, budget, epoch, world, number);
        check_count(&r, epoch, budget);
        check_ring(&r);
        take_batches(&r, taken);
        hr__order_epoch_free(r.epoch);
    }
    const uint64_t rows = hr__order_num_batches(o) * c->params.batch_samples;
    const bool all = c->params.pad_last || rows > c->num_samples;
    assert_int_equal(count_taken(c, taken), all ? c->num_samples : rows);
    free(taken);
}

static void check_case(const struct order_case *c, const struct hr__order *o,
                       struct hr__budget *budget) {
    for (uint64_t epoch = c->epoch; epoch != c->epoch + 2; epoch++)
        for (uint32_t world = 1; world <= c->params.num_streams; world++)
            if (c->params.num_streams % world == 0)
                check_world(c, o, budget, epoch, world);
}

static void streams__any_parameters__ranks_share_all_and_fit_their_rings(void **state) {
    (void)state;
    uint32_t made = 0;
    for (uint64_t k = 0; k < NUM_CASES; k++) {
        struct order_case c;
        struct hr__budget budget;
        struct hr__order *o;
        hr_error err = {0};
        case_make_streams(&c, k);
        hr__budget_init(&budget, (uint64_t)1 << 40);
        if (hr__order_make(&c.params, &budget, &o, &err) != HR_OK) {
            assert_non_null(strstr(err.message, "no batch would come"));
            continue;
        }
        check_case(&c, o, &budget);
        hr__order_free(o);
        assert_int_equal(budget.reserved_bytes, 0);
        made++;
    }
    assert_true(made > NUM_CASES / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams__any_parameters__ranks_share_all_and_fit_their_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
