/*
 * What is used of each limit (base/memory_use.h), read below a folder that plays the root of the
 * system, and hr_process_memory_read() on this one.
 */
#include "made_root.h"
#include "memory_use.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#define NONE UINT64_MAX
#define MIB  (UINT64_C(1) << 20)

static struct hr__memory_use use_read(void) {
    struct hr__memory_use use;
    memset(&use, 0x5a, sizeof(use));
    hr__memory_use_read(made_root, &use);
    return use;
}

static void use__nothing_to_read__is_unknown_and_without_limit(void **state) {
    (void)state;
    struct hr__memory_use use = use_read();
    assert_true(use.resident_bytes == NONE);
    assert_true(use.oom_kills == NONE);
    assert_int_equal(use.ending.kind, HR_MEMORY_LIMIT_NONE);
    assert_true(use.ending.headroom_bytes == NONE);
    assert_string_equal(use.ending.name, "");
}

static void process__status__is_in_kib(void **state) {
    (void)state;
    made_root_put("/proc/self/status", "Name:\tVmRSS: 1 kB\nVmHWM:\t 90 kB\nVmRSS:\t 80 kB\n"
                                       "RssAnon:\t 70 kB\nVmData:\t 60 kB\n");
    struct hr__memory_use use = use_read();
    assert_true(use.resident_bytes == 80 * 1024);
    assert_true(use.peak_resident_bytes == 90 * 1024);
    assert_true(use.anonymous_bytes == 70 * 1024);
    assert_true(use.data_bytes == 60 * 1024);
}

static void v2__own_group__counts_what_can_be_dropped(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "0::/job\n");
    made_root_put("/sys/fs/cgroup/job/memory.max", "1000\n");
    made_root_put("/sys/fs/cgroup/job/memory.current", "900\n");
    made_root_put("/sys/fs/cgroup/job/memory.stat",
                  "anon 300\nfile 600\ninactive_file 350\nactive_file 150\nfile_dirty 30\n"
                  "file_writeback 20\nunevictable 40\n");
    made_root_put("/sys/fs/cgroup/job/memory.events", "low 0\noom 2\noom_kill 3\n");
    struct hr__memory_use use = use_read();
    assert_int_equal(use.ending.kind, HR_MEMORY_LIMIT_CGROUP_V2);
    assert_string_equal(use.ending.name, "/sys/fs/cgroup/job");
    assert_true(use.ending.limit_bytes == 1000);
    assert_true(use.ending.used_bytes == 900);
    assert_true(use.ending.reclaimable_bytes == 450);
    assert_true(use.ending.headroom_bytes == 550);
    assert_true(use.oom_kills == 3);
}

static void v2__ancestor_with_more_and_less_left__counts(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "0::/a/b\n");
    made_root_put("/sys/fs/cgroup/a/b/memory.max", "500\n");
    made_root_put("/sys/fs/cgroup/a/b/memory.current", "100\n");
    made_root_put("/sys/fs/cgroup/a/b/memory.events", "oom_kill 1\n");
    made_root_put("/sys/fs/cgroup/a/memory.max", "1000\n");
    made_root_put("/sys/fs/cgroup/a/memory.current", "990\n");
    made_root_put("/sys/fs/cgroup/a/memory.events", "oom_kill 9\n");
    struct hr__memory_use use = use_read();
    assert_string_equal(use.ending.name, "/sys/fs/cgroup/a");
    assert_true(use.ending.headroom_bytes == 10);
    assert_true(use.oom_kills == 1); /* of the own group */
}

static void v1__own_group__has_the_figures_with_children(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "3:memory:/x\n0::/\n");
    made_root_put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1000\n");
    made_root_put("/sys/fs/cgroup/memory/x/memory.usage_in_bytes", "800\n");
    made_root_put("/sys/fs/cgroup/memory/x/memory.stat",
                  "inactive_file 1\nactive_file 1\ntotal_inactive_file 200\ntotal_active_file 100\n"
                  "total_dirty 50\ntotal_writeback 5\n");
    made_root_put("/sys/fs/cgroup/memory/x/memory.oom_control",
                  "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n");
    struct hr__memory_use use = use_read();
    assert_int_equal(use.ending.kind, HR_MEMORY_LIMIT_CGROUP_V1);
    assert_string_equal(use.ending.name, "/sys/fs/cgroup/memory/x");
    assert_true(use.ending.reclaimable_bytes == 245);
    assert_true(use.ending.headroom_bytes == 445);
    assert_true(use.oom_kills == 7);
}

