/*
 * Loaders: what is delivered, in which order, and to whom (include/headrace/loader.h).
 */
#include "loader_config.h"
#include "made_dataset.h"
#include "superblock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_SAMPLES 20000u
#define MAX_EPOCHS  4u

/* 1,000 samples in chunks of 30 (the last has 10), some frames shuffled, rows of odd sizes. */
static const struct made usual = {1000, 30, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};

struct sequence { /* sample indices in the order delivered */
    uint64_t n;
    int64_t samples[MAX_SAMPLES * MAX_EPOCHS];
};

static hr_dataset *make_and_open(const char *name, const struct made *m) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path(name), m);
    made_ok(hr_dataset_open(made_path(name), NULL, &ds, &err), &err);
    return ds;
}

static hr_loader_options shuffled(uint32_t batch) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = batch;
    o.num_threads = 2;
    o.num_epochs = 1;
    return o;
}

/* Runs a loader to its last end of epoch; every batch is checked against m. */
static struct sequence *run(hr_dataset *ds, const hr_loader_options *o, const struct made *m) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_status st;
    struct sequence *s = calloc(1, sizeof(*s));
    made_ok(hr_loader_open(ds, o, &l, &err), &err);
    for (uint64_t ends = 0; ends < o->num_epochs;) {
        st = hr_loader_next(l, -1, &b, &err);
        if (st == HR_END_OF_EPOCH) {
            ends++;
            continue;
        }
        made_ok(st, &err);
        assert_true(made_batch_right(b, m));
        const int64_t *y = hr_batch_data_by_name(b, "y");
        memcpy(s->samples + s->n, y, hr_batch_num_samples(b) * sizeof(*y));
        s->n += hr_batch_num_samples(b);
        hr_batch_release(b);
    }
    assert_int_equal(hr_loader_next(l, -1, &b, &err), HR_END_OF_EPOCH);
    hr_loader_close(l);
    return s;
}

static void assert_each_once(const int64_t *samples, uint64_t n) {
    uint8_t *seen = calloc(n, 1);
    for (uint64_t i = 0; i < n; i++) {
        assert_in_range(samples[i], 0, n - 1);
        assert_int_equal(seen[samples[i]], 0);
        seen[samples[i]] = 1;
    }
    free(seen);
}

static void assert_same(const struct sequence *a, const struct sequence *b) {
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->samples, b->samples, a->n * sizeof(a->samples[0]));
}

static void next__sequential__every_sample_in_order(void **state) {
    (void)state;
    hr_dataset *ds = make_and_open("a.hrd", &usual);
    hr_loader_options o = shuffled(64);
    o.flags = 0;
    o.num_epochs = 2;
    struct sequence *s = run(ds, &o, &usual);
    assert_int_equal(s->n, 2 * usual.num_samples);
    for (uint64_t i = 0; i < s->n; i++)
        assert_int_equal(s->samples[i], i % usual.num_samples);
    free(s);
    hr_dataset_close(ds);
}

static void next__shuffled_in_every_shape__each_sample_once_an_epoch(void **state) {
    (void)state;
    static const struct made sets[] = {
        {1000, 30, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE},
        {1000, 30, 64, 16, HR_CODEC_RAW, HR_FILTER_NONE},
        {999, 1, 5, 0, HR_CODEC_ZSTD, HR_FILTER_NONE},
        {4000, 512, 1, 1, HR_CODEC_AUTO, HR_FILTER_AUTO},
        {7, 3, 300, 129, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE},
        {600, 200, 0, 33, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE},
        {1, 1, 1, 1, HR_CODEC_RAW, HR_FILTER_NONE},
        {1000, 30, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BIT_SHUFFLE},
        {600, 200, 64, 33, HR_CODEC_ZSTD, HR_FILTER_DELTA},
        {999, 512, 5, 300, HR_CODEC_ZSTD, HR_FILTER_DELTA_BYTE_SHUFFLE},
        {4000, 512, 300, 1, HR_CODEC_ZSTD, HR_FILTER_DELTA_BIT_SHUFFLE},
    };
    static const uint32_t windows[] = {0, 1, 2, 5, 100};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        hr_dataset *ds = make_and_open("shape.hrd", &sets[i]);
        for (size_t k = 0; k < sizeof(windows) / sizeof(windows[0]); k++) {
            hr_loader_options o = shuffled(48);
            o.window_visits = windows[k];
            o.num_epochs = 3;
            struct sequence *s = run(ds, &o, &sets[i]);
            assert_int_equal(s->n, 3 * sets[i].num_samples);
            for (uint64_t e = 0; e < 3; e++)
                assert_each_once(s->samples + e * sets[i].num_samples, sets[i].num_samples);
            free(s);
        }
        hr_dataset_close(ds);
    }
}

