/*
 * What a loader says limits it, each time with that very thing made slow: disk, decoding, consumer,
 * budget, threads; and that its figures add up.
 */
#define _GNU_SOURCE
#include "cpu.h"
#include "loader_counters.h"
#include "loader_report.h"
#include "made_dataset.h"
#include "memory_file.h"
#include "storage_advice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME       "slow.hrd"
#define SLOW_US    3000u
#define BUDGET     ((uint64_t)128 << 20)
#define NUM_CHUNKS 96u
#define MANY       20u /* epochs: enough that a thread which did not get its core does not matter */

/* Chunks of 256 KiB, of a field that zstd has work with. */
static const struct made set = {
    (uint64_t)NUM_CHUNKS * 64, 64, 4096, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};

struct run {
    struct memory_file file;
    hr_dataset *ds;
    hr_loader *loader;
    hr_loader_options opts;
    unsigned disk_us, consume_us;
};

static void begin(struct run *r) {
    hr_error err = {0};
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    o.budget_bytes = BUDGET;
    made_write(made_path(NAME), &set);
    memory_file_load(&r->file, made_path(NAME), 0);
    made_ok(hr__dataset_open_in(&r->file.folder, NAME, &o, &r->ds, &err), &err);
    r->opts.io = HR_IO_CACHED;
    if (r->opts.num_threads == 0)
        r->opts.num_threads = hr__cpu_count();
}

static void start(struct run *r) {
    hr_error err = {0};
    atomic_store(&r->file.delay_us, r->disk_us);
    made_ok(hr_loader_open(r->ds, &r->opts, &r->loader, &err), &err);
}

static void take(struct run *r, uint32_t num_batches) {
    hr_error err = {0};
    uint64_t ends = 0;
    for (uint32_t i = 0; i < num_batches; i++) {
        hr_batch *b = NULL;
        hr_status st = hr_loader_next(r->loader, -1, &b, &err);
        if (st == HR_END_OF_EPOCH && ++ends == r->opts.num_epochs)
            return;
        if (st == HR_END_OF_EPOCH)
            continue;
        made_ok(st, &err);
        if (r->consume_us > 0)
            usleep(r->consume_us);
        hr_batch_release(b);
    }
}

static hr_loader_report_info report(struct run *r) {
    hr_error err = {0};
    hr_loader_report_info out = {.struct_bytes = sizeof(out)};
    made_ok(hr_loader_report(r->loader, &out, &err), &err);
    return out;
}

static void end(struct run *r) {
    atomic_store(&r->file.delay_us, 0);
    hr_loader_close(r->loader);
    hr_dataset_close(r->ds);
    memory_file_free(&r->file);
}

static struct run usual(void) {
    struct run r = {.opts = HR_LOADER_OPTIONS_INIT};
    r.opts.batch_samples = 64;
    r.opts.num_epochs = 1;
    r.opts.budget_bytes = BUDGET;
    return r;
}

static hr_loader_report_info run_epoch(struct run *r) {
    begin(r);
    start(r);
    take(r, UINT32_MAX);
    hr_loader_report_info out = report(r);
    end(r);
    return out;
}

/* Where every memory access is watched, copying is as slow as a disk. */
static bool is_watched(void) {
    const char *sanitizer = getenv("HEADRACE_SANITIZE");
    return sanitizer != NULL && sanitizer[0] != '\0';
}

static void assert_says(const hr_loader_report_info *r, hr_limit limit, const char *words) {
    if (r->limit != limit || strstr(r->sentence, words) == NULL)
        fail_msg("expected %s with '%s', got: %s", hr_limit_name(limit), words, r->sentence);
}

static void report__a_slow_disk__is_named(void **state) {
    (void)state;
    struct run r = usual();
    r.disk_us = SLOW_US;
    hr_loader_report_info i = run_epoch(&r);
    assert_says(&i, HR_LIMIT_DISK, "limited by the disk: it gave ");
    assert_true(i.wait_io_ns > i.thread_ns / 2);
    assert_true(i.copy_ns < i.wait_io_ns / 4);
}

static void report__decoding_on_all_cores__is_named(void **state) {
    (void)state;
    struct run r = usual();
    r.opts.num_epochs = MANY;
    hr_loader_report_info i = run_epoch(&r);
    if (is_watched())
        skip();
    assert_says(&i, HR_LIMIT_DECODING, "limited by decoding: ");
    assert_true(i.decode_ns > i.wait_io_ns);
    assert_true(i.busy_share > 0.5);
}