/* Inside a container the path is that of the host, and the group is mounted as the root. */
static void v1__path_that_is_not_there__the_root_is_the_own_group(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "3:memory:/docker/abc\n");
    made_root_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n");
    made_root_put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "10\n");
    made_root_put("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill 2\n");
    struct hr__memory_use use = use_read();
    assert_string_equal(use.ending.name, "/sys/fs/cgroup/memory");
    assert_true(use.oom_kills == 2);
}

static void machine__less_left_than_in_the_group__counts(void **state) {
    (void)state;
    made_root_put("/proc/meminfo", "MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 30 kB\n");
    made_root_put("/proc/self/cgroup", "0::/job\n");
    made_root_put("/sys/fs/cgroup/job/memory.max", "1000000\n");
    made_root_put("/sys/fs/cgroup/job/memory.current", "10\n");
    struct hr__memory_use use = use_read();
    assert_int_equal(use.ending.kind, HR_MEMORY_LIMIT_MACHINE);
    assert_string_equal(use.ending.name, "machine");
    assert_true(use.ending.limit_bytes == 100 * 1024);
    assert_true(use.ending.used_bytes == 90 * 1024);
    assert_true(use.ending.reclaimable_bytes == 20 * 1024);
    assert_true(use.ending.headroom_bytes == 30 * 1024);
}

static void group__strange_contents__are_no_limit(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "nothing\n:::\n3:memory:/x\n0::/y\n");
    made_root_put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "99999999999999999999999\n");
    made_root_put("/sys/fs/cgroup/y/memory.max", "1000\n"); /* and no use */
    made_root_put("/sys/fs/cgroup/y/memory.events", "oom_kill\noom_kill many\n");
    made_root_put("/proc/meminfo", "MemTotal: 18446744073709551615 kB\nMemAvailable: 1 kB\n");
    struct hr__memory_use use = use_read();
    assert_int_equal(use.ending.kind, HR_MEMORY_LIMIT_NONE);
    assert_true(use.oom_kills == NONE);
}

static void group__more_reclaimable_than_used__is_clamped(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "0::/job\n");
    made_root_put("/sys/fs/cgroup/job/memory.max", "1000\n");
    made_root_put("/sys/fs/cgroup/job/memory.current", "100\n");
    made_root_put("/sys/fs/cgroup/job/memory.stat", "inactive_file 5000\n");
    struct hr__memory_use use = use_read();
    assert_true(use.ending.reclaimable_bytes == 100);
    assert_true(use.ending.headroom_bytes == 1000);
}

static void group__used_beyond_its_limit__has_no_headroom(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "0::/job\n");
    made_root_put("/sys/fs/cgroup/job/memory.max", "1000\n");
    made_root_put("/sys/fs/cgroup/job/memory.current", "1200\n");
    struct hr__memory_use use = use_read();
    assert_true(use.ending.headroom_bytes == 0);
}

static void group__a_long_name__keeps_its_end(void **state) {
    (void)state;
    char name[200], path[1200], line[1200];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    snprintf(line, sizeof(line), "0::/%s/%s/%s/last\n", name, name, name);
    made_root_put("/proc/self/cgroup", line);
    snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s/%s/last/memory.max", name, name, name);
    made_root_put(path, "1000\n");
    snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s/%s/last/memory.current", name, name, name);
    made_root_put(path, "1\n");
    struct hr__memory_use use = use_read();
    assert_int_equal(strlen(use.ending.name), HR_MEMORY_NAME_BYTES - 1);
    assert_string_equal(use.ending.name + HR_MEMORY_NAME_BYTES - 1 - 5, "/last");
}

