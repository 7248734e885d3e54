/*
 * Memory limits as the kernel states them (base/memory_limit.h), read below a folder that plays
 * the root of the system.
 */
#define _GNU_SOURCE
#include "default_budget.h"
#include "made_root.h"
#include "memory_limit.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#define NONE UINT64_MAX
#define MIB  (UINT64_C(1) << 20)

static struct hr__memory_limit read_limit(void) {
    struct hr__memory_limit limit;
    memset(&limit, 0x5a, sizeof(limit));
    hr__memory_limit_read(made_root, &limit);
    return limit;
}

static void limit__nothing_to_read__is_none(void **state) {
    (void)state;
    struct hr__memory_limit limit = read_limit();
    assert_true(limit.cgroup_limit_bytes == NONE);
    assert_true(limit.available_bytes == NONE);
    assert_true(limit.anonymous_used_bytes == 0);
    assert_true(limit.smallest_bytes == limit.rlimit_left_bytes);
}

static void
page_cache_share__group_and_machine__is_of_the_smaller_without_what_is_in_use(void **state) {
    (void)state;
    assert_true(hr__page_cache_share(made_root) == NONE / 2);
    made_root_put("/proc/meminfo", "MemAvailable:    3000 kB\n");
    assert_true(hr__page_cache_share(made_root) == 1500 * 1024);
    made_root_put("/proc/self/cgroup", "0::/job\n");
    made_root_put("/sys/fs/cgroup/job/memory.max", "2000000\n");
    made_root_put("/sys/fs/cgroup/job/memory.stat", "anon 500000\nfile 1400000\n");
    assert_true(hr__page_cache_share(made_root) == 750000);
    made_root_put("/sys/fs/cgroup/job/memory.stat", "anon 2500000\n");
    assert_true(hr__page_cache_share(made_root) == 0);
}

static void limit__meminfo_and_status__are_in_kib(void **state) {
    (void)state;
    made_root_put("/proc/meminfo",
                  "MemTotal:  8000 kB\nMemFree:  10 kB\nMemAvailable:    3000 kB\n");
    made_root_put("/proc/self/status",
                  "Name:\tx\nVmSize:\t 700 kB\nRssAnon:\t     12 kB\nRssFile:\t 4 kB\n");
    struct hr__memory_limit limit = read_limit();
    assert_true(limit.available_bytes == 3000 * 1024);
    assert_true(limit.anonymous_used_bytes == 12 * 1024);
    assert_true(limit.smallest_bytes <= 3000 * 1024);
}

static void v2__own_group__is_the_limit(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "0::/user.slice/job\n");
    made_root_put("/sys/fs/cgroup/user.slice/job/memory.max", "268435456\n");
    made_root_put("/sys/fs/cgroup/user.slice/job/memory.stat",
                  "anon_thp 77\nanon 5000\nfile 8000\ninactive_anon 3\n");
    made_root_put("/proc/self/status", "RssAnon:\t     12 kB\n");
    struct hr__memory_limit limit = read_limit();
    assert_true(limit.cgroup_limit_bytes == 256 * MIB);
    assert_true(limit.smallest_bytes == 256 * MIB);
    assert_true(limit.anonymous_used_bytes == 5000);
}

static void v2__an_ancestor_with_less__counts(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "0::/a/b/c\n");
    made_root_put("/sys/fs/cgroup/a/b/c/memory.max", "max\n");
    made_root_put("/sys/fs/cgroup/a/b/memory.max", "900000000\n");
    made_root_put("/sys/fs/cgroup/a/memory.max", "100000000\n");
    made_root_put("/sys/fs/cgroup/a/memory.stat", "anon 42\n");
    made_root_put("/sys/fs/cgroup/a/b/memory.stat", "anon 41\n");
    struct hr__memory_limit limit = read_limit();
    assert_true(limit.cgroup_limit_bytes == 100000000);
    assert_true(limit.anonymous_used_bytes == 42);
}

static void v2__max_everywhere__is_none(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "0::/a\n");
    made_root_put("/sys/fs/cgroup/a/memory.max", "max\n");
    made_root_put("/sys/fs/cgroup/a/memory.stat", "anon 42\n");
    made_root_put("/proc/self/status", "RssAnon:\t     12 kB\n");
    struct hr__memory_limit limit = read_limit();
    assert_true(limit.cgroup_limit_bytes == NONE);
    assert_true(limit.anonymous_used_bytes == 12 * 1024);
}

static void v2__in_a_container__the_root_is_the_group(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "0::/\n");
    made_root_put("/sys/fs/cgroup/memory.max", "1048576\n");
    assert_true(read_limit().cgroup_limit_bytes == MIB);
}

static void v1__huge_values__are_none(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "3:cpu,cpuacct:/x\n2:memory:/x\n");
    made_root_put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
    made_root_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "18446744073709551615\n");
    assert_true(read_limit().cgroup_limit_bytes == NONE);
}

static void v1__an_ancestor_with_less__counts(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "4:cpuset:/elsewhere\n3:memory:/docker/abc\n0::/\n");
    made_root_put("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes",
                  "9223372036854771712\n");
    made_root_put("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "52428800\n");
    made_root_put("/sys/fs/cgroup/memory/docker/memory.stat",
                  "rss 7\ntotal_rss_huge 3\ntotal_rss 4096\n");
    made_root_put("/sys/fs/cgroup/memory/elsewhere/memory.limit_in_bytes", "1\n");
    struct hr__memory_limit limit = read_limit();
    assert_true(limit.cgroup_limit_bytes == 50 * MIB);
    assert_true(limit.anonymous_used_bytes == 4096);
}

