/*
 * Loaders on a GPU: every byte of every batch, over orders, ends of epochs, streams and loaders
 * side by side; resuming, and closing at any moment. gpu_loader [--probe | WORDS]: --probe only
 * says whether there is a GPU.
 */
#include "gpu_lane.h"

#include <string.h>

static const struct made small = {.num_samples = 1500,
                                  .samples_per_chunk = 23,
                                  .row_bytes = 37,
                                  .row_words = 3,
                                  .codec = HR_CODEC_ZSTD};
static const struct made large = {.num_samples = 3000,
                                  .samples_per_chunk = 64,
                                  .row_bytes = 4001,
                                  .row_words = 129,
                                  .codec = HR_CODEC_RAW};

static hr_loader_options on_gpu(uint32_t batch_samples, uint64_t seed) {
    hr_loader_options o = made_shuffled(batch_samples, HR_IO_CACHED, 0);
    o.window_visits = 8;
    o.seed = seed;
    o.device = HR_DEVICE_CUDA(0);
    return o;
}

static void check_epochs(hr_dataset *ds, const struct made *m, const hr_loader_options *o,
                         uint64_t expected) {
    struct lane lane;
    hr_loader *loader = lane_loader(ds, o);
    lane_open(&lane, m, o->batch_samples, NULL, true, o->seed);
    for (uint64_t epoch = 0; epoch < o->num_epochs; epoch++) {
        const uint64_t came = lane_epoch(&lane, loader);
        GPU_CHECK(came == expected, "%llu samples came, expected %llu", (unsigned long long)came,
                  (unsigned long long)expected);
    }
    lane_close(&lane);
    hr_loader_close(loader);
}

static void loader__any_order_and_end__every_byte_right(void) {
    static const uint32_t ends[] = {0, HR_LOADER_DROP_LAST, HR_LOADER_PAD_LAST};
    hr_dataset *ds = made_open("orders.hrd", &small);
    for (uint32_t i = 0; i < 24; i++) {
        hr_loader_options o = on_gpu(16 + 13 * (i % 4), i);
        const uint64_t whole = small.num_samples / o.batch_samples * o.batch_samples;
        const uint64_t expected[] = {small.num_samples, whole, whole + o.batch_samples};
        o.flags = ends[i % 3] | (i % 2 == 0 ? HR_LOADER_SHUFFLE : 0);
        o.device_slots = 3 + i % 3;
        o.num_epochs = 2;
        check_epochs(ds, &small, &o, small.num_samples == whole ? whole : expected[i % 3]);
    }
    hr_dataset_close(ds);
}

static void loader__large_batches__every_byte_right(void) {
    hr_dataset *ds = made_open("large.hrd", &large);
    for (uint32_t slots = 2; slots <= 4; slots++) {
        hr_loader_options o = on_gpu(256, slots);
        o.max_held_batches = 1;
        o.device_slots = slots;
        o.num_epochs = 3;
        check_epochs(ds, &large, &o, large.num_samples);
    }
    hr_dataset_close(ds);
}

static void loader__read_by_threads__every_byte_right(void) {
    hr_dataset *ds = made_open("threads.hrd", &large);
    hr_loader_options o = on_gpu(100, 5);
    o.io = HR_IO_THREADS;
    check_epochs(ds, &large, &o, large.num_samples);
    hr_dataset_close(ds);
}

static void check_on_stream(cudaStream_t stream) {
    hr_dataset *ds = made_open("streams.hrd", &small);
    const hr_loader_options o = on_gpu(32, 9);
    struct lane lane;
    hr_loader *loader = lane_loader(ds, &o);
    lane_open(&lane, &small, o.batch_samples, stream, false, 9);
    GPU_CHECK(lane_epoch(&lane, loader) == small.num_samples, "samples are missing");
    lane_close(&lane);
    hr_loader_close(loader);
    hr_dataset_close(ds);
}

static void loader__default_streams__every_byte_right(void) {
    check_on_stream(cudaStreamPerThread);
    check_on_stream(cudaStreamLegacy);
    check_on_stream(NULL);
}

static void loader__two_streams_in_turn__every_byte_right(void) {
    hr_dataset *ds = made_open("two.hrd", &large);
    hr_loader_options o = on_gpu(200, 3);
    struct lane lanes[2];
    hr_error err = {0};
    hr_status st = HR_OK;
    o.max_held_batches = 2;
    hr_loader *loader = lane_loader(ds, &o);
    for (uint32_t i = 0; i < 2; i++)
        lane_open(&lanes[i], &large, o.batch_samples, NULL, true, i);
    for (uint32_t i = 0; st == HR_OK; i = 1 - i)
        st = lane_take(&lanes[i], loader, &err);
    for (uint32_t i = 0; i < 2; i++)
        lane_settle(&lanes[i]);
    GPU_CHECK(lanes[0].num_samples + lanes[1].num_samples == large.num_samples, "%s", err.message);
    for (uint32_t i = 0; i < 2; i++)
        lane_close(&lanes[i]);
    hr_loader_close(loader);
    hr_dataset_close(ds);
}

static void loader__two_loaders_side_by_side__every_byte_right(void) {
    hr_dataset *ds = made_open("both.hrd", &large);
    struct lane lanes[2];
    hr_loader *loaders[2];
    hr_status st[2] = {HR_OK, HR_OK};
    hr_error err = {0};
    for (uint32_t i = 0; i < 2; i++) {
        const hr_loader_options o = on_gpu(128, i);
        loaders[i] = lane_loader(ds, &o);
        lane_open(&lanes[i], &large, o.batch_samples, NULL, true, i);
    }
    for (uint32_t i = 0; st[0] == HR_OK || st[1] == HR_OK; i = 1 - i)
        if (st[i] == HR_OK)
            st[i] = lane_take(&lanes[i], loaders[i], &err);
    for (uint32_t i = 0; i < 2; i++) {
        GPU_CHECK(st[i] == HR_END_OF_EPOCH, "loader %u: %s", i, err.message);
        lane_settle(&lanes[i]);
        GPU_CHECK(lanes[i].num_samples == large.num_samples, "loader %u lacks samples", i);
        lane_close(&lanes[i]);
        hr_loader_close(loaders[i]);
    }
    hr_dataset_close(ds);
}

