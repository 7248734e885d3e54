/*
 * Every read of a data set fails in turn, with EIO and by giving less than there is: an error that
 * names the file, never wrong data, never a hang.
 */
#define _GNU_SOURCE
#include "clock.h"
#include "dataset.h"
#include "memory_file.h"
#include "reader_pass.h"
#include "verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BUDGET ((uint64_t)64 << 20)
#define NAME   "some/faulty.hrd"

static const struct made sets[] = {
    {130, 16, 24, 10, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE},
    {60, 16, 9000, 0, HR_CODEC_RAW, HR_FILTER_NONE}, /* more than one read for each chunk */
};

enum {
    READ,
    GATHER,
    LOAD,
    LOAD_MANY,
    LOAD_THREADS,
    LOAD_FILES,
    LOAD_SUBSET,
    SPLIT,
    VERIFY,
    VERIFY_MANY,
    NUM_CALLS
};

/* The same file three times. */
static hr_status load_files(hr_dataset *ds, const struct made *m, hr_error *err) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    uint64_t samples = 0;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 16;
    o.num_threads = 2;
    o.num_epochs = 1;
    o.budget_bytes = BUDGET;
    hr_status st = hr_loader_open(ds, &o, &l, err);
    while (st == HR_OK && (st = hr_loader_next(l, -1, &b, err)) == HR_OK) {
        assert_true(made_batch_right(b, m));
        samples += hr_batch_num_samples(b);
        hr_batch_release(b);
    }
    hr_loader_close(l);
    if (st != HR_END_OF_EPOCH)
        return st;
    assert_int_equal(samples, 3 * m->num_samples);
    return HR_OK;
}

static hr_status call(struct memory_file *f, const struct made *m, int which, hr_error *err) {
    hr_dataset *ds = NULL;
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_verify_options v = HR_VERIFY_OPTIONS_INIT;
    v.budget_bytes = o.budget_bytes = BUDGET;
    v.num_threads = which == VERIFY ? 1 : 3;
    if (which == VERIFY || which == VERIFY_MANY)
        return hr__verify_in(&f->folder, NAME, &v, err);
    const char *const paths[] = {NAME, NAME, NAME};
    hr_status st =
        hr__dataset_open_many_in(&f->folder, paths, which == LOAD_FILES ? 3 : 1, &o, &ds, err);
    if (st == HR_OK)
        st = which == READ          ? pass_read(ds, m, err)
             : which == GATHER      ? pass_gather(ds, m, err)
             : which == LOAD        ? pass_loader(ds, m, HR_IO_CACHED, 1, 2, err)
             : which == LOAD_FILES  ? load_files(ds, m, err)
             : which == LOAD_MANY   ? pass_loader(ds, m, HR_IO_CACHED, 3, 2, err)
             : which == LOAD_SUBSET ? pass_subset(ds, m, HR_IO_CACHED, 2, 2, err)
             : which == SPLIT       ? pass_split(ds, err)
                                    : pass_loader(ds, m, HR_IO_THREADS, 2, 2, err);
    hr_dataset_close(ds);
    return st;
}

/* An error of the disk is told as one; verify goes on after it, and calls the file damaged. An open
 * cannot be short: it fails. */
static void check_error(int which, int os_errno, long nth, hr_status st, const hr_error *err) {
    bool io = st == HR_ERR_IO && err->os_errno == EIO;
    bool verify = which == VERIFY || which == VERIFY_MANY;
    bool opens = nth == 1 || which == LOAD_FILES;
    bool right = os_errno != 0 ? io || (verify && st == HR_ERR_CORRUPT)
                               : st == HR_ERR_CORRUPT || (opens && io);
    if (!right || err->status != st || strstr(err->message, NAME) == NULL)
        fail_msg("call %d, operation %ld (errno %d): %s: %s", which, nth, os_errno,
                 hr_status_name(st), err->message);
}

