/*
 * Loaders on a GPU where something is missing or fails: every call of CUDA in turn, a kernel of the
 * user's, a machine without driver, device or memory; and loaders that are closed at any moment.
 * The GPU is the stand-in for CUDA.
 */
#define _GNU_SOURCE
#include "fake_gpu.h"
#include "loader.h"

#include "headrace/gpu.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT_NS INT64_C(20000000000)

static const struct made small = {.num_samples = 300,
                                  .samples_per_chunk = 23,
                                  .row_bytes = 37,
                                  .row_words = 3,
                                  .codec = HR_CODEC_ZSTD};

static hr_loader_options on_gpu(void) {
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    o.window_visits = 4;
    o.device = HR_DEVICE_CUDA(0);
    return o;
}

static hr_status try_open(hr_dataset *ds, const hr_loader_options *o, hr_loader **l,
                          hr_error *err) {
    const struct hr__loader_setup setup = {.gpu = fake_gpu_ops()};
    return hr__loader_open(ds, o, &setup, l, err);
}

/* An epoch that may fail: its first failure, or HR_END_OF_EPOCH. */
static hr_status run(hr_loader *l, cudaStream_t stream, hr_error *err) {
    hr_batch *b;
    hr_status st;
    while ((st = hr_loader_next(l, LIMIT_NS, &b, err)) == HR_OK) {
        if ((st = hr_batch_wait_on(b, stream, err)) != HR_OK)
            return st;
        fake_gpu_check(b, &small, stream);
        if ((st = hr_batch_release_on(b, stream, err)) != HR_OK)
            return st;
    }
    return st;
}

/* ---- calls that fail ---- */

/* The nth call fails: told in words, and nothing is left; false: there are not so many calls. */
static bool nth_call_fails(hr_dataset *ds, uint64_t nth, bool sticky) {
    hr_error err = {0};
    hr_loader *l = NULL;
    const hr_loader_options o = on_gpu();
    fake_gpu_begin(nth);
    cudaStream_t stream = fake_gpu_stream();
    if (sticky)
        fake_cuda_fail_sticky(NULL, nth, cudaErrorIllegalAddress);
    else
        fake_cuda_fail(NULL, nth, cudaErrorUnknown);
    hr_status st = try_open(ds, &o, &l, &err);
    fake_cuda_steady(st == HR_OK);
    if (st == HR_OK)
        st = run(l, stream, &err);
    fake_cuda_steady(false);
    const bool told = st != HR_END_OF_EPOCH;
    if (told) {
        assert_int_equal(st, err.status);
        assert_true(strstr(err.message, "failed") != NULL);
        assert_true(!sticky || strstr(err.message, "compute-sanitizer") != NULL);
        assert_null(strstr(err.message, "gpu.hrd"));
    }
    hr_loader_close(l);
    const bool happened = fake_cuda_failed() != NULL;
    fake_gpu_stream_destroy(stream);
    if (!sticky)
        fake_gpu_end();
    else
        (void)fake_cuda_end();
    return happened;
}

static void loader_gpu__every_call_fails__is_told_and_nothing_is_left(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    uint64_t n = 1;
    while (nth_call_fails(ds, n, false))
        n++;
    assert_true(n > 100);
    hr_dataset_close(ds);
}

static void loader_gpu__every_call_meets_a_dead_device__is_told(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    uint64_t n = 1;
    while (nth_call_fails(ds, n, true))
        n++;
    assert_true(n > 100);
    hr_dataset_close(ds);
}

static void fault(void *arg) {
    (void)arg;
    fake_cuda_fault(cudaErrorIllegalAddress);
}

/* The user's kernel fails at some time: the loader says so, and can be closed. */
static void loader_gpu__kernel_of_the_user_fails__is_named(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    for (uint64_t seed = 0; seed < 100; seed++) {
        hr_error err = {0};
        hr_batch *b = NULL;
        hr_loader_options o = on_gpu();
        fake_gpu_begin(seed);
        cudaStream_t stream = fake_gpu_stream();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        made_ok(hr_loader_next(l, LIMIT_NS, &b, &err), &err);
        fake_cuda_as_user(true);
        const struct fake_cuda_kernel kernel = {.name = "fault", .fn = fault};
        (void)fake_cuda_launch(stream, &kernel); /* which may have run, and say so */
        fake_cuda_as_user(false);
        hr_status st = hr_batch_release_on(b, stream, &err);
        if (st == HR_OK)
            st = run(l, stream, &err);
        assert_int_equal(st, HR_ERR_DEVICE);
        assert_non_null(strstr(err.message, "cudaErrorIllegalAddress"));
        fake_cuda_steady(false);
        hr_loader_close(l);
        fake_gpu_stream_destroy(stream);
        (void)fake_cuda_end();
    }
    hr_dataset_close(ds);
}

