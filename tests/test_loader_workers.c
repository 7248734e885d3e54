/*
 * A loader's workers together: one back end for all, and an even share of the work for each.
 */
#define _GNU_SOURCE
#include "dataset.h"
#include "loader.h"
#include "made_dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define BUDGET ((uint64_t)64 << 20)

static hr_dataset *make_and_open(const struct made *m) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path("workers.hrd"), m);
    made_ok(hr_dataset_open(made_path("workers.hrd"), NULL, &ds, &err), &err);
    return ds;
}

static hr_loader_options shuffled(uint32_t batch, hr_io io, uint32_t num_threads) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = batch;
    o.num_threads = num_threads;
    o.num_epochs = 1;
    o.budget_bytes = BUDGET;
    o.io = io;
    return o;
}

/* Batches until the end, each right. */
static uint64_t drain(hr_loader *l, const struct made *m) {
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_status st;
    uint64_t num_samples = 0;
    while ((st = hr_loader_next(l, -1, &b, &err)) == HR_OK) {
        assert_true(made_batch_right(b, m));
        num_samples += hr_batch_num_samples(b);
        hr_batch_release(b);
    }
    assert_int_equal(st, HR_END_OF_EPOCH);
    return num_samples;
}

/* ---- one back end for all ---- */

/* From it on, descriptors are free. */
static uint32_t next_descriptor(void) {
    int fd = dup(STDERR_FILENO);
    assert_true(fd > 0);
    close(fd);
    return (uint32_t)fd;
}

/* Descriptors are left for the file, and for rings of the first workers only. */
static void open__a_ring_is_refused__all_read_by_libaio_and_the_loader_says_so(void **state) {
    (void)state;
    const struct made m = {1000, 30, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_dataset *ds = make_and_open(&m);
    hr_loader_options o = shuffled(20, HR_IO_DIRECT, 4);
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_status st = hr_loader_open(ds, &o, &l, &err);
    if (st == HR_OK)
        made_ok(hr_loader_describe(l, &info, &err), &err);
    hr_loader_close(l);
    if (st != HR_OK || strcmp(info.io_backend, "io_uring") != 0) {
        hr_dataset_close(ds);
        skip();
    }
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (uint32_t more = 2; more <= 5; more++) {
        few = before;
        few.rlim_cur = next_descriptor() + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        made_ok(hr_loader_open(ds, &o, &l, &err), &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        made_ok(hr_loader_describe(l, &info, &err), &err);
        assert_string_equal(info.io_backend, more < 5 ? "libaio" : "io_uring");
        for (uint32_t i = 0; i < 4; i++)
            assert_string_equal(l->workers[i].queue.ops->name, info.io_backend);
        assert_int_equal(drain(l, &m), m.num_samples);
        hr_loader_close(l);
    }
    hr_dataset_close(ds);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open__a_ring_is_refused__all_read_by_libaio_and_the_loader_says_so),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
