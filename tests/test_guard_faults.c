/*
 * A guard, its record and hr_why_died() where calls of the system and allocations fail in turn: a
 * status or a note, never a crash, and nothing is left behind.
 */
#define _GNU_SOURCE
#include "fault_calls.h"
#include "guard.h"
#include "made_record.h"
#include "made_root.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static uint32_t count_files(const char *folder) {
    uint32_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static rlim_t soft_data(void) {
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_DATA, &r), 0);
    return r.rlim_cur;
}

/* Opens and closes a guard in which one call fails. Returns false once none did. */
static bool guard_with_fault(enum fault_kind kind, long nth) {
    hr_guard_options o = HR_GUARD_OPTIONS_INIT;
    hr_guard_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {.message = ""};
    const struct hr__guard_setup setup = {.root = made_root};
    hr_guard *g;
    o.flags = HR_GUARD_HARD;
    o.record_folder = made_records;
    fault_arm(kind, nth);
    hr_status st = hr__guard_open(&o, &setup, &g, &err);
    if (st == HR_OK)
        assert_int_equal(hr_guard_state(g, &info, &err), HR_OK);
    fault_disarm();
    const bool failed = fault_hit() != NULL;
    if (st != HR_OK) {
        assert_true(failed && g == NULL);
        assert_true(st == HR_ERR_NO_MEMORY || st == HR_ERR_UNSUPPORTED);
        assert_true(strlen(err.message) > 10);
    } else {
        assert_true(info.record_kept || strstr(info.note, "no record is kept: ") != NULL);
        assert_true(info.hard_rlimit_bytes > 0);
    }
    hr_guard_close(g);
    return failed;
}

static void each_fails(enum fault_kind kind, long at_least) {
    const rlim_t before = soft_data();
    const uint32_t descriptors = count_files("/proc/self/fd");
    long nth = 0;
    made_job(100, 0);
    made_root_put("/proc/self/status", "VmData:\t8796093022208 kB\n");
    while (guard_with_fault(kind, nth)) {
        assert_true(soft_data() == before);
        assert_int_equal(count_files("/proc/self/fd"), descriptors);
        assert_int_equal(made_records_count(), 0);
        nth++;
    }
    assert_true(nth >= at_least);
}

static void guard__each_call_of_the_system_fails__is_a_status_or_a_note(void **state) {
    (void)state;
    each_fails(FAULT_SYSTEM, 10);
}

static void guard__each_allocation_fails__is_out_of_memory(void **state) {
    (void)state;
    each_fails(FAULT_MEMORY, 2);
}

static void guard__a_record_that_is_cut__is_none(void **state) {
    (void)state;
    each_fails(FAULT_SHORT, 1);
}

static void why__each_call_fails__is_a_status(void **state) {
    (void)state;
    hr_death_report d = {.struct_bytes = sizeof(d)};
    for (int kind = FAULT_SYSTEM; kind <= FAULT_SHORT; kind++)
        for (long nth = 0;; nth++) {
            made_job(100, 1);
            struct hr__record r = made_record();
            made_record_put(&r, 0, 10);
            hr_error err = {.message = ""};
            fault_arm((enum fault_kind)kind, nth);
            hr_status st = hr__why_died(made_root, made_records, 0, &d, &err);
            fault_disarm();
            if (st != HR_OK)
                assert_true(fault_hit() != NULL && strlen(err.message) > 10);
            if (fault_hit() == NULL)
                break;
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, made_records_make, made_records_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(guard__each_call_of_the_system_fails__is_a_status_or_a_note),
        TEST(guard__each_allocation_fails__is_out_of_memory),
        TEST(guard__a_record_that_is_cut__is_none),
        TEST(why__each_call_fails__is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
