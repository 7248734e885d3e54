/*
 * Batches on a GPU as DLPack tensors, over the stand-in for CUDA: whatever the order of the
 * device's work, kernels on the tensors' streams see the batch until its tensors are deleted.
 */
#define _GNU_SOURCE
#include "dlpack_abi.h"
#include "fake_gpu.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_SEEDS   200u
#define MOST_KEPT   8u /* more than a slot has events */
#define NONE        HR_DLPACK_STREAM_NONE
#define LEGACY      HR_DLPACK_STREAM_LEGACY
#define PER_THREAD  HR_DLPACK_STREAM_PER_THREAD
#define DEADLINE_NS INT64_C(20000000000)

static const struct made small = {.num_samples = 500,
                                  .samples_per_chunk = 23,
                                  .row_bytes = 37,
                                  .row_words = 3,
                                  .codec = HR_CODEC_ZSTD};

static hr_loader_options on_gpu(uint64_t seed) {
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    o.window_visits = 4;
    o.seed = seed;
    o.device = HR_DEVICE_CUDA(0);
    o.device_slots = 2 + (uint32_t)(seed % 3);
    o.num_epochs = 1;
    return o;
}

static uint32_t next_random(uint32_t *r) {
    *r = *r * 1664525u + 1013904223u;
    return *r >> 8;
}

static hr_batch *next(hr_loader *l) {
    hr_error err = {0};
    hr_batch *b = NULL;
    made_ok(hr_loader_next(l, DEADLINE_NS, &b, &err), &err);
    return b;
}

/* ---- kernels that look at a tensor ---- */

struct look {
    uint32_t field, num_samples;
    const uint8_t *at; /* on the GPU */
    uint64_t indices[];
};

static bool row_right(uint32_t field, const void *row, uint64_t sample) {
    const uint8_t *x = row;
    const float *w = row;
    bool right = true;
    if (field == 0)
        return *(const int64_t *)row == (int64_t)sample;
    for (uint32_t k = 0; field == 1 && k < small.row_bytes; k++)
        right = right && x[k] == made_byte(sample, k);
    for (uint32_t k = 0; field == 2 && k < small.row_words; k++)
        right = right && w[k] == made_word(sample, k);
    return right;
}

static uint32_t row_bytes(uint32_t field) {
    return field == 0 ? 8 : field == 1 ? small.row_bytes : 4 * small.row_words;
}

static void look(void *arg) {
    const struct look *k = arg;
    const size_t n = row_bytes(k->field);
    const uint8_t *rows = fake_cuda_read(k->at, k->num_samples * n);
    for (uint32_t i = 0; i < k->num_samples; i++)
        if (!row_right(k->field, rows + i * n, k->indices[i])) {
            fake_cuda_report("row %u of field %u is not that of sample %llu", i, k->field,
                             (unsigned long long)k->indices[i]);
            return;
        }
}

/* ---- tensors and who works on them ---- */

struct kept {
    struct DLManagedTensorVersioned *tensor;
    cudaStream_t stream; /* where kernels look at it */
    uint32_t field;
    uint64_t indices[16];
};

static void launch_look(const struct kept *k) {
    const uint32_t n = (uint32_t)k->tensor->tensor.shape[0];
    const size_t n_bytes = sizeof(struct look) + n * sizeof(uint64_t);
    struct look *l = calloc(1, n_bytes);
    assert_non_null(l);
    *l = (struct look){k->field, n, k->tensor->tensor.data};
    memcpy(l->indices, k->indices, n * sizeof(uint64_t));
    const struct fake_cuda_range reads[] = {{l->at, n * (size_t)row_bytes(k->field)}};
    const struct fake_cuda_kernel kernel = {"look", look, l, n_bytes, reads, 1, NULL, 0};
    fake_cuda_as_user(true);
    (void)fake_cuda_launch(k->stream, &kernel);
    fake_cuda_as_user(false);
    free(l);
}