static void each_read(int os_errno) {
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        struct memory_file f;
        made_write(made_path("faulty.hrd"), &sets[i]);
        memory_file_load(&f, made_path("faulty.hrd"), 0);
        for (int which = 0; which < NUM_CALLS; which++) {
            long nth = 0;
            for (;;) {
                hr_error err = {0};
                memory_file_fail(&f, ++nth, os_errno);
                hr_status st = call(&f, &sets[i], which, &err);
                if (atomic_load(&f.operations) < nth) {
                    made_ok(st, &err); /* nothing has failed */
                    break;
                }
                check_error(which, os_errno, nth, st, &err);
                assert_true(nth < 10000);
            }
            assert_true(nth > 5);
        }
        memory_file_free(&f);
    }
}

static void read__each_fails_with_eio__is_an_error(void **state) {
    (void)state;
    each_read(EIO);
}

static void read__each_is_short__is_an_error(void **state) {
    (void)state;
    each_read(0);
}

static void open__errno__becomes_its_status(void **state) {
    (void)state;
    struct memory_file f;
    hr_error err = {0};
    made_write(made_path("faulty.hrd"), &sets[0]);
    memory_file_load(&f, made_path("faulty.hrd"), 0);
    memory_file_fail(&f, 1, ENOENT);
    assert_int_equal(call(&f, &sets[0], READ, &err), HR_ERR_NOT_FOUND);
    memory_file_fail(&f, 1, ENOMEM);
    assert_int_equal(call(&f, &sets[0], READ, &err), HR_ERR_NO_MEMORY);
    memory_file_free(&f);
}

/* An append may be at work: what the superblock says may be newer than the size that was seen. */
static void open__file_that_grows_meanwhile__is_whole(void **state) {
    (void)state;
    struct memory_file f;
    hr_error err = {0};
    made_write(made_path("faulty.hrd"), &sets[1]);
    memory_file_load(&f, made_path("faulty.hrd"), 0);
    f.grows = true;
    memory_file_fail(&f, 2, 0);
    made_ok(call(&f, &sets[1], READ, &err), &err);
    memory_file_free(&f);
}

/* A file too small for a data set, on a disk that fails: that is what is told. */
static void open__small_file_that_cannot_be_read__is_an_io_error(void **state) {
    (void)state;
    struct memory_file f;
    hr_error err = {0};
    memory_file_make(&f, "text", 4, 0);
    assert_int_equal(call(&f, &sets[0], READ, &err), HR_ERR_NOT_DATASET);
    memory_file_fail(&f, 3, EIO);
    assert_int_equal(call(&f, &sets[0], READ, &err), HR_ERR_IO);
    assert_non_null(strstr(err.message, NAME));
    memory_file_free(&f);
}

