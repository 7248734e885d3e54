/*
 * The guard (guard/guard.h) over a made-up control group: when it looks and calls, and what it
 * sets. Its record: test_guard_record.c; real limits: test_guard.py.
 */
#define _GNU_SOURCE
#include "made_guard.h"
#include "made_record.h"
#include "made_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

struct caller {
    atomic_int calls, posts, refusals; /* refusals: posts that are still to be refused */
    atomic_bool inside, slow, wrong;
    _Atomic(hr_guard *) guard; /* once it is open */
};
static struct caller caller;

static int on_low(void *user) {
    struct caller *c = user;
    hr_guard_info info = {.struct_bytes = sizeof(info)};
    hr_guard *g = atomic_load(&c->guard);
    atomic_store(&c->inside, true);
    atomic_fetch_add(&c->calls, 1);
    if (g != NULL && (hr_guard_state(g, &info, NULL) != HR_OK || !info.low_now))
        atomic_store(&c->wrong, true);
    while (atomic_load(&c->slow))
        made_guard_nap();
    atomic_store(&c->inside, false);
    return 0;
}

static int (*posted)(void *);
static void *posted_arg;

static int post(int (*call)(void *), void *arg) {
    atomic_fetch_add(&caller.posts, 1);
    if (atomic_load(&caller.refusals) > 0) {
        atomic_fetch_sub(&caller.refusals, 1);
        return -1;
    }
    posted = call;
    posted_arg = arg;
    return 0;
}

static hr_guard_options options_make(void) {
    hr_guard_options o = made_guard_options();
    caller = (struct caller){.guard = NULL};
    posted = NULL;
    o.on_low = on_low;
    o.user = &caller;
    return o;
}

static hr_guard *open_guard(const hr_guard_options *o) {
    hr_guard *g = made_guard_open(o);
    atomic_store(&caller.guard, g);
    return g;
}

/* ---- calls ---- */

static void low__each_crossing__is_called_once(void **state) {
    (void)state;
    made_job(100, 0);
    const hr_guard_options o = options_make();
    hr_guard *g = open_guard(&o);
    made_guard_await_looks(g, 2);
    assert_int_equal(caller.calls, 0);
    made_job(910, 0);
    made_guard_await_looks(g, 5);
    assert_int_equal(caller.calls, 1);
    made_job(870, 0); /* above the level less a twentieth: not yet over */
    made_guard_await_looks(g, 3);
    made_job(930, 0);
    made_guard_await_looks(g, 3);
    assert_int_equal(caller.calls, 1);
    made_job(800, 0);
    made_guard_await_looks(g, 3);
    assert_int_equal(made_guard_state(g).low_now, 0);
    made_job(950, 0);
    made_guard_await_looks(g, 3);
    assert_int_equal(caller.calls, 2);
    hr_guard_info info = made_guard_state(g);
    assert_true(info.num_low == 2 && info.low_now == 1);
    assert_true(info.level_bytes == 900 * MIB && info.low_used_bytes == 950 * MIB);
    assert_true(info.used_bytes == 950 * MIB && info.limit_bytes == 1000 * MIB);
    assert_true(info.used_growth_bytes == (int64_t)(850 * MIB));
    assert_string_equal(info.limit_name, "/sys/fs/cgroup/job");
    assert_false(caller.wrong);
    hr_guard_close(g);
}

static void low__a_level_that_is_given__is_used(void **state) {
    (void)state;
    made_job(100, 0);
    hr_guard_options o = options_make();
    o.limit_bytes = 300 * MIB;
    hr_guard *g = open_guard(&o);
    made_job(299, 0);
    made_guard_await_looks(g, 3);
    assert_int_equal(caller.calls, 0);
    made_job(300, 0);
    made_guard_await_looks(g, 3);
    assert_int_equal(caller.calls, 1);
    assert_true(made_guard_state(g).level_bytes == 300 * MIB);
    hr_guard_close(g);
}

