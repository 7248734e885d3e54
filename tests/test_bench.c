/*
 * hr_bench(): what it measures, bounds and refuses; and the chunks that it holds (measure/).
 */
#define _GNU_SOURCE
#include "chunk_sample.h"
#include "clock.h"
#include "crew.h"
#include "error.h"
#include "made_dataset.h"
#include "rates.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SHORT_NS INT64_C(5000000)

static const struct made example = {.num_samples = 4000,
                                    .samples_per_chunk = 50,
                                    .row_bytes = 300,
                                    .row_words = 20,
                                    .codec = HR_CODEC_ZSTD,
                                    .filter = HR_FILTER_BYTE_SHUFFLE};

static hr_dataset *example_open(const struct made *m, const char *name) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    const char *path = made_path(name);
    made_write(path, m);
    made_ok(hr_dataset_open(path, NULL, &ds, &err), &err);
    return ds;
}

static hr_bench_options short_options(void) {
    hr_bench_options o = HR_BENCH_OPTIONS_INIT;
    o.num_rounds = 3;
    o.run_ns = SHORT_NS;
    o.num_threads = 2;
    o.batch_samples = 64;
    return o;
}

static void ordered(const hr_bench_spread *s) {
    assert_true(s->lowest > 0 && s->lowest <= s->median && s->median <= s->highest);
}

static bool is_epoch(uint32_t kind) {
    return kind >= HR_BENCH_MEMORY_SEQUENTIAL;
}

static void bench__everything__has_figures_or_a_reason(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = example_open(&example, "all.hrd");
    hr_bench_options o = short_options();
    hr_bench_result r = {.struct_bytes = sizeof(r)};
    made_ok(hr_bench(ds, &o, &r, &err), &err);
    assert_int_equal(r.num_rounds, 3);
    assert_int_equal(r.held_chunks, r.num_chunks);
    assert_int_equal(r.decoded_bytes, 4000 * (8 + 300 + 80));
    assert_true(r.ratio > 1 && r.read_depth >= 2);
    for (uint32_t kind = 0; kind < HR_BENCH_NUM_KINDS; kind++) {
        const hr_bench_measure *m = &r.measures[kind];
        assert_int_equal(m->kind, kind);
        assert_true((m->num_runs == 3) == (m->reason[0] == '\0'));
        if (m->num_runs == 0)
            continue;
        ordered(&m->bytes_per_s);
        assert_true((m->limit_bytes_per_s.median > 0) == is_epoch(kind));
        if (!is_epoch(kind))
            continue;
        ordered(&m->share);
        assert_true(m->first_batch_ns > 0);
        assert_true(m->decode_part > 0 && m->io_part >= 0 && m->consumer_part >= 0);
    }
    assert_int_equal(r.measures[HR_BENCH_DECODE].num_runs, 3);
    hr_dataset_close(ds);
}

static void bench__one_epoch_kind__brings_its_limits_and_no_more(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = example_open(&example, "one.hrd");
    hr_bench_options o = short_options();
    hr_bench_result r = {.struct_bytes = sizeof(r)};
    o.measures = 1u << HR_BENCH_MEMORY_SHUFFLED;
    o.window_visits = 8;
    made_ok(hr_bench(ds, &o, &r, &err), &err);
    for (uint32_t kind = 0; kind < HR_BENCH_NUM_KINDS; kind++) {
        bool wanted = kind == HR_BENCH_DECODE || kind == HR_BENCH_MEMORY_SHUFFLED;
        assert_int_equal(r.measures[kind].num_runs, wanted ? 3 : 0);
        assert_string_equal(r.measures[kind].reason, "");
    }
    assert_int_equal(r.window_visits, 8);
    hr_dataset_close(ds);
}

static void epoch__no_number_of_epochs__a_part_is_measured(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = example_open(&example, "part.hrd");
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    const struct hr__watch nobody = {0};
    struct hr__epoch_run run;
    o.batch_samples = 64;
    o.flags = HR_LOADER_SHUFFLE;
    int64_t began_ns = hr__now_ns();
    made_ok(hr__epoch_rate(ds, &o, 20 * SHORT_NS, &nobody, &run, &err), &err);
    assert_true(hr__now_ns() - began_ns >= 20 * SHORT_NS);
    assert_true(run.bytes_per_s > 0 && run.first_batch_ns > 0);
    hr_dataset_close(ds);
}

static void epoch__whole__rate_counts_from_the_open(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = example_open(&example, "whole.hrd");
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    const struct hr__watch nobody = {0};
    struct hr__epoch_run run;
    o.batch_samples = 64;
    o.num_epochs = 3;
    int64_t began_ns = hr__now_ns();
    made_ok(hr__epoch_rate(ds, &o, SHORT_NS, &nobody, &run, &err), &err);
    double bytes = 3 * 4000.0 * (8 + 300 + 80), took_s = (double)(hr__now_ns() - began_ns) / 1e9;
    assert_true(run.bytes_per_s >= bytes / took_s); /* closing is not counted */
    assert_true(run.bytes_per_s <= bytes * 1e9 / (double)run.first_batch_ns);
    hr_dataset_close(ds);
}