static void batch__no_stream__is_refused_and_still_held(void **state) {
    (void)state;
    hr_error err = {0};
    hr_batch *b = NULL;
    int number;
    cudaStream_t none = (cudaStream_t)(void *)&number;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    const hr_loader_options o = on_gpu();
    fake_gpu_begin(1);
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    made_ok(hr_loader_next(l, LIMIT_NS, &b, &err), &err);
    assert_int_equal(hr_batch_wait_on(b, none, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "no stream of GPU 0"));
    assert_int_equal(hr_batch_release_on(b, none, &err), HR_ERR_INVALID);
    hr_batch_release(b);
    fake_gpu_loader_close(l);
    (void)fake_cuda_end(); /* it says that there is no such stream */
    hr_dataset_close(ds);
}

/* ---- machines that lack something ---- */

struct lack {
    struct fake_cuda_config config;
    uint32_t device, slots;
    uint64_t budget_bytes;
    hr_status expected;
    const char *words, *more;
};

static void refused(hr_dataset *ds, const struct lack *lack) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_loader_options o = on_gpu();
    o.device = HR_DEVICE_CUDA(lack->device);
    o.device_slots = lack->slots;
    o.device_budget_bytes = lack->budget_bytes;
    fake_cuda_begin(&lack->config);
    assert_int_equal(try_open(ds, &o, &l, &err), lack->expected);
    assert_null(l);
    assert_non_null(strstr(err.message, lack->words));
    assert_non_null(strstr(err.message, lack->more));
    fake_gpu_end();
}

static void open__something_is_missing__its_own_status_and_sentence(void **state) {
    (void)state;
    const struct fake_cuda_config usual = FAKE_CUDA_CONFIG_INIT;
    struct lack lacks[] = {
        {usual, 0, 0, 0, HR_ERR_NO_DRIVER, "no NVIDIA driver", "--gpus all"},
        {usual, 0, 0, 0, HR_ERR_DRIVER_TOO_OLD, "up to 11.8", "built with 13.0"},
        {usual, 0, 0, 0, HR_ERR_NO_DEVICE, "sees 0", "CUDA_VISIBLE_DEVICES"},
        {usual, 7, 0, 0, HR_ERR_NO_DEVICE, "GPU 7", "sees 1"},
        {usual, 0, 0, 3000, HR_ERR_DEVICE_MEMORY, "device_budget_bytes", "2 device slots"},
        {usual, 0, 2, 2000, HR_ERR_DEVICE_MEMORY, "a batch of about", "device budget of"},
        {usual, 0, 0, 0, HR_ERR_DEVICE_MEMORY, "a tenth of its memory", "device budget of"},
        {usual, 0, 0, 1 << 20, HR_ERR_DEVICE_MEMORY, "were free", "TensorFlow"},
    };
    lacks[0].config.driver_version = 0;
    lacks[1].config.driver_version = 11080;
    lacks[2].config.num_devices = 0;
    lacks[6].config.device_bytes = 32768;
    lacks[6].config.context_bytes = 0;
    lacks[7].config.device_bytes = 65536;
    lacks[7].config.context_bytes = 64000;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++)
        refused(ds, &lacks[i]);
    hr_dataset_close(ds);
}

static void open__memory_cannot_be_pinned__is_told_or_done_without(void **state) {
    (void)state;
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    hr_dataset *ds = made_open("gpu.hrd", &small);
    hr_loader_options o = on_gpu();
    fake_gpu_begin(1);
    fake_cuda_fail("cudaHostRegister", 1, cudaErrorMemoryAllocation);
    assert_int_equal(try_open(ds, &o, &l, &err), HR_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(err.message, "cannot be pinned"));
    fake_cuda_allow_pageable(true);
    fake_cuda_fail("cudaHostRegister", 1, cudaErrorMemoryAllocation);
    o.flags |= HR_LOADER_PAGEABLE;
    cudaStream_t stream = fake_gpu_stream();
    made_ok(try_open(ds, &o, &l, &err), &err);
    made_ok(hr_loader_describe(l, &info, &err), &err);
    assert_int_equal(info.pinned, 0);
    assert_int_equal(fake_gpu_drain(l, &small, stream), small.num_samples);
    hr_loader_close(l);
    fake_gpu_stream_destroy(stream);
    fake_gpu_end();
    hr_dataset_close(ds);
}

