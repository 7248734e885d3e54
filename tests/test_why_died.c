/*
 * Why a process died (guard/death.c): records against a made-up kernel, in verdicts and words. Real
 * deaths: test_guard.py.
 */
#define _GNU_SOURCE
#include "guard.h"
#include "made_record.h"
#include "made_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static hr_death_report report(uint32_t flags) {
    hr_death_report d;
    hr_error err = {.message = ""};
    memset(&d, 0x5a, sizeof(d));
    d.struct_bytes = sizeof(d);
    const hr_status st = hr__why_died(made_root, made_records, flags, &d, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(st, HR_OK);
    return d;
}

static struct hr__record near_the_limit(void) {
    struct hr__record r = made_record();
    r.used_bytes = 990 * MIB;
    r.reclaimable_bytes = 20 * MIB;
    r.headroom_bytes = 30 * MIB;
    return r;
}

static void verdict__count_rose_near_the_limit__is_killed(void **state) {
    (void)state;
    made_job(100, 3);
    struct hr__record r = near_the_limit();
    r.oom_kills_opened = r.oom_kills = 2;
    for (uint64_t i = 0; i < 6; i++) {
        const uint64_t rest = (100 + (i > 1 ? 120 * (i - 1) : 0)) * MIB;
        const struct hr__epoch_memory m = {i, rest + 40 * MIB, 40 * MIB};
        hr__epochs_note(&r.epochs, &m);
    }
    r.epoch = 5;
    r.step = 77;
    r.nan_epoch = 3;
    r.nan_batch = 9;
    made_record_put(&r, 0, 10);
    hr_death_report d = report(0);
    assert_int_equal(d.verdict, HR_DEATH_KILLED);
    assert_string_equal(d.sentence,
                        "killed by the memory limit of its control group /sys/fs/cgroup/job: 970 "
                        "MiB of 1000 MiB were in use when it was last seen; Headrace held 40 MiB; "
                        "the rest of the process grew 120 MiB per epoch from epoch 2 on; it was at "
                        "step 77 of epoch 5; batch 9 of epoch 3 had NaN or infinities");
    assert_true(d.oom_kills_last == 2 && d.oom_kills_now == 3);
    assert_true(d.growth_bytes_per_epoch == (int64_t)(120 * MIB) && d.growth_since_epoch == 2);
    assert_true(d.epoch == 5 && d.step == 77 && d.nan_epoch == 3 && d.nan_batch == 9);
    assert_true(d.limit_bytes == 1000 * MIB && d.headrace_bytes == 40 * MIB);
    assert_int_equal(d.limit_kind, HR_MEMORY_LIMIT_CGROUP_V2);
    assert_string_equal(d.host, "here");
    assert_string_equal(d.command, "python train.py");
    assert_true(d.last_seen_unix_ns - d.opened_unix_ns == INT64_C(60000000000));
    assert_string_equal(hr_death_name(d.verdict), "killed");
}

/* An allocation that was faster than the looks: the group's peak says that its limit was reached.
 */
static void verdict__count_rose_and_the_peak_too__is_killed(void **state) {
    (void)state;
    made_job(100, 1);
    made_root_put("/sys/fs/cgroup/job/memory.peak", "1048576000\n");
    struct hr__record r = made_record();
    r.limit_peak_bytes = 300 * MIB;
    made_record_put(&r, 0, 10);
    assert_int_equal(report(0).verdict, HR_DEATH_KILLED);
}

static void verdict__count_rose_far_from_the_limit__is_likely(void **state) {
    (void)state;
    made_job(100, 1);
    struct hr__record r = made_record();
    made_record_put(&r, 0, 10);
    hr_death_report d = report(0);
    assert_int_equal(d.verdict, HR_DEATH_LIKELY);
    assert_string_equal(d.sentence,
                        "likely killed by the memory limit of its control group "
                        "/sys/fs/cgroup/job, as a process of its control group was, though this "
                        "was not seen near it: 200 MiB of 1000 MiB were in use when it was last "
                        "seen; Headrace held 40 MiB; the process grew by 50 MiB to 100 MiB in 60 "
                        "s");
}

static void verdict__the_count_is_the_same__is_no_sign(void **state) {
    (void)state;
    made_job(100, 2);
    struct hr__record r = near_the_limit();
    r.oom_kills = 2;
    made_record_put(&r, 0, 10);
    hr_death_report d = report(0);
    assert_int_equal(d.verdict, HR_DEATH_NO_SIGN);
    assert_non_null(strstr(d.sentence, "no sign that memory ended it: 970 MiB of 1000 MiB"));
}

