/*
 * The life of a loader: batches held and given back, time limits, closing at any moment, fork,
 * budgets; and random access by ranges, lists and several threads at once.
 */
#define _GNU_SOURCE
#include "clock.h"
#include "dataset.h"
#include "made_dataset.h"
#include "memory_file.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BUDGET ((uint64_t)64 << 20)

static const struct made usual = {1000, 30, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};

static hr_dataset *make_and_open(const struct made *m) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    o.budget_bytes = BUDGET;
    made_write(made_path("life.hrd"), m);
    made_ok(hr_dataset_open(made_path("life.hrd"), &o, &ds, &err), &err);
    return ds;
}

static hr_loader_options shuffled(uint32_t batch, hr_io io) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = batch;
    o.num_threads = 2;
    o.num_epochs = 1;
    o.budget_bytes = BUDGET;
    o.io = io;
    return o;
}

static hr_loader *open_loader(hr_dataset *ds, const hr_loader_options *o) {
    hr_error err = {0};
    hr_loader *l = NULL;
    made_ok(hr_loader_open(ds, o, &l, &err), &err);
    return l;
}

/* HR_IO_DIRECT where this file system has it. */
static hr_io direct_or_cached(hr_dataset *ds) {
    hr_loader *l = NULL;
    hr_loader_options o = shuffled(10, HR_IO_DIRECT);
    hr_status st = hr_loader_open(ds, &o, &l, NULL);
    hr_loader_close(l);
    return st == HR_OK ? HR_IO_DIRECT : HR_IO_CACHED;
}

static void sleep_us(long us) {
    struct timespec t = {.tv_nsec = us * 1000};
    nanosleep(&t, NULL);
}

static uint32_t next_random(uint32_t *r) {
    *r = *r * 1664525u + 1013904223u;
    return *r >> 8;
}

/* ---- holding and giving back ---- */

static void mark(const hr_batch *b, uint8_t *seen) {
    const int64_t *y = hr_batch_data_by_name(b, "y");
    assert_true(made_batch_right(b, &usual));
    for (uint32_t i = 0; i < hr_batch_num_samples(b); i++)
        assert_int_equal(seen[y[i]]++, 0);
}

static void assert_all_seen(const uint8_t *seen) {
    for (uint64_t i = 0; i < usual.num_samples; i++)
        assert_int_equal(seen[i], 1);
}

static void next__as_many_held_as_allowed__busy_until_one_is_released(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = make_and_open(&usual);
    for (uint32_t most = 1; most <= 5; most++) {
        uint8_t seen[1000] = {0};
        hr_batch *held[5], *b;
        uint32_t num_held = 0, random = most;
        hr_loader_options o = shuffled(20, HR_IO_CACHED);
        o.max_held_batches = most;
        hr_loader *l = open_loader(ds, &o);
        for (int n = 0; n < 50; n++) {
            if (num_held == most) {
                assert_int_equal(hr_loader_next(l, -1, &b, &err), HR_ERR_BUSY);
                assert_null(b);
                uint32_t which = next_random(&random) % num_held; /* in any order */
                assert_true(made_batch_right(held[which], &usual));
                hr_batch_release(held[which]);
                held[which] = held[--num_held];
            }
            made_ok(hr_loader_next(l, -1, &held[num_held], &err), &err);
            mark(held[num_held++], seen);
        }
        assert_int_equal(hr_loader_next(l, -1, &b, &err), HR_END_OF_EPOCH); /* holding all */
        assert_all_seen(seen);
        for (uint32_t i = 0; i < num_held; i++)
            assert_true(made_batch_right(held[i], &usual));
        hr_loader_close(l); /* with batches held */
    }
    hr_dataset_close(ds);
}

static void next__short_time_limits__nothing_is_lost(void **state) {
    (void)state;
    hr_dataset *ds = make_and_open(&usual);
    for (int64_t timeout_ns = 0; timeout_ns <= 100000; timeout_ns += 20000) {
        hr_loader_options o = shuffled(20, timeout_ns % 40000 ? HR_IO_CACHED : HR_IO_AUTO);
        uint8_t seen[1000] = {0};
        hr_error err = {0};
        hr_batch *b = NULL;
        hr_loader *l = open_loader(ds, &o);
        hr_status st;
        while ((st = hr_loader_next(l, timeout_ns, &b, &err)) != HR_END_OF_EPOCH) {
            if (st == HR_TIMEOUT) {
                assert_null(b);
                continue;
            }
            made_ok(st, &err);
            mark(b, seen);
            hr_batch_release(b);
        }
        assert_all_seen(seen);
        hr_loader_close(l);
    }
    hr_dataset_close(ds);
}