static void with_rlimit(int resource, const char *status, const char *name,
                        hr_memory_limit_kind kind) {
    struct rlimit before, low;
    made_root_put("/proc/self/status", status);
    assert_int_equal(getrlimit(resource, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)1 << 50; /* above what any sanitizer maps */
    if (before.rlim_max != RLIM_INFINITY && before.rlim_max < low.rlim_cur)
        skip();
    assert_int_equal(setrlimit(resource, &low), 0);
    struct hr__memory_use use = use_read();
    assert_int_equal(setrlimit(resource, &before), 0);
    const struct hr__limit_use *least = hr__least_headroom(&use, true);
    assert_int_equal(least->kind, kind);
    assert_string_equal(least->name, name);
    assert_true(least->limit_bytes == UINT64_C(1) << 50);
    assert_true(least->used_bytes == UINT64_C(1) << 30);
    assert_true(least->reclaimable_bytes == 0);
    assert_true(least->headroom_bytes == (UINT64_C(1) << 50) - (UINT64_C(1) << 30));
    assert_int_equal(hr__least_headroom(&use, false)->kind == kind,
                     kind == HR_MEMORY_LIMIT_RLIMIT_AS);
}

static void rlimit__address_space__counts_what_is_mapped(void **state) {
    (void)state;
    with_rlimit(RLIMIT_AS, "VmSize:\t1048576 kB\nVmData:\t1 kB\n", "RLIMIT_AS",
                HR_MEMORY_LIMIT_RLIMIT_AS);
}

static void rlimit__data__counts_private_memory(void **state) {
    (void)state;
    with_rlimit(RLIMIT_DATA, "VmSize:\t1 kB\nVmData:\t1048576 kB\n", "RLIMIT_DATA",
                HR_MEMORY_LIMIT_RLIMIT_DATA);
}

static void process_memory__on_this_system__is_plausible(void **state) {
    (void)state;
    hr_process_memory m = {.struct_bytes = sizeof(m)};
    hr_error err = {.message = ""};
    assert_int_equal(hr_process_memory_read(&m, &err), HR_OK);
    assert_in_range(m.resident_bytes, 64 * 1024, m.peak_resident_bytes);
    assert_true(m.anonymous_bytes <= m.resident_bytes);
    assert_true(m.headrace_bytes == hr_memory_in_use());
    assert_int_not_equal(m.limit_kind, HR_MEMORY_LIMIT_NONE);
    assert_true(m.headroom_bytes <= m.limit_bytes);
    assert_true(m.machine_available_bytes <= m.machine_bytes);
    assert_true(strlen(m.limit_name) > 0);
}

static void process_memory__callers_of_other_versions__get_what_they_know(void **state) {
    (void)state;
    struct {
        hr_process_memory m;
        uint8_t newer[16];
    } big = {.m.struct_bytes = sizeof(big)};
    hr_process_memory small = {.struct_bytes = offsetof(hr_process_memory, headroom_bytes),
                               .headroom_bytes = 77};
    hr_error err;
    memset(big.newer, 1, sizeof(big.newer));
    assert_int_equal(hr_process_memory_read(&big.m, &err), HR_OK);
    assert_int_equal(big.newer[0], 0);
    assert_int_equal(hr_process_memory_read(&small, &err), HR_OK);
    assert_true(small.headroom_bytes == 77 && small.limit_bytes > 0);
    small.struct_bytes = 0;
    assert_int_equal(hr_process_memory_read(&small, &err), HR_ERR_INVALID);
}

static void kind_name__each__is_its_own(void **state) {
    (void)state;
    assert_string_equal(hr_memory_limit_kind_name(HR_MEMORY_LIMIT_CGROUP_V2), "cgroup v2");
    assert_string_equal(hr_memory_limit_kind_name(HR_MEMORY_LIMIT_MACHINE), "machine");
    assert_string_equal(hr_memory_limit_kind_name((hr_memory_limit_kind)77), "none");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, made_root_make, made_root_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(use__nothing_to_read__is_unknown_and_without_limit),
        TEST(process__status__is_in_kib),
        TEST(v2__own_group__counts_what_can_be_dropped),
        TEST(v2__ancestor_with_more_and_less_left__counts),
        TEST(v1__own_group__has_the_figures_with_children),
        TEST(v1__path_that_is_not_there__the_root_is_the_own_group),
        TEST(machine__less_left_than_in_the_group__counts),
        TEST(group__strange_contents__are_no_limit),
        TEST(group__more_reclaimable_than_used__is_clamped),
        TEST(group__used_beyond_its_limit__has_no_headroom),
        TEST(group__a_long_name__keeps_its_end),
        TEST(rlimit__address_space__counts_what_is_mapped),
        TEST(rlimit__data__counts_private_memory),
        cmocka_unit_test(process_memory__on_this_system__is_plausible),
        cmocka_unit_test(process_memory__callers_of_other_versions__get_what_they_know),
        cmocka_unit_test(kind_name__each__is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
