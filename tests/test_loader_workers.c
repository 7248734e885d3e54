/*
 * A loader's workers together: one back end for all, an even share of the work for each, nobody
 * woken in vain, and each on its node of a machine with several, which the test makes up.
 */
#define _GNU_SOURCE
#include "dataset.h"
#include "fake_nodes.h"
#include "loader.h"
#include "made_dataset.h"
#include "memory_file.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BUDGET ((uint64_t)256 << 20)

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
    o.num_epochs = 0; /* a worker that ends closes its queue */
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

/* ---- an even share ---- */

static atomic_bool slow_starts; /* threads begin one after the other */

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg) {
    int rc = __real_pthread_create(t, attr, run, arg);
    if (atomic_load(&slow_starts))
        usleep(2000);
    return rc;
}

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void wait_until_unfinished(hr_loader *l, uint64_t num_items) {
    uint64_t n = 0;
    for (int i = 0; i < 20000 && n != num_items; i++) {
        usleep(1000);
        pthread_mutex_lock(&l->lock);
        n = l->num_unfinished;
        pthread_mutex_unlock(&l->lock);
    }
    assert_int_equal(n, num_items);
}

/* Visits of each worker in ascending order, after one epoch from a disk that brings nothing before
 * so many reads are asked for, and then each after delay_us. */
static void visits_of(const struct made *m, const hr_loader_options *o, uint64_t num_first,
                      uint32_t delay_us, uint64_t *visits) {
    struct memory_file f;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    hr_dataset_close(make_and_open(m));
    memory_file_load(&f, made_path("workers.hrd"), 0);
    made_ok(hr__dataset_open_in(&f.folder, "workers.hrd", NULL, &ds, &err), &err);
    atomic_store(&f.paused, true);
    atomic_store(&slow_starts, true);
    made_ok(hr_loader_open(ds, o, &l, &err), &err);
    atomic_store(&slow_starts, false);
    assert_int_equal(l->num_workers, o->num_threads);
    wait_until_unfinished(l, num_first);
    atomic_store(&f.delay_us, delay_us);
    atomic_store(&f.paused, false);
    assert_int_equal(drain(l, m), m->num_samples / (o->world_size > 0 ? o->world_size : 1));
    for (uint32_t i = 0; i < l->num_workers; i++)
        visits[i] = l->workers[i].counters.visits;
    qsort(visits, l->num_workers, sizeof(*visits), compare);
    hr_loader_close(l);
    hr_dataset_close(ds);
    memory_file_free(&f);
}