/* For a number above, where its kernels go: to a stream of the user's where nothing is ordered. */
static cudaStream_t stream_of(int64_t stream, cudaStream_t of_user) {
    switch (stream) {
    case HR_DLPACK_STREAM_DEFAULT:
        return NULL;
    case LEGACY:
        return cudaStreamLegacy;
    case PER_THREAD:
        return cudaStreamPerThread;
    default:
        return of_user;
    }
}

static struct kept export(hr_batch *b, uint32_t field, int64_t stream, cudaStream_t of_user) {
    hr_error err = {0};
    struct kept k = {.stream = stream_of(stream, of_user), .field = field};
    made_ok(hr_batch_indices(b, k.indices, &err), &err);
    made_ok(hr_batch_dlpack(b, field, stream, &k.tensor, &err), &err);
    if (stream == NONE)
        made_ok(hr_batch_wait_on(b, of_user, &err), &err);
    assert_ptr_equal(k.tensor->tensor.data, hr_batch_data(b, field));
    assert_int_equal(k.tensor->tensor.device.kind, HR__DL_CUDA);
    return k;
}

static void drop(struct kept *k) {
    hr_dlpack_delete(k->tensor);
    k->tensor = NULL;
}

/* Streams of a user's: one that the legacy stream waits for, and one that it does not. */
struct streams {
    cudaStream_t blocking, apart;
};

static struct streams make_streams(void) {
    struct streams s = {.apart = fake_gpu_stream()};
    fake_cuda_as_user(true);
    assert_int_equal(cudaStreamCreate(&s.blocking), cudaSuccess);
    fake_cuda_as_user(false);
    return s;
}

static void destroy_streams(struct streams s) {
    fake_gpu_stream_destroy(s.apart);
    fake_gpu_stream_destroy(s.blocking);
}

/* One of the five ways to name a stream. */
static struct kept export_any(hr_batch *b, struct streams s, uint32_t *random) {
    const uint32_t field = next_random(random) % 3;
    const int64_t way = (int64_t)(next_random(random) % 5) - 1;
    if (way < 3)
        return export(b, field, way, s.blocking);
    return export(b, field, (int64_t)(intptr_t)s.apart, s.apart);
}

/* ---- epochs ---- */

/* Each batch in up to MOST_KEPT tensors, released before, between or after their deleters. */
static void use_batch(hr_batch *b, struct streams s, uint32_t *random) {
    struct kept kept[MOST_KEPT];
    const uint32_t n = 1 + next_random(random) % MOST_KEPT, release = next_random(random) % (n + 1);
    for (uint32_t i = 0; i < n; i++)
        kept[i] = export_any(b, s, random);
    for (uint32_t i = 0; i < n; i++) {
        if (i == release)
            hr_batch_release(b);
        launch_look(&kept[i]);
        drop(&kept[i]);
    }
    if (release == n)
        hr_batch_release(b);
}