static void refused(hr_dataset *ds, const hr_bench_options *o, hr_status expected,
                    const char *words) {
    hr_error err = {0};
    hr_bench_result r = {.struct_bytes = sizeof(r)};
    assert_int_equal(hr_bench(ds, o, &r, &err), expected);
    if (strstr(err.message, words) == NULL)
        fail_msg("'%s' lacks '%s'", err.message, words);
}

static void bench__options_that_make_no_sense__are_refused(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = example_open(&example, "options.hrd");
    hr_bench_options o = short_options();
    o.measures = 1u << HR_BENCH_NUM_KINDS;
    refused(ds, &o, HR_ERR_INVALID, "unknown bits");
    o = short_options();
    o.num_rounds = 1001;
    refused(ds, &o, HR_ERR_INVALID, "num_rounds");
    o = short_options();
    o.num_threads = 1025;
    refused(ds, &o, HR_ERR_INVALID, "num_threads");
    o = short_options();
    o.run_ns = 999999;
    refused(ds, &o, HR_ERR_INVALID, "run_ns");
    o = short_options();
    o.run_ns = -1;
    refused(ds, &o, HR_ERR_INVALID, "run_ns");
    o = short_options();
    o.budget_bytes = 100000;
    refused(ds, &o, HR_ERR_BUDGET, "options.hrd");
    refused(NULL, NULL, HR_ERR_INVALID, "NULL");
    hr_bench_result unset = {0};
    assert_int_equal(hr_bench(ds, NULL, &unset, &err), HR_ERR_INVALID);
    hr_dataset_close(ds);
}

static void bench__no_sample_or_no_byte__is_refused(void **state) {
    (void)state;
    struct made none = example;
    none.num_samples = 0;
    hr_dataset *ds = example_open(&none, "none.hrd");
    hr_bench_options o = short_options();
    refused(ds, &o, HR_ERR_INVALID, "no byte to decode");
    hr_dataset_close(ds);
}

struct stopper {
    uint32_t calls, stop_at;
    bool began; /* of the rounds */
};

static int count_down(void *user, const hr_bench_progress *p) {
    struct stopper *s = user;
    assert_true(p->round <= p->num_rounds && p->done_measures <= p->all_measures);
    assert_non_null(hr_bench_kind_name(p->kind));
    s->began |= p->round > 0;
    return ++s->calls == s->stop_at;
}

static void bench__callback_says_stop_at_any_call__is_cancelled(void **state) {
    (void)state;
    hr_dataset *ds = example_open(&example, "stop.hrd");
    hr_bench_options o = short_options();
    struct stopper s = {.stop_at = 1};
    o.measures = 1u << HR_BENCH_MEMORY_SHUFFLED | 1u << HR_BENCH_READ_SEQUENTIAL;
    o.num_rounds = 1;
    o.on_progress = count_down;
    o.user = &s;
    for (uint32_t n = 1; n < 40; n++) {
        hr_error err = {0};
        hr_bench_result r = {.struct_bytes = sizeof(r)};
        s = (struct stopper){.stop_at = n};
        hr_status st = hr_bench(ds, &o, &r, &err);
        if (st == HR_OK) { /* so many calls there were not */
            assert_true(n > 2 && s.began);
            hr_dataset_close(ds);
            return;
        }
        assert_int_equal(st, HR_ERR_CANCELLED);
        assert_int_equal(s.calls, n); /* and was not asked again */
    }
    fail_msg("it was cancelled 39 times over");
}

static void bench__long_measure__is_stopped_in_the_middle(void **state) {
    (void)state;
    hr_dataset *ds = example_open(&example, "middle.hrd");
    hr_bench_options o = short_options();
    struct stopper s = {.stop_at = 3};
    o.measures = 1u << HR_BENCH_DECODE;
    o.run_ns = INT64_C(3600000000000);
    o.on_progress = count_down;
    o.user = &s;
    refused(ds, &o, HR_ERR_CANCELLED, "stopped");
    hr_dataset_close(ds);
}

static void flip(const char *path, off_t off) {
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, off), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, off), 1);
    close(fd);
}

static void bench__damaged_frame__is_named(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = example_open(&example, "damaged.hrd");
    struct hr__index_cache cache = {0};
    struct hr__chunk_at at;
    made_ok(hr__dataset_locate(ds, 7, &cache, &at, &err), &err);
    hr__index_cache_free(&cache);
    flip(hr_dataset_path(ds), (off_t)(at.entry.page * HR__PAGE_BYTES + 1000));
    hr_bench_options o = short_options();
    refused(ds, &o, HR_ERR_CORRUPT, "damaged.hrd: chunk 7, field");
    hr_dataset_close(ds);
}