static void options__that_cannot_work__are_refused(void **state) {
    (void)state;
    const struct {
        uint32_t device, slots, held;
        const char *words;
    } bad[] = {{HR_DEVICE_CUDA(0), 1, 0, "2 or more"},
               {HR_DEVICE_CUDA(0), 3, 3, "one more slot"},
               {7, 0, 0, "HR_DEVICE_HOST"},
               {HR_DEVICE_CUDA(256), 0, 0, "HR_DEVICE_CUDA(0)"},
               {HR_DEVICE_CUDA(0), 5000, 0, "at most"}};
    hr_dataset *ds = made_open("gpu.hrd", &small);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        hr_error err = {0};
        hr_loader *l = NULL;
        hr_loader_options o = on_gpu();
        o.device = bad[i].device;
        o.device_slots = bad[i].slots;
        o.max_held_batches = bad[i].held;
        assert_int_equal(try_open(ds, &o, &l, &err), HR_ERR_INVALID);
        assert_non_null(strstr(err.message, bad[i].words));
    }
    hr_dataset_close(ds);
}

static void open__no_module__has_its_own_status(void **state) {
    (void)state;
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    const hr_loader_options o = on_gpu();
    setenv("HEADRACE_CUDA", "/nowhere/headrace-cuda.so", 1);
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_NO_DEVICE_MODULE);
    assert_non_null(strstr(err.message, "/nowhere/headrace-cuda.so"));
    unsetenv("HEADRACE_CUDA");
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_NO_DEVICE_MODULE);
    assert_non_null(strstr(err.message, "without a device"));
    hr_dataset_close(ds);
}

/* ---- threads that the system refuses ---- */

static int threads_left = -1; /* -1: as many as are wanted */

int __real_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg) {
    if (threads_left == 0)
        return EAGAIN;
    threads_left -= threads_left > 0;
    return __real_pthread_create(id, attr, start, arg);
}

static void open__threads_refused__nothing_is_left(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    const hr_loader_options o = on_gpu();
    hr_status st = HR_ERR_NO_MEMORY;
    int n = 0;
    for (; st != HR_OK; n++) {
        hr_error err = {0};
        hr_loader *l = NULL;
        fake_gpu_begin(1);
        threads_left = n;
        st = try_open(ds, &o, &l, &err);
        assert_true(st == HR_OK || st == HR_ERR_NO_MEMORY);
        threads_left = 0; /* not for the close either */
        hr_loader_close(l);
        threads_left = -1;
        fake_gpu_end();
    }
    assert_true(n > 5); /* two for the GPU, two workers, the uploads */
    hr_dataset_close(ds);
}

/* ---- contexts, forks, closing ---- */

/* The calling thread's current device is left alone, and the other GPU is not touched. */
static void loader_gpu__second_gpu__one_context(void **state) {
    (void)state;
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    config.num_devices = 2;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    hr_error err = {0};
    hr_batch *b = NULL;
    hr_loader_options o = on_gpu();
    o.device = HR_DEVICE_CUDA(1);
    fake_cuda_begin(&config);
    fake_cuda_may_wait_named("hr-upload");
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    made_ok(hr_loader_next(l, LIMIT_NS, &b, &err), &err);
    assert_int_equal(hr_batch_device(b), HR_DEVICE_CUDA(1));
    assert_int_equal(hr_batch_wait_on(b, NULL, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "cudaSetDevice(1)"));
    hr_batch_release(b);
    fake_gpu_loader_close(l);
    int current = -1;
    assert_int_equal(cudaGetDevice(&current), cudaSuccess);
    assert_int_equal(current, 0);
    assert_int_equal(fake_cuda_contexts(), 1);
    fake_gpu_end();
    hr_dataset_close(ds);
}

