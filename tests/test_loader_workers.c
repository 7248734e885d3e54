/*
 * A loader's workers together: one back end for all, an even share of the work for each, and nobody
 * woken in vain.
 */
#define _GNU_SOURCE
#include "dataset.h"
#include "loader.h"
#include "made_dataset.h"
#include "memory_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

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
    hr_dataset *ds = made_open("workers.hrd", &m);
    hr_loader_options o = made_shuffled(20, HR_IO_DIRECT, 4);
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
        assert_int_equal(made_drain(l, &m), m.num_samples);
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
    hr_dataset_close(made_open("workers.hrd", m));
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
    assert_int_equal(made_drain(l, m), m->num_samples / (o->world_size > 0 ? o->world_size : 1));
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
    const hr_loader_options o = made_shuffled(64, HR_IO_THREADS, 64);
    uint64_t visits[64];
    visits_of(&m, &o, 128, 2000, visits);
    assert_in_range(visits[0], 2, 12);
    assert_in_range(visits[63], 12, 12 * 4);
}

/* Those of a rank, which the first worker could take all. */
static void visits__as_few_as_one_can_read_at_a_time__are_shared(void **state) {
    (void)state;
    const struct made m = {4 * 25 * 16, 16, 37, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    hr_loader_options o = made_shuffled(16, HR_IO_THREADS, 3);
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
    const hr_loader_options o = made_shuffled(16, HR_IO_THREADS, 16);
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
    hr_dataset *ds = made_open("workers.hrd", &m);
    hr_loader_options o = made_shuffled(24, HR_IO_CACHED, 32);
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
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
