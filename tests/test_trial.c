/*
 * A loader at work for a short while: when it stops, and what is concluded from it
 * (measure/trial.c).
 */
#include "dataset.h"
#include "made_dataset.h"
#include "memory_file.h"
#include "trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME       "trial.hrd"
#define NUM_CHUNKS 80u
#define MS         INT64_C(1000000)

static const struct made example = {.num_samples = NUM_CHUNKS * 50,
                                    .samples_per_chunk = 50,
                                    .row_bytes = 300,
                                    .row_words = 20,
                                    .codec = HR_CODEC_ZSTD,
                                    .filter = HR_FILTER_BYTE_SHUFFLE};

static hr_loader_options shuffled(void) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 64;
    o.window_visits = 16;
    o.num_threads = 2;
    return o;
}

/* The data set in a file in memory. */
static hr_dataset *open_in_memory(struct memory_file *f) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path(NAME), &example);
    memory_file_load(f, made_path(NAME), 0);
    made_ok(hr__dataset_open_in(&f->folder, NAME, NULL, &ds, &err), &err);
    return ds;
}

static struct hr__sketch *sketch_of(hr_dataset *ds, const hr_loader_options *lo) {
    static struct hr__sketch s;
    hr_error err = {0};
    made_ok(hr__sketch_make(ds, lo, HR_IO_CACHED, &s, &err), &err);
    return &s;
}

static void visits__of_the_first_batch__are_those_that_hold_it(void **state) {
    (void)state;
    struct memory_file f;
    hr_dataset *ds = open_in_memory(&f);
    hr_loader_options lo = shuffled();
    struct hr__sketch *s = sketch_of(ds, &lo);
    assert_int_equal(hr__epoch_visits(s), NUM_CHUNKS);
    assert_int_equal(hr__first_batch_visits(s), 8); /* half of the window: docs/order.md, 5.4 */
    hr__sketch_free(s);
    lo.flags = 0;
    s = sketch_of(ds, &lo);
    assert_int_equal(hr__first_batch_visits(s), 2); /* of 50 samples each, for 64 */
    hr__sketch_free(s);
    lo = shuffled();
    lo.num_streams = 4; /* each with a window of 4 */
    lo.world_size = 2;
    s = sketch_of(ds, &lo);
    assert_int_equal(hr__epoch_visits(s), NUM_CHUNKS / 2);
    assert_int_equal(hr__first_batch_visits(s), 2 * 2);
    hr__sketch_free(s);
    lo = shuffled();
    lo.window_visits = NUM_CHUNKS;
    s = sketch_of(ds, &lo);
    assert_int_equal(hr__first_batch_visits(s), NUM_CHUNKS); /* one permutation */
    hr__sketch_free(s);
    hr_dataset_close(ds);
    memory_file_free(&f);
}

static void trial__visits_not_done_in_time__take_as_long_as_those_before(void **state) {
    (void)state;
    const struct hr__trial t = {.took_ns = 100 * MS, .visits = 50, .visits_per_s = 1000};
    assert_int_equal(hr__trial_expects_ns(&t, 50), 100 * MS);
    assert_int_equal(hr__trial_expects_ns(&t, 20), 100 * MS);
    assert_int_equal(hr__trial_expects_ns(&t, 550), 600 * MS);
}

static void trial__so_many_visits__are_enough(void **state) {
    (void)state;
    hr_error err = {0};
    const struct hr__watch nobody = {0};
    struct hr__trial t;
    struct memory_file f;
    hr_dataset *ds = open_in_memory(&f);
    hr_loader_options lo = shuffled();
    lo.io = HR_IO_CACHED;
    atomic_store(&f.delay_us, 2000);
    made_ok(hr__trial_run(ds, &lo, INT64_MAX, 20, &nobody, &t, &err), &err);
    atomic_store(&f.delay_us, 0);
    assert_true(t.visits >= 20 && t.visits < NUM_CHUNKS);
    hr_dataset_close(ds);
    memory_file_free(&f);
}

static void trial__judged_by_few_visits__names_a_limit(void **state) {
    (void)state;
    struct hr__trial t = {.report = {.num_threads = 1,
                                     .num_cores = 1,
                                     .io_depth = 4,
                                     .wanted_io_depth = 4,
                                     .wanted_threads = 1,
                                     .visits = 1,
                                     .elapsed_ns = 100 * MS,
                                     .thread_ns = 100 * MS,
                                     .read_bytes = 64 << 20,
                                     .wait_io_ns = 90 * MS},
                          .visits = 1,
                          .read_bytes = 1 << 20};
    hr__trial_judge(&t);
    assert_int_equal(t.report.limit, HR_LIMIT_DISK);
    assert_memory_equal(t.report.sentence, "limited by the disk: it gave 10 MiB/s", 37);
    t.report.limit = HR_LIMIT_CONSUMER;
    t.report.wait_io_ns = 0;
    t.report.wait_consumer_ns = 90 * MS;
    hr__trial_judge(&t);
    assert_int_equal(t.report.limit, HR_LIMIT_DECODING);
    assert_memory_equal(t.report.sentence, "limited by decoding", 19);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visits__of_the_first_batch__are_those_that_hold_it),
        cmocka_unit_test(trial__visits_not_done_in_time__take_as_long_as_those_before),
        cmocka_unit_test(trial__so_many_visits__are_enough),
        cmocka_unit_test(trial__judged_by_few_visits__names_a_limit),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