static void next__nothing_ready__times_out_when_it_should(void **state) {
    (void)state;
    struct memory_file f;
    uint8_t seen[1000] = {0};
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_dataset *ds = NULL;
    hr_open_options oo = HR_OPEN_OPTIONS_INIT;
    hr_loader_options o = shuffled(20, HR_IO_CACHED);
    oo.budget_bytes = BUDGET;
    hr_dataset_close(make_and_open(&usual));
    memory_file_load(&f, made_path("life.hrd"), 0);
    made_ok(hr__dataset_open_in(&f.folder, "life.hrd", &oo, &ds, &err), &err);
    atomic_store(&f.paused, true);
    hr_loader *l = open_loader(ds, &o);
    for (int64_t timeout_ns = 0; timeout_ns < 40000000; timeout_ns += 10000000) {
        int64_t began_ns = hr__now_ns();
        assert_int_equal(hr_loader_next(l, timeout_ns, &b, &err), HR_TIMEOUT);
        assert_null(b);
        assert_true(hr__now_ns() - began_ns >= timeout_ns);
    }
    atomic_store(&f.paused, false);
    for (int i = 0; i < 50; i++) {
        made_ok(hr_loader_next(l, INT64_MAX, &b, &err), &err);
        mark(b, seen);
        hr_batch_release(b);
    }
    assert_all_seen(seen);
    hr_loader_close(l);
    hr_dataset_close(ds);
    memory_file_free(&f);
}

