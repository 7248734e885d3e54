/*
 * Loaders that finish on a GPU against the same on the host: every byte of every field, and what
 * the check has found, of each batch and of all of them.
 */
#define _GNU_SOURCE
#include "gpu_case.h"

#include "made_dataset.h"

#include <string.h>
#include <unistd.h>

#define SAMPLES    700u
#define BATCH      48u
#define NUM_FIELDS 4u
#define MOST_BYTES (BATCH * 8u * 4096u)

static const uint64_t image[] = {20, 30, 3}, row[] = {257}, wide[] = {7, 11, 5};
static const hr_field fields[NUM_FIELDS] = {
    {.name = "image", .dtype = HR_UINT8, .rank = 3, .shape = image},
    {.name = "row", .dtype = HR_FLOAT32, .rank = 1, .shape = row},
    {.name = "wide", .dtype = HR_FLOAT64, .rank = 3, .shape = wide},
    {.name = "plain", .dtype = HR_INT16, .rank = 1, .shape = row},
};
static const float scale[] = {0.017f, 0.018f, 0.0171f}, shift[] = {-2.1f, -2.0f, -1.8f};

/* Any bits: NaN and infinities are among the floating-point numbers. */
static void data_write(const char *path) {
    static uint8_t bytes[NUM_FIELDS][7 * 11 * 5 * 8 + 20 * 30 * 3];
    const void *columns[NUM_FIELDS];
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *writer = NULL;
    hr_error err = {0};
    uint64_t random = 5;
    o.flags = HR_WRITER_REPLACE;
    o.samples_per_chunk = 16;
    made_ok(hr_writer_open(path, fields, NUM_FIELDS, &o, &writer, &err), &err);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        for (uint32_t k = 0; k < NUM_FIELDS; k++) {
            columns[k] = bytes[k];
            for (size_t at = 0; at < sizeof(bytes[k]); at++)
                bytes[k][at] = (uint8_t)(gpu_random(&random) >> 40);
        }
        made_ok(hr_writer_append(writer, 1, columns, &err), &err);
    }
    made_ok(hr_writer_commit(writer, &err), &err);
    hr_writer_close(writer);
}

static hr_loader *finishing(hr_dataset *ds, uint32_t device) {
    hr_loader_options o = made_shuffled(BATCH, HR_IO_CACHED, 0);
    hr_finish finish[3] = {HR_FINISH_INIT, HR_FINISH_INIT, HR_FINISH_INIT};
    hr_loader *loader = NULL;
    hr_error err = {0};
    finish[0].field = "image";
    finish[0].dtype = HR_FLOAT16;
    finish[0].flags = HR_FINISH_CHW;
    finish[0].num_channels = 3;
    finish[0].scale = scale;
    finish[0].shift = shift;
    finish[1].field = "row"; /* where it lies */
    finish[1].flags = HR_FINISH_CHECK_FINITE;
    finish[2].field = "wide";
    finish[2].dtype = HR_BFLOAT16;
    finish[2].flags = HR_FINISH_CHW | HR_FINISH_CHECK_FINITE;
    o.finish = finish;
    o.num_finish = 3;
    o.window_visits = 6;
    o.num_epochs = 2;
    o.device = device;
    made_ok(hr_loader_open(ds, &o, &loader, &err), &err);
    return loader;
}

static void compare_field(const hr_batch *host, const hr_batch *gpu, uint32_t field,
                          cudaStream_t stream, uint8_t *back) {
    hr_field as_host, as_gpu;
    hr_error err = {0};
    made_ok(hr_batch_field(host, field, &as_host, &err), &err);
    made_ok(hr_batch_field(gpu, field, &as_gpu, &err), &err);
    GPU_CHECK(as_host.dtype == as_gpu.dtype && as_host.rank == as_gpu.rank, "field %u differs",
              field);
    size_t n_bytes = (size_t)hr_batch_num_samples(host) * hr_dtype_bytes(as_host.dtype);
    for (uint32_t i = 0; i < as_host.rank; i++)
        n_bytes *= as_host.shape[i];
    GPU_CHECK(n_bytes <= MOST_BYTES, "field %u is too large", field);
    GPU_CALL(
        cudaMemcpyAsync(back, hr_batch_data(gpu, field), n_bytes, cudaMemcpyDeviceToHost, stream));
    GPU_CALL(cudaStreamSynchronize(stream));
    GPU_CHECK(memcmp(back, hr_batch_data(host, field), n_bytes) == 0, "%s of batch %llu differs",
              as_host.name, (unsigned long long)hr_batch_number(host));
}

