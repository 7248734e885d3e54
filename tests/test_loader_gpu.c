/*
 * Loaders that upload, over the stand-in for CUDA: whatever the order in which the device does its
 * work, each batch is what it should be when the consumer's kernel reads it. And each rule that
 * makes it so is broken on purpose, which must be seen.
 */
#include "fake_gpu.h"

#include "headrace/gpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define NUM_SEEDS 300u

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
    return o;
}

static void loader_gpu__any_order_of_work__every_batch_right(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    for (uint64_t seed = 0; seed < NUM_SEEDS; seed++) {
        fake_gpu_begin(seed);
        const hr_loader_options o = on_gpu(seed);
        cudaStream_t stream = fake_gpu_stream();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        assert_int_equal(fake_gpu_drain(l, &small, stream), small.num_samples);
        fake_gpu_loader_close(l);
        fake_gpu_stream_destroy(stream);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

/* ---- what must be seen ---- */

static struct hr__gpu_ops broken;

static hr_status no_wait(void *gpu, void *stream, void *event, hr_error *err) {
    (void)gpu, (void)stream, (void)event, (void)err;
    return HR_OK;
}

static hr_status no_upload_wait(void *gpu, void *event, hr_error *err) {
    (void)gpu, (void)event, (void)err;
    return HR_OK;
}

/* Epochs with seeds until the stand-in says the words, which it must. */
static void expect_complaint(const char *words) {
    hr_dataset *ds = made_open("gpu.hrd", &small);
    bool said = false;
    for (uint64_t seed = 0; seed < 50 && !said; seed++) {
        fake_gpu_begin(seed);
        const hr_loader_options o = on_gpu(seed);
        cudaStream_t stream = fake_gpu_stream();
        hr_loader *l = fake_gpu_loader(ds, &o, &broken);
        (void)fake_gpu_drain(l, &small, stream);
        fake_gpu_loader_close(l);
        fake_gpu_stream_destroy(stream);
        (void)fake_cuda_end();
        said = fake_cuda_complained(words);
    }
    hr_dataset_close(ds);
    assert_true(said);
}

static void loader_gpu__stream_does_not_wait__seen(void **state) {
    (void)state;
    broken = *fake_gpu_ops();
    broken.stream_await = no_wait;
    expect_complaint("check");
}

static void loader_gpu__release_ignored__seen(void **state) {
    (void)state;
    broken = *fake_gpu_ops();
    broken.upload_await = no_upload_wait;
    expect_complaint("check");
}

static void loader_gpu__rows_reused_too_early__seen(void **state) {
    (void)state;
    broken = *fake_gpu_ops();
    broken.event_wait = no_upload_wait;
    expect_complaint("source");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader_gpu__any_order_of_work__every_batch_right),
        cmocka_unit_test(loader_gpu__stream_does_not_wait__seen),
        cmocka_unit_test(loader_gpu__release_ignored__seen),
        cmocka_unit_test(loader_gpu__rows_reused_too_early__seen),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