static void next__last_epoch_over__says_so_for_ever(void **state) {
    (void)state;
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_dataset *ds = make_and_open(&usual);
    hr_loader_options o = shuffled(500, HR_IO_CACHED);
    o.num_epochs = 2;
    hr_loader *l = open_loader(ds, &o);
    for (int epoch = 0; epoch < 2; epoch++) {
        for (int i = 0; i < 2; i++) {
            made_ok(hr_loader_next(l, -1, &b, &err), &err);
            assert_int_equal(hr_batch_epoch(b), epoch);
            hr_batch_release(b);
        }
        assert_int_equal(hr_loader_next(l, -1, &b, &err), HR_END_OF_EPOCH);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(hr_loader_next(l, -1, &b, &err), HR_END_OF_EPOCH);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void next__no_number_of_epochs__endless(void **state) {
    (void)state;
    const struct made m = {90, 8, 5, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_dataset *ds = make_and_open(&m);
    hr_loader_options o = shuffled(40, HR_IO_CACHED);
    o.num_epochs = 0;
    hr_loader *l = open_loader(ds, &o);
    for (uint64_t epoch = 0; epoch < 300; epoch++) {
        for (uint64_t i = 0; i < 3; i++) {
            made_ok(hr_loader_next(l, -1, &b, &err), &err);
            assert_true(made_batch_right(b, &m));
            assert_int_equal(hr_batch_epoch(b), epoch);
            assert_int_equal(hr_batch_number(b), i);
            assert_int_equal(hr_batch_num_samples(b), i < 2 ? 40 : 10);
            hr_batch_release(b);
        }
        assert_int_equal(hr_loader_next(l, -1, &b, &err), HR_END_OF_EPOCH);
    }
    hr_loader_close(l);
    hr_dataset_close(ds);
}

struct consumers {
    hr_loader *l;
    uint8_t seen[1000];
    uint32_t ends;
    pthread_mutex_t lock;
};

static void *consume(void *arg) {
    struct consumers *c = arg;
    hr_batch *b = NULL;
    hr_status st;
    while ((st = hr_loader_next(c->l, -1, &b, NULL)) == HR_OK || st == HR_ERR_BUSY) {
        if (st == HR_ERR_BUSY)
            continue;
        pthread_mutex_lock(&c->lock);
        const int64_t *y = hr_batch_data_by_name(b, "y");
        for (uint32_t i = 0; i < hr_batch_num_samples(b); i++)
            c->seen[y[i]]++;
        pthread_mutex_unlock(&c->lock);
        hr_batch_release(b);
    }
    pthread_mutex_lock(&c->lock);
    c->ends += st == HR_END_OF_EPOCH;
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void next__by_many_threads__each_batch_once_and_all_see_the_end(void **state) {
    (void)state;
    hr_dataset *ds = make_and_open(&usual);
    for (int round = 0; round < 20; round++) {
        struct consumers c = {.lock = PTHREAD_MUTEX_INITIALIZER};
        pthread_t threads[4];
        hr_loader_options o = shuffled(10, HR_IO_CACHED);
        o.max_held_batches = 1 + (uint32_t)round % 5;
        c.l = open_loader(ds, &o);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, consume, &c), 0);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(c.ends, 4);
        assert_all_seen(c.seen);
        hr_loader_close(c.l);
    }
    hr_dataset_close(ds);
}

/* ---- slow consumers and budgets ---- */

static hr_loader_info describe(hr_loader *l) {
    hr_error err = {0};
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    made_ok(hr_loader_describe(l, &info, &err), &err);
    assert_true(info.reserved_bytes <= info.budget_bytes);
    return info;
}

/* 20 MB of data, a budget of less than half: nothing is read beyond what the ring takes. */
static void next__slow_consumer__reading_stops(void **state) {
    (void)state;
    const struct made m = {20000, 32, 1000, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    hr_error err = {0};
    hr_dataset *ds = make_and_open(&m);
    const hr_io ios[] = {HR_IO_CACHED, direct_or_cached(ds)};
    for (int i = 0; i < 2; i++) {
        hr_loader_options o = shuffled(64, ios[i]);
        hr_batch *b = NULL;
        o.budget_bytes = (uint64_t)8 << 20;
        o.window_visits = 32;
        hr_loader *l = open_loader(ds, &o);
        made_ok(hr_loader_next(l, -1, &b, &err), &err);
        uint64_t before, now = describe(l).read_bytes;
        do {
            before = now;
            sleep_us(100000);
            now = describe(l).read_bytes;
        } while (now != before);
        assert_true(now < 2 * o.budget_bytes);
        assert_int_equal(describe(l).batches_delivered, 1);
        hr_batch_release(b);
        hr_loader_close(l);
    }
    hr_dataset_close(ds);
}

static void budget__of_the_plan__opens_and_less_is_refused(void **state) {
    (void)state;
    const struct made m = {20000, 32, 1000, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    hr_dataset *ds = make_and_open(&m);
    for (uint32_t window = 1; window <= 625; window = window * 5) {
        hr_loader_options o = shuffled(64, HR_IO_CACHED);
        hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
        hr_error err = {0};
        hr_loader *l = NULL;
        hr_batch *b = NULL;
        o.window_visits = window;
        o.budget_bytes = (uint64_t)1 << 30;
        made_ok(hr_loader_plan_make(ds, &o, &plan, &err), &err);
        assert_int_equal(plan.fits, 1);
        assert_true(plan.peak_bytes <= o.budget_bytes);
        o.budget_bytes = plan.smallest_budget_bytes;
        l = open_loader(ds, &o);
        assert_true(describe(l).budget_bytes == o.budget_bytes);
        for (int i = 0; i < 20; i++) {
            made_ok(hr_loader_next(l, -1, &b, &err), &err);
            assert_true(made_batch_right(b, &m));
            hr_batch_release(b);
        }
        hr_loader_close(l);
        o.budget_bytes = plan.smallest_budget_bytes - 1;
        assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_BUDGET);
        assert_null(l);
        made_ok(hr_loader_plan_make(ds, &o, &plan, &err), &err);
        assert_int_equal(plan.fits, 0);
        assert_non_null(strstr(err.message, "give that much, "));
        assert_non_null(strstr(err.message, "window"));
        if (plan.largest_window_visits == 0)
            continue;
        char words[64];
        snprintf(words, sizeof(words), "a window of at most %u", plan.largest_window_visits);
        assert_non_null(strstr(err.message, words));
        assert_true(plan.largest_window_visits < window);
        o.window_visits = plan.largest_window_visits;
        l = open_loader(ds, &o);
        (void)describe(l);
        hr_loader_close(l);
    }
    hr_dataset_close(ds);
}

/* ---- closing ---- */

static uint32_t entries_of(const char *folder) {
    DIR *d = opendir(folder);
    uint32_t n = 0;
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* A thread that was joined may be listed for a moment longer. */
static void assert_given_back(uint32_t threads, uint32_t descriptors) {
    for (int i = 0; i < 1000 && entries_of("/proc/self/task") != threads; i++)
        sleep_us(1000);
    assert_int_equal(entries_of("/proc/self/task"), threads);
    assert_int_equal(entries_of("/proc/self/fd"), descriptors);
}

static void close__at_any_moment__gives_everything_back(void **state) {
    (void)state;
    const struct made m = {5000, 30, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    uint32_t random = 3;
    hr_dataset *ds = make_and_open(&m);
    const hr_io ios[] = {HR_IO_CACHED, direct_or_cached(ds)};
    uint32_t threads = entries_of("/proc/self/task"), descriptors = entries_of("/proc/self/fd");
    for (int i = 0; i < 200; i++) {
        hr_loader_options o = shuffled(50, ios[i % 2]);
        hr_batch *b = NULL;
        o.num_threads = 1 + (uint32_t)i % 4;
        o.num_epochs = (uint32_t)i % 3;
        o.max_held_batches = 200;
        hr_loader *l = open_loader(ds, &o);
        uint32_t calls = next_random(&random) % 8 * (next_random(&random) % 8);
        for (uint32_t k = 0; k < calls; k++)
            if (hr_loader_next(l, (int64_t)(next_random(&random) % 3) - 1, &b, NULL) == HR_OK &&
                next_random(&random) % 2 == 0)
                hr_batch_release(b);
        if (next_random(&random) % 2 == 0)
            sleep_us(next_random(&random) % 1000);
        hr_loader_close(l);
        if (i % 20 == 0)
            assert_given_back(threads, descriptors);
    }
    assert_given_back(threads, descriptors);
    hr_dataset_close(ds);
    assert_int_equal(entries_of("/proc/self/fd"), descriptors - 1);
}

/* ---- fork ---- */

/* TSan ends a child of a process with threads that starts one itself. */
#ifdef __SANITIZE_THREAD__
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
/* In the child the parent's threads are gone, which it calls a leak. */
const char *__tsan_default_options(void) {
    return "report_thread_leaks=0";
}

static int loader_in_child(hr_dataset *ds) {
    (void)ds;
    return 0;
}
#else
static int loader_in_child(hr_dataset *ds) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_loader_options o = shuffled(50, HR_IO_CACHED);
    if (hr_loader_open(ds, &o, &l, &err) != HR_OK)
        return 7;
    for (int i = 0; i < 20; i++) {
        if (hr_loader_next(l, -1, &b, &err) != HR_OK || !made_batch_right(b, &usual))
            return 8;
        hr_batch_release(b);
    }
    if (hr_loader_next(l, -1, &b, &err) != HR_END_OF_EPOCH)
        return 9;
    hr_loader_close(l);
    return 0;
}
#endif

/* AddressSanitizer does not make its allocator ready for fork: where another thread is inside it at
 * that moment, the child waits for ever. So there the fork waits until the others are asleep. */
#ifdef __SANITIZE_ADDRESS__
static bool is_asleep(const char *task) {
    char path[300], state = 0;
    snprintf(path, sizeof(path), "/proc/self/task/%s/stat", task);
    FILE *f = fopen(path, "r");
    bool read = f != NULL && fscanf(f, "%*d (%*[^)]) %c", &state) == 1;
    if (f != NULL)
        fclose(f);
    return !read || state == 'S'; /* a task that has gone is quiet, too */
}

static bool others_asleep(void) {
    DIR *d = opendir("/proc/self/task");
    bool all = d != NULL;
    for (struct dirent *e; all && (e = readdir(d)) != NULL;)
        all = e->d_name[0] == '.' || atoi(e->d_name) == getpid() || is_asleep(e->d_name);
    if (d != NULL)
        closedir(d);
    return all;
}

static void before_fork(void) {
    for (int quiet = 0; quiet < 3; quiet = others_asleep() ? quiet + 1 : 0)
        sleep_us(1000);
}
#else
static void before_fork(void) {
}
#endif

/* The number of the first thing that is wrong in the child; 0: none. */
static int in_child(hr_dataset *ds, hr_loader *l, hr_batch *held) {
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    uint8_t state[HR_LOADER_STATE_BYTES];
    uint64_t indices[50];
    size_t n;
    int64_t y[100];
    if (hr_loader_next(l, -1, &b, &err) != HR_ERR_FORKED || b != NULL)
        return 1;
    if (hr_loader_state(l, state, sizeof(state), &n, &err) != HR_ERR_FORKED)
        return 2;
    if (hr_loader_describe(l, &info, &err) != HR_ERR_FORKED)
        return 3;
    if (hr_batch_data(held, 0) != NULL || hr_batch_data_by_name(held, "y") != NULL)
        return 4;
    if (hr_batch_indices(held, indices, &err) != HR_ERR_FORKED)
        return 5;
    if (hr_loader_trace_write(l, "trace.json", &err) != HR_ERR_FORKED)
        return 10;
    hr_batch_release(held);
    hr_loader_close(l);
    if (hr_dataset_read(ds, 0, 450, 100, y, sizeof(y), &err) != HR_OK || y[99] != 549)
        return 6;
    int rc = loader_in_child(ds);
    hr_dataset_close(ds);
    return rc;
}

static void fork__in_the_child__errors_at_once_and_new_ones_work(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = make_and_open(&usual);
    const hr_io ios[] = {HR_IO_CACHED, direct_or_cached(ds)};
    for (int i = 0; i < 10; i++) {
        hr_loader_options o = shuffled(50, ios[i % 2]);
        uint8_t seen[1000] = {0};
        hr_batch *b = NULL;
        hr_loader *l = open_loader(ds, &o);
        made_ok(hr_loader_next(l, -1, &b, &err), &err);
        before_fork();
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20); /* a hang is a failure */
            _exit(in_child(ds, l, b));
        }
        mark(b, seen); /* the parent goes on meanwhile */
        hr_batch_release(b);
        for (int k = 1; k < 20; k++) {
            made_ok(hr_loader_next(l, -1, &b, &err), &err);
            mark(b, seen);
            hr_batch_release(b);
        }
        assert_all_seen(seen);
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        hr_loader_close(l);
    }
    hr_dataset_close(ds);
}

/* ---- random access ---- */

static void read__any_range__is_right(void **state) {
    (void)state;
    static uint8_t x[1000 * 37 + 1];
    static float w[1000 * 50];
    hr_error err = {0};
    uint32_t random = 11;
    hr_dataset *ds = make_and_open(&usual);
    for (int i = 0; i < 300; i++) {
        uint64_t first = next_random(&random) % 1001;
        uint64_t n = next_random(&random) % (i % 2 ? 40 : 1001);
        n = n < 1000 - first ? n : 1000 - first;
        x[n * 37] = 0xee;
        made_ok(hr_dataset_read(ds, 1, first, n, x, n * 37, &err), &err);
        made_ok(hr_dataset_read(ds, 2, first, n, w, n * 200, &err), &err);
        for (uint64_t s = 0; s < n; s++) {
            for (uint32_t k = 0; k < 37; k++)
                assert_int_equal(x[s * 37 + k], made_byte(first + s, k));
            for (uint32_t k = 0; k < 50; k++)
                assert_true(w[s * 50 + k] == made_word(first + s, k));
        }
        assert_int_equal(x[n * 37], 0xee);
    }
    hr_dataset_close(ds);
}

static void gather__any_order_with_repeats__is_right(void **state) {
    (void)state;
    static uint8_t x[3000 * 37];
    static uint64_t indices[3000];
    hr_error err = {0};
    uint32_t random = 12;
    hr_dataset *ds = make_and_open(&usual);
    for (int i = 0; i < 40; i++) {
        size_t n = i < 4 ? (size_t)i : next_random(&random) % 3001;
        uint32_t range = i % 3 == 0 ? 1000 : i % 3 == 1 ? 3 : 200;
        for (size_t k = 0; k < n; k++)
            indices[k] = next_random(&random) % range;
        made_ok(hr_dataset_gather(ds, 1, indices, n, x, n * 37, &err), &err);
        for (size_t s = 0; s < n; s++)
            for (uint32_t k = 0; k < 37; k++)
                assert_int_equal(x[s * 37 + k], made_byte(indices[s], k));
    }
    hr_dataset_close(ds);
}

static void read_and_gather__wrong_arguments__are_refused(void **state) {
    (void)state;
    int64_t y[4];
    const uint64_t good[] = {1, 2}, bad[] = {1, 1000}, worse[] = {UINT64_MAX};
    hr_error err = {0};
    hr_dataset *ds = make_and_open(&usual);
    const size_t n = sizeof(y);
    assert_int_equal(hr_dataset_read(ds, 3, 0, 1, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_read(ds, 0, 0, 5, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_read(ds, 0, 1000, 1, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_read(ds, 0, 999, 2, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_read(ds, 0, UINT64_MAX, 2, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_read(ds, 0, 1, UINT64_MAX, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_read(ds, 0, 1, UINT64_MAX / 8 + 2, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_read(ds, 0, 0, 1, NULL, n, &err), HR_ERR_INVALID);
    made_ok(hr_dataset_read(ds, 0, 1000, 0, NULL, 0, &err), &err);
    assert_int_equal(hr_dataset_gather(ds, 3, good, 2, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_gather(ds, 0, good, 2, y, 15, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_gather(ds, 0, bad, 2, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_gather(ds, 0, worse, 1, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_gather(ds, 0, NULL, 1, y, n, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_gather(ds, 0, good, 2, NULL, n, &err), HR_ERR_INVALID);
    made_ok(hr_dataset_gather(ds, 0, NULL, 0, NULL, 0, &err), &err);
    hr_dataset_close(ds);
}

struct accessor {
    hr_dataset *ds;
    uint32_t seed;
    uint64_t wrong;
};

static void *access_many(void *arg) {
    struct accessor *a = arg;
    uint64_t indices[64];
    int64_t y[64];
    for (int i = 0; i < 60; i++) {
        for (size_t k = 0; k < 64; k++)
            indices[k] = next_random(&a->seed) % 1000;
        a->wrong += hr_dataset_gather(a->ds, 0, indices, 64, y, sizeof(y), NULL) != HR_OK;
        for (size_t k = 0; k < 64; k++)
            a->wrong += y[k] != (int64_t)indices[k];
        uint64_t first = next_random(&a->seed) % 930;
        a->wrong += hr_dataset_read(a->ds, 0, first, 64, y, sizeof(y), NULL) != HR_OK;
        for (size_t k = 0; k < 64; k++)
            a->wrong += y[k] != (int64_t)(first + k);
    }
    return NULL;
}

static void read_and_gather__many_threads_and_a_loader__all_are_right(void **state) {
    (void)state;
    struct accessor accessors[6];
    pthread_t threads[6];
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_dataset *ds = make_and_open(&usual);
    hr_loader_options o = shuffled(50, HR_IO_CACHED);
    o.num_epochs = 0;
    hr_loader *l = open_loader(ds, &o);
    for (uint32_t i = 0; i < 6; i++) {
        accessors[i] = (struct accessor){.ds = ds, .seed = i};
        assert_int_equal(pthread_create(&threads[i], NULL, access_many, &accessors[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        made_ok(hr_loader_next(l, -1, &b, &err), &err);
        assert_true(made_batch_right(b, &usual));
        hr_batch_release(b);
    }
    for (uint32_t i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(accessors[i].wrong, 0);
    }
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
        cmocka_unit_test(next__as_many_held_as_allowed__busy_until_one_is_released),
        cmocka_unit_test(next__short_time_limits__nothing_is_lost),
        cmocka_unit_test(next__nothing_ready__times_out_when_it_should),
        cmocka_unit_test(next__last_epoch_over__says_so_for_ever),
        cmocka_unit_test(next__no_number_of_epochs__endless),
        cmocka_unit_test(next__by_many_threads__each_batch_once_and_all_see_the_end),
        cmocka_unit_test(next__slow_consumer__reading_stops),
        cmocka_unit_test(budget__of_the_plan__opens_and_less_is_refused),
        cmocka_unit_test(close__at_any_moment__gives_everything_back),
        cmocka_unit_test(fork__in_the_child__errors_at_once_and_new_ones_work),
        cmocka_unit_test(read__any_range__is_right),
        cmocka_unit_test(gather__any_order_with_repeats__is_right),
        cmocka_unit_test(read_and_gather__wrong_arguments__are_refused),
        cmocka_unit_test(read_and_gather__many_threads_and_a_loader__all_are_right),
    };
    alarm(110); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