static void low__without_any_limit__is_never(void **state) {
    (void)state;
    hr_guard_options o = options_make();
    o.limit_bytes = 1;
    hr_guard *g = open_guard(&o);
    made_guard_await_looks(g, 3);
    hr_guard_info info = made_guard_state(g);
    assert_int_equal(info.limit_kind, HR_MEMORY_LIMIT_NONE);
    assert_true(info.headroom_bytes == UINT64_MAX && info.num_low == 0);
    hr_guard_close(g);
}

static void post__refused__is_asked_again_until_it_takes_the_call(void **state) {
    (void)state;
    made_job(950, 0);
    hr_guard_options o = options_make();
    o.post = post;
    caller.refusals = 3;
    hr_guard *g = open_guard(&o);
    while (atomic_load(&caller.posts) < 4)
        made_guard_nap();
    made_guard_await_looks(g, 4);
    assert_int_equal(caller.posts, 4);
    assert_int_equal(caller.calls, 0);
    assert_true(posted == on_low && posted_arg == &caller);
    posted(posted_arg);
    assert_int_equal(caller.calls, 1);
    assert_false(caller.wrong);
    hr_guard_close(g);
}

/* What was posted has nothing of the guard's. */
static void post__run_after_close__touches_the_caller_only(void **state) {
    (void)state;
    made_job(950, 0);
    hr_guard_options o = options_make();
    o.post = post;
    hr_guard *g = open_guard(&o);
    while (atomic_load(&caller.posts) < 1)
        made_guard_nap();
    hr_guard_close(g);
    atomic_store(&caller.guard, NULL);
    assert_int_equal(posted(posted_arg), 0);
}

static void *close_it(void *guard) {
    hr_guard_close(guard);
    return NULL;
}

static void close__during_a_call__waits_for_it_and_no_more_come(void **state) {
    (void)state;
    pthread_t closing;
    made_job(950, 0);
    const hr_guard_options o = options_make();
    atomic_store(&caller.slow, true);
    hr_guard *g = open_guard(&o);
    while (!atomic_load(&caller.inside))
        made_guard_nap();
    assert_int_equal(pthread_create(&closing, NULL, close_it, g), 0);
    for (int i = 0; i < 20; i++)
        made_guard_nap();
    assert_true(atomic_load(&caller.inside));
    atomic_store(&caller.slow, false);
    pthread_join(closing, NULL);
    assert_false(atomic_load(&caller.inside));
}

static void close__while_calls_are_posted__is_clean(void **state) {
    (void)state;
    made_job(950, 0);
    for (int i = 0; i < 200; i++) {
        hr_guard_options o = options_make();
        o.post = i % 2 != 0 ? post : NULL;
        o.interval_ns = 1;
        caller.refusals = i % 3 == 0 ? 1000000 : 0;
        hr_guard *g = open_guard(&o);
        if (i % 5 != 0)
            made_guard_nap();
        hr_guard_close(g);
    }
}

static void looks__far_from_the_level__are_rare(void **state) {
    (void)state;
    made_root_put("/proc/meminfo", "MemTotal: 100000000 kB\nMemFree: 80000000 kB\n"
                                   "MemAvailable: 90000000 kB\n");
    const hr_guard_options o = options_make();
    const struct hr__guard_setup setup = {.root = made_root};
    hr_guard *g;
    assert_int_equal(hr__guard_open(&o, &setup, &g, NULL), HR_OK);
    for (int i = 0; i < 100; i++)
        made_guard_nap();
    assert_in_range(made_guard_state(g).num_looks, 0, 2);
    hr_guard_close(g);
}