static void loader_host__machine_with_a_gpu__no_context(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    hr_loader_options o = on_gpu();
    o.device = HR_DEVICE_HOST;
    fake_gpu_begin(1);
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    assert_int_equal(made_drain(l, &small), small.num_samples);
    fake_gpu_loader_close(l);
    assert_int_equal(fake_cuda_contexts(), 0);
    assert_int_equal(fake_cuda_calls(NULL), 0);
    fake_gpu_end();
    hr_dataset_close(ds);
}

static int child(hr_loader *l, hr_batch *b) {
    hr_error err = {0};
    hr_batch *next = NULL;
    const bool refused = hr_loader_next(l, 0, &next, &err) == HR_ERR_FORKED &&
                         hr_batch_wait_on(b, NULL, &err) == HR_ERR_FORKED &&
                         hr_batch_release_on(b, NULL, &err) == HR_ERR_FORKED &&
                         hr_batch_data(b, 0) == NULL;
    hr_batch_release(b);
    hr_loader_close(l);
    return refused && fake_cuda_violations() == 0 ? 0 : 1;
}

static void loader_gpu__forked__child_leaves_cuda_alone(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    hr_error err = {0};
    hr_batch *b = NULL;
    int status = -1;
    const hr_loader_options o = on_gpu();
    fake_gpu_begin(1);
    cudaStream_t stream = fake_gpu_stream();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    made_ok(hr_loader_next(l, LIMIT_NS, &b, &err), &err);
    const pid_t pid = fork();
    if (pid == 0)
        _exit(child(l, b));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    made_ok(hr_batch_release_on(b, stream, &err), &err);
    assert_int_equal(run(l, stream, &err), HR_END_OF_EPOCH);
    fake_gpu_loader_close(l);
    fake_gpu_stream_destroy(stream);
    fake_gpu_end();
    hr_dataset_close(ds);
}

/* After so many batches, the last of them still held, on a device that does nothing unless it is
 * waited for. */
static void close_after(hr_dataset *ds, uint64_t seed, uint32_t batches) {
    hr_error err = {0};
    const hr_loader_options o = on_gpu();
    fake_gpu_begin(seed);
    fake_cuda_hold(seed % 2 == 0);
    cudaStream_t stream = fake_gpu_stream();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    for (uint32_t i = 0; i < batches; i++) {
        hr_batch *b = NULL;
        made_ok(hr_loader_next(l, LIMIT_NS, &b, &err), &err);
        made_ok(hr_batch_wait_on(b, stream, &err), &err);
        fake_gpu_check(b, &small, stream);
        if (i + 1 < batches)
            made_ok(hr_batch_release_on(b, stream, &err), &err);
    }
    fake_gpu_loader_close(l);
    fake_gpu_stream_destroy(stream);
    fake_gpu_end();
}

static void close__any_moment__drains(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    for (uint64_t seed = 0; seed < 200; seed++)
        close_after(ds, seed, (uint32_t)(seed % 8));
    hr_dataset_close(ds);
}

/* ---- default streams ---- */

static void loader_gpu__default_streams__every_batch_right(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    cudaStream_t streams[] = {NULL, cudaStreamLegacy, cudaStreamPerThread};
    for (uint64_t seed = 0; seed < 150; seed++) {
        const hr_loader_options o = on_gpu();
        fake_gpu_begin(seed);
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        assert_int_equal(fake_gpu_drain(l, &small, streams[seed % 3]), small.num_samples);
        fake_gpu_loader_close(l);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader_gpu__every_call_fails__is_told_and_nothing_is_left),
        cmocka_unit_test(loader_gpu__every_call_meets_a_dead_device__is_told),
        cmocka_unit_test(loader_gpu__kernel_of_the_user_fails__is_named),
        cmocka_unit_test(batch__no_stream__is_refused_and_still_held),
        cmocka_unit_test(open__something_is_missing__its_own_status_and_sentence),
        cmocka_unit_test(open__memory_cannot_be_pinned__is_told_or_done_without),
        cmocka_unit_test(options__that_cannot_work__are_refused),
        cmocka_unit_test(open__no_module__has_its_own_status),
        cmocka_unit_test(open__threads_refused__nothing_is_left),
        cmocka_unit_test(loader_gpu__second_gpu__one_context),
        cmocka_unit_test(loader_host__machine_with_a_gpu__no_context),
        cmocka_unit_test(loader_gpu__forked__child_leaves_cuda_alone),
        cmocka_unit_test(close__any_moment__drains),
        cmocka_unit_test(loader_gpu__default_streams__every_batch_right),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