static void next__samples_larger_than_a_frame__are_right(void **state) {
    (void)state;
    for (int32_t filter = HR_FILTER_BYTE_SHUFFLE; filter <= HR_FILTER_DELTA_BIT_SHUFFLE; filter++) {
        const struct made m = {5, 2, (1u << 20) + 77, (1u << 18) + 3, HR_CODEC_ZSTD, filter};
        hr_dataset *ds = make_and_open("large.hrd", &m);
        for (uint32_t flags = 0; flags < 2; flags++) {
            hr_loader_options o = shuffled(2);
            o.flags = flags;
            struct sequence *s = run(ds, &o, &m);
            assert_int_equal(s->n, 5);
            assert_each_once(s->samples, 5);
            free(s);
        }
        hr_dataset_close(ds);
    }
}

/* Only files with a filter that is undone from one place to another pay for a second place. */
static void scratch__of_every_filter__is_counted_where_it_is_needed(void **state) {
    (void)state;
    static const bool second[] = {[HR_FILTER_BIT_SHUFFLE] = true,
                                  [HR_FILTER_DELTA_BYTE_SHUFFLE] = true,
                                  [HR_FILTER_DELTA_BIT_SHUFFLE] = true};
    for (int32_t filter = HR_FILTER_NONE; filter <= HR_FILTER_DELTA_BIT_SHUFFLE; filter++) {
        const struct made m = {100, 10, 9, 9, HR_CODEC_ZSTD, filter};
        hr_dataset *ds = make_and_open("scratch.hrd", &m);
        struct hr__loader_config c = {.ds = ds, .num_threads = 3, .num_slots = 1, .slot_bytes = 1};
        const uint64_t with = hr__loader_config_bytes(&c);
        assert_int_equal(hr__loader_filtered_bytes(ds), second[filter] ? HR__MAX_FRAME_BYTES : 0);
        ds->parts[0].superblock.required = HR__FEATURE_ZSTD;
        assert_int_equal(with - hr__loader_config_bytes(&c),
                         second[filter] ? 3 * HR__MAX_FRAME_BYTES : 0);
        hr_dataset_close(ds);
    }
}

static void next__threads_budgets_and_io__same_sequence(void **state) {
    (void)state;
    const struct made m = {6000, 32, 100, 60, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_dataset *ds = make_and_open("same.hrd", &m);
    hr_loader_options o = shuffled(96);
    o.window_visits = 40;
    o.num_epochs = 2;
    o.seed = 7;
    struct sequence *first = run(ds, &o, &m);
    assert_each_once(first->samples, m.num_samples);
    static const uint32_t threads[] = {1, 2, 8};
    static const uint64_t budgets[] = {0, (uint64_t)8 << 20};
    static const hr_io ios[] = {HR_IO_CACHED, HR_IO_DIRECT, HR_IO_THREADS, HR_IO_LIBAIO};
    for (size_t i = 0; i < 24; i++) {
        hr_loader *probe = NULL;
        o.num_threads = threads[i % 3];
        o.budget_bytes = budgets[i / 3 % 2];
        o.io = ios[i / 6];
        if (hr_loader_open(ds, &o, &probe, NULL) == HR_ERR_UNSUPPORTED)
            continue; /* this file system has no direct reads */
        hr_loader_close(probe);
        struct sequence *s = run(ds, &o, &m);
        assert_same(first, s);
        free(s);
    }
    free(first);
    hr_dataset_close(ds);
}

static void next__other_seed_or_epoch__other_sequence(void **state) {
    (void)state;
    hr_dataset *ds = make_and_open("seed.hrd", &usual);
    hr_loader_options o = shuffled(50);
    o.num_epochs = 2;
    struct sequence *a = run(ds, &o, &usual);
    assert_memory_not_equal(a->samples, a->samples + 1000, 1000 * sizeof(int64_t));
    o.seed = 1;
    struct sequence *b = run(ds, &o, &usual);
    assert_memory_not_equal(a->samples, b->samples, 1000 * sizeof(int64_t));
    o.seed = 0;
    o.num_epochs = 1;
    o.first_epoch = 1;
    struct sequence *c = run(ds, &o, &usual);
    assert_memory_equal(a->samples + 1000, c->samples, 1000 * sizeof(int64_t));
    free(a);
    free(b);
    free(c);
    hr_dataset_close(ds);
}

/* State after `batches` calls that returned a batch (and after the ends between them). */
static size_t state_after(hr_dataset *ds, const hr_loader_options *o, uint64_t batches,
                          uint8_t *state) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    size_t n = 0;
    made_ok(hr_loader_open(ds, o, &l, &err), &err);
    while (batches > 0) {
        hr_status st = hr_loader_next(l, -1, &b, &err);
        if (st == HR_END_OF_EPOCH)
            continue;
        made_ok(st, &err);
        hr_batch_release(b);
        batches--;
    }
    made_ok(hr_loader_state(l, state, HR_LOADER_STATE_BYTES, &n, &err), &err);
    hr_loader_close(l);
    return n;
}

