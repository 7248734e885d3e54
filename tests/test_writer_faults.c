/*
 * Writers on a disk that fails: whatever happens, the target's name stands for what was there
 * before or for a whole data set.
 */
#include "fault_disk.h"
#include "hrd_reader_util.h"
#include "writer_internal.h"
#include "writer_rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TARGET      "t.hrd"
#define NEW_SAMPLES 300
#define OLD_SAMPLES 40

static hr_status write_rows(struct fault_disk *d, uint64_t n, uint32_t flags, int32_t codec,
                            hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.flags = flags;
    o.samples_per_chunk = 32;
    o.num_threads = 2;
    o.codec = codec;
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

/* Samples of the whole and right data set under the target's name; -1: there is none. */
static int64_t target_samples(struct fault_disk *d) {
    struct hrd_image im;
    hr_error err = {0};
    if (!fault_disk_has(d, TARGET))
        return -1;
    const hr_status st = hrd_image_load_path(fault_disk_folder(d), TARGET, &im, &err);
    if (st != HR_OK)
        fail_msg("the target is not whole: %s", err.message);
    const int64_t n = (int64_t)im.footer.num_samples;
    assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, im.footer.num_samples, im.columns));
    hrd_image_free(&im);
    return n;
}

static struct fault_disk *disk_with(bool old_target) {
    struct fault_disk *d = fault_disk_new();
    if (old_target)
        assert_int_equal(write_rows(d, OLD_SAMPLES, 0, HR_CODEC_RAW, NULL), HR_OK);
    return d;
}

static void assert_resumes(struct fault_disk *d) {
    hr_error err = {0};
    const hr_status st =
        write_rows(d, NEW_SAMPLES, HR_WRITER_REPLACE | HR_WRITER_RESUME, HR_CODEC_ZSTD, &err);
    if (st != HR_OK)
        fail_msg("cannot go on: %s", err.message);
    assert_int_equal(target_samples(d), NEW_SAMPLES);
}

static void each_operation_fails(bool old_target, int os_errno) {
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct fault_disk *d = disk_with(old_target);
        const int64_t before = target_samples(d);
        hr_error err = {0};
        const uint64_t start = fault_disk_count(d);
        fault_disk_fail(d, n, os_errno);
        const hr_status st = write_rows(d, NEW_SAMPLES, HR_WRITER_REPLACE, HR_CODEC_ZSTD, &err);
        failed = fault_disk_count(d) - start >= n;
        fault_disk_fail(d, 0, 0);
        const int64_t after = target_samples(d);
        if (st == HR_OK)
            assert_int_equal(after, NEW_SAMPLES);
        else if (st == HR_ERR_UNCERTAIN)
            assert_true(after == before || after == NEW_SAMPLES);
        else
            assert_int_equal(after, before);
        assert_true(failed || st == HR_OK);
        if (st != HR_OK) {
            assert_int_equal(err.status, st);
            assert_true(strlen(err.message) > 0);
            assert_resumes(d);
        }
        fault_disk_free(d);
    }
}

static void writer__each_operation_fails__target_is_absent_or_whole(void **state) {
    (void)state;
    each_operation_fails(false, EIO);
}

static void writer__each_operation_fails__old_target_stays_or_new_is_whole(void **state) {
    (void)state;
    each_operation_fails(true, EIO);
}

static void writer__no_memory_in_the_kernel__target_is_absent_or_whole(void **state) {
    (void)state;
    each_operation_fails(false, ENOMEM);
}

static void cut_power_everywhere(bool old_target) {
    bool cut = true;
    for (uint64_t n = 1; cut; n++) {
        for (uint64_t seed = 0; seed < 6; seed++) {
            struct fault_disk *d = disk_with(old_target);
            const int64_t before = target_samples(d);
            const uint64_t start = fault_disk_count(d);
            fault_disk_cut_power(d, n);
            const hr_status st = write_rows(d, NEW_SAMPLES, HR_WRITER_REPLACE, HR_CODEC_ZSTD, NULL);
            cut = fault_disk_count(d) - start >= n;
            struct fault_disk *left = fault_disk_after_power_cut(d, n * 1000 + seed);
            const int64_t after = target_samples(left);
            assert_true(after == before || after == NEW_SAMPLES);
            if (st == HR_OK)
                assert_int_equal(after, NEW_SAMPLES);
            else if (after == before)
                assert_resumes(left);
            fault_disk_free(left);
            fault_disk_free(d);
        }
    }
}

static void writer__power_is_cut_anywhere__target_is_absent_or_whole(void **state) {
    (void)state;
    cut_power_everywhere(false);
}

static void writer__power_is_cut_anywhere__old_target_stays_or_new_is_whole(void **state) {
    (void)state;
    cut_power_everywhere(true);
}

static void writer__disk_is_full__says_so_and_goes_on_when_it_is_not(void **state) {
    (void)state;
    hr_status st = HR_ERR_NO_SPACE;
    for (uint64_t limit = 0; st != HR_OK; limit += 9000) {
        struct fault_disk *d = fault_disk_new();
        hr_error err = {0};
        fault_disk_limit(d, limit);
        st = write_rows(d, NEW_SAMPLES, 0, HR_CODEC_ZSTD, &err);
        if (st != HR_OK) {
            assert_int_equal(st, HR_ERR_NO_SPACE);
            assert_int_equal(err.os_errno, ENOSPC);
            assert_int_equal(target_samples(d), -1);
            fault_disk_limit(d, UINT64_MAX);
            assert_resumes(d);
        }
        fault_disk_free(d);
    }
}

static void writer__target_made_meanwhile__is_kept(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *w = NULL;
    const struct hr__folder_ops *folder = fault_disk_folder(d);
    assert_int_equal(
        hr__writer_open_in(folder, "u.hrd", rows_fields, ROWS_NUM_FIELDS, NULL, &w, &err), HR_OK);
    assert_int_equal(write_rows(d, OLD_SAMPLES, 0, HR_CODEC_RAW, &err), HR_OK);
    assert_int_equal(folder->rename(folder->ctx, TARGET, "u.hrd", false), 0);
    assert_int_equal(hr_writer_commit(w, &err), HR_ERR_EXISTS);
    hr_writer_close(w);
    assert_true(fault_disk_has(d, "u.hrd.partial"));
    assert_int_equal(folder->rename(folder->ctx, "u.hrd", TARGET, false), 0);
    assert_int_equal(target_samples(d), OLD_SAMPLES);
    fault_disk_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer__each_operation_fails__target_is_absent_or_whole),
        cmocka_unit_test(writer__each_operation_fails__old_target_stays_or_new_is_whole),
        cmocka_unit_test(writer__no_memory_in_the_kernel__target_is_absent_or_whole),
        cmocka_unit_test(writer__power_is_cut_anywhere__target_is_absent_or_whole),
        cmocka_unit_test(writer__power_is_cut_anywhere__old_target_stays_or_new_is_whole),
        cmocka_unit_test(writer__disk_is_full__says_so_and_goes_on_when_it_is_not),
        cmocka_unit_test(writer__target_made_meanwhile__is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
