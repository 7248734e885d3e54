/*
 * hr_probe(): what it predicts, of disks that are slow and of files that are not in the page cache
 * yet; its bounds of time and memory; and what it refuses.
 */
#define _GNU_SOURCE
#include "clock.h"
#include "dataset.h"
#include "headrace/bench.h"
#include "headrace/memory.h"
#include "made_dataset.h"
#include "memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME         "probe.hrd"
#define MS           INT64_C(1000000)
#define SAMPLE_BYTES (8 + 300 + 80)
#define NUM_CHUNKS   80u

static const struct made example = {.num_samples = NUM_CHUNKS * 50,
                                    .samples_per_chunk = 50,
                                    .row_bytes = 300,
                                    .row_words = 20,
                                    .codec = HR_CODEC_ZSTD,
                                    .filter = HR_FILTER_BYTE_SHUFFLE};

static hr_dataset *example_open(const struct made *m) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path(NAME), m);
    made_ok(hr_dataset_open(made_path(NAME), NULL, &ds, &err), &err);
    return ds;
}

static hr_loader_options shuffled(void) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 64;
    o.window_visits = 16;
    o.num_threads = 2;
    return o;
}

static hr_probe_result probe(hr_dataset *ds, const hr_loader_options *loader, int64_t limit_ns) {
    hr_error err = {0};
    hr_probe_options o = HR_PROBE_OPTIONS_INIT;
    hr_probe_result r = {.struct_bytes = sizeof(r)};
    o.limit_ns = limit_ns;
    made_ok(hr_probe(ds, loader, &o, &r, &err), &err);
    return r;
}