static void resume_everywhere(const struct made *m, hr_loader_options o) {
    uint8_t bytes[HR_LOADER_STATE_BYTES];
    hr_dataset *ds = make_and_open("resume.hrd", m);
    o.num_epochs = 2;
    struct sequence *whole = run(ds, &o, m);
    uint64_t per_epoch = (m->num_samples + o.batch_samples - 1) / o.batch_samples, done = 0;
    for (uint64_t b = 0; b <= 2 * per_epoch; b++) {
        hr_loader_options rest = o;
        rest.resume_state = bytes;
        rest.resume_state_bytes = state_after(ds, &o, b, bytes);
        rest.num_threads = 1 + (uint32_t)(b % 3);
        bool in_second = b > per_epoch; /* the first end is told before its epoch is left */
        rest.num_epochs = in_second ? 1 : 2;
        struct sequence *s = run(ds, &rest, m);
        assert_int_equal(s->n, whole->n - done);
        assert_memory_equal(s->samples, whole->samples + done, s->n * sizeof(s->samples[0]));
        free(s);
        uint64_t in_epoch = b % per_epoch * o.batch_samples;
        done += m->num_samples - in_epoch < o.batch_samples ? m->num_samples - in_epoch
                                                            : o.batch_samples;
    }
    free(whole);
    hr_dataset_close(ds);
}

static void resume__at_every_batch__goes_on_exactly(void **state) {
    (void)state;
    const struct made m = {700, 9, 11, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_loader_options o = shuffled(32);
    o.window_visits = 12;
    resume_everywhere(&m, o);
    o.window_visits = 1000; /* one permutation of the whole epoch */
    resume_everywhere(&m, o);
    o.flags = 0;
    o.window_visits = 0;
    resume_everywhere(&m, o);
}

static void state__of_other_things__is_refused_in_words(void **state) {
    (void)state;
    uint8_t bytes[HR_LOADER_STATE_BYTES];
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_dataset *ds = make_and_open("b.hrd", &usual), *other = make_and_open("c.hrd", &usual);
    hr_loader_options o = shuffled(50);
    o.resume_state_bytes = state_after(ds, &o, 3, bytes);
    o.resume_state = bytes;
    assert_int_equal(hr_loader_open(other, &o, &l, &err), HR_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "another data set"));
    o.seed = 5;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "seed 0, this loader has 5"));
    o.seed = 0;
    o.flags = 0;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "interleaved/1"));
    o.flags = HR_LOADER_SHUFFLE;
    for (size_t i = 0; i < 120; i++) {
        bytes[i] ^= 1;
        hr_status st = hr_loader_open(ds, &o, &l, &err);
        assert_true(st == HR_ERR_CORRUPT);
        assert_null(l);
        bytes[i] ^= 1;
    }
    hr_dataset_close(ds);
    hr_dataset_close(other);
}

