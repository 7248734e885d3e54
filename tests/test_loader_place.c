/*
 * reader/loader_place.c: loaders on a machine with several memory nodes, which the test makes up of
 * processors that there are, and where the system refuses what it is asked (link-time --wrap).
 */
#define _GNU_SOURCE
#include "dataset.h"
#include "fake_gpu.h"
#include "fake_nodes.h"
#include "loader.h"
#include "made_dataset.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_long memory_calls;            /* get_mempolicy and mbind */
static atomic_long bound_mode, bound_nodes; /* of the latest mbind */
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
    if (number == SYS_mbind) {
        atomic_store(&bound_mode, arg[2]);
        atomic_store(&bound_nodes, (long)*(const unsigned long *)arg[3]);
    }
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
    const hr_loader_options o = made_shuffled(10, HR_IO_DIRECT, 1);
    hr_loader *l = NULL;
    hr_dataset *ds = made_open("nodes.hrd", &m);
    hr_status st = hr_loader_open(ds, &o, &l, NULL);
    hr_loader_close(l);
    hr_dataset_close(ds);
    return st == HR_OK ? HR_IO_DIRECT : HR_IO_CACHED;
}

/* Until each worker has had something to do. */
static void run_until_all_began(hr_loader *l, const struct made *m) {
    for (uint32_t i = 0; i < l->num_workers; i++)
        while (atomic_load(&l->workers[i].counters.visits) == 0)
            assert_int_equal(made_drain(l, m), m->num_samples);
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
    hr_loader_options o = made_shuffled(24, io, 4);
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_dataset *ds = made_open("nodes.hrd", &m);
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

static void nodes__finishing__its_batches_are_placed_too(void **state) {
    (void)state;
    const struct made m = {3000, 16, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_finish finish = HR_FINISH_INIT;
    hr_loader_options o = made_shuffled(24, HR_IO_CACHED, 4);
    hr_error err = {0};
    long calls[2];
    int cpus[2];
    const struct hr__loader_setup setup = {.sysfs = two_nodes(cpus)};
    if (setup.sysfs == NULL)
        skip();
    finish.field = "w";
    finish.dtype = HR_FLOAT16;
    o.finish = &finish;
    hr_dataset *ds = made_open("nodes.hrd", &m);
    for (uint32_t i = 0; i < 2; i++) {
        hr_loader *l = NULL;
        o.num_finish = i;
        atomic_store(&memory_calls, 0);
        made_ok(hr__loader_open(ds, &o, &setup, &l, &err), &err);
        calls[i] = atomic_load(&memory_calls);
        hr_loader_close(l);
    }
    hr_dataset_close(ds);
    assert_true(calls[0] > 0);
    assert_int_equal(calls[1], 2 * calls[0]);
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

/* The ring of a loader on a GPU is on its node, and nothing is interleaved. */
static void nodes__gpu__ring_lies_beside_it(void **state) {
    (void)state;
    const struct made m = {300, 16, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_loader_options o = made_shuffled(24, HR_IO_CACHED, 4);
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {0};
    hr_loader *l = NULL;
    int cpus[2];
    char pci[16];
    const struct hr__loader_setup setup = {.sysfs = two_nodes(cpus), .gpu = fake_gpu_ops()};
    if (setup.sysfs == NULL)
        skip();
    fake_gpu_begin(1);
    assert_int_equal(cudaDeviceGetPCIBusId(pci, sizeof(pci), 0), cudaSuccess);
    fake_nodes_pci(setup.sysfs, pci, "1");
    o.device = HR_DEVICE_CUDA(0);
    hr_dataset *ds = made_open("nodes.hrd", &m);
    atomic_store(&memory_errno, 0);
    made_ok(hr__loader_open(ds, &o, &setup, &l, &err), &err);
    made_ok(hr_loader_describe(l, &info, &err), &err);
    assert_int_equal(info.ring_interleaved, 0);
    assert_int_equal(atomic_load(&bound_mode), MPOL_PREFERRED);
    assert_int_equal(atomic_load(&bound_nodes), 2);
    hr_loader_close(l);
    hr_dataset_close(ds);
    fake_gpu_end();
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes__two__half_of_the_workers_on_each),
        cmocka_unit_test(nodes__finishing__its_batches_are_placed_too),
        cmocka_unit_test(nodes__the_system_refuses__is_harmless_and_told),
        cmocka_unit_test(nodes__gpu__ring_lies_beside_it),
        cmocka_unit_test(nodes__one_or_switched_off__nothing_is_done),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
