/*
 * Batches on a GPU as DLPack tensors, over the stand-in for CUDA: whatever the order of the
 * device's work, kernels on the tensors' streams see the batch until its tensors are deleted.
 */
#include "fake_tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUM_SEEDS 200u
#define MOST_KEPT 8u /* more than a slot has events */

/* ---- epochs ---- */

/* Each batch in up to MOST_KEPT tensors, released before, between or after their deleters. */
static void use_batch(hr_batch *b, struct fake_tensor_streams s, uint32_t *random) {
    struct fake_tensor kept[MOST_KEPT];
    const uint32_t n = 1 + fake_tensor_random(random) % MOST_KEPT,
                   release = fake_tensor_random(random) % (n + 1);
    for (uint32_t i = 0; i < n; i++)
        kept[i] = fake_tensor_export_any(b, s, random);
    for (uint32_t i = 0; i < n; i++) {
        if (i == release)
            hr_batch_release(b);
        fake_tensor_look(&kept[i]);
        fake_tensor_delete(&kept[i]);
    }
    if (release == n)
        hr_batch_release(b);
}

static void dlpack__any_order_of_work__every_tensor_right(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    for (uint32_t seed = 0; seed < NUM_SEEDS; seed++) {
        uint32_t random = seed;
        hr_batch *b;
        fake_gpu_begin(seed);
        const hr_loader_options o = fake_tensor_options(seed);
        const struct fake_tensor_streams s = fake_tensor_streams_make();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        while (hr_loader_next(l, FAKE_TENSOR_WAIT_NS, &b, NULL) == HR_OK)
            use_batch(b, s, &random);
        hr_loader_info info = {.struct_bytes = sizeof(info)};
        made_ok(hr_loader_describe(l, &info, NULL), NULL);
        assert_int_equal(info.samples_delivered, fake_tensor_rows.num_samples);
        fake_gpu_loader_close(l);
        fake_tensor_streams_destroy(s);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

static void dlpack__slots_kept_by_tensors__next_is_busy(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    fake_gpu_begin(1);
    hr_loader_options o = fake_tensor_options(1);
    o.max_held_batches = 2;
    cudaStream_t stream = fake_gpu_stream();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    struct fake_tensor kept[2];
    hr_batch *b;
    for (int i = 0; i < 2; i++) {
        b = fake_tensor_next(l);
        kept[i] = fake_tensor_export(b, 0, (int64_t)(intptr_t)stream, stream);
        hr_batch_release(b);
    }
    assert_int_equal(hr_loader_next(l, 0, &b, NULL), HR_ERR_BUSY);
    fake_tensor_look(&kept[0]);
    fake_tensor_delete(&kept[0]);
    for (int i = 0; i < 20; i++) { /* through the other slots */
        b = fake_tensor_next(l);
        made_ok(hr_batch_wait_on(b, NULL, NULL), NULL);
        fake_gpu_check(b, &fake_tensor_rows, NULL);
        made_ok(hr_batch_release_on(b, NULL, NULL), NULL);
        fake_tensor_look(&kept[1]);
    }
    fake_tensor_delete(&kept[1]);
    fake_gpu_loader_close(l);
    fake_gpu_stream_destroy(stream);
    fake_gpu_end();
    hr_dataset_close(ds);
}

/* R the batch is released, C loader and data set are closed, 0 and 1 a tensor is deleted. */
static void run_order(const char *order, uint64_t seed) {
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    uint32_t random = (uint32_t)seed;
    fake_gpu_begin(seed);
    const hr_loader_options o = fake_tensor_options(seed);
    const struct fake_tensor_streams s = fake_tensor_streams_make();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    hr_batch *b = fake_tensor_next(l);
    struct fake_tensor kept[2] = {fake_tensor_export_any(b, s, &random),
                                  fake_tensor_export_any(b, s, &random)};
    for (; *order != '\0'; order++) {
        for (int i = 0; i < 2; i++)
            if (kept[i].tensor != NULL)
                fake_tensor_look(&kept[i]);
        if (*order == 'R') {
            hr_batch_release(b);
        } else if (*order == 'C') {
            fake_gpu_loader_close(l);
            hr_dataset_close(ds);
        } else {
            fake_tensor_delete(&kept[*order - '0']);
        }
    }
    assert_int_equal(fake_cuda_device_bytes(0), 0);
    fake_tensor_streams_destroy(s);
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
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    for (uint64_t seed = 0; seed < 50; seed++) {
        fake_gpu_begin(seed);
        const hr_loader_options o = fake_tensor_options(seed);
        cudaStream_t stream = fake_gpu_stream();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        hr_batch *b;
        while (hr_loader_next(l, FAKE_TENSOR_WAIT_NS, &b, NULL) == HR_OK) {
            struct fake_tensor k = fake_tensor_export(b, 1, HR_DLPACK_STREAM_NONE, stream);
            fake_tensor_look(&k);
            made_ok(hr_batch_release_on(b, stream, NULL), NULL);
            fake_tensor_delete(&k);
        }
        fake_gpu_loader_close(l);
        fake_gpu_stream_destroy(stream);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

/* ---- faults, and what must be seen ---- */

static struct hr__gpu_ops broken;
static cudaStream_t refused; /* records on it fail */
static bool steady = true;   /* of run_epoch() */

static hr_status refuse_record(void *gpu, void *stream, void *event, hr_error *err) {
    if (refused != NULL && stream == refused)
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
    const hr_loader_options o = fake_tensor_options(seed);
    hr_loader *l = fake_gpu_loader(ds, &o, &broken);
    hr_batch *b;
    fake_cuda_steady(steady);
    while (hr_loader_next(l, FAKE_TENSOR_WAIT_NS, &b, NULL) == HR_OK) {
        refused = NULL; /* but for the deleter */
        struct fake_tensor k = fake_tensor_export(b, 1, (int64_t)(intptr_t)stream, stream);
        refused = stream;
        fake_tensor_look(&k);
        hr_batch_release(b);
        fake_tensor_delete(&k);
    }
    fake_gpu_loader_close(l);
}

/* Which is a synchronisation, so the phase is not a steady one. */
static void dlpack__deleter_cannot_record__the_device_is_waited_for(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    broken = *fake_gpu_ops();
    broken.stream_record = refuse_record;
    for (uint64_t seed = 0; seed < 60; seed++) {
        fake_gpu_begin(seed);
        const struct fake_tensor_streams s = fake_tensor_streams_make();
        cudaStream_t streams[] = {s.blocking, s.apart, cudaStreamLegacy};
        steady = false;
        run_epoch(ds, seed, streams[seed % 3]);
        steady = true;
        fake_tensor_streams_destroy(s);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

static void dlpack__export_cannot_wait__nothing_held(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
    fake_gpu_begin(3);
    hr_loader_options o = fake_tensor_options(3);
    o.max_held_batches = 1;
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    hr_batch *b = fake_tensor_next(l);
    struct DLManagedTensorVersioned *t;
    hr_error err = {0};
    assert_int_equal(hr_batch_dlpack(b, 0, -2, &t, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "stream -2"));
    fake_cuda_fail("cudaStreamWaitEvent", 1, cudaErrorInvalidResourceHandle);
    assert_int_equal(hr_batch_dlpack(b, 0, HR_DLPACK_STREAM_LEGACY, &t, &err), HR_ERR_INVALID);
    assert_null(t);
    hr_batch_release(b);
    hr_batch_release(fake_tensor_next(l));
    fake_gpu_loader_close(l);
    fake_gpu_end();
    hr_dataset_close(ds);
}

static void dlpack__deleter_records_nothing__seen(void **state) {
    (void)state;
    hr_dataset *ds = made_open("dlpack.hrd", &fake_tensor_rows);
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
        cmocka_unit_test(dlpack__deleter_cannot_record__the_device_is_waited_for),
        cmocka_unit_test(dlpack__export_cannot_wait__nothing_held),
        cmocka_unit_test(dlpack__deleter_records_nothing__seen),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
