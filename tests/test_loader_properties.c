/*
 * Whole loaders on tens of small seeded data sets, in every combination of order, streams, ranks,
 * ends, windows, threads, budgets and ways of reading, against what the order says sample by
 * sample. A ring that is too small would stall: every batch must come within a time limit.
 */
#include "made_dataset.h"
#include "order_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NUM_SETS   60u
#define NUM_PARTS  120u /* sets of which a subset is delivered */
#define NUM_EPOCHS 3u
#define MAX_HELD   4u
#define LIMIT_NS   ((int64_t)20000000000)

struct subject { /* a data set, the options of its loaders, and what these should deliver */
    struct made made;
    hr_loader_options o;
    struct hr__segment segments[2];
    struct hr__order_params params;
    struct hr__budget budget;
    struct hr__order *order;
    hr_dataset *ds;
    uint64_t random;
    uint64_t chosen[500], num_chosen; /* the samples that the order is about: all, or a subset */
    hr_subset *subset;
};

/* All, or by chance some of them: one in a hundred up to nearly every one, or a range. */
static void choose_samples(struct subject *s, bool part) {
    static const uint32_t percents[] = {1, 10, 20, 50, 80, 97};
    uint64_t *r = &s->random;
    const uint32_t percent = part ? percents[case_random(r) % 6] : 100;
    const uint64_t N = s->made.num_samples, step = 1 + case_random(r) % 12;
    const bool range = part && case_random(r) % 4 == 0;
    for (uint64_t i = range ? case_random(r) % N : 0; i < N; i += range ? step : 1)
        if (range || case_random(r) % 100 < percent || i == N - 1)
            s->chosen[s->num_chosen++] = i;
}

/* Samples of the first segment: all, but for consecutive ones that begin within a chunk. */
static uint64_t first_part(const struct subject *s) {
    const uint64_t S = s->made.samples_per_chunk, n = s->num_chosen, held = S - s->chosen[0] % S;
    const bool consecutive = s->chosen[n - 1] - s->chosen[0] == n - 1;
    return consecutive && held < S && held < n ? held : n;
}

static void choose_order(struct subject *s) {
    static const uint32_t flags[] = {0, HR_LOADER_DROP_LAST, HR_LOADER_PAD_LAST};
    static const uint32_t streams[] = {1, 1, 2, 3, 4, 6};
    uint64_t *r = &s->random;
    const uint32_t S = s->made.samples_per_chunk;
    const uint64_t cut = first_part(s);
    const uint64_t num_chunks = (cut + S - 1) / S + (s->num_chosen - cut + S - 1) / S;
    s->o = (hr_loader_options)HR_LOADER_OPTIONS_INIT;
    s->o.flags = flags[case_random(r) % 3] | (case_random(r) % 6 != 0 ? HR_LOADER_SHUFFLE : 0);
    s->o.num_streams = streams[case_random(r) % 6];
    if (s->o.num_streams > num_chunks)
        s->o.num_streams = 1;
    s->o.batch_samples = s->o.num_streams * case_between(r, 1, 40);
    const uint32_t each = (uint32_t)(num_chunks / s->o.num_streams);
    const uint32_t windows[] = {0, 1, case_between(r, 1, 7), each, 100};
    s->o.window_visits = s->o.num_streams * windows[case_random(r) % 5];
    s->o.seed = case_random(r);
    s->o.first_epoch = case_random(r) % 4;
    s->o.num_epochs = NUM_EPOCHS;
}