/* What the GPU's check has found comes a little after the batches. */
static hr_bad_values found_at_last(hr_loader *loader, uint32_t field, const hr_bad_values *wanted) {
    hr_bad_values found = {.struct_bytes = sizeof(found)};
    hr_error err = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        made_ok(hr_loader_bad_values(loader, field, &found, &err), &err);
        if (found.num_nan >= wanted->num_nan && found.num_inf >= wanted->num_inf)
            break;
        usleep(1000);
    }
    return found;
}

static void compare_found(hr_loader *host, hr_loader *gpu) {
    for (uint32_t field = 1; field <= 2; field++) {
        hr_bad_values a = {.struct_bytes = sizeof(a)};
        hr_error err = {0};
        made_ok(hr_loader_bad_values(host, field, &a, &err), &err);
        const hr_bad_values b = found_at_last(gpu, field, &a);
        GPU_CHECK(a.num_nan > 0, "there is nothing to find");
        GPU_CHECK(memcmp(&a, &b, sizeof(a)) == 0,
                  "field %u: %llu NaN, %llu infinite, first sample %llu; expected %llu, %llu, %llu",
                  field, (unsigned long long)b.num_nan, (unsigned long long)b.num_inf,
                  (unsigned long long)b.first_sample, (unsigned long long)a.num_nan,
                  (unsigned long long)a.num_inf, (unsigned long long)a.first_sample);
    }
}

/* Batches are taken from both until both end an epoch; how many. */
static uint32_t compare_epoch(hr_loader *host, hr_loader *gpu, cudaStream_t stream, uint8_t *back) {
    hr_batch *a = NULL, *b = NULL;
    hr_error err = {0};
    hr_status st;
    uint32_t num_batches = 0;
    while ((st = hr_loader_next(host, -1, &a, &err)) == HR_OK) {
        made_ok(hr_loader_next(gpu, INT64_C(60000000000), &b, &err), &err);
        made_ok(hr_batch_wait_on(b, stream, &err), &err);
        for (uint32_t field = 0; field < NUM_FIELDS; field++)
            compare_field(a, b, field, stream, back);
        hr_batch_release(a);
        made_ok(hr_batch_release_on(b, stream, &err), &err);
        num_batches++;
    }
    GPU_CHECK(st == HR_END_OF_EPOCH, "%s", err.message);
    GPU_CHECK(hr_loader_next(gpu, -1, &b, &err) == HR_END_OF_EPOCH, "the GPU has more batches");
    return num_batches;
}

static void finished__on_the_gpu__is_what_the_host_makes(void) {
    hr_dataset *ds = NULL;
    hr_error err = {0};
    cudaStream_t stream = gpu_stream();
    uint8_t *back = gpu_host_alloc(MOST_BYTES);
    data_write(made_path("finished.hrd"));
    made_ok(hr_dataset_open(made_path("finished.hrd"), NULL, &ds, &err), &err);
    hr_loader *host = finishing(ds, HR_DEVICE_HOST);
    hr_loader *gpu = finishing(ds, HR_DEVICE_CUDA(0));
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        const uint32_t num_batches = compare_epoch(host, gpu, stream, back);
        GPU_CHECK(num_batches == (SAMPLES + BATCH - 1) / BATCH, "%u batches", num_batches);
    }
    compare_found(host, gpu);
    hr_loader_close(host);
    hr_loader_close(gpu);
    hr_dataset_close(ds);
    gpu_host_free(back);
    GPU_CALL(cudaStreamDestroy(stream));
}

int main(int argc, char **argv) {
    static const struct gpu_case cases[] = {GPU_CASE(finished__on_the_gpu__is_what_the_host_makes)};
    if (!gpu_is_there())
        return GPU_SKIPPED;
    const int failed = gpu_cases_run(cases, 1, argc > 1 ? argv[1] : NULL);
    made_cleanup();
    return failed;
}