static void verdict__the_group_is_gone__is_likely_near_the_limit_only(void **state) {
    (void)state;
    struct hr__record r = near_the_limit();
    made_record_put(&r, 0, 10);
    hr_death_report d = report(0);
    assert_int_equal(d.verdict, HR_DEATH_LIKELY);
    assert_non_null(strstr(d.sentence, "whose count of killed processes cannot be read"));
    assert_true(d.oom_kills_now == UINT64_MAX);
    r = made_record();
    made_record_put(&r, 0, 10);
    assert_int_equal(report(0).verdict, HR_DEATH_NO_SIGN);
}

/* A container of the same name, made anew: its count is another one. */
static void verdict__another_group_of_that_name__has_no_count(void **state) {
    (void)state;
    made_job(100, 5);
    struct hr__record r = near_the_limit();
    r.group_inode++;
    made_record_put(&r, 0, 10);
    hr_death_report d = report(0);
    assert_true(d.oom_kills_now == UINT64_MAX);
    assert_int_equal(d.verdict, HR_DEATH_LIKELY);
}

static void verdict__another_boot__is_restarted(void **state) {
    (void)state;
    made_job(100, 5);
    struct hr__record r = near_the_limit();
    r.id.boot_id[0] = r.id.boot_id[0] == 'a' ? 'b' : 'a';
    made_record_put(&r, 0, 100);
    hr_death_report d = report(0);
    assert_int_equal(d.verdict, HR_DEATH_RESTARTED);
    assert_non_null(strstr(d.sentence, "the machine was restarted since"));
}

static void words__a_container_and_a_machine__are_named_so(void **state) {
    (void)state;
    made_job(100, 1);
    struct hr__record r = near_the_limit();
    strcpy(r.limit_name, "/sys/fs/cgroup");
    r.limit_bytes = UINT64_C(31460000000);
    r.used_bytes = UINT64_C(31450000000);
    r.reclaimable_bytes = 0;
    made_record_put(&r, 0, 10);
    assert_non_null(strstr(report(0).sentence,
                           "killed by the container's memory limit: 29.3 GiB of "
                           "29.3 GiB were in use"));
    r.limit_kind = HR_MEMORY_LIMIT_MACHINE;
    made_record_put(&r, 0, 10);
    assert_non_null(strstr(report(0).sentence, "killed by the machine's memory: "));
    r.limit_kind = HR_MEMORY_LIMIT_NONE;
    made_record_put(&r, 0, 10);
    assert_non_null(strstr(report(0).sentence, "no limit was known"));
}

static void record__that_names_files_elsewhere__has_no_count(void **state) {
    (void)state;
    made_root_put("/secret/memory.events", "oom_kill 9\n");
    struct hr__record r = near_the_limit();
    struct stat st;
    char path[128];
    snprintf(path, sizeof(path), "%s/secret", made_root);
    assert_int_equal(stat(path, &st), 0);
    r.group_inode = st.st_ino;
    strcpy(r.group_folder, "/sys/fs/cgroup/../../../secret");
    made_record_put(&r, 0, 10);
    assert_true(report(0).oom_kills_now == UINT64_MAX);
    strcpy(r.group_folder, "/secret");
    made_record_put(&r, 0, 10);
    assert_true(report(0).oom_kills_now == UINT64_MAX);
}

