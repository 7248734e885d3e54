/*
 * What a guard records (guard/guard_record.c), over a made-up control group: of the process, of
 * loaders that it watches; and that nothing is left.
 */
#define _GNU_SOURCE
#include "made_dataset.h"
#include "made_guard.h"
#include "made_record.h"
#include "made_root.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static struct hr__record written(hr_guard *g) {
    uint8_t page[HR__RECORD_BYTES];
    struct hr__record r;
    FILE *f = fopen(made_guard_state(g).record_path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(page, 1, sizeof(page), f), sizeof(page));
    fclose(f);
    assert_true(hr__record_decode(page, &r));
    return r;
}

static void record__while_it_runs__is_there_and_then_gone(void **state) {
    (void)state;
    made_job(950, 4); /* above the level every look is written */
    hr_guard_options o = made_guard_options();
    o.record_folder = made_records;
    hr_guard *g = made_guard_open(&o), *second = made_guard_open(&o);
    assert_int_equal(made_records_count(), 2);
    hr_guard_step(g, 3, 14);
    made_guard_await_looks(g, 3);
    assert_int_equal(made_guard_state(g).record_kept, 1);
    assert_true(made_guard_state(g).num_records_written > 1);
    struct hr__record r = written(g);
    assert_true(r.epoch == 3 && r.step == 14 && r.oom_kills == 4 && r.ended == 0);
    assert_true(r.limit_bytes == 1000 * MIB && r.used_bytes == 950 * MIB);
    assert_true(r.id.pid == (uint64_t)getpid());
    assert_string_equal(r.group_folder, "/sys/fs/cgroup/job");
    assert_non_null(strstr(r.command, "test_guard"));
    assert_true(r.world_size == 0 && r.nan_epoch == UINT64_MAX);
    hr_guard_close(g);
    hr_guard_close(second);
    assert_int_equal(made_records_count(), 0);
}

/* The folder is that of the time of open. */
static void record__of_a_process_that_goes_elsewhere__is_removed(void **state) {
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(made_root), 0);
    hr_guard_options o = made_guard_options();
    o.record_folder = "records/inner";
    hr_guard *g = made_guard_open(&o);
    assert_int_equal(made_guard_state(g).record_kept, 1);
    assert_int_equal(chdir("/"), 0);
    hr_guard_close(g);
    assert_int_equal(rmdir(made_record_path("inner")), 0);
    assert_int_equal(chdir(before), 0);
}

static void record__folder_that_cannot_be__is_noted_and_the_guard_works(void **state) {
    (void)state;
    made_job(950, 0);
    made_root_put("/file", "x");
    char folder[128];
    hr_guard_options o = made_guard_options();
    const char *const cannot[] = {"/file", "/file/below", "/missing/below"};
    for (size_t i = 0; i < sizeof(cannot) / sizeof(cannot[0]); i++) {
        snprintf(folder, sizeof(folder), "%s%s", made_root, cannot[i]);
        o = made_guard_options();
        o.record_folder = folder;
        hr_guard *g = made_guard_open(&o);
        made_guard_await_looks(g, 1);
        hr_guard_info info = made_guard_state(g);
        assert_int_equal(info.record_kept, 0);
        assert_non_null(strstr(info.note, "no record is kept: "));
        assert_string_equal(info.record_path, "");
        assert_int_equal(info.num_low, 1);
        hr_guard_close(g);
    }
}

/* As on a disk that fills: the limit on the sizes of files. */
static void record__that_cannot_be_written_any_more__is_noted_until_it_can(void **state) {
    (void)state;
    made_job(950, 0);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*on_limit)(int) = signal(SIGXFSZ, SIG_IGN);
    hr_guard_options o = made_guard_options();
    o.record_folder = made_records;
    hr_guard *g = made_guard_open(&o);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    made_guard_await_looks(g, made_guard_state(g).num_looks + 3);
    hr_guard_info info = made_guard_state(g);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(info.record_kept, 0);
    assert_non_null(strstr(info.note, "no record is kept: "));
    made_guard_await_looks(g, made_guard_state(g).num_looks + 3);
    info = made_guard_state(g);
    assert_int_equal(info.record_kept, 1);
    assert_string_equal(info.note, "");
    hr_guard_close(g);
    signal(SIGXFSZ, on_limit);
}

static const struct made small = {.num_samples = 1000,
                                  .samples_per_chunk = 32,
                                  .row_bytes = 4,
                                  .row_words = 2,
                                  .codec = HR_CODEC_RAW,
                                  .filter = HR_FILTER_NONE};

static void take(hr_loader *l, uint32_t n) {
    hr_batch *b;
    hr_error err;
    while (n > 0) {
        hr_status st = hr_loader_next(l, -1, &b, &err);
        if (st == HR_END_OF_EPOCH)
            continue;
        made_ok(st, &err);
        hr_batch_release(b);
        n--;
    }
}

static hr_loader *open_loader(hr_dataset *ds) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *l;
    hr_error err;
    o.batch_samples = 100;
    o.num_threads = 1;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    return l;
}

