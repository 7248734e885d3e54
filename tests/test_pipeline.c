/*
 * Reading ahead, with sources that are made up: order, resuming in the middle, failures, memory.
 */
#define _GNU_SOURCE
#include "error.h"
#include "pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Sample i is the number i, in sample_bytes bytes. */
struct fake {
    struct hr__source base;
    uint64_t fails_at;        /* reading this sample fails */
    uint64_t reader_bytes;    /* that a reader charges to the budget */
    _Atomic int open_readers; /* now */
    _Atomic uint64_t reads;
};

struct fake_reader {
    struct fake *src;
    struct hr__budget *budget;
};

static hr_status fake_open(struct hr__source *src, struct hr__budget *budget,
                           struct hr__helper_group *helpers, struct hr__source_reader **out,
                           hr_error *err) {
    (void)helpers;
    struct fake *f = (struct fake *)src;
    hr_status st = hr__budget_reserve(budget, f->reader_bytes, "a made up reader", err);
    if (st != HR_OK)
        return st;
    struct fake_reader *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->src = f;
    r->budget = budget;
    f->open_readers++;
    *out = (struct hr__source_reader *)r;
    return HR_OK;
}

static hr_status fake_read(struct hr__source_reader *reader, uint64_t first, uint64_t n, void *dst,
                           hr_error *err) {
    struct fake *f = ((struct fake_reader *)reader)->src;
    uint64_t size = f->base.info.sample_bytes;
    f->reads++;
    if (first % 3 == 1) { /* some ranges take longer than those after them */
        struct timespec pause = {.tv_nsec = 300000};
        nanosleep(&pause, NULL);
    }
    if (f->fails_at >= first && f->fails_at < first + n)
        return hr__error_set(err, HR_ERR_DATA, "sample %llu is bad",
                             (unsigned long long)f->fails_at);
    for (uint64_t i = 0; i < n && size > 0; i++) {
        uint64_t v = first + i;
        memset((uint8_t *)dst + i * size, 0, size);
        memcpy((uint8_t *)dst + i * size, &v, size < sizeof v ? size : sizeof v);
    }
    return HR_OK;
}

static void fake_close_reader(struct hr__source_reader *reader) {
    struct fake_reader *r = (struct fake_reader *)reader;
    if (r == NULL)
        return;
    hr__budget_release(r->budget, r->src->reader_bytes);
    r->src->open_readers--;
    free(r);
}

static const struct hr__source_ops fake_ops = {.name = "made up",
                                               .open_reader = fake_open,
                                               .read = fake_read,
                                               .close_reader = fake_close_reader};

static struct fake x, y;
static struct hr__input_field fields[2];
static struct hr__inputs inputs;

static int make_inputs(void **state) {
    (void)state;
    x = (struct fake){.base = {.ops = &fake_ops}, .fails_at = UINT64_MAX};
    y = x;
    x.base.info.num_samples = y.base.info.num_samples = 1001;
    x.base.info.granule_samples = y.base.info.granule_samples = 1;
    x.base.info.max_readers = y.base.info.max_readers = 1;
    x.base.info.sample_bytes = 24;
    y.base.info.sample_bytes = 1;
    fields[0] = (struct hr__input_field){"x", &x.base};
    fields[1] = (struct hr__input_field){"y", &y.base};
    inputs = (struct hr__inputs){.num_fields = 2, .fields = fields};
    return 0;
}

static struct hr__read_plan make_plan(uint64_t range_samples, uint32_t readers, uint32_t buffers) {
    return (struct hr__read_plan){.range_samples = range_samples,
                                  .num_readers = readers,
                                  .num_buffers = buffers,
                                  .buffer_bytes =
                                      hr__read_plan_field_off(&inputs, range_samples, 2)};
}

/* Reads everything and checks it; the status at the end. */
static hr_status read_all(struct hr__pipeline *p, uint64_t first, uint64_t *end, hr_error *err) {
    struct hr__range range;
    hr_status st;
    *end = first;
    while ((st = hr__pipeline_next(p, -1, &range, err)) == HR_OK) {
        assert_int_equal(range.first, *end);
        assert_true(range.num_samples > 0);
        for (uint64_t i = 0; i < range.num_samples; i++) {
            uint64_t got;
            memcpy(&got, (const uint8_t *)range.columns[0] + i * 24, sizeof got);
            assert_int_equal(got, range.first + i);
            assert_int_equal(((const uint8_t *)range.columns[1])[i], (uint8_t)(range.first + i));
        }
        *end += range.num_samples;
        hr__pipeline_release(p);
    }
    return st;
}

