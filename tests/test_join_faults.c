/*
 * Joins on a disk that fails, that fills, or whose power goes: the target's name stands for what
 * was there before or for all parts, and no part is ever changed.
 */
#include "fault_disk.h"
#include "hrd_reader_util.h"
#include "join_internal.h"
#include "writer_internal.h"
#include "writer_rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TARGET      "t.hrd"
#define NUM_PARTS   3u
#define NUM_SAMPLES 250
#define OLD_SAMPLES 40

static const char *const names[NUM_PARTS] = {"a.hrd", "b.hrd", "c.hrd"};
static const uint64_t begins[NUM_PARTS + 1] = {0, 70, 70, NUM_SAMPLES}; /* the second is empty */

static void write_rows(struct fault_disk *d, const char *name, uint64_t first, uint64_t n) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.samples_per_chunk = 32;
    o.num_threads = 1;
    o.codec = HR_CODEC_ZSTD;
    assert_int_equal(
        hr__writer_open_in(fault_disk_folder(d), name, rows_fields, ROWS_NUM_FIELDS, &o, &w, NULL),
        HR_OK);
    assert_int_equal(rows_append(w, rows_fields, ROWS_NUM_FIELDS, first, n, 50, NULL), HR_OK);
    assert_int_equal(hr_writer_commit(w, NULL), HR_OK);
    hr_writer_close(w);
}

static struct fault_disk *disk_with_parts(bool old_target) {
    struct fault_disk *d = fault_disk_new();
    for (uint32_t i = 0; i < NUM_PARTS; i++)
        write_rows(d, names[i], begins[i], begins[i + 1] - begins[i]);
    if (old_target)
        write_rows(d, TARGET, 0, OLD_SAMPLES);
    return d;
}

static hr_status join(struct fault_disk *d, uint32_t flags, hr_error *err) {
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    const struct hr__join_files files = {(char **)(uintptr_t)names, NUM_PARTS};
    o.flags = flags | HR_JOIN_REPLACE;
    o.output = TARGET;
    o.num_threads = 2;
    o.budget_bytes = UINT64_C(64) << 20;
    return hr__join_in(fault_disk_folder(d), &o, &files, NULL, err);
}

/* Samples of the whole and right data set under a name; -1: there is none. */
static int64_t samples_of(struct fault_disk *d, const char *name, uint64_t first) {
    struct hrd_image im;
    hr_error err = {0};
    if (!fault_disk_has(d, name))
        return -1;
    if (hrd_image_load_path(fault_disk_folder(d), name, &im, &err) != HR_OK)
        fail_msg("%s is not whole: %s", name, err.message);
    const int64_t n = (int64_t)im.footer.num_samples;
    if (first == 0)
        assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, im.footer.num_samples, im.columns));
    hrd_image_free(&im);
    return n;
}

static int64_t target_samples(struct fault_disk *d) {
    return samples_of(d, TARGET, 0);
}

static void assert_parts_whole(struct fault_disk *d) {
    for (uint32_t i = 0; i < NUM_PARTS; i++)
        assert_int_equal(samples_of(d, names[i], begins[i]), begins[i + 1] - begins[i]);
}

static void assert_resumes(struct fault_disk *d) {
    hr_error err = {0};
    const hr_status st = join(d, HR_JOIN_RESUME, &err);
    if (st != HR_OK)
        fail_msg("cannot go on: %s", err.message);
    assert_int_equal(target_samples(d), NUM_SAMPLES);
}

static void each_operation_fails(bool old_target, int os_errno) {
    bool failed = true;
    uint64_t n = 1;
    for (; failed; n++) {
        struct fault_disk *d = disk_with_parts(old_target);
        const int64_t before = target_samples(d);
        hr_error err = {0};
        const uint64_t start = fault_disk_count(d);
        fault_disk_fail(d, n, os_errno);
        const hr_status st = join(d, 0, &err);
        failed = fault_disk_count(d) - start >= n;
        fault_disk_fail(d, 0, 0);
        const int64_t after = target_samples(d);
        if (st == HR_OK)
            assert_int_equal(after, NUM_SAMPLES);
        else if (st == HR_ERR_UNCERTAIN)
            assert_true(after == before || after == NUM_SAMPLES);
        else
            assert_int_equal(after, before);
        assert_true(failed || st == HR_OK);
        assert_parts_whole(d);
        if (st != HR_OK) {
            assert_int_equal(err.status, st);
            assert_true(strlen(err.message) > 0);
            assert_resumes(d);
        }
        fault_disk_free(d);
    }
    assert_true(n > 20);
}

static void join__each_operation_fails__target_is_absent_or_whole(void **state) {
    (void)state;
    each_operation_fails(false, EIO);
}

static void join__each_operation_fails__old_target_stays_or_new_is_whole(void **state) {
    (void)state;
    each_operation_fails(true, EIO);
}

static void join__power_is_cut_anywhere__target_is_absent_or_whole(void **state) {
    (void)state;
    bool cut = true;
    uint64_t n = 1;
    for (; cut; n++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            struct fault_disk *d = disk_with_parts(true);
            const uint64_t start = fault_disk_count(d);
            fault_disk_cut_power(d, n);
            const hr_status st = join(d, 0, NULL);
            cut = fault_disk_count(d) - start >= n;
            struct fault_disk *left = fault_disk_after_power_cut(d, n * 1000 + seed);
            const int64_t after = target_samples(left);
            assert_true(after == OLD_SAMPLES || after == NUM_SAMPLES);
            if (st == HR_OK)
                assert_int_equal(after, NUM_SAMPLES);
            else if (after == OLD_SAMPLES)
                assert_resumes(left);
            assert_parts_whole(left);
            fault_disk_free(left);
            fault_disk_free(d);
        }
    }
    assert_true(n > 20);
}

static void join__disk_is_full__says_so_and_goes_on_when_it_is_not(void **state) {
    (void)state;
    hr_status st = HR_ERR_NO_SPACE;
    uint32_t num_full = 0;
    for (uint64_t limit = UINT64_C(400) << 10; st != HR_OK; limit += 19000) {
        struct fault_disk *d = disk_with_parts(false);
        hr_error err = {0};
        fault_disk_limit(d, limit);
        st = join(d, 0, &err);
        if (st != HR_OK) {
            assert_int_equal(st, HR_ERR_NO_SPACE);
            num_full++;
            assert_int_equal(target_samples(d), -1);
            fault_disk_limit(d, UINT64_MAX);
            assert_resumes(d);
        }
        fault_disk_free(d);
    }
    assert_true(num_full > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join__each_operation_fails__target_is_absent_or_whole),
        cmocka_unit_test(join__each_operation_fails__old_target_stays_or_new_is_whole),
        cmocka_unit_test(join__power_is_cut_anywhere__target_is_absent_or_whole),
        cmocka_unit_test(join__disk_is_full__says_so_and_goes_on_when_it_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