/* Between two looks, a second apart, glances at what is used see it in time. */
static void looks__near_the_level__come_when_use_has_changed(void **state) {
    (void)state;
    made_job(850, 0);
    const hr_guard_options o = options_make();
    const struct hr__guard_setup setup = {.root = made_root, .longest_ns = INT64_MAX};
    hr_guard *g;
    assert_int_equal(hr__guard_open(&o, &setup, &g, NULL), HR_OK);
    atomic_store(&caller.guard, g);
    for (int i = 0; i < 50; i++)
        made_guard_nap();
    assert_in_range(made_guard_state(g).num_looks, 0, 1);
    made_job(890, 0);
    for (int i = 0; i < 50; i++)
        made_guard_nap();
    assert_in_range(made_guard_state(g).num_looks, 0, 1);
    made_job(905, 0);
    while (atomic_load(&caller.calls) == 0)
        made_guard_nap();
    assert_in_range(made_guard_state(g).num_looks, 1, 2);
    made_job(700, 0);
    while (made_guard_state(g).low_now != 0)
        made_guard_nap();
    hr_guard_close(g);
}

/* ---- arguments, fork, faults ---- */

static void open__wrong_options__are_refused(void **state) {
    (void)state;
    hr_guard_options o = options_make();
    hr_guard *g = (hr_guard *)1;
    char folder[5000];
    hr_error err;
    o.flags = 2;
    assert_int_equal(hr_guard_open(&o, &g, &err), HR_ERR_INVALID);
    assert_null(g);
    o = options_make();
    o.interval_ns = -1;
    assert_int_equal(hr_guard_open(&o, &g, &err), HR_ERR_INVALID);
    o = options_make();
    o.hard_bytes = 5;
    assert_int_equal(hr_guard_open(&o, &g, &err), HR_ERR_INVALID);
    o = options_make();
    o.record_folder = "";
    assert_int_equal(hr_guard_open(&o, &g, &err), HR_ERR_INVALID);
    memset(folder, 'f', sizeof(folder) - 1);
    folder[sizeof(folder) - 1] = 0;
    o.record_folder = folder;
    assert_int_equal(hr_guard_open(&o, &g, &err), HR_ERR_INVALID);
    o.struct_bytes = 0;
    assert_int_equal(hr_guard_open(&o, &g, &err), HR_ERR_INVALID);
    assert_int_equal(hr_guard_open(NULL, &g, &err), HR_OK);
    hr_guard_close(g);
    hr_guard_close(NULL);
    hr_guard_step(NULL, 1, 2);
    hr_guard_unwatch(NULL, NULL);
}

/* TSan ends a child of a process with threads that starts one itself. */
#ifdef __SANITIZE_THREAD__
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
/* In the child the parent's threads are gone, which it calls a leak. */
const char *__tsan_default_options(void) {
    return "report_thread_leaks=0";
}

static int guard_in_child(const hr_guard_options *o) {
    (void)o;
    return 0;
}
#else
static int guard_in_child(const hr_guard_options *o) {
    const struct hr__guard_setup setup = {.root = made_root};
    hr_guard *own;
    if (hr__guard_open(o, &setup, &own, NULL) != HR_OK)
        return 16;
    hr_guard_close(own);
    return 0;
}
#endif

static int use_in_child(hr_guard *g, const hr_guard_options *o) {
    hr_guard_info info = {.struct_bytes = sizeof(info)};
    hr_loader *loader = (hr_loader *)&info; /* is not looked at */
    if (hr_guard_state(g, &info, NULL) != HR_ERR_FORKED)
        return 1;
    if (hr_guard_watch(g, loader, NULL) != HR_ERR_FORKED)
        return 2;
    hr_guard_unwatch(g, loader);
    hr_guard_step(g, 7, 7);
    hr_guard_close(g);
    return guard_in_child(o);
}

static void fork__in_the_child__calls_are_refused_and_close_does_nothing(void **state) {
    (void)state;
    int status;
    made_job(100, 0);
    hr_guard_options o = options_make();
    o.record_folder = made_records;
    hr_guard *g = open_guard(&o);
    pid_t child = fork();
    if (child == 0)
        _exit(use_in_child(g, &o));
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(made_records_count(), 1);
    hr_guard_close(g);
    assert_int_equal(made_records_count(), 0);
}

/* ---- the hard limit ---- */

static rlim_t soft_data(void) {
    struct rlimit r;
    assert_int_equal(getrlimit(RLIMIT_DATA, &r), 0);
    return r.rlim_cur;
}