/* Threads of this process. */
static uint32_t num_threads(void) {
    char line[128];
    unsigned n = 0;
    FILE *f = fopen("/proc/self/status", "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL && sscanf(line, "Threads: %u", &n) != 1)
        ;
    fclose(f);
    return n;
}

/* A thread that was joined is seen for a moment longer. */
static void assert_threads(uint32_t expected) {
    for (int i = 0; i < 1000 && num_threads() != expected; i++)
        usleep(1000);
    assert_int_equal(num_threads(), expected);
}

/* ---- what it says ---- */

static void check_figures(const hr_probe_result *r, uint64_t samples) {
    assert_true(r->limit != HR_LIMIT_UNKNOWN && r->limit != HR_LIMIT_CONSUMER);
    assert_memory_equal(r->sentence, "limited by ", 11);
    assert_true(r->first_batch_ns > 0 && r->first_batch_ns <= r->epoch_ns);
    assert_true(r->later_epoch_ns > 0);
    assert_true(r->bytes_per_s > 0 && r->later_bytes_per_s > 0);
    assert_true(r->decode_bytes_per_s > 0 && r->read_bytes_per_s > 0);
    double rows = r->bytes_per_s / r->samples_per_s;
    assert_true(rows > SAMPLE_BYTES * 0.999 && rows < SAMPLE_BYTES * 1.001);
    double later = (double)samples * SAMPLE_BYTES * 1e9 / r->later_bytes_per_s;
    assert_true((double)r->later_epoch_ns > later * 0.999 - 1);
    assert_true((double)r->later_epoch_ns < later * 1.001 + 1);
    assert_true(r->visits > 0 && r->took_ns > 0);
}

static void probe__a_small_set__every_figure_is_there(void **state) {
    (void)state;
    hr_dataset *ds = example_open(&example);
    uint32_t threads = num_threads();
    uint64_t in_use = hr_memory_in_use();
    for (unsigned flags = 0; flags <= HR_LOADER_SHUFFLE; flags++) {
        hr_loader_options lo = shuffled();
        lo.flags = flags;
        hr_probe_result r = probe(ds, &lo, 200 * MS);
        check_figures(&r, example.num_samples);
        assert_true(r.ratio > 1);
        assert_threads(threads);
        assert_int_equal(hr_memory_in_use(), in_use);
    }
    hr_dataset_close(ds);
}

static void probe__a_rank_of_several__speaks_of_its_part(void **state) {
    (void)state;
    hr_dataset *ds = example_open(&example);
    hr_loader_options lo = shuffled();
    lo.num_streams = 4;
    lo.world_size = 2;
    lo.rank = 1;
    hr_probe_result r = probe(ds, &lo, 200 * MS);
    check_figures(&r, example.num_samples / 64 * 64 / 2);
    hr_dataset_close(ds);
}

static void probe__one_chunk_or_one_sample__is_no_exception(void **state) {
    (void)state;
    const uint64_t counts[] = {50, 1};
    for (size_t i = 0; i < 2; i++) {
        struct made m = example;
        m.num_samples = counts[i];
        hr_dataset *ds = example_open(&m);
        hr_loader_options lo = shuffled();
        lo.window_visits = 0;
        hr_probe_result r = probe(ds, &lo, 100 * MS);
        check_figures(&r, counts[i]);
        hr_dataset_close(ds);
    }
}

static void probe__fields_asked_for__are_what_rates_are_of(void **state) {
    (void)state;
    const char *const names[] = {"y"};
    hr_dataset *ds = example_open(&example);
    hr_loader_options lo = shuffled();
    lo.fields = names;
    lo.num_fields = 1;
    hr_probe_result r = probe(ds, &lo, 100 * MS);
    double rows = r.bytes_per_s / r.samples_per_s;
    assert_true(rows > 7.999 && rows < 8.001);
    assert_true(r.read_bytes_per_s > 0 && r.ratio > 0);
    hr_dataset_close(ds);
}

/* ---- a disk whose every read takes its time, once ---- */

struct slow {
    struct memory_file file;
    hr_dataset *ds;
    struct hr__file_ops ops;
};

static unsigned slow_us; /* of a read of a page that was not read yet */
static atomic_bool seen[1u << 14];
static const struct hr__file_ops *real_ops;

static int64_t read_slowly_once(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    size_t page = (size_t)(off / 4096) % (sizeof(seen) / sizeof(seen[0]));
    if (!atomic_exchange(&seen[page], true))
        usleep(slow_us);
    return real_ops->read(ctx, buf, n_bytes, off);
}

static int64_t cached_if_read(void *ctx, uint64_t n_bytes, uint64_t off) {
    (void)ctx;
    size_t page = (size_t)(off / 4096) % (sizeof(seen) / sizeof(seen[0]));
    return atomic_load(&seen[page]) ? (int64_t)n_bytes : 0;
}

static void slow_open(struct slow *s) {
    hr_error err = {0};
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    made_write(made_path(NAME), &example);
    memory_file_load(&s->file, made_path(NAME), 0);
    made_ok(hr__dataset_open_in(&s->file.folder, NAME, &o, &s->ds, &err), &err);
    real_ops = s->ds->files[0].ops;
    s->ops = *real_ops;
}

static void slow_close(struct slow *s) {
    s->ds->files[0].ops = real_ops;
    hr_dataset_close(s->ds);
    memory_file_free(&s->file);
}

static hr_loader_options from_slow_disk(void) {
    hr_loader_options o = shuffled();
    o.io = HR_IO_CACHED;
    o.io_depth = 4;
    return o;
}

/* Where much else runs, a thread may have to wait at just the wrong moment, but not each time. */
static bool in_some_try(bool (*is_good)(struct slow *s, const hr_loader_options *lo),
                        struct slow *s, const hr_loader_options *lo) {
    for (unsigned tries = 0; tries < 5; tries++)
        if (is_good(s, lo))
            return true;
    return false;
}

/* Two threads with a read of 40 ms each: at most 50 visits a second. The first batch needs 8
 * visits, so 160 ms; the trial has 24 ms. The epoch needs ten times as many. */
static bool extrapolates(struct slow *s, const hr_loader_options *lo) {
    atomic_store(&s->file.delay_us, 40000);
    int64_t began_ns = hr__now_ns();
    hr_probe_result r = probe(s->ds, lo, 40 * MS);
    int64_t took_ns = hr__now_ns() - began_ns;
    atomic_store(&s->file.delay_us, 0);
    assert_true(r.cached_share < 0);
    bool slow = r.first_batch_ns >= 160 * MS && r.epoch_ns >= 1600 * MS;
    double times = (double)r.epoch_ns / (double)r.first_batch_ns;
    if (slow && r.limit == HR_LIMIT_DISK &&
        strstr(r.sentence, "limited by the disk: it gave ") != NULL && times > 8 && times < 12 &&
        took_ns < 1200 * MS) /* reads in flight, and a chunk to decode */
        return true;
    print_message("epoch %lld ms, first batch %lld ms, took %lld ms: %s\n",
                  (long long)(r.epoch_ns / MS), (long long)(r.first_batch_ns / MS),
                  (long long)(took_ns / MS), r.sentence);
    return false;
}

static void probe__disk_too_slow_for_its_time__extrapolates(void **state) {
    (void)state;
    struct slow s = {0};
    slow_open(&s);
    hr_loader_options lo = from_slow_disk();
    assert_true(in_some_try(extrapolates, &s, &lo));
    slow_close(&s);
}

static int64_t epoch_takes(hr_dataset *ds, const hr_loader_options *lo, int64_t *first_batch_ns) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_status st;
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    int64_t began_ns = hr__now_ns();
    made_ok(hr_loader_open(ds, lo, &l, &err), &err);
    while ((st = hr_loader_next(l, -1, &b, &err)) == HR_OK)
        hr_batch_release(b);
    int64_t took_ns = hr__now_ns() - began_ns;
    assert_int_equal(st, HR_END_OF_EPOCH);
    made_ok(hr_loader_describe(l, &info, &err), &err);
    *first_batch_ns = info.first_batch_ns;
    hr_loader_close(l);
    return took_ns;
}