static void pipeline__any_number_of_readers__gives_all_samples_in_order(void **state) {
    (void)state;
    static const uint64_t starts[] = {0, 1, 63, 64, 65, 999, 1000, 1001, 5000};
    for (uint32_t readers = 1; readers <= 4; readers++)
        for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
            for (uint32_t buffers = 1; buffers <= readers + 1; buffers++) {
                struct hr__read_plan plan = make_plan(64, readers, buffers);
                struct hr__pipeline *p = NULL;
                struct hr__budget budget;
                uint64_t end;
                hr__budget_init(&budget, 1 << 20);
                assert_int_equal(
                    hr__pipeline_open(&inputs, &plan, starts[i], NULL, &budget, &p, NULL), HR_OK);
                assert_int_equal(read_all(p, starts[i], &end, NULL), HR_END_OF_EPOCH);
                assert_int_equal(end, starts[i] < 1001 ? 1001 : starts[i]);
                hr__pipeline_close(p);
                assert_int_equal(x.open_readers, 0);
                assert_int_equal(budget.reserved_bytes, 0);
                assert_true(budget.peak_bytes <= buffers * plan.buffer_bytes);
            }
}

/* Pieces of 50 samples, the first of 20. */
static uint64_t fake_piece_end(const struct hr__source *src, uint64_t sample) {
    (void)src;
    return sample < 20 ? 20 : 20 + ((sample - 20) / 50 + 1) * 50;
}

static uint64_t turns_x, turns_y; /* where the latest read of each ended */

static hr_status read_in_turns(struct hr__source_reader *r, uint64_t first, uint64_t n, void *dst,
                               hr_error *err) {
    const bool is_x = ((struct fake_reader *)r)->src == &x;
    *(is_x ? &turns_x : &turns_y) = first + n;
    assert_true(turns_x == turns_y || turns_x - turns_y == n);
    assert_true(n <= 50 && fake_piece_end(NULL, first) >= first + n);
    return fake_read(r, first, n, dst, err);
}

static void pipeline__sources_with_pieces__are_read_in_turns(void **state) {
    (void)state;
    struct hr__source_ops ops = fake_ops;
    ops.read = read_in_turns;
    ops.piece_end = fake_piece_end;
    x.base.ops = y.base.ops = &ops;
    for (uint64_t first = 0; first < 200; first += 33) {
        struct hr__read_plan plan = make_plan(128, 1, 2);
        struct hr__pipeline *p = NULL;
        struct hr__budget budget;
        uint64_t end;
        hr__budget_init(&budget, 1 << 20);
        x.reads = 0;
        turns_x = turns_y = first;
        assert_int_equal(hr__pipeline_open(&inputs, &plan, first, NULL, &budget, &p, NULL), HR_OK);
        assert_int_equal(read_all(p, first, &end, NULL), HR_END_OF_EPOCH);
        assert_int_equal(end, 1001);
        assert_true(x.reads >= (1001 - first) / 50 && x.reads <= (1001 - first) / 50 + 10);
        hr__pipeline_close(p);
    }
}

static void pipeline__a_failure__comes_in_its_place(void **state) {
    (void)state;
    for (uint32_t readers = 1; readers <= 4; readers++) {
        struct hr__read_plan plan = make_plan(10, readers, readers + 1);
        struct hr__pipeline *p = NULL;
        struct hr__budget budget;
        hr_error err = {0};
        uint64_t end;
        hr__budget_init(&budget, 1 << 20);
        y.fails_at = 507;
        assert_int_equal(hr__pipeline_open(&inputs, &plan, 0, NULL, &budget, &p, NULL), HR_OK);
        assert_int_equal(read_all(p, 0, &end, &err), HR_ERR_DATA);
        assert_int_equal(end, 500);
        assert_string_equal(err.message, "sample 507 is bad");
        hr__pipeline_close(p);
        assert_int_equal(x.open_readers + y.open_readers, 0);
        assert_int_equal(budget.reserved_bytes, 0);
    }
}

static void pipeline__closed_early__drains(void **state) {
    (void)state;
    struct hr__read_plan plan = make_plan(10, 3, 4);
    struct hr__pipeline *p = NULL;
    struct hr__budget budget;
    struct hr__range range;
    hr__budget_init(&budget, 1 << 20);
    assert_int_equal(hr__pipeline_open(&inputs, &plan, 0, NULL, &budget, &p, NULL), HR_OK);
    assert_int_equal(hr__pipeline_next(p, -1, &range, NULL), HR_OK);
    hr__pipeline_close(p);
    assert_int_equal(budget.reserved_bytes, 0);
    assert_true(x.reads <= 4); /* nothing was read that had no buffer */
    hr__pipeline_close(NULL);
}

static void pipeline__readers_beyond_the_budget__are_left_out(void **state) {
    (void)state;
    struct hr__read_plan plan = make_plan(10, 4, 5);
    struct hr__pipeline *p = NULL;
    struct hr__budget budget;
    uint64_t end;
    x.reader_bytes = 1000;
    hr__budget_init(&budget, 5 * plan.buffer_bytes + 2500);
    assert_int_equal(hr__pipeline_open(&inputs, &plan, 0, NULL, &budget, &p, NULL), HR_OK);
    assert_int_equal(x.open_readers, 2);
    assert_int_equal(y.open_readers, 2);
    assert_int_equal(read_all(p, 0, &end, NULL), HR_END_OF_EPOCH);
    hr__pipeline_close(p);
    hr__budget_init(&budget, 5 * plan.buffer_bytes + 500);
    assert_int_equal(hr__pipeline_open(&inputs, &plan, 0, NULL, &budget, &p, NULL), HR_ERR_BUDGET);
    assert_null(p);
    hr__budget_init(&budget, plan.buffer_bytes);
    assert_int_equal(hr__pipeline_open(&inputs, &plan, 0, NULL, &budget, &p, NULL), HR_ERR_BUDGET);
    assert_int_equal(budget.reserved_bytes, 0);
}

