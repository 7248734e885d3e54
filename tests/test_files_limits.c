/*
 * Very many files as one data set: memory, descriptors, and indexes that share one part of the
 * budget.
 */
#define _GNU_SOURCE
#include "dataset.h"
#include "reader_pass.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define BUDGET ((uint64_t)64 << 20)

static const struct made all = {1000, 16, 24, 10, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};

#define MANY 1000u

/* The same file again and again: its samples count as often. */
static const char *many_paths[MANY];

static void many_make(const char *name, const struct made *m) {
    static char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", made_path(name));
    made_write(path, m);
    for (uint32_t i = 0; i < MANY; i++)
        many_paths[i] = path;
}

static struct rlimit descriptors(rlim_t soft) {
    struct rlimit was, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    now = was;
    now.rlim_cur = soft < was.rlim_max ? soft : was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return was;
}

static void open__a_thousand_small_files__within_a_small_budget(void **state) {
    (void)state;
    const struct made m = {50, 16, 24, 10, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    struct rlimit was = descriptors(MANY + 64);
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_loader_options lo = HR_LOADER_OPTIONS_INIT;
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {0};
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    uint32_t seen[50] = {0};
    if (was.rlim_max < MANY + 32) {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
        skip();
    }
    many_make("small.hrd", &m);
    lo.budget_bytes = o.budget_bytes = (uint64_t)40 << 20;
    made_ok(hr_dataset_open_many(many_paths, MANY, &o, &ds, &err), &err);
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    assert_int_equal(info.num_samples, MANY * 50);
    assert_int_equal(info.index_loaded_bytes, MANY * HR__PAGE_BYTES);
    assert_in_range(ds->budget.reserved_bytes, info.index_loaded_bytes, (uint64_t)5 << 20);
    lo.flags = HR_LOADER_SHUFFLE;
    lo.batch_samples = 64;
    lo.num_epochs = 1;
    made_ok(hr_loader_open(ds, &lo, &l, &err), &err);
    while (hr_loader_next(l, -1, &b, &err) == HR_OK) {
        const int64_t *y = hr_batch_data_by_name(b, "y");
        assert_true(made_batch_right(b, &m));
        for (uint32_t i = 0; i < hr_batch_num_samples(b); i++)
            seen[y[i]]++;
        hr_batch_release(b);
    }
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(seen[i], MANY);
    hr_loader_close(l);
    hr_dataset_close(ds);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void open__no_descriptors_left__says_how_many_and_what_to_do(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *l = NULL;
    many_make("limit.hrd", &all);
    struct rlimit was = descriptors(64);
    assert_int_equal(hr_dataset_open_many(many_paths, MANY, NULL, &ds, &err), HR_ERR_IO);
    assert_int_equal(err.os_errno, EMFILE);
    assert_non_null(strstr(err.message, "of the 1000 of the data set"));
    assert_non_null(strstr(err.message, "ulimit -n"));
    /* Enough to open them, too few to open them twice. */
    made_ok(hr_dataset_open_many(many_paths, 40, NULL, &ds, &err), &err);
    hr_status st = pass_loader(ds, &all, HR_IO_DIRECT, 1, 1, &err);
    if (st != HR_ERR_UNSUPPORTED) {
        assert_int_equal(st, HR_ERR_IO);
        assert_int_equal(err.os_errno, EMFILE);
        assert_non_null(strstr(err.message, "limit.hrd: "));
        assert_non_null(strstr(err.message, "for each of the 40 files"));
    }
    o.batch_samples = 16;
    o.budget_bytes = BUDGET;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err); /* by another way, where any will do */
    hr_loader_close(l);
    hr_dataset_close(ds);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

/* Chunks of one sample, and two index pages: 65,536 bytes and 8,192. */
static const struct made wide = {9000, 1, 8, 0, HR_CODEC_RAW, HR_FILTER_NONE};
#define WIDE_FILES 20u

static hr_status wide_open(uint64_t budget_bytes, hr_dataset **out) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    o.budget_bytes = budget_bytes;
    return hr_dataset_open_many(many_paths, WIDE_FILES, &o, out, NULL);
}

static void index__of_all_files__in_one_share_of_the_budget(void **state) {
    (void)state;
    hr_dataset *ds = NULL;
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {0};
    uint64_t indices[300];
    int64_t y[300];
    many_make("wide.hrd", &wide);
    assert_int_equal(wide_open((uint64_t)5 << 20, &ds), HR_OK);
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    assert_int_equal(info.index_bytes, WIDE_FILES * (65536 + 8192));
    assert_int_equal(info.index_loaded_bytes, 8 * (65536 + 8192) + 65536); /* an eighth, exactly */
    for (uint64_t i = 0; i < 300; i++)
        indices[i] = i * 799819 % (WIDE_FILES * 9000);
    made_ok(hr_dataset_gather(ds, 0, indices, 300, y, sizeof(y), &err), &err);
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(y[i], indices[i] % 9000);
    hr_dataset_close(ds);
}

/* Files whose chunks lie in other places take turns, more of them than the share holds. */
static void index__not_held__is_that_of_the_file(void **state) {
    (void)state;
    static const struct made small = {1024, 1, 5000, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    struct made large = small;
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    hr_dataset *ds = NULL;
    hr_error err = {0};
    const char *paths[100];
    uint64_t indices[40];
    int64_t y[40];
    large.codec = HR_CODEC_RAW;
    many_make("small.hrd", &small);
    made_write(made_path("large.hrd"), &large);
    for (uint32_t i = 0; i < 100; i++)
        paths[i] = i % 2 == 0 ? many_paths[0] : made_path("large.hrd");
    o.budget_bytes = (uint64_t)5 << 20;
    made_ok(hr_dataset_open_many(paths, 100, &o, &ds, &err), &err);
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    assert_int_equal(info.index_loaded_bytes, 80 * 8192);
    for (uint64_t i = 0; i < 40; i++)
        indices[i] = (60 + i) * 1024 + i * 7;
    made_ok(hr_dataset_gather(ds, 0, indices, 40, y, sizeof(y), &err), &err);
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(y[i], i * 7);
    hr_dataset_close(ds);
}

/* Whether a data set that was opened with the budget leaves room for a loader in it. */
static bool wide_fits(uint64_t budget_bytes, hr_loader_plan *plan) {
    hr_dataset *ds = NULL;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    *plan = (hr_loader_plan){.struct_bytes = sizeof(*plan)};
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 16;
    o.window_visits = 4;
    o.budget_bytes = budget_bytes;
    if (wide_open(budget_bytes, &ds) != HR_OK)
        return false;
    assert_int_equal(hr_loader_plan_make(ds, &o, plan, NULL), HR_OK);
    hr_dataset_close(ds);
    return plan->fits;
}

static void plan__smallest_budget_for_several_files__is_that(void **state) {
    (void)state;
    hr_loader_plan plan;
    many_make("wide.hrd", &wide);
    assert_true(wide_fits((uint64_t)1 << 30, &plan));
    const uint64_t smallest = plan.smallest_reopen_bytes;
    assert_in_range(smallest, 1 << 20, 8 << 20);
    assert_false(wide_fits(smallest - 1, &plan));
    for (uint64_t k = 0; k < 60; k++) {
        assert_true(wide_fits(smallest + k * 33333, &plan));
        assert_int_equal(plan.smallest_reopen_bytes, smallest);
    }
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open__a_thousand_small_files__within_a_small_budget),
        cmocka_unit_test(open__no_descriptors_left__says_how_many_and_what_to_do),
        cmocka_unit_test(index__of_all_files__in_one_share_of_the_budget),
        cmocka_unit_test(index__not_held__is_that_of_the_file),
        cmocka_unit_test(plan__smallest_budget_for_several_files__is_that),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
