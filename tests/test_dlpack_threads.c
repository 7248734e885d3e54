/*
 * DLPack tensors on a GPU, over the stand-in for CUDA, in other threads than the consumer's: those
 * whose current GPU is another one, those that delete while the loader is closed; and in a child.
 */
#define _GNU_SOURCE
#include "fake_tensor.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- threads that are refused ---- */

static atomic_bool no_threads;

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg) {
    return atomic_load(&no_threads) ? EAGAIN : __real_pthread_create(t, attr, run, arg);
}

/* ---- threads of another GPU ---- */

struct elsewhere {
    hr_batch *batch; /* export of it; NULL: delete */
    int64_t stream;
    hr_status st;
    struct fake_tensor kept;
};

static void *work_elsewhere(void *arg) {
    struct elsewhere *e = arg;
    if (e->batch == NULL)
        fake_tensor_delete(&e->kept);
    else
        e->st = hr_batch_dlpack(e->batch, e->kept.field, e->stream, &e->kept.tensor, NULL);
    return NULL;
}

static void run_elsewhere(struct elsewhere *e) {
    pthread_t thread;
    assert_int_equal(__real_pthread_create(&thread, NULL, work_elsewhere, e), 0);
    pthread_join(thread, NULL);
}

/* A machine of two GPUs, whose second one is that of this thread; others begin on the first. */
static void two_gpus_begin(uint64_t seed) {
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    config.seed = seed;
    config.num_devices = 2;
    fake_cuda_begin(&config);
    fake_cuda_may_wait_named("hr-upload");
    fake_cuda_as_user(true);
    assert_int_equal(cudaSetDevice(1), cudaSuccess);
    fake_cuda_as_user(false);
}

static void two_gpus_end(void) {
    fake_cuda_as_user(true);
    assert_int_equal(cudaSetDevice(0), cudaSuccess);
    fake_cuda_as_user(false);
    fake_gpu_end();
}

static void dlpack__deleted_by_threads_of_another_gpu__no_context_there(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    for (uint32_t seed = 0; seed < 40; seed++) {
        uint32_t random = seed;
        two_gpus_begin(seed);
        hr_loader_options o = fake_tensor_options(seed);
        o.device = HR_DEVICE_CUDA(1);
        o.device_slots = 3;
        const struct fake_tensor_streams s = fake_tensor_streams_make();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        hr_batch *b = NULL;
        struct elsewhere last = {0};
        for (int i = 0; i < 10; i++) {
            b = fake_tensor_next(l);
            if (last.kept.tensor != NULL)
                run_elsewhere(&last);
            last.kept = fake_tensor_export_any(b, s, &random);
            assert_int_equal(last.kept.tensor->tensor.device.index, 1);
            fake_tensor_look(&last.kept);
            hr_batch_release(b);
        }
        fake_gpu_loader_close(l);
        run_elsewhere(&last); /* frees the loader */
        fake_tensor_streams_destroy(s);
        assert_int_equal(fake_cuda_contexts(), 1);
        two_gpus_end();
    }
    hr_dataset_close(ds);
}

static void dlpack__exported_by_a_thread_of_another_gpu__default_stream_of_the_batch(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    for (uint64_t seed = 0; seed < 40; seed++) {
        two_gpus_begin(seed);
        hr_loader_options o = fake_tensor_options(seed);
        o.device = HR_DEVICE_CUDA(1);
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        hr_batch *b;
        while (hr_loader_next(l, FAKE_TENSOR_WAIT_NS, &b, NULL) == HR_OK) {
            struct elsewhere e = {
                .batch = b, .stream = HR_DLPACK_STREAM_LEGACY, .kept = {.field = 2}};
            made_ok(hr_batch_indices(b, e.kept.indices, NULL), NULL);
            run_elsewhere(&e);
            assert_int_equal(e.st, HR_OK);
            fake_tensor_look(&e.kept); /* this thread's legacy stream is that of the second GPU */
            e.batch = NULL;
            run_elsewhere(&e);
            e = (struct elsewhere){.batch = b, .stream = HR_DLPACK_STREAM_PER_THREAD};
            run_elsewhere(&e);
            assert_int_equal(e.st, HR_ERR_INVALID);
            assert_null(e.kept.tensor);
            hr_batch_release(b);
        }
        fake_gpu_loader_close(l);
        assert_int_equal(fake_cuda_contexts(), 1);
        two_gpus_end();
    }
    hr_dataset_close(ds);
}