static void pipeline__nothing_there_yet__times_out(void **state) {
    (void)state;
    struct hr__read_plan plan = make_plan(1, 1, 1);
    struct hr__pipeline *p = NULL;
    struct hr__budget budget;
    struct hr__range range;
    hr_status st;
    hr__budget_init(&budget, 1 << 20);
    assert_int_equal(hr__pipeline_open(&inputs, &plan, 1, NULL, &budget, &p, NULL), HR_OK);
    while ((st = hr__pipeline_next(p, 0, &range, NULL)) != HR_OK)
        assert_int_equal(st, HR_TIMEOUT);
    assert_int_equal(range.first, 1);
    hr__pipeline_close(p);
}

static void plan__any_budget__is_kept_where_one_sample_fits(void **state) {
    (void)state;
    for (uint64_t budget = 0; budget < 1 << 27; budget = budget * 2 + 17)
        for (uint64_t granule = 1; granule < 100000; granule *= 7) {
            struct hr__read_plan plan;
            x.base.info.granule_samples = granule;
            hr__read_plan_make(&inputs, budget, 4, &plan);
            assert_true(plan.range_samples >= 1);
            assert_true(plan.num_readers >= 1);
            assert_int_equal(plan.sample_bytes, 25);
            assert_int_equal(plan.buffer_bytes,
                             hr__read_plan_field_off(&inputs, plan.range_samples, 2));
            if (plan.range_samples > 1)
                assert_true(plan.buffer_bytes * plan.num_buffers <= budget);
            if (plan.num_readers > 1)
                assert_int_equal(plan.range_samples % granule, 0);
        }
}

static void plan__small_field_of_large_granules__does_not_keep_readers_away(void **state) {
    (void)state;
    struct hr__read_plan plan;
    x.base.info.granule_samples = 64;
    y.base.info.granule_samples = 1 << 20; /* 1 of 25 bytes */
    hr__read_plan_make(&inputs, 1 << 20, 3, &plan);
    assert_int_equal(plan.num_readers, 3);
    assert_int_equal(plan.range_samples % 64, 0);
    x.base.info.granule_samples = 1 << 20; /* 24 of 25 */
    y.base.info.granule_samples = 64;
    hr__read_plan_make(&inputs, 1 << 20, 3, &plan);
    assert_int_equal(plan.num_readers, 1);
    y.base.info.sample_bytes = 0;
    x.base.info.granule_samples = 64;
    y.base.info.granule_samples = 1 << 20; /* nothing */
    hr__read_plan_make(&inputs, 1 << 20, 3, &plan);
    assert_int_equal(plan.num_readers, 3);
}

static void plan__helpers__are_shared_by_the_fields(void **state) {
    (void)state;
    x.base.info.max_readers = 8;
    assert_int_equal(hr__read_plan_readers(&inputs, 8), 8);
    x.base.info.member = "/x";
    assert_int_equal(hr__read_plan_readers(&inputs, 6), 6);
    y.base.info.member = "/y"; /* one helper reads both */
    assert_int_equal(hr__read_plan_readers(&inputs, 6), 6);
    assert_int_equal(hr__read_plan_readers(&inputs, 1), 1);
    x.base.info.pool = y.base.info.pool = &x; /* the cursors have one each */
    assert_int_equal(hr__read_plan_readers(&inputs, 6), 6);
    y.base.info.pool = &y;
    assert_int_equal(hr__read_plan_readers(&inputs, 6), 3);
    x.base.info.max_readers = 1;
    assert_int_equal(hr__read_plan_readers(&inputs, 6), 1);
    x.base.info.max_readers = UINT32_MAX;
    assert_int_equal(hr__read_plan_readers(&inputs, UINT32_MAX), 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pipeline__any_number_of_readers__gives_all_samples_in_order,
                               make_inputs),
        cmocka_unit_test_setup(pipeline__sources_with_pieces__are_read_in_turns, make_inputs),
        cmocka_unit_test_setup(pipeline__a_failure__comes_in_its_place, make_inputs),
        cmocka_unit_test_setup(pipeline__closed_early__drains, make_inputs),
        cmocka_unit_test_setup(pipeline__readers_beyond_the_budget__are_left_out, make_inputs),
        cmocka_unit_test_setup(pipeline__nothing_there_yet__times_out, make_inputs),
        cmocka_unit_test_setup(plan__any_budget__is_kept_where_one_sample_fits, make_inputs),
        cmocka_unit_test_setup(plan__small_field_of_large_granules__does_not_keep_readers_away,
                               make_inputs),
        cmocka_unit_test_setup(plan__helpers__are_shared_by_the_fields, make_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
