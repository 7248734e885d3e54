/*
 * Appends on a disk that fails: whatever happens, the file holds the old samples or all of them,
 * and can be appended to.
 */
#include "fault_disk.h"
#include "hrd_reader_util.h"
#include "verify.h"
#include "writer_internal.h"
#include "writer_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TARGET "t.hrd"

static hr_status write_rows(struct fault_disk *d, uint64_t n, uint32_t flags, hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.flags = flags;
    o.samples_per_chunk = 32;
    o.num_threads = 2;
    hr_writer *w = NULL;
    hr_status st =
        hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields, ROWS_NUM_FIELDS, &o, &w, err);
    if (st == HR_OK) {
        const uint64_t have = hr_writer_num_samples(w);
        st = rows_append(w, rows_fields, ROWS_NUM_FIELDS, have, n - have, 50, err);
    }
    if (st == HR_OK)
        st = hr_writer_commit(w, err);
    else if (w != NULL)
        /* The first failure is repeated. */
        assert_int_equal(hr_writer_commit(w, NULL), st);
    hr_writer_close(w);
    return st;
}

static void append_to(struct fault_disk *d, uint64_t n) {
    hr_error err = {0};
    if (write_rows(d, n, HR_WRITER_APPEND, &err) != HR_OK)
        fail_msg("cannot append: %s", err.message);
}

/* The samples of the data set, all of which are right; *dead_bytes may be NULL. */
static uint64_t samples_of(struct fault_disk *d, uint64_t *dead_bytes) {
    struct hrd_image im;
    hr_error err = {0};
    if (hrd_image_load_path(fault_disk_folder(d), TARGET, &im, &err) != HR_OK)
        fail_msg("the file is not whole: %s", err.message);
    const uint64_t n = im.footer.num_samples;
    assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, n, im.columns));
    if (dead_bytes != NULL)
        *dead_bytes = im.footer.dead_bytes;
    hrd_image_free(&im);
    return n;
}

static void assert_verifies(struct fault_disk *d) {
    hr_error err = {0};
    if (hr__verify_in(fault_disk_folder(d), TARGET, NULL, &err) != HR_OK)
        fail_msg("%s", err.message);
}

static int64_t bytes_of(struct fault_disk *d) {
    struct hr__file f;
    const struct hr__folder_ops *folder = fault_disk_folder(d);
    assert_int_equal(folder->open(folder->ctx, TARGET, O_RDONLY, &f), 0);
    const int64_t n = f.ops->size(f.ctx);
    hr__file_close(&f);
    return n;
}

/* A file with a short last chunk, appended to num_appends times. */
static struct fault_disk *disk_with(uint32_t num_appends, uint64_t *num_samples) {
    struct fault_disk *d = fault_disk_new();
    assert_int_equal(write_rows(d, 40, 0, NULL), HR_OK);
    for (uint32_t i = 1; i <= num_appends; i++)
        append_to(d, 40 + 3 * (uint64_t)i);
    *num_samples = 40 + 3 * (uint64_t)num_appends;
    return d;
}

/* So many appends that the next one makes a compact copy. */
static uint32_t appends_before_a_copy(void) {
    for (uint32_t n = 1;; n++) {
        uint64_t dead_bytes, num_samples;
        struct fault_disk *d = disk_with(n, &num_samples);
        (void)samples_of(d, &dead_bytes);
        fault_disk_free(d);
        if (dead_bytes == 0)
            return n - 1;
        assert_true(n < 100);
    }
}

static void each_operation_fails(uint32_t num_appends, uint64_t more, int os_errno) {
    bool failed = true;
    uint64_t num_refused = 0;
    for (uint64_t n = 1; failed; n++) {
        uint64_t before;
        struct fault_disk *d = disk_with(num_appends, &before);
        const uint64_t start = fault_disk_count(d);
        hr_error err = {0};
        fault_disk_fail(d, n, os_errno);
        const hr_status st = write_rows(d, before + more, HR_WRITER_APPEND, &err);
        failed = fault_disk_count(d) - start >= n;
        fault_disk_fail(d, 0, 0);
        const uint64_t after = samples_of(d, NULL);
        if (st == HR_ERR_UNCERTAIN)
            assert_true(after == before || after == before + more);
        else
            assert_int_equal(after, st == HR_OK ? before + more : before);
        assert_true(failed || st == HR_OK);
        if (st != HR_OK) {
            assert_int_equal(err.status, st);
            assert_non_null(strstr(err.message, TARGET));
            num_refused++;
        }
        append_to(d, before + more + 1);
        assert_int_equal(samples_of(d, NULL), before + more + 1);
        assert_verifies(d);
        fault_disk_free(d);
    }
    assert_true(num_refused > 10);
}