/* An export is refused; a deleter does with a context on that GPU what must be done. */
static void dlpack__no_thread_to_be_had__export_refused_and_deleter_works(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    for (uint32_t seed = 0; seed < 40; seed++) {
        uint32_t random = seed;
        two_gpus_begin(seed);
        hr_loader_options o = fake_tensor_options(seed);
        o.device = HR_DEVICE_CUDA(1);
        const struct fake_tensor_streams s = fake_tensor_streams_make();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        hr_batch *b;
        atomic_store(&no_threads, true);
        fake_cuda_steady(false); /* the device is waited for instead */
        while (hr_loader_next(l, FAKE_TENSOR_WAIT_NS, &b, NULL) == HR_OK) {
            struct elsewhere e = {.batch = b, .stream = HR_DLPACK_STREAM_LEGACY};
            run_elsewhere(&e);
            assert_int_equal(e.st, HR_ERR_NO_MEMORY);
            assert_null(e.kept.tensor);
            e = (struct elsewhere){.kept = fake_tensor_export_any(b, s, &random)};
            fake_tensor_look(&e.kept);
            run_elsewhere(&e);
            hr_batch_release(b);
        }
        atomic_store(&no_threads, false);
        fake_gpu_loader_close(l);
        fake_tensor_streams_destroy(s);
        two_gpus_end();
    }
    hr_dataset_close(ds);
}

/* ---- closing, and fork ---- */

static pthread_barrier_t together;

static void *delete_together(void *kept) {
    pthread_barrier_wait(&together);
    fake_tensor_delete(kept);
    return NULL;
}

static void dlpack__deleted_by_threads_while_closed__freed_once(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    assert_int_equal(pthread_barrier_init(&together, NULL, 3), 0);
    for (uint32_t seed = 0; seed < 100; seed++) {
        uint32_t random = seed;
        pthread_t threads[2];
        fake_gpu_begin(seed);
        const hr_loader_options o = fake_tensor_options(seed);
        const struct fake_tensor_streams s = fake_tensor_streams_make();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        hr_batch *b = fake_tensor_next(l);
        struct fake_tensor kept[2] = {fake_tensor_export_any(b, s, &random),
                                      fake_tensor_export_any(b, s, &random)};
        if (seed % 2 == 0)
            hr_batch_release(b);
        fake_cuda_steady(false);
        for (int i = 0; i < 2; i++) {
            fake_tensor_look(&kept[i]);
            assert_int_equal(pthread_create(&threads[i], NULL, delete_together, &kept[i]), 0);
        }
        pthread_barrier_wait(&together);
        hr_loader_close(l);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(fake_cuda_device_bytes(0), 0);
        fake_tensor_streams_destroy(s);
        fake_gpu_end();
    }
    pthread_barrier_destroy(&together);
    hr_dataset_close(ds);
}

/* In the child the parent's threads are gone, which TSan calls a leak. */
#ifdef __SANITIZE_THREAD__
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "report_thread_leaks=0";
}
#endif

static void dlpack__in_a_forked_child__no_call_of_cuda(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    fake_gpu_begin(0);
    const hr_loader_options o = fake_tensor_options(0);
    const struct fake_tensor_streams s = fake_tensor_streams_make();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    hr_batch *b = fake_tensor_next(l);
    struct fake_tensor k = fake_tensor_export(b, 0, (int64_t)(intptr_t)s.apart, s.apart);
    const pid_t child = fork();
    if (child == 0) {
        struct DLManagedTensorVersioned *t;
        const bool refused =
            hr_batch_dlpack(b, 0, HR_DLPACK_STREAM_LEGACY, &t, NULL) == HR_ERR_FORKED;
        hr_dlpack_delete(k.tensor);
        _exit(refused && t == NULL && fake_cuda_violations() == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fake_tensor_look(&k);
    fake_tensor_delete(&k);
    hr_batch_release(b);
    fake_gpu_loader_close(l);
    fake_tensor_streams_destroy(s);
    fake_gpu_end();
    hr_dataset_close(ds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dlpack__deleted_by_threads_of_another_gpu__no_context_there),
        cmocka_unit_test(dlpack__exported_by_a_thread_of_another_gpu__default_stream_of_the_batch),
        cmocka_unit_test(dlpack__no_thread_to_be_had__export_refused_and_deleter_works),
        cmocka_unit_test(dlpack__deleted_by_threads_while_closed__freed_once),
        cmocka_unit_test(dlpack__in_a_forked_child__no_call_of_cuda),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
