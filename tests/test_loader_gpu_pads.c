/*
 * Padded values of variable length on a GPU, over the stand-in for CUDA: a kernel of the consumer's
 * reads each batch, whatever the order in which the device does its work.
 */
#define _GNU_SOURCE
#include "fake_gpu.h"
#include "varlen_rows.h"

#include "headrace/gpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_SAMPLES 300
#define NUM_SEEDS   200
#define LENGTH      16 /* of tokens, of which the longest has 22: cut off */
#define TOKENS      3
#define BATCH       16

struct check {
    uint32_t num_samples;
    const int32_t *tokens; /* on the GPU */
    const uint8_t *mask;
    uint64_t indices[BATCH];
};

static void check_batch(void *arg) {
    const struct check *c = arg;
    const int32_t *tokens = fake_cuda_read(c->tokens, c->num_samples * LENGTH * sizeof(*tokens));
    const uint8_t *mask = fake_cuda_read(c->mask, c->num_samples * LENGTH);
    for (uint32_t r = 0; r < c->num_samples; r++) {
        int32_t expected[64] = {0};
        const uint64_t n = varlen_length(TOKENS, c->indices[r]) / 4;
        varlen_fill(TOKENS, c->indices[r], (uint8_t *)expected);
        for (uint32_t k = 0; k < LENGTH; k++)
            if (tokens[r * LENGTH + k] != (k < n ? expected[k] : 0) ||
                mask[r * LENGTH + k] != (k < n)) {
                fake_cuda_report("row %u is not that of sample %llu", r,
                                 (unsigned long long)c->indices[r]);
                return;
            }
    }
}

static void launch_check(hr_batch *b, cudaStream_t stream) {
    struct check c = {.num_samples = hr_batch_num_samples(b),
                      .tokens = hr_batch_data_by_name(b, "tokens"),
                      .mask = hr_batch_data_by_name(b, "tokens.mask")};
    made_ok(hr_batch_indices(b, c.indices, NULL), NULL);
    const struct fake_cuda_range reads[] = {{c.tokens, c.num_samples * LENGTH * sizeof(int32_t)},
                                            {c.mask, c.num_samples * LENGTH}};
    fake_cuda_as_user(true);
    (void)fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "check",
                                                              .fn = check_batch,
                                                              .arg = &c,
                                                              .arg_bytes = sizeof c,
                                                              .reads = reads,
                                                              .num_reads = 2});
    fake_cuda_as_user(false);
}

static uint64_t drain(hr_loader *l, cudaStream_t stream) {
    hr_error err = {0};
    hr_batch *b;
    uint64_t n = 0;
    while (hr_loader_next(l, INT64_C(20000000000), &b, &err) == HR_OK) {
        made_ok(hr_batch_wait_on(b, stream, &err), &err);
        launch_check(b, stream);
        n += hr_batch_num_samples(b);
        made_ok(hr_batch_release_on(b, stream, &err), &err);
    }
    return n;
}

static void write_file(const char *path) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_error err = {0};
    hr_writer *w = NULL;
    o.samples_per_chunk = 20;
    o.budget_bytes = (uint64_t)64 << 20;
    made_ok(hr_writer_open(path, varlen_fields, VARLEN_NUM_FIELDS, &o, &w, &err), &err);
    made_ok(varlen_append(w, 0, NUM_SAMPLES, NUM_SAMPLES, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
}

static void loader_gpu__padded_values__every_batch_right(void **state) {
    (void)state;
    char folder[] = "/tmp/hr-gpu-pads-XXXXXX", path[64];
    const char *const names[] = {"tokens", "label"};
    hr_pad pad = HR_PAD_INIT;
    hr_open_options open_options = HR_OPEN_OPTIONS_INIT;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/p.hrd", folder);
    write_file(path);
    open_options.budget_bytes = (uint64_t)64 << 20;
    made_ok(hr_dataset_open(path, &open_options, &ds, &err), &err);
    pad.field = "tokens";
    pad.length = LENGTH;
    pad.flags = HR_PAD_TRUNCATE;
    for (uint64_t seed = 0; seed < NUM_SEEDS; seed++) {
        fake_gpu_begin(seed);
        hr_loader_options o = HR_LOADER_OPTIONS_INIT;
        o.flags = HR_LOADER_SHUFFLE;
        o.batch_samples = BATCH;
        o.window_visits = 4;
        o.seed = seed;
        o.num_epochs = 1;
        o.num_threads = 2;
        o.budget_bytes = (uint64_t)64 << 20;
        o.device = HR_DEVICE_CUDA(0);
        o.fields = names;
        o.num_fields = 2;
        o.pads = &pad;
        o.num_pads = 1;
        cudaStream_t stream = fake_gpu_stream();
        hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
        assert_int_equal(drain(l, stream), NUM_SAMPLES);
        fake_gpu_loader_close(l);
        fake_gpu_stream_destroy(stream);
        fake_gpu_end();
    }
    hr_dataset_close(ds);
    unlink(path);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader_gpu__padded_values__every_batch_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