static void visits__far_more_threads_than_cores__all_have_their_share(void **state) {
    (void)state;
    const struct made m = {64 * 12 * 16, 16, 37, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    const hr_loader_options o = shuffled(64, HR_IO_THREADS, 64);
    uint64_t visits[64];
    visits_of(&m, &o, 128, 2000, visits);
    assert_in_range(visits[0], 2, 12);
    assert_in_range(visits[63], 12, 12 * 4);
}

/* Those of a rank, which the first worker could take all. */
static void visits__as_few_as_one_can_read_at_a_time__are_shared(void **state) {
    (void)state;
    const struct made m = {4 * 25 * 16, 16, 37, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    hr_loader_options o = shuffled(16, HR_IO_THREADS, 3);
    uint64_t visits[3];
    o.io_depth = 90;
    o.world_size = 4;
    visits_of(&m, &o, 25, 0, visits);
    assert_int_equal(visits[0], 7);
    assert_int_equal(visits[1], 9);
    assert_int_equal(visits[2], 9);
}

static void visits__fewer_than_threads__no_worker_has_two(void **state) {
    (void)state;
    const struct made m = {10 * 16, 16, 37, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    const hr_loader_options o = shuffled(16, HR_IO_THREADS, 16);
    uint64_t visits[16];
    visits_of(&m, &o, 10, 0, visits);
    assert_int_equal(visits[15], 1);
    assert_int_equal(visits[6], 1);
    assert_int_equal(visits[5], 0);
}

/* ---- waking ---- */

static atomic_ulong wake_ups;
static _Atomic(pthread_cond_t *) watched;

int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m) {
    int rc = __real_pthread_cond_wait(c, m);
    if (c == atomic_load(&watched))
        atomic_fetch_add(&wake_ups, 1);
    return rc;
}

/* Each batch that is given back makes room for one visit or two. */
static void release__many_workers_wait__those_are_woken_that_can_go_on(void **state) {
    (void)state;
    const struct made m = {6000, 16, 4000, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    const struct timespec step = {.tv_nsec = 300000};
    hr_dataset *ds = make_and_open(&m);
    hr_loader_options o = shuffled(24, HR_IO_CACHED, 32);
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    o.window_visits = 8;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    for (int i = 0; i < 250; i++) {
        made_ok(hr_loader_next(l, -1, &b, &err), &err);
        (void)nanosleep(&step, NULL);
        if (i == 20)
            atomic_store(&watched, &l->may_admit);
        hr_batch_release(b);
    }
    assert_in_range(atomic_load(&wake_ups), 50, 1000); /* with 32 for each it would be thousands */
    atomic_store(&watched, NULL);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* ---- nodes ---- */

static atomic_long memory_calls; /* get_mempolicy and mbind */
static atomic_int memory_errno, affinity_errno;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
    long arg[6] = {0};
    va_list args;
    va_start(args, number);
    for (int i = 0; i < (number == SYS_mbind ? 6 : 5); i++)
        arg[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_mbind || number == SYS_get_mempolicy) {
        atomic_fetch_add(&memory_calls, 1);
        errno = atomic_load(&memory_errno);
        if (errno != 0)
            return -1;
    }
    return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

int __real_sched_setaffinity(pid_t pid, size_t n, const cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t pid, size_t n, const cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t pid, size_t n, const cpu_set_t *set) {
    errno = atomic_load(&affinity_errno);
    return errno != 0 ? -1 : __real_sched_setaffinity(pid, n, set);
}

/* Two nodes of one processor each; NULL: this process may use only one. */
static const char *two_nodes(int cpus[2]) {
    static char lists[2][16];
    cpu_set_t allowed;
    int found = 0;
    assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
        if (CPU_ISSET(cpu, &allowed))
            cpus[found++] = cpu;
    for (int i = 0; i < found; i++)
        snprintf(lists[i], sizeof(lists[i]), "%d", cpus[i]);
    const struct fake_node nodes[] = {{"node0", lists[0]}, {"node1", lists[1]}, {NULL, NULL}};
    return found == 2 ? fake_nodes("0-1", nodes) : NULL;
}

/* HR_IO_DIRECT where the file system has it. */
static hr_io direct_or_cached(void) {
    const struct made m = {100, 16, 37, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    const hr_loader_options o = shuffled(10, HR_IO_DIRECT, 1);
    hr_loader *l = NULL;
    hr_dataset *ds = make_and_open(&m);
    hr_status st = hr_loader_open(ds, &o, &l, NULL);
    hr_loader_close(l);
    hr_dataset_close(ds);
    return st == HR_OK ? HR_IO_DIRECT : HR_IO_CACHED;
}

/* Until each worker has had something to do. */
static void run_until_all_began(hr_loader *l, const struct made *m) {
    for (uint32_t i = 0; i < l->num_workers; i++)
        while (atomic_load(&l->workers[i].counters.visits) == 0)
            assert_int_equal(drain(l, m), m->num_samples);
}

/* How many workers run on nothing but this processor. */
static uint32_t workers_on(const hr_loader *l, int cpu) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->num_workers; i++) {
        cpu_set_t set;
        assert_int_equal(pthread_getaffinity_np(l->workers[i].thread.id, sizeof(set), &set), 0);
        n += CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set);
    }
    return n;
}

/* An endless loader of four workers on such a machine: an epoch of it is right. on[i]: workers on
 * cpus[i]. */
static hr_loader_info run_on_nodes(const char *sysfs, hr_io io, uint32_t flags, const int cpus[2],
                                   uint32_t on[2]) {
    const struct made m = {3000, 16, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    const struct hr__loader_setup setup = {.sysfs = sysfs};
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    hr_loader_options o = shuffled(24, io, 4);
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_dataset *ds = make_and_open(&m);
    o.num_epochs = 0;
    o.flags |= flags;
    made_ok(hr__loader_open(ds, &o, &setup, &l, &err), &err);
    run_until_all_began(l, &m);
    for (int i = 0; i < 2; i++)
        on[i] = workers_on(l, cpus[i]);
    made_ok(hr_loader_describe(l, &info, &err), &err);
    hr_loader_close(l);
    hr_dataset_close(ds);
    return info;
}

static void nodes__two__half_of_the_workers_on_each(void **state) {
    (void)state;
    const hr_io ios[] = {HR_IO_CACHED, HR_IO_THREADS, direct_or_cached()};
    uint32_t on[2];
    int cpus[2];
    const char *sysfs = two_nodes(cpus);
    if (sysfs == NULL)
        skip();
    for (size_t i = 0; i < sizeof(ios) / sizeof(ios[0]); i++) {
        hr_loader_info info = run_on_nodes(sysfs, ios[i], 0, cpus, on);
        assert_int_equal(info.num_nodes, 2);
        assert_int_equal(on[0], 2);
        assert_int_equal(on[1], 2);
        assert_int_equal(info.ring_interleaved, info.numa_os_errno == 0);
    }
}

static void nodes__the_system_refuses__is_harmless_and_told(void **state) {
    (void)state;
    uint32_t on[2];
    int cpus[2];
    const char *sysfs = two_nodes(cpus);
    if (sysfs == NULL)
        skip();
    atomic_store(&memory_errno, EPERM); /* as containers do */
    hr_loader_info info = run_on_nodes(sysfs, HR_IO_CACHED, 0, cpus, on);
    assert_int_equal(info.numa_os_errno, EPERM);
    assert_int_equal(info.ring_interleaved, 0);
    assert_int_equal(info.num_nodes, 2);
    assert_int_equal(on[0] + on[1], 4);
    atomic_store(&memory_errno, 0);
    atomic_store(&affinity_errno, EINVAL); /* the processors were taken away meanwhile */
    info = run_on_nodes(sysfs, HR_IO_CACHED, 0, cpus, on);
    atomic_store(&affinity_errno, 0);
    assert_int_not_equal(info.numa_os_errno, 0);
    assert_int_equal(on[0] + on[1], 0);
}

static void nodes__one_or_switched_off__nothing_is_done(void **state) {
    (void)state;
    uint32_t on[2];
    int cpus[2];
    const char *sysfs = two_nodes(cpus);
    if (sysfs == NULL)
        skip();
    atomic_store(&memory_calls, 0);
    hr_loader_info off = run_on_nodes(sysfs, HR_IO_CACHED, HR_LOADER_NUMA_OFF, cpus, on);
    assert_int_equal(off.num_nodes, 1);
    assert_int_equal(on[0] + on[1], 0);
    const struct fake_node one[] = {{"node0", "0-8191"}, {NULL, NULL}};
    hr_loader_info alone = run_on_nodes(fake_nodes("0", one), HR_IO_CACHED, 0, cpus, on);
    assert_int_equal(alone.num_nodes, 1);
    assert_int_equal(alone.ring_interleaved, 0);
    assert_int_equal(alone.numa_os_errno, 0);
    assert_int_equal(on[0] + on[1], 0);
    assert_int_equal(atomic_load(&memory_calls), 0);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open__a_ring_is_refused__all_read_by_libaio_and_the_loader_says_so),
        cmocka_unit_test(visits__far_more_threads_than_cores__all_have_their_share),
        cmocka_unit_test(visits__as_few_as_one_can_read_at_a_time__are_shared),
        cmocka_unit_test(visits__fewer_than_threads__no_worker_has_two),
        cmocka_unit_test(release__many_workers_wait__those_are_woken_that_can_go_on),
        cmocka_unit_test(nodes__two__half_of_the_workers_on_each),
        cmocka_unit_test(nodes__the_system_refuses__is_harmless_and_told),
        cmocka_unit_test(nodes__one_or_switched_off__nothing_is_done),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