static void hard__open_and_close__lowers_the_limit_and_puts_it_back(void **state) {
    (void)state;
    const rlim_t before = soft_data();
    made_job(100, 0);
    made_root_put("/proc/self/status", "VmData:\t8796093022208 kB\n"); /* above what is mapped */
    hr_guard_options o = options_make();
    o.flags = HR_GUARD_HARD;
    hr_guard *g = open_guard(&o);
    hr_guard_info info = made_guard_state(g);
    assert_true(info.hard_rlimit_bytes == (UINT64_C(1) << 53) + (980 - 100) * MIB);
    assert_true(soft_data() == info.hard_rlimit_bytes);
    assert_non_null(strstr(info.note, "RLIMIT_DATA was"));
    assert_int_equal(info.limit_kind, HR_MEMORY_LIMIT_CGROUP_V2); /* not the own one */
    hr_guard_close(g);
    assert_true(soft_data() == before);
}

static void hard__changed_by_somebody_else__stays(void **state) {
    (void)state;
    struct rlimit r, before;
    made_job(100, 0);
    made_root_put("/proc/self/status", "VmData:\t8796093022208 kB\n");
    hr_guard_options o = options_make();
    o.flags = HR_GUARD_HARD;
    o.hard_bytes = 300 * MIB;
    assert_int_equal(getrlimit(RLIMIT_DATA, &before), 0);
    hr_guard *g = open_guard(&o);
    assert_true(made_guard_state(g).hard_rlimit_bytes == (UINT64_C(1) << 53) + 200 * MIB);
    r = before;
    r.rlim_cur = (rlim_t)1 << 52;
    assert_int_equal(setrlimit(RLIMIT_DATA, &r), 0);
    hr_guard_close(g);
    assert_true(soft_data() == r.rlim_cur);
    assert_int_equal(setrlimit(RLIMIT_DATA, &before), 0);
}

static void hard__that_cannot_be__is_refused(void **state) {
    (void)state;
    hr_guard_options o = options_make();
    hr_guard *g;
    hr_error err;
    const rlim_t before = soft_data();
    o.flags = HR_GUARD_HARD;
    assert_int_equal(hr__guard_open(&o, &(struct hr__guard_setup){.root = made_root}, &g, &err),
                     HR_ERR_UNSUPPORTED);
    made_job(100, 0); /* and no /proc/self/status */
    assert_int_equal(hr__guard_open(&o, &(struct hr__guard_setup){.root = made_root}, &g, &err),
                     HR_ERR_UNSUPPORTED);
    o.hard_bytes = 100 * MIB;
    assert_int_equal(hr__guard_open(&o, &(struct hr__guard_setup){.root = made_root}, &g, &err),
                     HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "100.0 MiB of the 1000.0 MiB of /sys/fs/cgroup/job"));
    made_job(990, 0);
    o.hard_bytes = 0;
    assert_int_equal(hr__guard_open(&o, &(struct hr__guard_setup){.root = made_root}, &g, &err),
                     HR_ERR_INVALID);
    assert_null(g);
    assert_true(soft_data() == before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, made_records_make, made_records_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(low__each_crossing__is_called_once),
        TEST(low__a_level_that_is_given__is_used),
        TEST(low__without_any_limit__is_never),
        TEST(post__refused__is_asked_again_until_it_takes_the_call),
        TEST(post__run_after_close__touches_the_caller_only),
        TEST(close__during_a_call__waits_for_it_and_no_more_come),
        TEST(close__while_calls_are_posted__is_clean),
        TEST(looks__far_from_the_level__are_rare),
        TEST(looks__near_the_level__come_when_use_has_changed),
        TEST(open__wrong_options__are_refused),
        TEST(fork__in_the_child__calls_are_refused_and_close_does_nothing),
        TEST(hard__open_and_close__lowers_the_limit_and_puts_it_back),
        TEST(hard__changed_by_somebody_else__stays),
        TEST(hard__that_cannot_be__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