static void sample__more_chunks_than_fit__are_spread_and_bounded(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = example_open(&example, "spread.hrd");
    struct hr__budget budget;
    struct hr__chunk_sample s;
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    made_ok(hr_dataset_describe(ds, &info, &err), &err);
    hr__budget_init(&budget, UINT64_MAX);
    uint64_t max_bytes = info.max_chunk_bytes * 10;
    made_ok(hr__chunk_sample_load(ds, max_bytes, &budget, &s, &err), &err);
    assert_true(s.num_bytes <= max_bytes && s.num_chunks >= 5 && s.num_chunks < info.num_chunks);
    for (size_t i = 0; i < s.num_chunks; i++) {
        uint64_t chunk = hr__chunk_sample_number(&s, i);
        assert_int_equal(chunk, i * info.num_chunks / s.num_chunks);
        assert_true(s.first_frame[i] < s.first_frame[i + 1]);
    }
    assert_int_equal(s.first_frame[s.num_chunks], s.num_frames);
    assert_int_equal(s.decoded_bytes, s.num_chunks * 50 * (8 + 300 + 80));
    hr__chunk_sample_free(&s);
    assert_int_equal(atomic_load(&budget.reserved_bytes), 0);
    hr_dataset_close(ds);
}

static void sample__room_for_less_than_one__holds_one_or_is_refused(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = example_open(&example, "least.hrd");
    struct hr__budget budget;
    struct hr__chunk_sample s;
    hr__budget_init(&budget, UINT64_MAX);
    made_ok(hr__chunk_sample_load(ds, 1, &budget, &s, &err), &err);
    assert_int_equal(s.num_chunks, 1);
    hr__chunk_sample_free(&s);
    hr__budget_init(&budget, HR__PAGE_BYTES);
    assert_int_equal(hr__chunk_sample_load(ds, 1, &budget, &s, &err), HR_ERR_BUDGET);
    assert_int_equal(atomic_load(&budget.reserved_bytes), 0);
    hr_dataset_close(ds);
}

/* ---- crew ---- */

struct shared {
    atomic_uint begun, ended;
    uint64_t fail_at; /* turn */
};

static hr_status turn_begin(const void *user, void **mine, hr_error *err) {
    (void)err;
    struct shared *s = *(struct shared *const *)user;
    atomic_fetch_add(&s->begun, 1);
    *mine = s;
    return HR_OK;
}

static hr_status turn_work(const void *user, void *mine, uint64_t turn, uint64_t *bytes,
                           hr_error *err) {
    (void)user;
    struct shared *s = mine;
    usleep(100);
    if (turn == s->fail_at)
        return hr__error_set(err, HR_ERR_CORRUPT, "turn %llu failed", (unsigned long long)turn);
    *bytes = 1000;
    return HR_OK;
}

static void turn_end(void *mine) {
    atomic_fetch_add(&((struct shared *)mine)->ended, 1);
}

static void crew__a_turn_fails__every_thread_stops_and_the_failure_is_told(void **state) {
    (void)state;
    hr_error err = {0};
    double rate = 0;
    struct shared shared = {.fail_at = 20}, *p = &shared;
    const struct hr__crew_job job = {&p, turn_begin, turn_work, turn_end};
    const struct hr__watch nobody = {0};
    hr_status st = hr__crew_run(&job, 4, INT64_C(3600000000000), &nobody, &rate, &err);
    assert_int_equal(st, HR_ERR_CORRUPT);
    assert_string_equal(err.message, "turn 20 failed");
    assert_int_equal(atomic_load(&shared.begun), 4);
    assert_int_equal(atomic_load(&shared.ended), 4);
}

static void crew__all_threads__count_together(void **state) {
    (void)state;
    hr_error err = {0};
    double rate = 0;
    struct shared shared = {.fail_at = UINT64_MAX}, *p = &shared;
    const struct hr__crew_job job = {&p, turn_begin, turn_work, turn_end};
    const struct hr__watch nobody = {0};
    made_ok(hr__crew_run(&job, 3, SHORT_NS * 4, &nobody, &rate, &err), &err);
    /* At most 1,000 bytes in 100 us by each. */
    assert_true(rate > 0 && rate <= 3 * 1e7 * 1.01);
    assert_int_equal(atomic_load(&shared.ended), 3);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench__everything__has_figures_or_a_reason),
        cmocka_unit_test(bench__one_epoch_kind__brings_its_limits_and_no_more),
        cmocka_unit_test(epoch__no_number_of_epochs__a_part_is_measured),
        cmocka_unit_test(epoch__whole__rate_counts_from_the_open),
        cmocka_unit_test(bench__options_that_make_no_sense__are_refused),
        cmocka_unit_test(bench__no_sample_or_no_byte__is_refused),
        cmocka_unit_test(bench__callback_says_stop_at_any_call__is_cancelled),
        cmocka_unit_test(bench__long_measure__is_stopped_in_the_middle),
        cmocka_unit_test(bench__damaged_frame__is_named),
        cmocka_unit_test(sample__more_chunks_than_fit__are_spread_and_bounded),
        cmocka_unit_test(sample__room_for_less_than_one__holds_one_or_is_refused),
        cmocka_unit_test(crew__a_turn_fails__every_thread_stops_and_the_failure_is_told),
        cmocka_unit_test(crew__all_threads__count_together),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