static bool within(int64_t a, int64_t b, double times) {
    return (double)a < (double)b * times && (double)b < (double)a * times;
}

static bool comes_as_expected(struct slow *s, const hr_loader_options *lo) {
    int64_t first_batch_ns;
    atomic_store(&s->file.delay_us, 20000);
    hr_probe_result r = probe(s->ds, lo, 400 * MS);
    int64_t epoch_ns = epoch_takes(s->ds, lo, &first_batch_ns);
    atomic_store(&s->file.delay_us, 0);
    if (within(r.epoch_ns, epoch_ns, 1.25) && within(r.first_batch_ns, first_batch_ns, 1.5))
        return true;
    print_message("epoch %lld ms, first batch %lld ms; expected %lld, %lld\n",
                  (long long)(epoch_ns / MS), (long long)(first_batch_ns / MS),
                  (long long)(r.epoch_ns / MS), (long long)(r.first_batch_ns / MS));
    return false;
}

/* Reads that sleep are about as slow whatever else runs. The trial sees a third of the epoch. */
static void probe__slow_disk__prediction_is_what_then_comes(void **state) {
    (void)state;
    struct slow s = {0};
    slow_open(&s);
    for (unsigned flags = 0; flags <= HR_LOADER_SHUFFLE; flags++) {
        hr_loader_options lo = from_slow_disk();
        lo.flags = flags;
        assert_true(in_some_try(comes_as_expected, &s, &lo));
    }
    slow_close(&s);
}

/* By two threads with a read of 20 ms each: 100 chunks a second at most. A trial of so few reads is
 * not exact. */
static bool gets_faster(struct slow *s, const hr_loader_options *lo) {
    memset(seen, 0, sizeof(seen));
    atomic_store(&seen[0], true); /* when the data set was opened */
    slow_us = 20000;
    hr_probe_result r = probe(s->ds, lo, 600 * MS);
    assert_true(r.cached_share >= 0 && r.cached_share < 0.1);
    if (r.limit == HR_LIMIT_DISK && r.bytes_per_s < 100 * 50.0 * SAMPLE_BYTES * 1.5 &&
        r.later_bytes_per_s > 2 * r.bytes_per_s && r.later_epoch_ns < r.epoch_ns)
        return true;
    print_message("%.3g bytes/s, later %.3g: %s\n", r.bytes_per_s, r.later_bytes_per_s, r.sentence);
    return false;
}