static void dlpack__any_order_of_work__every_tensor_right(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    for (uint32_t seed = 0; seed < NUM_SEEDS; seed++) {
        uint32_t random = seed;
        hr_batch *b;
        fake_gpu_begin(seed);
        const hr_loader_options o = on_gpu(seed);
        const struct streams s = make_streams();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        while (hr_loader_next(l, DEADLINE_NS, &b, NULL) == HR_OK)
            use_batch(b, s, &random);
        hr_loader_info info = {.struct_bytes = sizeof(info)};
        made_ok(hr_loader_describe(l, &info, NULL), NULL);
        assert_int_equal(info.samples_delivered, small.num_samples);
        fake_gpu_loader_close(l);
        destroy_streams(s);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

static void dlpack__slots_kept_by_tensors__next_is_busy(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    fake_gpu_begin(1);
    hr_loader_options o = on_gpu(1);
    o.max_held_batches = 2;
    cudaStream_t stream = fake_gpu_stream();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    struct kept kept[2];
    hr_batch *b;
    for (int i = 0; i < 2; i++) {
        b = next(l);
        kept[i] = export(b, 0, (int64_t)(intptr_t)stream, stream);
        hr_batch_release(b);
    }
    assert_int_equal(hr_loader_next(l, 0, &b, NULL), HR_ERR_BUSY);
    launch_look(&kept[0]);
    drop(&kept[0]);
    for (int i = 0; i < 20; i++) { /* through the other slots */
        b = next(l);
        made_ok(hr_batch_wait_on(b, NULL, NULL), NULL);
        fake_gpu_check(b, &small, NULL);
        made_ok(hr_batch_release_on(b, NULL, NULL), NULL);
        launch_look(&kept[1]);
    }
    drop(&kept[1]);
    fake_gpu_loader_close(l);
    fake_gpu_stream_destroy(stream);
    fake_gpu_end();
    hr_dataset_close(ds);
}

/* R the batch is released, C loader and data set are closed, 0 and 1 a tensor is deleted. */
static void run_order(const char *order, uint64_t seed) {
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    uint32_t random = (uint32_t)seed;
    fake_gpu_begin(seed);
    const hr_loader_options o = on_gpu(seed);
    const struct streams s = make_streams();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    hr_batch *b = next(l);
    struct kept kept[2] = {export_any(b, s, &random), export_any(b, s, &random)};
    for (; *order != '\0'; order++) {
        for (int i = 0; i < 2; i++)
            if (kept[i].tensor != NULL)
                launch_look(&kept[i]);
        if (*order == 'R') {
            hr_batch_release(b);
        } else if (*order == 'C') {
            fake_gpu_loader_close(l);
            hr_dataset_close(ds);
        } else {
            drop(&kept[*order - '0']);
        }
    }
    assert_int_equal(fake_cuda_device_bytes(0), 0);
    destroy_streams(s);
    fake_gpu_end();
}

static void dlpack__released_deleted_closed_in_any_order__right_until_deleted(void **state) {
    (void)state;
    static const char *const orders[] = {
        "RC01", "RC10", "R0C1", "R1C0", "R01C", "R10C", "0RC1", "1RC0", "0R1C",
        "1R0C", "01RC", "10RC", "C01",  "C10",  "0C1",  "1C0",  "01C",  "10C",
    };
    for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
        for (uint64_t seed = 0; seed < 12; seed++)
            run_order(orders[i], seed);
}

/* Work on another stream is ordered by hr_batch_release_on(), here before the deleter. */
static void dlpack__work_on_another_stream__release_on_orders_it(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    for (uint64_t seed = 0; seed < 50; seed++) {
        fake_gpu_begin(seed);
        const hr_loader_options o = on_gpu(seed);
        cudaStream_t stream = fake_gpu_stream();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        hr_batch *b;
        while (hr_loader_next(l, DEADLINE_NS, &b, NULL) == HR_OK) {
            struct kept k = export(b, 1, NONE, stream);
            launch_look(&k);
            made_ok(hr_batch_release_on(b, stream, NULL), NULL);
            drop(&k);
        }
        fake_gpu_loader_close(l);
        fake_gpu_stream_destroy(stream);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

/* ---- other threads ---- */

struct elsewhere {
    hr_batch *batch; /* export of it; NULL: delete */
    int64_t stream;
    hr_status st;
    struct kept kept;
};

static void *work_elsewhere(void *arg) {
    struct elsewhere *e = arg;
    if (e->batch == NULL)
        drop(&e->kept);
    else
        e->st = hr_batch_dlpack(e->batch, e->kept.field, e->stream, &e->kept.tensor, NULL);
    return NULL;
}

static void run_elsewhere(struct elsewhere *e) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work_elsewhere, e), 0);
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
    assert_int_equal(fake_cuda_contexts(), 1);
    fake_cuda_as_user(true);
    assert_int_equal(cudaSetDevice(0), cudaSuccess);
    fake_cuda_as_user(false);
    fake_gpu_end();
}

static void dlpack__deleted_by_threads_of_another_gpu__no_context_there(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    for (uint32_t seed = 0; seed < 40; seed++) {
        uint32_t random = seed;
        two_gpus_begin(seed);
        hr_loader_options o = on_gpu(seed);
        o.device = HR_DEVICE_CUDA(1);
        o.device_slots = 3;
        const struct streams s = make_streams();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        hr_batch *b = NULL;
        struct elsewhere last = {0};
        for (int i = 0; i < 10; i++) {
            b = next(l);
            if (last.kept.tensor != NULL)
                run_elsewhere(&last);
            last.kept = export_any(b, s, &random);
            assert_int_equal(last.kept.tensor->tensor.device.index, 1);
            launch_look(&last.kept);
            hr_batch_release(b);
        }
        fake_gpu_loader_close(l);
        run_elsewhere(&last); /* frees the loader */
        destroy_streams(s);
        two_gpus_end();
    }
    hr_dataset_close(ds);
}

static void dlpack__exported_by_a_thread_of_another_gpu__default_stream_of_the_batch(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    for (uint64_t seed = 0; seed < 40; seed++) {
        two_gpus_begin(seed);
        hr_loader_options o = on_gpu(seed);
        o.device = HR_DEVICE_CUDA(1);
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        hr_batch *b;
        while (hr_loader_next(l, DEADLINE_NS, &b, NULL) == HR_OK) {
            struct elsewhere e = {.batch = b, .stream = LEGACY, .kept = {.field = 2}};
            made_ok(hr_batch_indices(b, e.kept.indices, NULL), NULL);
            run_elsewhere(&e);
            assert_int_equal(e.st, HR_OK);
            launch_look(&e.kept); /* this thread's legacy stream is that of the second GPU */
            e.batch = NULL;
            run_elsewhere(&e);
            e = (struct elsewhere){.batch = b, .stream = PER_THREAD};
            run_elsewhere(&e);
            assert_int_equal(e.st, HR_ERR_INVALID);
            assert_null(e.kept.tensor);
            hr_batch_release(b);
        }
        fake_gpu_loader_close(l);
        two_gpus_end();
    }
    hr_dataset_close(ds);
}

static pthread_barrier_t together;

static void *delete_together(void *kept) {
    pthread_barrier_wait(&together);
    drop(kept);
    return NULL;
}

static void dlpack__deleted_by_threads_while_closed__freed_once(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    assert_int_equal(pthread_barrier_init(&together, NULL, 3), 0);
    for (uint32_t seed = 0; seed < 100; seed++) {
        uint32_t random = seed;
        pthread_t threads[2];
        fake_gpu_begin(seed);
        const hr_loader_options o = on_gpu(seed);
        const struct streams s = make_streams();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        hr_batch *b = next(l);
        struct kept kept[2] = {export_any(b, s, &random), export_any(b, s, &random)};
        if (seed % 2 == 0)
            hr_batch_release(b);
        fake_cuda_steady(false);
        for (int i = 0; i < 2; i++) {
            launch_look(&kept[i]);
            assert_int_equal(pthread_create(&threads[i], NULL, delete_together, &kept[i]), 0);
        }
        pthread_barrier_wait(&together);
        hr_loader_close(l);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(fake_cuda_device_bytes(0), 0);
        destroy_streams(s);
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
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    fake_gpu_begin(0);
    const hr_loader_options o = on_gpu(0);
    const struct streams s = make_streams();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    hr_batch *b = next(l);
    struct kept k = export(b, 0, (int64_t)(intptr_t)s.apart, s.apart);
    const pid_t child = fork();
    if (child == 0) {
        struct DLManagedTensorVersioned *t;
        const bool refused = hr_batch_dlpack(b, 0, LEGACY, &t, NULL) == HR_ERR_FORKED;
        hr_dlpack_delete(k.tensor);
        _exit(refused && t == NULL && fake_cuda_violations() == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    launch_look(&k);
    drop(&k);
    hr_batch_release(b);
    fake_gpu_loader_close(l);
    destroy_streams(s);
    fake_gpu_end();
    hr_dataset_close(ds);
}

/* ---- faults, and what must be seen ---- */

static struct hr__gpu_ops broken;
static cudaStream_t refused; /* records on it fail */
static bool legacy_refused;

static hr_status refuse_record(void *gpu, void *stream, void *event, hr_error *err) {
    if (stream == refused || (legacy_refused && stream == cudaStreamLegacy))
        return HR_ERR_INVALID;
    return fake_gpu_ops()->stream_record(gpu, stream, event, err);
}

static hr_status no_record(void *gpu, void *stream, void *event, hr_error *err) {
    (void)gpu, (void)stream, (void)event, (void)err;
    return HR_OK;
}

static hr_status no_wait(void *gpu, void *event, hr_error *err) {
    (void)gpu, (void)event, (void)err;
    return HR_OK;
}

/* An epoch in tensors on one stream; the loader's GPU is `broken`. */
static void run_epoch(hr_dataset *ds, uint64_t seed, cudaStream_t stream) {
    const hr_loader_options o = on_gpu(seed);
    hr_loader *l = fake_gpu_loader(ds, &o, &broken);
    hr_batch *b;
    while (hr_loader_next(l, DEADLINE_NS, &b, NULL) == HR_OK) {
        refused = NULL; /* but for the deleter */
        struct kept k = export(b, 1, (int64_t)(intptr_t)stream, stream);
        refused = stream;
        launch_look(&k);
        hr_batch_release(b);
        drop(&k);
    }
    fake_gpu_loader_close(l);
}

static void dlpack__deleter_cannot_record__the_default_streams_are_waited_for(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    broken = *fake_gpu_ops();
    broken.stream_record = refuse_record;
    for (uint64_t seed = 0; seed < 60; seed++) {
        legacy_refused = seed % 2 == 1; /* then the upload thread records */
        fake_gpu_begin(seed);
        const struct streams s = make_streams();
        run_epoch(ds, seed, s.blocking);
        destroy_streams(s);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

static void dlpack__export_cannot_wait__nothing_held(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    fake_gpu_begin(3);
    hr_loader_options o = on_gpu(3);
    o.max_held_batches = 1;
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    hr_batch *b = next(l);
    struct DLManagedTensorVersioned *t;
    hr_error err = {0};
    assert_int_equal(hr_batch_dlpack(b, 0, -2, &t, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "stream -2"));
    fake_cuda_fail("cudaStreamWaitEvent", 1, cudaErrorInvalidResourceHandle);
    assert_int_equal(hr_batch_dlpack(b, 0, LEGACY, &t, &err), HR_ERR_INVALID);
    assert_null(t);
    hr_batch_release(b);
    hr_batch_release(next(l));
    fake_gpu_loader_close(l);
    fake_gpu_end();
    hr_dataset_close(ds);
}

static void dlpack__deleter_records_nothing__seen(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &small);
    bool said = false;
    broken = *fake_gpu_ops();
    broken.stream_record = no_record;
    broken.upload_await = no_wait;
    for (uint64_t seed = 0; seed < 50 && !said; seed++) {
        fake_gpu_begin(seed);
        cudaStream_t stream = fake_gpu_stream();
        run_epoch(ds, seed, stream);
        fake_gpu_stream_destroy(stream);
        (void)fake_cuda_end();
        said = fake_cuda_complained("look");
    }
    hr_dataset_close(ds);
    assert_true(said);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dlpack__any_order_of_work__every_tensor_right),
        cmocka_unit_test(dlpack__slots_kept_by_tensors__next_is_busy),
        cmocka_unit_test(dlpack__released_deleted_closed_in_any_order__right_until_deleted),
        cmocka_unit_test(dlpack__work_on_another_stream__release_on_orders_it),
        cmocka_unit_test(dlpack__deleted_by_threads_of_another_gpu__no_context_there),
        cmocka_unit_test(dlpack__exported_by_a_thread_of_another_gpu__default_stream_of_the_batch),
        cmocka_unit_test(dlpack__deleted_by_threads_while_closed__freed_once),
        cmocka_unit_test(dlpack__in_a_forked_child__no_call_of_cuda),
        cmocka_unit_test(dlpack__deleter_cannot_record__the_default_streams_are_waited_for),
        cmocka_unit_test(dlpack__export_cannot_wait__nothing_held),
        cmocka_unit_test(dlpack__deleter_records_nothing__seen),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