static void next__ranks__slices_of_one_global_sequence(void **state) {
    (void)state;
    const struct made m = {3000, 16, 20, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    hr_dataset *ds = make_and_open("ranks.hrd", &m);
    hr_loader_options o = shuffled(64);
    o.num_streams = 4;
    o.window_visits = 40;
    struct sequence *all = run(ds, &o, &m);
    uint64_t batches = all->n / 64;
    assert_true(batches > 40);
    assert_int_equal(all->n % 64, 0);
    for (uint32_t world = 2; world <= 4; world += 2)
        for (uint32_t rank = 0; rank < world; rank++) {
            o.world_size = world;
            o.rank = rank;
            struct sequence *s = run(ds, &o, &m);
            uint32_t local = 64 / world;
            assert_int_equal(s->n, batches * local);
            for (uint64_t b = 0; b < batches; b++)
                assert_memory_equal(s->samples + b * local, all->samples + b * 64 + rank * local,
                                    local * sizeof(int64_t));
            free(s);
        }
    free(all);
    hr_dataset_close(ds);
}

static void next__drop_last__only_full_batches(void **state) {
    (void)state;
    hr_dataset *ds = make_and_open("drop.hrd", &usual);
    hr_loader_options o = shuffled(64);
    struct sequence *kept = run(ds, &o, &usual);
    o.flags |= HR_LOADER_DROP_LAST;
    o.num_epochs = 2;
    struct sequence *s = run(ds, &o, &usual);
    assert_int_equal(s->n, 2 * 960);
    assert_memory_equal(s->samples, kept->samples, 960 * sizeof(int64_t));
    free(s);
    free(kept);
    hr_dataset_close(ds);
}

static void fields__a_subset__are_read_alone_and_in_their_order(void **state) {
    (void)state;
    const struct made m = {20000, 256, 700, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    const char *names[] = {"y"};
    hr_dataset *ds = make_and_open("subset.hrd", &m);
    hr_loader_options o = shuffled(100);
    o.flags = 0;
    o.fields = names;
    o.num_fields = 1;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    for (int64_t at = 0; at < 20000; at += 100) {
        made_ok(hr_loader_next(l, -1, &b, &err), &err);
        assert_int_equal(hr_batch_num_fields(b), 1);
        const int64_t *y = hr_batch_data(b, 0);
        for (int64_t i = 0; i < 100; i++)
            assert_int_equal(y[i], at + i);
        assert_null(hr_batch_data_by_name(b, "x"));
        assert_null(hr_batch_data(b, 1));
        hr_batch_release(b);
    }
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    made_ok(hr_loader_describe(l, &info, &err), &err);
    assert_in_range(info.read_bytes, 20000 * 8, 20000 * 8 * 6); /* a page or two of each chunk */
    hr_loader_close(l);
    names[0] = "z";
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "it has: y, x"));
    hr_dataset_close(ds);
}

static void indices__of_a_batch__are_the_samples(void **state) {
    (void)state;
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_dataset *ds = make_and_open("index.hrd", &usual);
    hr_loader_options o = shuffled(64);
    o.num_streams = 2;
    o.window_visits = 8;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    hr_status st;
    while ((st = hr_loader_next(l, -1, &b, &err)) == HR_OK) {
        uint64_t found[64];
        made_ok(hr_batch_indices(b, found, &err), &err);
        assert_memory_equal(found, hr_batch_data_by_name(b, "y"), sizeof(found));
        hr_batch_release(b);
    }
    assert_int_equal(st, HR_END_OF_EPOCH);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void options__unknown_or_wrong__are_refused(void **state) {
    (void)state;
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_dataset *ds = make_and_open("options.hrd", &usual);
    hr_loader_options o = shuffled(64);
    o.flags |= 1u << 20;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_INVALID);
    o = shuffled(0);
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_INVALID);
    o = shuffled(63);
    o.num_streams = 2;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "62 and 64"));
    o = shuffled(64);
    o.struct_bytes = 4;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_INVALID);
    o = shuffled(64);
    o.io = (hr_io)(HR_IO_LIBAIO + 1);
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_INVALID);
    o = shuffled(64);
    o.io_depth = 4097;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "4097, at most 4096"));
    o = shuffled(2000);
    o.flags |= HR_LOADER_DROP_LAST;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_INVALID);
    assert_null(l);
    hr_dataset_close(ds);
}