/* A file that is read whole in less than the time is not read again, faster. */
static bool is_read_once(struct slow *s, const hr_loader_options *lo) {
    for (size_t i = 1; i < sizeof(seen) / sizeof(seen[0]); i++)
        atomic_store(&seen[i], false);
    slow_us = 2000;
    hr_probe_result r = probe(s->ds, lo, 600 * MS);
    if (r.bytes_per_s < 1000 * 50.0 * SAMPLE_BYTES * 1.5 && r.epoch_ns >= 80 * MS)
        return true;
    print_message("%.3g bytes/s, epoch %lld ms\n", r.bytes_per_s, (long long)(r.epoch_ns / MS));
    return false;
}

static void probe__file_not_in_the_page_cache__later_epochs_are_faster(void **state) {
    (void)state;
    struct slow s = {0};
    slow_open(&s);
    hr_loader_options lo = from_slow_disk();
    s.ops.read = read_slowly_once;
    s.ops.cached = cached_if_read;
    s.ds->files[0].ops = &s.ops;
    assert_true(in_some_try(gets_faster, &s, &lo));
    assert_true(in_some_try(is_read_once, &s, &lo));
    /* Now all is there that the probe read, and a file that is all there is tried once. */
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
        atomic_store(&seen[i], true);
    hr_probe_result r = probe(s.ds, &lo, 100 * MS);
    assert_true(r.cached_share > 0.999);
    assert_true(r.later_bytes_per_s == r.bytes_per_s);
    slow_close(&s);
}

/* ---- bounds ---- */

static atomic_bool watching;
static _Atomic uint64_t most_in_use;

static int look_at_memory(void *user) {
    (void)user;
    uint64_t now = hr_memory_in_use(), most = atomic_load(&most_in_use);
    while (now > most && !atomic_compare_exchange_weak(&most_in_use, &most, now))
        ;
    return 0;
}

static void *watch_memory(void *user) {
    while (atomic_load(&watching)) {
        (void)look_at_memory(user);
        usleep(50);
    }
    return NULL;
}

/* The thread sees what is brief; the probe itself what is there while it works, however busy the
 * machine is. */
static hr_probe_result probe_watched(hr_dataset *ds, const hr_loader_options *lo) {
    hr_error err = {0};
    hr_probe_options o = HR_PROBE_OPTIONS_INIT;
    hr_probe_result r = {.struct_bytes = sizeof(r)};
    pthread_t watcher;
    o.limit_ns = 100 * MS;
    o.on_progress = look_at_memory;
    atomic_store(&most_in_use, 0);
    atomic_store(&watching, true);
    assert_int_equal(pthread_create(&watcher, NULL, watch_memory, NULL), 0);
    made_ok(hr_probe(ds, lo, &o, &r, &err), &err);
    atomic_store(&watching, false);
    pthread_join(watcher, NULL);
    return r;
}

static void probe__smallest_budget__suffices_and_is_kept(void **state) {
    (void)state;
    static const hr_io ios[] = {HR_IO_CACHED, HR_IO_THREADS, HR_IO_AUTO};
    struct made m = example;
    m.filter = HR_FILTER_NONE;
    m.codec = HR_CODEC_RAW; /* 7 MiB, of which the budget has room for a part */
    m.num_samples = 20000;
    hr_dataset *ds = example_open(&m);
    for (size_t i = 0; i < sizeof(ios) / sizeof(ios[0]); i++) {
        hr_error err = {0};
        hr_loader_options lo = shuffled();
        hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
        lo.io = ios[i];
        made_ok(hr_loader_plan_make(ds, &lo, &plan, &err), &err);
        lo.budget_bytes = plan.smallest_budget_bytes;
        uint64_t before = hr_memory_in_use();
        hr_probe_result r = probe_watched(ds, &lo);
        check_figures(&r, m.num_samples);
        assert_true(atomic_load(&most_in_use) > before);
        assert_in_range(atomic_load(&most_in_use), before, plan.smallest_budget_bytes);
        assert_int_equal(hr_memory_in_use(), before);
        lo.budget_bytes = plan.smallest_budget_bytes - 1;
        assert_int_equal(hr_probe(ds, &lo, NULL, &r, &err), HR_ERR_BUDGET);
        assert_non_null(strstr(err.message, NAME));
    }
    hr_dataset_close(ds);
}

/* When the callback was first and last called. */
struct span {
    int64_t first_ns, last_ns;
};