/* Figures that nobody could have: nothing overflows, and the sentence ends in its room. */
static void record__of_absurd_figures__is_told_all_the_same(void **state) {
    (void)state;
    struct hr__record r = made_record();
    uint64_t *const figures[] = {&r.limit_bytes,     &r.used_bytes,     &r.reclaimable_bytes,
                                 &r.resident_bytes,  &r.headrace_bytes, &r.opened_resident_bytes,
                                 &r.limit_kind,      &r.id.pid,         &r.step,
                                 &r.epoch,           &r.rank,           &r.world_size,
                                 &r.nan_batch,       &r.nan_epoch,      &r.oom_kills,
                                 &r.limit_peak_bytes};
    memset(r.limit_name, 'x', sizeof(r.limit_name) - 1);
    memset(r.command, 'y', sizeof(r.command) - 1);
    for (int seed = 0; seed < 300; seed++) {
        srand((unsigned)seed);
        for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
            *figures[i] = rand() % 3 == 0 ? UINT64_MAX - (uint64_t)(rand() % 2)
                                          : (uint64_t)rand() << rand() % 34;
        for (uint32_t i = 0; i < HR__MOST_EPOCHS; i++)
            r.epochs.at[i] = (struct hr__epoch_memory){(uint64_t)rand() << rand() % 34,
                                                       (uint64_t)rand() << rand() % 34, i};
        r.epochs.count = (uint32_t)rand() % (HR__MOST_EPOCHS + 1);
        made_record_put(&r, 0, 10);
        hr_death_report d = report(0);
        assert_true(strlen(d.sentence) < sizeof(d.sentence));
        assert_in_range(d.limit_kind, HR_MEMORY_LIMIT_NONE, HR_MEMORY_LIMIT_MACHINE);
    }
}

static void told__once__is_told(void **state) {
    (void)state;
    made_job(100, 0);
    struct hr__record r = made_record();
    made_record_put(&r, 0, 10);
    assert_int_equal(report(0).told, 0);
    hr_death_report d = report(HR_WHY_MARK_TOLD);
    assert_int_equal(d.told, 0);
    assert_int_equal(access(d.record_path, F_OK), 0);
    assert_int_equal(report(HR_WHY_MARK_TOLD).told, 1);
    made_record_put(&r, 1, 5);
    assert_int_equal(report(0).told, 0);
}

static void why__arguments_that_are_wrong__are_refused(void **state) {
    (void)state;
    hr_death_report d = {.struct_bytes = sizeof(d)};
    hr_error err;
    char folder[5000];
    memset(folder, 'f', sizeof(folder) - 1);
    folder[sizeof(folder) - 1] = 0;
    assert_int_equal(hr_why_died(made_records, 2, &d, &err), HR_ERR_INVALID);
    assert_int_equal(hr_why_died("", 0, &d, &err), HR_ERR_INVALID);
    assert_int_equal(hr_why_died(folder, 0, &d, &err), HR_ERR_INVALID);
    assert_int_equal(hr_why_died(made_records, 0, &d, &err), HR_ERR_NOT_FOUND);
    d.struct_bytes = 4;
    assert_int_equal(hr_why_died(made_records, 0, &d, &err), HR_ERR_INVALID);
    assert_string_equal(hr_death_name((hr_death)55), "no sign");
}

static void folder__default__is_that_of_the_environment(void **state) {
    (void)state;
    char folder[64];
    hr_death_report d = {.struct_bytes = sizeof(d)};
    unsetenv("HEADRACE_STATE_DIR");
    assert_int_equal(hr_default_record_folder(folder, sizeof(folder)), strlen("./.headrace"));
    assert_string_equal(folder, "./.headrace");
    setenv("HEADRACE_STATE_DIR", made_records, 1);
    assert_int_equal(hr_default_record_folder(folder, 5), strlen(made_records));
    assert_int_equal(strlen(folder), 4);
    assert_int_equal(hr_default_record_folder(NULL, 0), strlen(made_records));
    struct hr__record r = made_record();
    made_record_put(&r, 0, 10);
    assert_int_equal(hr_why_died(NULL, 0, &d, NULL), HR_OK);
    setenv("HEADRACE_STATE_DIR", "", 1);
    assert_int_equal(hr_default_record_folder(NULL, 0), strlen("./.headrace"));
    unsetenv("HEADRACE_STATE_DIR");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, made_records_make, made_records_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(verdict__count_rose_near_the_limit__is_killed),
        TEST(verdict__count_rose_and_the_peak_too__is_killed),
        TEST(verdict__count_rose_far_from_the_limit__is_likely),
        TEST(verdict__the_count_is_the_same__is_no_sign),
        TEST(verdict__the_group_is_gone__is_likely_near_the_limit_only),
        TEST(verdict__another_group_of_that_name__has_no_count),
        TEST(verdict__another_boot__is_restarted),
        TEST(words__a_container_and_a_machine__are_named_so),
        TEST(record__that_names_files_elsewhere__has_no_count),
        TEST(record__of_absurd_figures__is_told_all_the_same),
        TEST(told__once__is_told),
        TEST(why__arguments_that_are_wrong__are_refused),
        TEST(folder__default__is_that_of_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