/* false: no batch would come. */
static bool subject_open(struct subject *s, uint64_t number, bool part) {
    hr_error err = {0};
    memset(s, 0, sizeof(*s));
    s->random = (number + 1) * 0x9e3779b97f4a7c15u;
    uint64_t *r = &s->random;
    s->made = (struct made){1 + case_random(r) % 500,
                            case_between(r, 1, 40),
                            case_between(r, 0, 40),
                            case_between(r, 0, 20),
                            HR_CODEC_ZSTD,
                            (int32_t)case_between(r, HR_FILTER_NONE, HR_FILTER_DELTA_BIT_SHUFFLE)};
    if (case_random(r) % 3 == 0)
        s->made.codec = HR_CODEC_RAW, s->made.filter = HR_FILTER_NONE;
    choose_samples(s, part);
    choose_order(s);
    const uint32_t S = s->made.samples_per_chunk;
    const uint64_t n = s->num_chosen, cut = first_part(s);
    s->segments[0] = (struct hr__segment){0, (cut + S - 1) / S, 0, cut};
    s->segments[1] = (struct hr__segment){1, (n - cut + S - 1) / S, cut, n - cut};
    s->params = (struct hr__order_params){
        .kind = s->o.flags & HR_LOADER_SHUFFLE ? HR__ORDER_INTERLEAVED : HR__ORDER_SEQUENTIAL,
        .segments = s->segments,
        .num_segments = cut < n ? 2 : 1,
        .samples_per_chunk = S,
        .batch_samples = s->o.batch_samples,
        .num_streams = s->o.num_streams,
        .window_visits = s->o.window_visits,
        .sample_bytes = 8 + s->made.row_bytes + 4 * (uint64_t)s->made.row_words,
        .seed = s->o.seed,
        .drop_last = (s->o.flags & HR_LOADER_DROP_LAST) != 0,
        .pad_last = (s->o.flags & HR_LOADER_PAD_LAST) != 0};
    hr__budget_init(&s->budget, (uint64_t)1 << 30);
    if (hr__order_make(&s->params, &s->budget, &s->order, &err) != HR_OK) {
        assert_non_null(strstr(err.message, "no batch would come"));
        return false;
    }
    made_write(made_path("set.hrd"), &s->made);
    made_ok(hr_dataset_open(made_path("set.hrd"), NULL, &s->ds, &err), &err);
    if (part)
        made_ok(hr_subset_from_indices(s->ds, s->chosen, s->num_chosen, &s->subset, &err), &err);
    s->o.subset = s->subset;
    return true;
}

static void subject_close(struct subject *s) {
    hr_subset_free(s->subset);
    hr_dataset_close(s->ds);
    hr__order_free(s->order);
}

static uint32_t batch_rows(const struct subject *s, const struct hr__order_epoch *e, uint64_t b) {
    const uint32_t each = s->o.num_streams / s->o.world_size;
    uint32_t n = 0;
    for (uint32_t k = s->o.rank * each; k < (s->o.rank + 1) * each; k++)
        n += hr__order_epoch_batch_samples(e, k, b);
    return n;
}

/* Rows, indices and flags are those of the order. */
static void check_batch(const struct subject *s, const struct hr__order_epoch *e, uint64_t b,
                        const hr_batch *batch) {
    const uint32_t each = s->o.num_streams / s->o.world_size;
    const uint32_t slice = s->o.batch_samples / s->o.num_streams;
    const int64_t *y = hr_batch_data_by_name(batch, "y");
    uint64_t index[240];
    uint8_t flag[240];
    uint32_t row = 0, flagged = 0;
    assert_int_equal(hr_batch_number(batch), b);
    assert_int_equal(hr_batch_num_samples(batch), batch_rows(s, e, b));
    assert_true(made_batch_right(batch, &s->made));
    assert_int_equal(hr_batch_indices(batch, index, NULL), HR_OK);
    assert_int_equal(hr_batch_padding(batch, flag, NULL), HR_OK);
    for (uint32_t k = s->o.rank * each; k < (s->o.rank + 1) * each; k++) {
        const uint32_t n = hr__order_epoch_batch_samples(e, k, b);
        const uint32_t real = n - hr__order_epoch_batch_repeats(e, k, b);
        for (uint32_t i = 0; i < n; i++, row++) {
            uint64_t chunk;
            uint32_t place;
            hr__order_position_sample(e, k, b * slice + i, &chunk, &place);
            const uint64_t S = s->made.samples_per_chunk, cut = s->segments[1].first_sample;
            const bool two = chunk > 0 && s->params.num_segments == 2;
            assert_int_equal(y[row],
                             s->chosen[two ? cut + (chunk - 1) * S + place : chunk * S + place]);
            assert_int_equal(index[row], y[row]);
            assert_int_equal(flag[row], i >= real);
            flagged += i >= real;
        }
    }
    assert_int_equal(hr_batch_num_padding(batch), flagged);
}