static int note_time(void *user) {
    struct span *s = user;
    s->last_ns = hr__now_ns();
    if (s->first_ns == 0)
        s->first_ns = s->last_ns;
    return 0;
}

/* Without a limit it is 1.6 s, of which the trial takes 0.96 s for certain. */
static void probe__time__is_kept(void **state) {
    (void)state;
    hr_dataset *ds = example_open(&example);
    hr_loader_options lo = shuffled();
    int64_t took_ns = INT64_MAX;
    for (unsigned tries = 0; tries < 5 && took_ns >= 2400 * MS; tries++) {
        struct span calls = {0};
        hr_error err = {0};
        hr_probe_options o = HR_PROBE_OPTIONS_INIT;
        hr_probe_result r = {.struct_bytes = sizeof(r)};
        o.on_progress = note_time;
        o.user = &calls;
        int64_t began_ns = hr__now_ns();
        made_ok(hr_probe(ds, &lo, &o, &r, &err), &err);
        took_ns = hr__now_ns() - began_ns;
        assert_true(took_ns >= 950 * MS);
        assert_true(r.took_ns >= 950 * MS && r.took_ns <= took_ns);
        assert_true(r.took_ns >= calls.last_ns - calls.first_ns);
    }
    assert_true(took_ns < 2400 * MS);
    hr_dataset_close(ds);
}

/* ---- what it refuses ---- */

static void refused(hr_dataset *ds, const hr_loader_options *lo, const hr_probe_options *o,
                    hr_status expected, const char *words) {
    hr_error err = {0};
    hr_probe_result r = {.struct_bytes = sizeof(r)};
    assert_int_equal(hr_probe(ds, lo, o, &r, &err), expected);
    assert_int_equal(err.status, expected);
    if (strstr(err.message, words) == NULL)
        fail_msg("'%s' lacks '%s'", err.message, words);
}

static void probe__options_that_make_no_sense__are_refused(void **state) {
    (void)state;
    hr_dataset *ds = example_open(&example);
    hr_loader_options lo = shuffled();
    hr_probe_options o = HR_PROBE_OPTIONS_INIT;
    refused(NULL, &lo, NULL, HR_ERR_INVALID, "NULL");
    refused(ds, NULL, NULL, HR_ERR_INVALID, "hr_loader_options");
    o.flags = 1;
    refused(ds, &lo, &o, HR_ERR_INVALID, "unknown flags");
    const int64_t limits[] = {-1, 20 * MS - 1, 60000 * MS + 1};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        o = (hr_probe_options)HR_PROBE_OPTIONS_INIT;
        o.limit_ns = limits[i];
        refused(ds, &lo, &o, HR_ERR_INVALID, "limit_ns");
    }
    o = (hr_probe_options){0};
    refused(ds, &lo, &o, HR_ERR_INVALID, "hr_probe_options");
    lo.batch_samples = 0;
    refused(ds, &lo, NULL, HR_ERR_INVALID, "batch_samples");
    lo = shuffled();
    lo.num_streams = 3;
    refused(ds, &lo, NULL, HR_ERR_INVALID, NAME ": the batch of 64 samples");
    hr_probe_result unset = {0};
    lo = shuffled();
    assert_int_equal(hr_probe(ds, &lo, NULL, &unset, NULL), HR_ERR_INVALID);
    hr_dataset_close(ds);
}

static void probe__no_sample_or_no_byte__is_refused(void **state) {
    (void)state;
    struct made none = example;
    none.num_samples = 0;
    hr_dataset *ds = example_open(&none);
    hr_loader_options lo = shuffled();
    refused(ds, &lo, NULL, HR_ERR_INVALID, NAME ": the data set has no samples");
    hr_dataset_close(ds);
    struct made empty = example;
    const char *const names[] = {"x"};
    empty.row_bytes = 0;
    ds = example_open(&empty);
    lo.fields = names;
    lo.num_fields = 1;
    refused(ds, &lo, NULL, HR_ERR_INVALID, NAME ": the samples of these fields hold no byte");
    hr_dataset_close(ds);
}

struct stopper {
    uint32_t calls, stop_at;
};

static int count_down(void *user) {
    struct stopper *s = user;
    return ++s->calls == s->stop_at;
}