/* Inside a container the path is that of the host, and the group is mounted as the root. */
static void v1__path_that_is_not_there__the_root_counts(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "3:memory:/docker/abc\n");
    made_root_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "52428800\n");
    assert_true(read_limit().cgroup_limit_bytes == 50 * MIB);
}

static void v1__controllers_that_only_sound_alike__do_not_count(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "5:name=memory-games:/wrong\n4:rdma,memory:/right\n");
    made_root_put("/sys/fs/cgroup/memory/right/memory.limit_in_bytes", "2097152\n");
    made_root_put("/sys/fs/cgroup/memory/wrong/memory.limit_in_bytes", "1048576\n");
    assert_true(read_limit().cgroup_limit_bytes == 2 * MIB);
}

static void both__the_smaller_counts(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "3:memory:/a\n0::/b\n");
    made_root_put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "3145728\n");
    made_root_put("/sys/fs/cgroup/memory/a/memory.stat", "total_rss 1\n");
    made_root_put("/sys/fs/cgroup/b/memory.max", "2097152\n");
    made_root_put("/sys/fs/cgroup/b/memory.stat", "anon 2\n");
    struct hr__memory_limit limit = read_limit();
    assert_true(limit.cgroup_limit_bytes == 2 * MIB);
    assert_true(limit.anonymous_used_bytes == 2);
}

static void any__strange_contents__are_no_limit(void **state) {
    (void)state;
    made_root_put("/proc/self/cgroup", "no colon at all\n:\n::\n3:memory\n0::/x\n");
    made_root_put("/sys/fs/cgroup/x/memory.max", "words\n");
    made_root_put("/sys/fs/cgroup/memory.max", "");
    made_root_put("/proc/meminfo", "MemAvailable\nMemAvailable: much kB\n");
    struct hr__memory_limit limit = read_limit();
    assert_true(limit.cgroup_limit_bytes == NONE);
    assert_true(limit.available_bytes == NONE);
}

static void any__a_very_long_path__is_no_limit(void **state) {
    (void)state;
    char text[3 * PATH_MAX];
    memset(text, 'd', sizeof(text));
    memcpy(text, "0::/", 4);
    for (size_t i = 100; i + 2 < sizeof(text); i += 100)
        text[i] = '/';
    strcpy(text + sizeof(text) - 2, "\n");
    made_root_put("/proc/self/cgroup", text);
    assert_true(read_limit().cgroup_limit_bytes == NONE);
}

static void rlimit__address_space__is_what_is_left_of_it(void **state) {
    (void)state;
    struct rlimit before, low;
    made_root_put("/proc/self/status", "VmSize:\t1048576 kB\nVmData:\t1024 kB\n");
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)1 << 50; /* above what any sanitizer maps */
    if (before.rlim_max != RLIM_INFINITY && before.rlim_max < low.rlim_cur)
        skip();
    assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
    struct hr__memory_limit limit = read_limit();
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_true(limit.rlimit_left_bytes == (UINT64_C(1) << 50) - (UINT64_C(1) << 30));
    assert_true(limit.smallest_bytes == limit.rlimit_left_bytes);
}

static void rlimit__more_used_than_allowed__nothing_is_left(void **state) {
    (void)state;
    struct rlimit before, low;
    made_root_put("/proc/self/status", "VmSize:\t1 kB\nVmData:\t8589934592 kB\n"); /* 8 TiB */
    assert_int_equal(getrlimit(RLIMIT_DATA, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)1 << 42;
    assert_int_equal(setrlimit(RLIMIT_DATA, &low), 0);
    struct hr__memory_limit limit = read_limit();
    assert_int_equal(setrlimit(RLIMIT_DATA, &before), 0);
    assert_true(limit.rlimit_left_bytes == 0);
    assert_true(limit.smallest_bytes == 0);
}

static void default_budget__on_this_system__is_within_its_bounds(void **state) {
    (void)state;
    uint64_t budget = hr_default_budget();
    assert_in_range(budget, 16 * MIB, 1024 * MIB);
    assert_true(budget <= 16 * MIB || budget <= hr__stretched_budget());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, made_root_make, made_root_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(limit__nothing_to_read__is_none),
        TEST(page_cache_share__group_and_machine__is_of_the_smaller_without_what_is_in_use),
        TEST(limit__meminfo_and_status__are_in_kib),
        TEST(v2__own_group__is_the_limit),
        TEST(v2__an_ancestor_with_less__counts),
        TEST(v2__max_everywhere__is_none),
        TEST(v2__in_a_container__the_root_is_the_group),
        TEST(v1__huge_values__are_none),
        TEST(v1__an_ancestor_with_less__counts),
        TEST(v1__path_that_is_not_there__the_root_counts),
        TEST(v1__controllers_that_only_sound_alike__do_not_count),
        TEST(both__the_smaller_counts),
        TEST(any__strange_contents__are_no_limit),
        TEST(any__a_very_long_path__is_no_limit),
        TEST(rlimit__address_space__is_what_is_left_of_it),
        TEST(rlimit__more_used_than_allowed__nothing_is_left),
        cmocka_unit_test(default_budget__on_this_system__is_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