/* A failure comes instead of batches that were ready before it. It is the first one, for ever. */
static void next__after_a_failure__without_batches_and_closes(void **state) {
    (void)state;
    struct memory_file f;
    hr_error err = {0}, again = {0};
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    hr_batch *b = NULL, *held = NULL;
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_loader_options lo = HR_LOADER_OPTIONS_INIT;
    o.budget_bytes = lo.budget_bytes = BUDGET;
    lo.batch_samples = 16;
    lo.num_threads = 2;
    made_write(made_path("faulty.hrd"), &sets[0]);
    memory_file_load(&f, made_path("faulty.hrd"), 0);
    made_ok(hr__dataset_open_in(&f.folder, NAME, &o, &ds, &err), &err);
    made_ok(hr_loader_open(ds, &lo, &l, &err), &err);
    made_ok(hr_loader_next(l, -1, &held, &err), &err);
    atomic_store(&f.broken, true);
    hr_status st;
    do {
        st = hr_loader_next(l, -1, &b, &err);
        hr_batch_release(b);
    } while (st == HR_OK || st == HR_END_OF_EPOCH);
    assert_int_equal(st, HR_ERR_IO);
    assert_int_equal(err.os_errno, EIO);
    assert_true(made_batch_right(held, &sets[0]));
    hr_batch_release(held);
    assert_int_equal(hr_loader_next(l, 0, &b, &again), HR_ERR_IO);
    assert_string_equal(err.message, again.message);
    hr_loader_close(l);
    hr_dataset_close(ds);
    memory_file_free(&f);
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

/* At any moment, close waits for the reads that somebody is in, not for those that were asked for;
 * and no thread is left. */
static void close__slow_disk__takes_no_longer_than_its_reads(void **state) {
    (void)state;
    static const hr_io ios[] = {HR_IO_CACHED, HR_IO_THREADS, HR_IO_AUTO};
    const int64_t read_ns = 100000000;
    struct memory_file f;
    hr_dataset *ds = NULL;
    hr_error err = {0};
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    o.budget_bytes = BUDGET;
    made_write(made_path("faulty.hrd"), &sets[1]);
    memory_file_load(&f, made_path("faulty.hrd"), 0);
    made_ok(hr__dataset_open_in(&f.folder, NAME, &o, &ds, &err), &err);
    uint32_t threads_before = num_threads();
    for (int64_t wait_ns = 0; wait_ns <= 3 * read_ns; wait_ns += 3 * read_ns / 4)
        for (size_t i = 0; i < sizeof(ios) / sizeof(ios[0]); i++) {
            hr_loader *l = NULL;
            hr_batch *b = NULL;
            hr_loader_options lo = HR_LOADER_OPTIONS_INIT;
            lo.batch_samples = 16;
            lo.num_threads = 2;
            lo.io = ios[i];
            lo.io_depth = 4; /* of as many chunks */
            lo.budget_bytes = BUDGET;
            made_ok(hr_loader_open(ds, &lo, &l, &err), &err);
            atomic_store(&f.delay_us, (unsigned)(read_ns / 1000));
            hr_status st = hr_loader_next(l, wait_ns, &b, &err);
            assert_true(st == HR_OK || st == HR_TIMEOUT);
            int64_t began_ns = hr__now_ns();
            hr_loader_close(l);
            /* A worker may have been about to begin with another. */
            assert_true(hr__now_ns() - began_ns < 3 * read_ns);
            atomic_store(&f.delay_us, 0);
            assert_threads(threads_before);
        }
    hr_dataset_close(ds);
    memory_file_free(&f);
}

/* A visit of a subset that reads sixteen chunks one after the other does not read them all first.
 */
static void close__slow_disk_and_long_visits__takes_no_longer_than_a_read(void **state) {
    (void)state;
    static const struct made made = {480, 16, 24, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    const int64_t read_ns = 100000000;
    struct memory_file f;
    hr_dataset *ds = NULL;
    hr_subset *s = NULL;
    hr_error err = {0};
    made_write(made_path("faulty.hrd"), &made);
    memory_file_load(&f, made_path("faulty.hrd"), 0);
    made_ok(hr__dataset_open_in(&f.folder, NAME, NULL, &ds, &err), &err);
    made_ok(hr_subset_from_range(ds, 0, UINT64_MAX, 16, &s, &err), &err);
    for (int64_t wait_ns = 0; wait_ns <= 2 * read_ns; wait_ns += read_ns / 2) {
        hr_loader *l = NULL;
        hr_batch *b = NULL;
        hr_loader_options lo = HR_LOADER_OPTIONS_INIT;
        lo.batch_samples = 16;
        lo.num_threads = 2;
        lo.io = HR_IO_CACHED;
        lo.budget_bytes = BUDGET;
        lo.subset = s;
        atomic_store(&f.delay_us, (unsigned)(read_ns / 1000));
        made_ok(hr_loader_open(ds, &lo, &l, &err), &err);
        assert_int_equal(hr_loader_next(l, wait_ns, &b, &err), HR_TIMEOUT);
        int64_t began_ns = hr__now_ns();
        hr_loader_close(l);
        assert_true(hr__now_ns() - began_ns < 3 * read_ns);
        atomic_store(&f.delay_us, 0);
    }
    hr_subset_free(s);
    hr_dataset_close(ds);
    memory_file_free(&f);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__each_fails_with_eio__is_an_error),
        cmocka_unit_test(read__each_is_short__is_an_error),
        cmocka_unit_test(open__errno__becomes_its_status),
        cmocka_unit_test(open__file_that_grows_meanwhile__is_whole),
        cmocka_unit_test(open__small_file_that_cannot_be_read__is_an_io_error),
        cmocka_unit_test(next__after_a_failure__without_batches_and_closes),
        cmocka_unit_test(close__slow_disk__takes_no_longer_than_its_reads),
        cmocka_unit_test(close__slow_disk_and_long_visits__takes_no_longer_than_a_read),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