/* Holds as many as it may, and gives them back in any order. */
static void run_loader(struct subject *s) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *held[MAX_HELD];
    uint32_t num_held = 0;
    hr_status st = hr_loader_open(s->ds, &s->o, &l, &err);
    if (st == HR_ERR_UNSUPPORTED && s->o.io == HR_IO_DIRECT) {
        s->o.io = HR_IO_CACHED; /* this file system has no direct reads */
        st = hr_loader_open(s->ds, &s->o, &l, &err);
    }
    made_ok(st, &err);
    for (uint64_t k = 0; k < NUM_EPOCHS; k++) {
        struct hr__order_epoch *e;
        hr_batch *none;
        assert_int_equal(hr__order_epoch_make(s->order, s->o.first_epoch + k, 0, s->o.num_streams,
                                              &s->budget, &e, NULL),
                         HR_OK);
        for (uint64_t b = 0; b < hr__order_num_batches(s->order); b++) {
            if (num_held == s->o.max_held_batches) {
                const uint32_t which = (uint32_t)(case_random(&s->random) % num_held);
                hr_batch_release(held[which]);
                held[which] = held[--num_held];
            }
            made_ok(hr_loader_next(l, LIMIT_NS, &held[num_held], &err), &err);
            assert_int_equal(hr_batch_epoch(held[num_held]), s->o.first_epoch + k);
            check_batch(s, e, b, held[num_held++]);
        }
        assert_int_equal(hr_loader_next(l, LIMIT_NS, &none, &err), HR_END_OF_EPOCH);
        hr__order_epoch_free(e);
    }
    hr_loader_close(l); /* with batches held */
}

static hr_loader_plan check_plan(struct subject *s) {
    hr_error err = {0};
    hr_loader_plan p = {.struct_bytes = sizeof(p)};
    made_ok(hr_loader_plan_make(s->ds, &s->o, &p, &err), &err);
    const uint64_t rows = p.batches_per_epoch * s->o.batch_samples, N = s->num_chosen;
    assert_int_equal(p.batches_per_epoch, hr__order_num_batches(s->order));
    assert_int_equal(p.window_visits, hr__order_window(s->order));
    assert_int_equal(p.padded_samples, s->params.pad_last ? rows - N : 0);
    assert_int_equal(p.dropped_samples, rows < N ? N - rows : 0);
    if (s->params.pad_last || s->o.num_streams > 1)
        assert_int_equal(p.samples_per_epoch, rows / s->o.world_size);
    return p;
}

/* Every rank, each with other threads and another way to read, every second one in the least memory
 * that works. */
static void check_ranks(struct subject *s, uint32_t world) {
    for (uint32_t rank = 0; rank < world; rank++) {
        s->o.world_size = world;
        s->o.rank = rank;
        s->o.max_held_batches = 1 + (uint32_t)(case_random(&s->random) % MAX_HELD);
        s->o.budget_bytes = (uint64_t)64 << 20;
        s->o.io = case_random(&s->random) % 8 == 0 ? HR_IO_DIRECT : HR_IO_CACHED;
        s->o.num_threads = 1; /* closing direct reads is slow, for each thread */
        if (s->o.io == HR_IO_CACHED)
            s->o.num_threads += (uint32_t)(case_random(&s->random) % 3);
        if (case_random(&s->random) % 2 == 0)
            s->o.budget_bytes = check_plan(s).smallest_budget_bytes;
        run_loader(s);
    }
}

static void check_sets(uint64_t num_sets, bool part) {
    static struct subject s;
    uint32_t padded = 0, opened = 0;
    for (uint64_t k = 0; k < num_sets; k++) {
        if (!subject_open(&s, k, part))
            continue;
        for (uint32_t world = 1; world <= s.o.num_streams; world++)
            if (s.o.num_streams % world == 0)
                check_ranks(&s, world);
        opened++;
        padded += s.params.pad_last;
        subject_close(&s);
    }
    assert_true(opened > num_sets / 2 && padded > num_sets / 6);
}

static void loader__any_set_and_options__delivers_what_the_order_says(void **state) {
    (void)state;
    check_sets(NUM_SETS, false);
}

static void loader__any_subset_and_options__delivers_its_samples_as_the_order_says(void **state) {
    (void)state;
    check_sets(NUM_PARTS, true);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader__any_set_and_options__delivers_what_the_order_says),
        cmocka_unit_test(loader__any_subset_and_options__delivers_its_samples_as_the_order_says),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