static void watch__two_loaders__the_one_at_work_is_told(void **state) {
    (void)state;
    made_job(950, 0);
    hr_dataset *ds = made_open("watched.hrd", &small);
    hr_loader *train = open_loader(ds), *check = open_loader(ds);
    hr_guard_options o = made_guard_options();
    o.record_folder = made_records;
    hr_guard *g = made_guard_open(&o);
    assert_int_equal(hr_guard_watch(g, train, NULL), HR_OK);
    assert_int_equal(hr_guard_watch(g, train, NULL), HR_OK);
    assert_int_equal(hr_guard_watch(g, check, NULL), HR_OK);
    take(train, 13);
    made_guard_await_looks(g, 2);
    struct hr__record r = written(g);
    assert_true(r.epoch == 1 && r.step == 3 && r.batches_delivered == 13);
    assert_true(r.rank == 0 && r.world_size == 1 && r.headrace_bytes > 0);
    take(check, 2);
    made_guard_await_looks(g, 2);
    r = written(g);
    assert_true(r.epoch == 0 && r.step == 2 && r.batches_delivered == 15);
    hr_guard_unwatch(g, check);
    hr_loader_close(check);
    take(train, 7);
    hr_guard_unwatch(g, train); /* what it has delivered by now is told */
    hr_loader_close(train);
    made_guard_await_looks(g, 2);
    r = written(g);
    assert_true(r.epoch == 1 && r.step == 10 && r.batches_delivered == 22);
    hr_guard_unwatch(g, train);
    hr_guard_close(g);
    hr_dataset_close(ds);
}

static void watch__a_batch_with_nan__is_told(void **state) {
    (void)state;
    made_job(950, 0);
    hr_error err;
    hr_dataset *ds;
    hr_writer *w;
    hr_field field = {.name = "x", .dtype = HR_FLOAT32};
    hr_writer_options wo = HR_WRITER_OPTIONS_INIT;
    hr_loader_options lo = HR_LOADER_OPTIONS_INIT;
    hr_finish finish = HR_FINISH_INIT;
    hr_loader *l;
    static float rows[1000];
    const void *columns[] = {rows};
    rows[555] = (float)(0.0 / (double)rows[0]);
    made_ok(hr_writer_open(made_path("nan.hrd"), &field, 1, &wo, &w, &err), &err);
    made_ok(hr_writer_append(w, 1000, columns, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    made_ok(hr_dataset_open(made_path("nan.hrd"), NULL, &ds, &err), &err);
    finish.field = "x";
    finish.flags = HR_FINISH_CHECK_FINITE;
    lo.batch_samples = 100;
    lo.finish = &finish;
    lo.num_finish = 1;
    made_ok(hr_loader_open(ds, &lo, &l, &err), &err);
    hr_guard_options o = made_guard_options();
    o.record_folder = made_records;
    hr_guard *g = made_guard_open(&o);
    made_ok(hr_guard_watch(g, l, &err), &err);
    take(l, 5);
    made_guard_await_looks(g, 2);
    assert_true(written(g).nan_epoch == UINT64_MAX);
    take(l, 13);
    made_guard_await_looks(g, 2);
    struct hr__record r = written(g);
    assert_true(r.nan_epoch == 1 && r.nan_batch == 5 && r.epoch == 1 && r.step == 8);
    hr_guard_unwatch(g, l);
    hr_guard_close(g);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void watch__more_than_16__is_refused(void **state) {
    (void)state;
    hr_dataset *ds = made_open("many.hrd", &small);
    hr_loader *loaders[HR_GUARD_MAX_LOADERS + 1];
    const hr_guard_options o = made_guard_options();
    hr_guard *g = made_guard_open(&o);
    hr_error err;
    for (int i = 0; i <= HR_GUARD_MAX_LOADERS; i++) {
        loaders[i] = open_loader(ds);
        assert_int_equal(hr_guard_watch(g, loaders[i], &err),
                         i < HR_GUARD_MAX_LOADERS ? HR_OK : HR_ERR_INVALID);
    }
    assert_int_equal(hr_guard_watch(g, NULL, &err), HR_ERR_INVALID);
    for (int i = 0; i <= HR_GUARD_MAX_LOADERS; i++) {
        hr_guard_unwatch(g, loaders[i]);
        hr_loader_close(loaders[i]);
    }
    hr_guard_close(g);
    hr_dataset_close(ds);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, made_records_make, made_records_remove)

static int cleanup(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(record__while_it_runs__is_there_and_then_gone),
        TEST(record__of_a_process_that_goes_elsewhere__is_removed),
        TEST(record__folder_that_cannot_be__is_noted_and_the_guard_works),
        TEST(record__that_cannot_be_written_any_more__is_noted_until_it_can),
        TEST(watch__two_loaders__the_one_at_work_is_told),
        TEST(watch__a_batch_with_nan__is_told),
        TEST(watch__more_than_16__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, cleanup);
}