static void report__fewer_threads_than_cores__asks_for_more(void **state) {
    (void)state;
    struct run r = usual();
    r.opts.num_epochs = MANY;
    r.opts.num_threads = 1;
    hr_loader_report_info i = run_epoch(&r);
    if (is_watched() || hr__cpu_count() == 1)
        skip();
    assert_says(&i, HR_LIMIT_THREADS, "limited by too few threads: 1 of ");
}

static void report__a_slow_consumer__is_named(void **state) {
    (void)state;
    struct run r = usual();
    r.consume_us = SLOW_US;
    hr_loader_report_info i = run_epoch(&r);
    assert_says(&i, HR_LIMIT_CONSUMER, "limited by the consumer: ");
    assert_true(i.waiting_share < 0.5);
}

static uint64_t smallest_budget(struct run *r) {
    hr_error err = {0};
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    made_ok(hr_loader_plan_make(r->ds, &r->opts, &plan, &err), &err);
    return plan.smallest_budget_bytes;
}

static hr_loader_report_info run_starved(struct run *r) {
    begin(r);
    r->opts.budget_bytes = smallest_budget(r);
    start(r);
    take(r, UINT32_MAX);
    hr_loader_report_info i = report(r);
    end(r);
    return i;
}

static void report__a_budget_that_takes_threads__is_named(void **state) {
    (void)state;
    struct run r = usual();
    r.opts.num_epochs = MANY;
    r.opts.num_threads = 4;
    hr_loader_report_info i = run_starved(&r);
    assert_int_equal(i.num_threads, 1);
    assert_true(i.ample_bytes > i.budget_bytes);
    if (hr__cpu_count() == 1)
        skip();
    assert_says(&i, HR_LIMIT_BUDGET, "limited by the budget of "); /* it took batches, too */
    assert_says(&i, HR_LIMIT_BUDGET, "; give it ");
}

static void report__a_budget_that_takes_reads__is_named(void **state) {
    (void)state;
    struct run r = usual();
    r.opts.num_threads = 1;
    r.disk_us = SLOW_US;
    hr_loader_report_info i = run_starved(&r);
    assert_says(&i, HR_LIMIT_BUDGET, "it allows 1 of 4 reads in flight");
}

/* With the budget that the report asks for, nothing is given up any more. */
static void report__the_budget_asked_for__gives_up_nothing(void **state) {
    (void)state;
    struct run r = usual();
    r.opts.num_threads = 4;
    hr_loader_report_info starved = run_starved(&r);
    r.opts.budget_bytes = starved.ample_bytes;
    hr_loader_report_info i = run_epoch(&r);
    assert_true(i.limit != HR_LIMIT_BUDGET);
    assert_int_equal(i.num_threads, i.wanted_threads);
    assert_int_equal(i.io_depth, i.wanted_io_depth);
    assert_int_equal(i.num_slots, i.wanted_slots);
}

/* A loader of 2 threads that all but decodes: each case changes what it says. */
static hr_loader_report_info figures(void) {
    return (hr_loader_report_info){.num_threads = 2,
                                   .wanted_threads = 2,
                                   .num_cores = 2,
                                   .io_depth = 64,
                                   .wanted_io_depth = 64,
                                   .num_slots = 10,
                                   .wanted_slots = 10,
                                   .visits = 1000,
                                   .batches_delivered = 100,
                                   .elapsed_ns = 1000,
                                   .thread_ns = 2000,
                                   .wait_batch_ns = 900,
                                   .decode_ns = 2000};
}

static void limit__figures_at_the_borders__decide(void **state) {
    (void)state;
    enum hr__given_up given_up;
    hr_loader_report_info r = figures();
    assert_int_equal(hr__report_limit(&r, 0, &given_up), HR_LIMIT_DECODING);
    assert_int_equal(given_up, HR__GAVE_NOTHING);
    r.wait_io_ns = 320; /* a sixth of the time: the threads are not what is short */
    assert_int_equal(hr__report_limit(&r, 0, &given_up), HR_LIMIT_DISK);
    r.io_depth = 16;
    assert_int_equal(hr__report_limit(&r, 0, &given_up), HR_LIMIT_BUDGET);
    assert_int_equal(given_up, HR__GAVE_READS);
    r = figures();
    r.num_slots = 6;
    r.wait_batch_ns = 400;
    r.wait_consumer_ns = 400; /* each waits for the other: a larger ring would let them overlap */
    assert_int_equal(hr__report_limit(&r, 0, &given_up), HR_LIMIT_BUDGET);
    assert_int_equal(given_up, HR__GAVE_BATCHES);
    assert_int_equal(hr__report_limit(&r, 350, &given_up), HR_LIMIT_DECODING);
    r = figures();
    r.thread_ns = 1000; /* all was read at half the time: the rest was the consumer's */
    r.wait_batch_ns = 300;
    assert_int_equal(hr__report_limit(&r, 0, &given_up), HR_LIMIT_CONSUMER);
}