static void append__each_operation_fails__old_samples_stay_or_all_are_there(void **state) {
    (void)state;
    each_operation_fails(1, 100, EIO);
}

static void append__no_memory_in_the_kernel__old_samples_stay_or_all_are_there(void **state) {
    (void)state;
    each_operation_fails(1, 100, ENOMEM);
}

static void append__each_operation_fails_where_a_copy_is_due__is_no_worse(void **state) {
    (void)state;
    each_operation_fails(appends_before_a_copy(), 3, EIO);
}

static void cut_power_everywhere(uint32_t num_appends, uint64_t more, uint64_t num_seeds) {
    bool cut = true;
    uint64_t num_old = 0, num_new = 0;
    for (uint64_t n = 1; cut; n++) {
        for (uint64_t seed = 0; seed < num_seeds; seed++) {
            uint64_t before;
            struct fault_disk *d = disk_with(num_appends, &before);
            const uint64_t start = fault_disk_count(d);
            fault_disk_cut_power(d, n);
            const hr_status st = write_rows(d, before + more, HR_WRITER_APPEND, NULL);
            cut = fault_disk_count(d) - start >= n;
            struct fault_disk *left = fault_disk_after_power_cut(d, n * 1000 + seed);
            const uint64_t after = samples_of(left, NULL);
            assert_true(after == before || after == before + more);
            if (st == HR_OK)
                assert_int_equal(after, before + more);
            num_old += after == before;
            num_new += after != before;
            append_to(left, before + more + 1);
            assert_int_equal(samples_of(left, NULL), before + more + 1);
            assert_verifies(left);
            fault_disk_free(left);
            fault_disk_free(d);
        }
    }
    assert_true(num_old > 10 && num_new > num_seeds);
}

static void append__power_is_cut_anywhere__old_samples_stay_or_all_are_there(void **state) {
    (void)state;
    cut_power_everywhere(1, 100, 12);
}

static void
append__power_is_cut_where_a_copy_is_due__old_samples_stay_or_all_are_there(void **state) {
    (void)state;
    cut_power_everywhere(appends_before_a_copy(), 3, 6);
}

/* The power goes again and again, before an append has ever come to its end. */
static void append__power_is_cut_again_and_again__loses_no_commit(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t committed;
        struct fault_disk *d = disk_with(0, &committed);
        for (uint64_t i = 0; i < 6; i++) {
            const uint64_t wanted = committed + 20;
            fault_disk_cut_power(d, (seed * 7919 + i * 31) % 45 + 1);
            const hr_status st = write_rows(d, wanted, HR_WRITER_APPEND, NULL);
            struct fault_disk *left = fault_disk_after_power_cut(d, seed * 100 + i);
            fault_disk_free(d);
            d = left;
            const uint64_t n = samples_of(d, NULL);
            assert_true(n == wanted || (n == committed && st != HR_OK));
            committed = n;
        }
        append_to(d, committed + 5);
        assert_verifies(d);
        fault_disk_free(d);
    }
}

static void append__disk_is_full__gives_back_what_it_took(void **state) {
    (void)state;
    hr_status st = HR_ERR_NO_SPACE;
    uint64_t before, num_refused = 0;
    for (uint64_t more = 0; st != HR_OK; more += 3000) {
        struct fault_disk *d = disk_with(1, &before);
        const int64_t n_bytes = bytes_of(d);
        hr_error err = {0};
        fault_disk_limit(d, (uint64_t)n_bytes + more);
        st = write_rows(d, before + 300, HR_WRITER_APPEND, &err);
        if (st != HR_OK) {
            assert_int_equal(st, HR_ERR_NO_SPACE);
            assert_int_equal(err.os_errno, ENOSPC);
            assert_int_equal(samples_of(d, NULL), before);
            assert_int_equal(bytes_of(d), n_bytes);
            fault_disk_limit(d, UINT64_MAX);
            append_to(d, before + 300);
            num_refused++;
        }
        assert_int_equal(samples_of(d, NULL), before + 300);
        assert_verifies(d);
        fault_disk_free(d);
    }
    assert_true(num_refused > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append__each_operation_fails__old_samples_stay_or_all_are_there),
        cmocka_unit_test(append__no_memory_in_the_kernel__old_samples_stay_or_all_are_there),
        cmocka_unit_test(append__each_operation_fails_where_a_copy_is_due__is_no_worse),
        cmocka_unit_test(append__power_is_cut_anywhere__old_samples_stay_or_all_are_there),
        cmocka_unit_test(
            append__power_is_cut_where_a_copy_is_due__old_samples_stay_or_all_are_there),
        cmocka_unit_test(append__power_is_cut_again_and_again__loses_no_commit),
        cmocka_unit_test(append__disk_is_full__gives_back_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