static void probe__callback_says_stop_at_any_call__is_cancelled(void **state) {
    (void)state;
    hr_dataset *ds = example_open(&example);
    hr_loader_options lo = shuffled();
    uint32_t threads = num_threads(), cancelled = 0;
    hr_status st = HR_ERR_CANCELLED;
    for (uint32_t n = 1; n < 100 && st == HR_ERR_CANCELLED; n++) {
        struct stopper s = {.stop_at = n};
        hr_error err = {0};
        hr_probe_result r = {.struct_bytes = sizeof(r)};
        hr_probe_options o = HR_PROBE_OPTIONS_INIT;
        o.limit_ns = 1000 * MS;
        o.on_progress = count_down;
        o.user = &s;
        st = hr_probe(ds, &lo, &o, &r, &err);
        if (st == HR_ERR_CANCELLED) {
            cancelled++;
            assert_int_equal(s.calls, n); /* and was not asked again */
            assert_non_null(strstr(err.message, "stopped"));
        }
        assert_threads(threads);
    }
    assert_int_equal(st, HR_OK); /* so many calls there were not */
    assert_true(cancelled >= 5);
    hr_dataset_close(ds);
}

static void probe__damaged_frame__is_named(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = example_open(&example);
    struct hr__index_cache cache = {0};
    struct hr__chunk_at at;
    uint8_t byte;
    made_ok(hr__dataset_locate(ds, 7, &cache, &at, &err), &err);
    hr__index_cache_free(&cache);
    int fd = open(made_path(NAME), O_RDWR);
    off_t off = (off_t)(at.entry.page * HR__PAGE_BYTES + 1000);
    assert_int_equal(pread(fd, &byte, 1, off), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, off), 1);
    close(fd);
    hr_loader_options lo = shuffled();
    refused(ds, &lo, NULL, HR_ERR_CORRUPT, NAME ": chunk 7");
    hr_dataset_close(ds);
}

static void probe__disk_that_breaks__is_an_io_error(void **state) {
    (void)state;
    struct slow s = {0};
    slow_open(&s);
    hr_loader_options lo = from_slow_disk();
    hr_probe_options o = HR_PROBE_OPTIONS_INIT;
    hr_status st;
    long nth = 0, failures = 0;
    o.limit_ns = 20 * MS;
    /* The whole probe, in steps that grow. A read that fails when nobody wants it any more does not
     * matter. */
    do {
        hr_error err = {0};
        hr_probe_result r = {.struct_bytes = sizeof(r)};
        nth += 1 + nth / 3;
        memory_file_fail(&s.file, nth, EIO);
        st = hr_probe(s.ds, &lo, &o, &r, &err);
        failures += st != HR_OK;
        if (st != HR_OK && (st != HR_ERR_IO || strstr(err.message, NAME) == NULL))
            fail_msg("operation %ld: %s: %s", nth, hr_status_name(st), err.message);
    } while (atomic_load(&s.file.operations) >= nth);
    assert_int_equal(st, HR_OK);
    assert_true(failures >= 3);
    slow_close(&s);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe__a_small_set__every_figure_is_there),
        cmocka_unit_test(probe__a_rank_of_several__speaks_of_its_part),
        cmocka_unit_test(probe__one_chunk_or_one_sample__is_no_exception),
        cmocka_unit_test(probe__fields_asked_for__are_what_rates_are_of),
        cmocka_unit_test(probe__disk_too_slow_for_its_time__extrapolates),
        cmocka_unit_test(probe__slow_disk__prediction_is_what_then_comes),
        cmocka_unit_test(probe__file_not_in_the_page_cache__later_epochs_are_faster),
        cmocka_unit_test(probe__smallest_budget__suffices_and_is_kept),
        cmocka_unit_test(probe__time__is_kept),
        cmocka_unit_test(probe__options_that_make_no_sense__are_refused),
        cmocka_unit_test(probe__no_sample_or_no_byte__is_refused),
        cmocka_unit_test(probe__callback_says_stop_at_any_call__is_cancelled),
        cmocka_unit_test(probe__damaged_frame__is_named),
        cmocka_unit_test(probe__disk_that_breaks__is_an_io_error),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