/* The stream is waited for before the batch is given back without one. */
static void loader__released_by_the_host__every_byte_right(void) {
    hr_dataset *ds = made_open("host.hrd", &small);
    const hr_loader_options o = on_gpu(16, 11);
    hr_loader *loader = lane_loader(ds, &o);
    cudaStream_t stream = gpu_stream();
    int64_t *y = gpu_host_alloc(16 * sizeof(*y));
    uint64_t indices[16];
    hr_batch *b = NULL;
    hr_error err = {0};
    while (hr_loader_next(loader, -1, &b, &err) == HR_OK) {
        const uint32_t n = hr_batch_num_samples(b);
        made_ok(hr_batch_indices(b, indices, &err), &err);
        made_ok(hr_batch_wait_on(b, stream, &err), &err);
        GPU_CALL(cudaMemcpyAsync(y, hr_batch_data_by_name(b, "y"), n * sizeof(*y),
                                 cudaMemcpyDeviceToHost, stream));
        GPU_CALL(cudaStreamSynchronize(stream));
        hr_batch_release(b);
        GPU_CHECK(memcmp(y, indices, n * sizeof(*y)) == 0, "labels are not those of the samples");
    }
    hr_loader_close(loader);
    gpu_host_free(y);
    GPU_CALL(cudaStreamDestroy(stream));
    hr_dataset_close(ds);
}

static void loader__resumed__goes_on_with_the_next_batch(void) {
    hr_dataset *ds = made_open("resumed.hrd", &small);
    uint8_t state[HR_LOADER_STATE_BYTES];
    size_t state_bytes = 0;
    hr_loader_options o = on_gpu(50, 21);
    struct lane lane;
    hr_error err = {0};
    hr_loader *loader = lane_loader(ds, &o);
    lane_open(&lane, &small, o.batch_samples, NULL, true, 21);
    for (int i = 0; i < 7; i++)
        made_ok(lane_take(&lane, loader, &err), &err);
    made_ok(hr_loader_state(loader, state, sizeof(state), &state_bytes, &err), &err);
    lane_settle(&lane);
    hr_loader_close(loader);
    o.resume_state = state;
    o.resume_state_bytes = state_bytes;
    loader = lane_loader(ds, &o);
    GPU_CHECK(lane_epoch(&lane, loader) == small.num_samples - 7 * 50, "not all samples are left");
    lane_close(&lane);
    hr_loader_close(loader);
    hr_dataset_close(ds);
}

/* Uploads are on their way, batches are held, and work is on the stream. */
static void loader__closed_at_any_moment__drains(void) {
    hr_dataset *ds = made_open("closed.hrd", &large);
    uint64_t random = 1;
    for (uint32_t round = 0; round < 40; round++) {
        const hr_loader_options o = on_gpu(64 + 64 * (round % 3), round);
        struct lane lane;
        hr_batch *held = NULL;
        hr_error err = {0};
        hr_loader *loader = lane_loader(ds, &o);
        lane_open(&lane, &large, o.batch_samples, NULL, true, round);
        for (uint64_t i = gpu_random(&random) % 6; i > 0; i--)
            made_ok(lane_take(&lane, loader, &err), &err);
        if (round % 3 == 1)
            made_ok(hr_loader_next(loader, -1, &held, &err), &err);
        hr_loader_close(loader);
        lane_close(&lane);
    }
    hr_dataset_close(ds);
}

static void loader__described__has_its_gpu(void) {
    hr_dataset *ds = made_open("described.hrd", &small);
    const hr_loader_options o = on_gpu(16, 1);
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {0};
    hr_loader *loader = lane_loader(ds, &o);
    made_ok(hr_loader_describe(loader, &info, &err), &err);
    GPU_CHECK(info.device == HR_DEVICE_CUDA(0) && info.device_slots >= 2, "%u slots",
              info.device_slots);
    GPU_CHECK(info.device_bytes > 0 && info.pinned == 1, "nothing is reserved or pinned");
    GPU_CHECK(info.device_name[0] != '\0', "the GPU has no name");
    hr_loader_close(loader);
    hr_dataset_close(ds);
}

int main(int argc, char **argv) {
    static const struct gpu_case cases[] = {
        GPU_CASE(loader__described__has_its_gpu),
        GPU_CASE(loader__any_order_and_end__every_byte_right),
        GPU_CASE(loader__large_batches__every_byte_right),
        GPU_CASE(loader__read_by_threads__every_byte_right),
        GPU_CASE(loader__default_streams__every_byte_right),
        GPU_CASE(loader__two_streams_in_turn__every_byte_right),
        GPU_CASE(loader__two_loaders_side_by_side__every_byte_right),
        GPU_CASE(loader__released_by_the_host__every_byte_right),
        GPU_CASE(loader__resumed__goes_on_with_the_next_batch),
        GPU_CASE(loader__closed_at_any_moment__drains),
    };
    const char *words = argc > 1 ? argv[1] : NULL;
    if (!gpu_is_there())
        return GPU_SKIPPED;
    if (words != NULL && strcmp(words, "--probe") == 0)
        return 0;
    const int failed = gpu_cases_run(cases, sizeof(cases) / sizeof(cases[0]), words);
    made_cleanup();
    return failed;
}