/* A loader that is behind by what follows, on a GPU where uploads run for a tenth of the time. */
static hr_loader_report_info figures_of_gpu(int64_t batch, int64_t slot, int64_t device) {
    hr_loader_report_info r = figures();
    r.device = HR_DEVICE_CUDA(0);
    r.pinned = 1;
    r.uploads = 100;
    r.uploaded_bytes = 2500;
    r.upload_ns = 100;
    r.upload_thread_ns = 1000;
    r.upload_wait_batch_ns = batch;
    r.upload_wait_slot_ns = slot;
    r.upload_wait_device_ns = device;
    r.overlap_known = 1;
    r.overlap_share = 0.75;
    return r;
}

static void limit__on_a_gpu__is_what_the_uploads_wait_for(void **state) {
    (void)state;
    const struct {
        int64_t batch, slot, device, upload;
        hr_limit limit;
        const char *words;
    } cases[] = {
        {800, 50, 120, 100, HR_LIMIT_DECODING, "limited by decoding"},
        {50, 800, 120, 100, HR_LIMIT_CONSUMER, "held all batches on the GPU for 80 %"},
        {50, 50, 900, 100, HR_LIMIT_COMPUTE, "75 % of that was hidden behind compute"},
        {20, 0, 950, 940, HR_LIMIT_UPLOAD, "at 2.7 GB/s; upload less"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum hr__given_up given_up;
        hr_loader_report_info r = figures_of_gpu(cases[i].batch, cases[i].slot, cases[i].device);
        char text[2048];
        r.struct_bytes = sizeof(r);
        r.upload_ns = cases[i].upload;
        r.wait_consumer_ns = 0;
        r.limit = hr__report_limit(&r, 0, &given_up);
        hr__report_sentence(&r, given_up);
        assert_says(&r, cases[i].limit, cases[i].words);
        assert_true(hr_loader_report_text(&r, text, sizeof(text)) < sizeof(text));
        assert_non_null(strstr(text, "for compute"));
    }
}

static void report__before_anything_came__is_too_early(void **state) {
    (void)state;
    struct run r = usual();
    begin(&r);
    start(&r);
    take(&r, 1);
    hr_loader_report_info i = report(&r);
    assert_says(&i, HR_LIMIT_UNKNOWN, "too early to say what limits: ");
    end(&r);
}

/* A disk that has stopped answering is seen while it does not. */
static void report__a_disk_that_hangs__is_named_before_it_answers(void **state) {
    (void)state;
    struct run r = usual();
    hr_batch *b = NULL;
    begin(&r);
    start(&r);
    take(&r, 20);
    atomic_store(&r.file.paused, true);
    hr_status st;
    while ((st = hr_loader_next(r.loader, 300000000, &b, NULL)) == HR_OK)
        hr_batch_release(b);
    assert_int_equal(st, HR_TIMEOUT);
    hr_loader_report_info i = report(&r);
    atomic_store(&r.file.paused, false);
    end(&r);
    assert_says(&i, HR_LIMIT_DISK, "limited by the disk: ");
}

static void report__its_figures__add_up(void **state) {
    (void)state;
    struct run r = usual();
    r.opts.flags = HR_LOADER_SHUFFLE;
    r.opts.window_visits = 8;
    hr_loader_report_info i = run_epoch(&r);
    uint64_t reads = 0;
    for (uint32_t b = 0; b < HR_LATENCY_BUCKETS; b++)
        reads += i.latency_counts[b];
    assert_int_equal(reads, NUM_CHUNKS);
    assert_int_equal(i.visits, NUM_CHUNKS);
    assert_int_equal(i.delivered_bytes, set.num_samples * (4096 + 8));
    assert_true(i.wanted_bytes > 0 && i.wanted_bytes <= i.read_bytes);
    assert_true(i.scatter_ns > 0);
    assert_int_equal(i.thread_ns, i.wait_io_ns + i.copy_ns + i.decode_ns + i.scatter_ns +
                                      i.wait_ring_ns + i.wait_consumer_ns + i.other_ns);
    assert_true(i.first_batch_ns > 0 && i.first_batch_ns <= i.elapsed_ns);
}

/* ---- text ---- */

static void text__a_report__begins_with_the_sentence_and_fits(void **state) {
    (void)state;
    struct run r = usual();
    char text[2048], cut[40];
    hr_loader_report_info i = run_epoch(&r);
    size_t n = hr_loader_report_text(&i, text, sizeof(text));
    assert_int_equal(n, strlen(text));
    assert_int_equal(strncmp(text, i.sentence, strlen(i.sentence)), 0);
    for (const char *at = text, *line; (line = strchr(at, '\n')) != NULL; at = line + 1)
        assert_true(at == text || line - at <= 100);
    assert_int_equal(hr_loader_report_text(&i, cut, sizeof(cut)), n);
    assert_int_equal(strncmp(cut, text, sizeof(cut) - 1), 0);
    assert_int_equal(strlen(cut), sizeof(cut) - 1);
    assert_int_equal(hr_loader_report_text(&i, NULL, 0), n);
    i.struct_bytes = 8;
    assert_int_equal(hr_loader_report_text(&i, text, sizeof(text)), 0);
}

static void latency__of_any_time__is_in_the_bucket_of_its_power(void **state) {
    (void)state;
    assert_int_equal(hr__latency_bucket(-5), 0);
    assert_int_equal(hr__latency_bucket(1), 0);
    assert_int_equal(hr__latency_bucket(1023), 9);
    assert_int_equal(hr__latency_bucket(1024), 10);
    assert_int_equal(hr__latency_bucket(INT64_MAX), HR_LATENCY_BUCKETS - 1);
}

/* ---- advice ---- */

#define FIGURES(level, ratio, rate)                                                                \
    "{\"codec\": \"zstd\", \"filter\": \"none\", \"level\": " level ", \"ratio\": " ratio          \
    ", \"decode_gb_per_s\": " rate "}"

/* Puts trials into the footer of a data set that is open. */
static void set_trials(hr_dataset *ds, const char *candidates) {
    for (uint32_t f = 0; f < ds->footer.schema.num_fields; f++) {
        struct hr__storage *s = &ds->footer.schema.fields[f].storage;
        free(s->why_json);
        s->why_json = NULL;
        s->level = 1;
        if (asprintf(&s->why_json, "{\"candidates\": %s}", candidates) < 0)
            abort();
    }
}

static struct hr__advice advise(struct run *r, const char *candidates, bool disk, double decode) {
    uint32_t field = 1; /* "x" */
    struct hr__storage_shares shares = {decode, 0};
    struct hr__loader_config c = {.ds = r->ds, .num_fields = 1, .fields = &field};
    struct hr__advice a;
    set_trials(r->ds, candidates);
    hr__storage_advice(&c, disk, &shares, &a);
    return a;
}

#define NEAR(a, b) assert_true((a) > (b)-0.001 && (a) < (b) + 0.001)

static void advice__a_candidate_that_decodes_faster__is_told_with_its_size(void **state) {
    (void)state;
    struct run r = usual();
    begin(&r);
    const char *trials = "[" FIGURES("1", "1.04", "1.0") ", " FIGURES("-3", "1.00", "1.5") "]";
    struct hr__advice a = advise(&r, trials, false, 1.0);
    assert_string_equal(a.other, "level -3");
    NEAR(a.faster, 1.5);
    NEAR(a.larger, 1.04);
    a = advise(&r, trials, false, 0.5); /* half of the time would be as it is */
    NEAR(a.faster, 1 / (0.5 + 0.5 / 1.5));
    a = advise(&r, trials, false, 0.2); /* not worth saying */
    assert_true(a.faster < 0.001 && a.other[0] == '\0');
    end(&r);
}

static void advice__for_a_slow_disk__is_what_is_smaller(void **state) {
    (void)state;
    struct run r = usual();
    begin(&r);
    const char *trials = "[" FIGURES("1", "2", "1.0") ", " FIGURES("9", "2.5", "0.5") ", " FIGURES(
        "-3", "1.5", "9") "]";
    struct hr__advice a = advise(&r, trials, true, 0.3);
    assert_string_equal(a.other, "level 9");
    NEAR(a.faster, 1.25);
    NEAR(a.larger, 0.8);
    a = advise(&r, trials, true, 0.6); /* decoding could not follow */
    assert_string_equal(a.other, "");
    end(&r);
}

/* Of two deltas the one at another distance is another way to store. */
static void advice__another_filter__is_named(void **state) {
    (void)state;
    struct run r = usual();
    begin(&r);
    struct hr__storage *s = &r.ds->footer.schema.fields[1].storage;
#define FILTERED(filter, distance, ratio)                                                          \
    "{\"codec\": \"zstd\", \"filter\": \"" filter                                                  \
    "\", \"level\": 1, \"distance_bytes\": " distance ", \"ratio\": " ratio                        \
    ", \"decode_gb_per_s\": 1}"
    s->filter = HR__FILTER_DELTA;
    s->element_bytes = 1;
    s->distance_bytes = 3;
    struct hr__advice a = advise(
        &r, "[" FILTERED("delta", "3", "2") ", " FILTERED("delta", "96", "3") "]", true, 0.1);
    assert_string_equal(a.other, "level 1 with delta");
    NEAR(a.faster, 1.5);
    a = advise(&r, "[" FILTERED("delta", "3", "2") ", " FILTERED("delta+bit-shuffle", "3", "4") "]",
               true, 0.1);
    assert_string_equal(a.other, "level 1 with delta+bit-shuffle");
    a = advise(&r, "[" FILTERED("delta", "3", "2") ", " FIGURES("1", "4", "1") "]", true, 0.1);
    assert_string_equal(a.other, "level 1 without a filter");
    a = advise(&r, "[" FILTERED("delta", "3", "2") ", " FILTERED("paeth", "3", "9") "]", true, 0.1);
    assert_string_equal(a.other, "");
    end(&r);
}

static void advice__without_figures_or_with_hostile_ones__is_none(void **state) {
    (void)state;
    struct run r = usual();
    begin(&r);
    static const char *const trials[] = {
        "[]",
        "7",
        "[7, null, {\"codec\": 3}]",
        "[" FIGURES("1", "0", "1.0") ", " FIGURES("-3", "1", "2") "]",
        "[" FIGURES("1", "1", "1") ", " FIGURES("-3", "1e300", "1e300") "]",
        "[" FIGURES("1", "1", "1") ", " FIGURES("\"x\"", "1", "2") "]",
        "[" FIGURES("2", "1", "1") ", " FIGURES("-3", "1", "2") "]", /* not of what is stored */
    };
    for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
        struct hr__advice a = advise(&r, trials[i], false, 1.0);
        assert_string_equal(a.other, "");
    }
    end(&r);
}

