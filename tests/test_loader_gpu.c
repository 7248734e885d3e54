/*
 * Loaders that upload, over the stand-in for CUDA: whatever the order in which the device does its
 * work, each batch is what it should be when the consumer's kernel reads it. And each rule that
 * makes it so is broken on purpose, which must be seen.
 */
#include "fake_gpu.h"
#include "order_cases.h"

#include "headrace/gpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NUM_SEEDS 2000u
#define LIMIT_NS  INT64_C(20000000000)

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

/* Work of the device in a thread of its own, at any time. */
static void loader_gpu__device_at_its_own_pace__every_batch_right(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    for (uint64_t seed = 0; seed < 100; seed++) {
        fake_gpu_begin(seed);
        fake_cuda_device_thread_start();
        const hr_loader_options o = on_gpu(seed);
        cudaStream_t stream = fake_gpu_stream();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        assert_int_equal(fake_gpu_drain(l, &small, stream), small.num_samples);
        fake_gpu_loader_close(l);
        fake_gpu_stream_destroy(stream);
        fake_cuda_device_thread_stop();
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

struct held {
    hr_batch *batch;
    cudaStream_t stream;
};

static void take(hr_loader *l, struct held *h, cudaStream_t stream, uint64_t *num_samples) {
    hr_error err = {0};
    h->stream = stream;
    if (hr_loader_next(l, LIMIT_NS, &h->batch, &err) != HR_OK)
        return;
    made_ok(hr_batch_wait_on(h->batch, stream, &err), &err);
    fake_gpu_check(h->batch, &small, stream);
    *num_samples += hr_batch_num_samples(h->batch);
}

static void give_back(struct held *h) {
    hr_error err = {0};
    if (h->batch != NULL)
        made_ok(hr_batch_release_on(h->batch, h->stream, &err), &err);
    h->batch = NULL;
}

/* Batches held at the same time, each on one of two streams, and given back in any order. */
static void loader_gpu__several_held_on_two_streams__every_batch_right(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    for (uint64_t seed = 0; seed < 500; seed++) {
        fake_gpu_begin(seed);
        hr_loader_options o = on_gpu(seed);
        o.max_held_batches = 2 + (uint32_t)(seed % 2);
        o.device_slots = o.max_held_batches + 1;
        cudaStream_t streams[] = {fake_gpu_stream(), fake_gpu_stream()};
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        struct held held[3] = {{NULL, NULL}};
        uint64_t random = seed + 1, n = 0;
        for (uint32_t i = 0; i < 200 && n < small.num_samples; i++) {
            struct held *h = &held[case_random(&random) % o.max_held_batches];
            give_back(h);
            take(l, h, streams[case_random(&random) % 2], &n);
        }
        assert_int_equal(n, small.num_samples);
        for (uint32_t i = 0; i < 3; i++)
            give_back(&held[i]);
        fake_gpu_loader_close(l);
        fake_gpu_stream_destroy(streams[0]);
        fake_gpu_stream_destroy(streams[1]);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
}

/* What a loader on a GPU says of itself, and that its figures fit. */
static void loader_gpu__report__its_figures_add_up(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = made_open("gpu.hrd", &small);
    hr_loader_options o = on_gpu(1);
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    hr_loader_report_info r = {.struct_bytes = sizeof(r)};
    o.num_epochs = 5;
    fake_gpu_begin(1);
    cudaStream_t stream = fake_gpu_stream();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    for (int i = 0; i < 5; i++)
        assert_int_equal(fake_gpu_drain(l, &small, stream), small.num_samples);
    made_ok(hr_loader_describe(l, &info, &err), &err);
    made_ok(hr_loader_report(l, &r, &err), &err);
    made_ok(hr_loader_plan_make(ds, &o, &plan, &err), &err);
    assert_int_equal(info.device, o.device);
    assert_int_equal(info.device_slots, o.device_slots);
    assert_true(fake_cuda_device_bytes(0) - info.device_bytes < 4096);
    assert_int_equal(info.device_bytes, plan.device_bytes);
    assert_int_equal(info.pinned, 1);
    assert_true(info.device_name[0] != '\0');
    assert_true(fake_cuda_registered_bytes() >= info.ring_bytes);
    assert_true(r.uploads + 2 >= info.batches_delivered && r.uploads <= info.batches_delivered);
    assert_true(r.uploaded_bytes <= r.delivered_bytes);
    assert_true(r.upload_thread_ns >=
                r.upload_wait_batch_ns + r.upload_wait_slot_ns + r.upload_wait_device_ns);
    assert_true(!r.overlap_known || (r.overlap_share >= 0 && r.overlap_share <= 1));
    fake_gpu_loader_close(l);
    fake_gpu_stream_destroy(stream);
    fake_gpu_end();
    hr_dataset_close(ds);
}

/* ---- finishing, which must be what it is on the host ---- */

static hr_dataset *made_images(void) {
    hr_error err = {0};
    hr_writer *w = NULL;
    hr_dataset *ds = NULL;
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    static uint8_t images[200][5 * 4 * 3];
    static uint32_t words[200][7]; /* as float32: numbers of every kind */
    static int64_t y[200];
    const uint64_t image[] = {5, 4, 3}, word[] = {7};
    uint64_t random = 3;
    const hr_field fields[] = {{.name = "y", .dtype = HR_INT64},
                               {.name = "u", .dtype = HR_UINT8, .rank = 3, .shape = image},
                               {.name = "f", .dtype = HR_FLOAT32, .rank = 1, .shape = word}};
    const void *data[] = {y, images, words};
    for (uint32_t i = 0; i < 200; i++) {
        y[i] = i;
        for (uint32_t k = 0; k < sizeof(images[0]); k++)
            images[i][k] = (uint8_t)case_random(&random);
        for (uint32_t k = 0; k < 7; k++)
            words[i][k] = (uint32_t)case_random(&random);
        if (i % 19 == 0)
            words[i][i % 7] = 0x7fc00001; /* a NaN */
    }
    o.flags = HR_WRITER_REPLACE;
    o.samples_per_chunk = 11;
    made_ok(hr_writer_open(made_path("images.hrd"), fields, 3, &o, &w, &err), &err);
    made_ok(hr_writer_append(w, 200, data, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    made_ok(hr_dataset_open(made_path("images.hrd"), NULL, &ds, &err), &err);
    return ds;
}

struct expected {
    const uint8_t *at; /* on the GPU */
    size_t n_bytes;
    uint8_t bytes[];
};

static void check_bytes(void *arg) {
    const struct expected *e = arg;
    if (memcmp(fake_cuda_read(e->at, e->n_bytes), e->bytes, e->n_bytes) != 0)
        fake_cuda_report("a finished field is not what the host makes of it");
}

static void expect_field(hr_batch *there, const hr_batch *here, uint32_t field,
                         cudaStream_t stream) {
    hr_error err = {0};
    hr_field f;
    made_ok(hr_batch_field(here, field, &f, &err), &err);
    size_t n_bytes = hr_batch_num_samples(here) * hr_dtype_bytes(f.dtype);
    for (uint32_t a = 0; a < f.rank; a++)
        n_bytes *= f.shape[a];
    struct expected *e = malloc(sizeof(*e) + n_bytes);
    *e = (struct expected){hr_batch_data(there, field), n_bytes};
    memcpy(e->bytes, hr_batch_data(here, field), n_bytes);
    const struct fake_cuda_range range = {e->at, n_bytes};
    fake_cuda_as_user(true);
    (void)fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "compare",
                                                              .fn = check_bytes,
                                                              .arg = e,
                                                              .arg_bytes = sizeof(*e) + n_bytes,
                                                              .reads = &range,
                                                              .num_reads = 1});
    fake_cuda_as_user(false);
    free(e);
}

static uint64_t bad_of(hr_loader *l, uint32_t field) {
    hr_bad_values v = {.struct_bytes = sizeof(v)};
    made_ok(hr_loader_bad_values(l, field, &v, NULL), NULL);
    return v.num_nan + v.num_inf;
}

/* One epoch on both devices side by side. What is bad in a batch is known when the second after it
 * has come, and at the end of the epoch. */
static void compare_epochs(hr_loader *there, hr_loader *here, uint32_t num_fields,
                           cudaStream_t stream) {
    hr_error err = {0};
    hr_batch *a = NULL, *b = NULL;
    uint64_t before[2] = {0, 0};
    while (hr_loader_next(here, LIMIT_NS, &a, &err) == HR_OK) {
        made_ok(hr_loader_next(there, LIMIT_NS, &b, &err), &err);
        assert_true(bad_of(there, num_fields - 1) >= before[0]);
        before[0] = before[1];
        before[1] = bad_of(here, num_fields - 1);
        made_ok(hr_batch_wait_on(b, stream, &err), &err);
        for (uint32_t k = 0; k < num_fields; k++)
            expect_field(b, a, k, stream);
        hr_batch_release(a);
        made_ok(hr_batch_release_on(b, stream, &err), &err);
    }
    assert_int_equal(hr_loader_next(there, LIMIT_NS, &b, &err), HR_END_OF_EPOCH);
    assert_true(before[1] > 0);
    assert_int_equal(bad_of(there, num_fields - 1), bad_of(here, num_fields - 1));
}

static void loader_gpu__finishing__is_the_hosts_bit_for_bit(void **state) {
    (void)state;
    hr_dataset *ds = made_images();
    const float scale[] = {0.5f, 2, -3}, shift[] = {1, 0.25f, 7};
    const hr_finish all[] = {
        {sizeof(hr_finish), HR_FINISH_CHW, "u", HR_FLOAT16, 3, scale, shift},
        {sizeof(hr_finish), HR_FINISH_CHECK_FINITE, "f", HR_BFLOAT16, 0, NULL, NULL},
        {sizeof(hr_finish), HR_FINISH_CHECK_FINITE, "f", HR_FLOAT32, 0, NULL, NULL}};
    const char *const fields[] = {"y", "u", "f"};
    for (uint64_t seed = 0; seed < 200; seed++) {
        hr_error err = {0};
        hr_loader *here = NULL;
        fake_gpu_begin(seed);
        hr_loader_options o = on_gpu(seed);
        const uint32_t first = seed % 2; /* without y, no field is delivered from its rows */
        o.fields = fields + first;
        o.num_fields = 3 - first;
        const hr_finish finish[] = {all[0], all[1 + seed / 2 % 2]};
        o.finish = finish;
        o.num_finish = 2;
        cudaStream_t stream = fake_gpu_stream();
        hr_loader *there = fake_gpu_loader(ds, &o, fake_gpu_ops());
        o.device = HR_DEVICE_HOST;
        made_ok(hr_loader_open(ds, &o, &here, &err), &err);
        compare_epochs(there, here, o.num_fields, stream);
        hr_loader_close(here);
        fake_gpu_loader_close(there);
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

/* Three epochs, so that the ring is used again, with seeds until the stand-in says the words, which
 * it must. lazy: the device does nothing before it is waited for. */
static void expect_complaint(const char *words, bool lazy) {
    hr_dataset *ds = made_open("gpu.hrd", &small);
    bool said = false;
    for (uint64_t seed = 0; seed < 50 && !said; seed++) {
        fake_gpu_begin(seed);
        fake_cuda_hold(lazy);
        hr_loader_options o = on_gpu(seed);
        o.num_epochs = 3;
        cudaStream_t stream = fake_gpu_stream();
        hr_loader *l = fake_gpu_loader(ds, &o, &broken);
        for (int i = 0; i < 3; i++)
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
    expect_complaint("check", false);
}

static void loader_gpu__release_ignored__seen(void **state) {
    (void)state;
    broken = *fake_gpu_ops();
    broken.upload_await = no_upload_wait;
    expect_complaint("check", false);
}

static void loader_gpu__rows_reused_too_early__seen(void **state) {
    (void)state;
    broken = *fake_gpu_ops();
    broken.event_wait = no_upload_wait;
    expect_complaint("source", true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader_gpu__any_order_of_work__every_batch_right),
        cmocka_unit_test(loader_gpu__device_at_its_own_pace__every_batch_right),
        cmocka_unit_test(loader_gpu__several_held_on_two_streams__every_batch_right),
        cmocka_unit_test(loader_gpu__finishing__is_the_hosts_bit_for_bit),
        cmocka_unit_test(loader_gpu__report__its_figures_add_up),
        cmocka_unit_test(loader_gpu__stream_does_not_wait__seen),
        cmocka_unit_test(loader_gpu__release_ignored__seen),
        cmocka_unit_test(loader_gpu__rows_reused_too_early__seen),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