static void plan__peak__is_what_the_loader_reserves(void **state) {
    (void)state;
    const struct made m = {6000, 32, 100, 60, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_error err = {0};
    hr_dataset *ds = make_and_open("plan.hrd", &m);
    for (uint32_t threads = 1; threads <= 4; threads *= 2)
        for (int io = HR_IO_AUTO; io <= HR_IO_LIBAIO; io++) {
            hr_loader *l = NULL;
            hr_loader_options o = shuffled(96);
            o.num_threads = threads;
            o.io = (hr_io)io;
            hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
            hr_loader_info info = {.struct_bytes = sizeof(info)};
            hr_status st = hr_loader_plan_make(ds, &o, &plan, &err);
            if (st == HR_ERR_UNSUPPORTED && (io == HR_IO_DIRECT || io == HR_IO_LIBAIO))
                continue; /* this file system has no direct reads */
            made_ok(st, &err);
            made_ok(hr_loader_open(ds, &o, &l, &err), &err);
            made_ok(hr_loader_describe(l, &info, &err), &err);
            assert_int_equal(plan.peak_bytes, info.reserved_bytes);
            assert_int_equal(plan.io, info.io);
            assert_int_equal(plan.io_depth, info.io_depth);
            assert_string_equal(plan.io_backend, info.io_backend);
            assert_int_equal(info.num_read_threads, io == HR_IO_THREADS ? info.io_depth : 0);
            hr_loader_close(l);
        }
    hr_dataset_close(ds);
}

/* A stream that has passed the short chunk is ahead of the other one: in the smallest ring, both
 * must still find room. */
static void next__streams_with_a_short_chunk__never_stall(void **state) {
    (void)state;
    const struct made m = {5901, 100, 3, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_dataset *ds = make_and_open("stall.hrd", &m);
    hr_loader_options o = shuffled(20);
    o.num_streams = 2;
    o.window_visits = 20;
    o.max_held_batches = 1;
    o.num_threads = 1;
    o.num_epochs = 20;
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    made_ok(hr_loader_plan_make(ds, &o, &plan, &err), &err);
    o.budget_bytes = plan.smallest_budget_bytes;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    for (uint64_t ends = 0; ends < o.num_epochs;) {
        hr_status st = hr_loader_next(l, (int64_t)20000000000, &b, &err);
        assert_int_not_equal(st, HR_TIMEOUT);
        ends += st == HR_END_OF_EPOCH;
        if (st == HR_OK)
            hr_batch_release(b);
    }
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void next__very_many_epochs__do_not_wrap(void **state) {
    (void)state;
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_dataset *ds = make_and_open("many.hrd", &usual);
    hr_loader_options o = shuffled(100); /* ten batches: their number times 2^63 is 0 mod 2^64 */
    o.num_epochs = UINT64_C(1) << 63;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    made_ok(hr_loader_next(l, -1, &b, &err), &err);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next__sequential__every_sample_in_order),
        cmocka_unit_test(next__shuffled_in_every_shape__each_sample_once_an_epoch),
        cmocka_unit_test(next__samples_larger_than_a_frame__are_right),
        cmocka_unit_test(scratch__of_every_filter__is_counted_where_it_is_needed),
        cmocka_unit_test(next__threads_budgets_and_io__same_sequence),
        cmocka_unit_test(next__other_seed_or_epoch__other_sequence),
        cmocka_unit_test(resume__at_every_batch__goes_on_exactly),
        cmocka_unit_test(state__of_other_things__is_refused_in_words),
        cmocka_unit_test(next__ranks__slices_of_one_global_sequence),
        cmocka_unit_test(next__drop_last__only_full_batches),
        cmocka_unit_test(fields__a_subset__are_read_alone_and_in_their_order),
        cmocka_unit_test(indices__of_a_batch__are_the_samples),
        cmocka_unit_test(options__unknown_or_wrong__are_refused),
        cmocka_unit_test(plan__peak__is_what_the_loader_reserves),
        cmocka_unit_test(next__streams_with_a_short_chunk__never_stall),
        cmocka_unit_test(next__very_many_epochs__do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