static void advice__in_the_sentence__follows_what_limits(void **state) {
    (void)state;
    struct run r = usual();
    r.opts.num_epochs = MANY;
    begin(&r);
    set_trials(r.ds, "[" FIGURES("1", "1.04", "1.0") ", " FIGURES("-3", "1.00", "50") "]");
    start(&r);
    take(&r, UINT32_MAX);
    hr_loader_report_info i = report(&r);
    end(&r);
    if (is_watched())
        skip();
    assert_says(&i, HR_LIMIT_DECODING, "; field x as level -3 would be up to ");
    assert_non_null(strstr(i.sentence, " times as fast and 4 % larger"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report__a_slow_disk__is_named),
        cmocka_unit_test(report__decoding_on_all_cores__is_named),
        cmocka_unit_test(report__fewer_threads_than_cores__asks_for_more),
        cmocka_unit_test(report__a_slow_consumer__is_named),
        cmocka_unit_test(report__a_budget_that_takes_threads__is_named),
        cmocka_unit_test(report__a_budget_that_takes_reads__is_named),
        cmocka_unit_test(report__the_budget_asked_for__gives_up_nothing),
        cmocka_unit_test(limit__figures_at_the_borders__decide),
        cmocka_unit_test(limit__on_a_gpu__is_what_the_uploads_wait_for),
        cmocka_unit_test(report__before_anything_came__is_too_early),
        cmocka_unit_test(report__a_disk_that_hangs__is_named_before_it_answers),
        cmocka_unit_test(report__its_figures__add_up),
        cmocka_unit_test(text__a_report__begins_with_the_sentence_and_fits),
        cmocka_unit_test(latency__of_any_time__is_in_the_bucket_of_its_power),
        cmocka_unit_test(advice__a_candidate_that_decodes_faster__is_told_with_its_size),
        cmocka_unit_test(advice__for_a_slow_disk__is_what_is_smaller),
        cmocka_unit_test(advice__another_filter__is_named),
        cmocka_unit_test(advice__without_figures_or_with_hostile_ones__is_none),
        cmocka_unit_test(advice__in_the_sentence__follows_what_limits),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
