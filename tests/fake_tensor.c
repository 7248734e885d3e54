/*
 * See fake_tensor.h.
 */
#include "fake_tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct made fake_tensor_rows = {.num_samples = 500,
                                      .samples_per_chunk = 23,
                                      .row_bytes = 37,
                                      .row_words = 3,
                                      .codec = HR_CODEC_ZSTD};

hr_loader_options fake_tensor_options(uint64_t seed) {
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    o.window_visits = 4;
    o.seed = seed;
    o.device = HR_DEVICE_CUDA(0);
    o.device_slots = 2 + (uint32_t)(seed % 3);
    o.num_epochs = 1;
    return o;
}

uint32_t fake_tensor_random(uint32_t *r) {
    *r = *r * 1664525u + 1013904223u;
    return *r >> 8;
}

hr_batch *fake_tensor_next(hr_loader *l) {
    hr_error err = {0};
    hr_batch *b = NULL;
    made_ok(hr_loader_next(l, FAKE_TENSOR_WAIT_NS, &b, &err), &err);
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
    for (uint32_t k = 0; field == 1 && k < fake_tensor_rows.row_bytes; k++)
        right = right && x[k] == made_byte(sample, k);
    for (uint32_t k = 0; field == 2 && k < fake_tensor_rows.row_words; k++)
        right = right && w[k] == made_word(sample, k);
    return right;
}

static uint32_t row_bytes(uint32_t field) {
    return field == 0   ? 8
           : field == 1 ? fake_tensor_rows.row_bytes
                        : 4 * fake_tensor_rows.row_words;
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

/* ---- tensors ---- */

void fake_tensor_look(const struct fake_tensor *k) {
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

/* Where kernels go for a stream of hr_batch_dlpack(). */
static cudaStream_t stream_of(int64_t stream, cudaStream_t of_user) {
    switch (stream) {
    case HR_DLPACK_STREAM_DEFAULT:
        return NULL;
    case HR_DLPACK_STREAM_LEGACY:
        return cudaStreamLegacy;
    case HR_DLPACK_STREAM_PER_THREAD:
        return cudaStreamPerThread;
    default:
        return of_user;
    }
}

struct fake_tensor fake_tensor_export(hr_batch *b, uint32_t field, int64_t stream,
                                      cudaStream_t of_user) {
    hr_error err = {0};
    struct fake_tensor k = {.stream = stream_of(stream, of_user), .field = field};
    made_ok(hr_batch_indices(b, k.indices, &err), &err);
    made_ok(hr_batch_dlpack(b, field, stream, &k.tensor, &err), &err);
    if (stream == HR_DLPACK_STREAM_NONE)
        made_ok(hr_batch_wait_on(b, of_user, &err), &err);
    assert_ptr_equal(k.tensor->tensor.data, hr_batch_data(b, field));
    assert_int_equal(k.tensor->tensor.device.kind, HR__DL_CUDA);
    return k;
}

void fake_tensor_delete(struct fake_tensor *k) {
    hr_dlpack_delete(k->tensor);
    k->tensor = NULL;
}

struct fake_tensor_streams fake_tensor_streams_make(void) {
    struct fake_tensor_streams s = {.apart = fake_gpu_stream()};
    fake_cuda_as_user(true);
    assert_int_equal(cudaStreamCreate(&s.blocking), cudaSuccess);
    fake_cuda_as_user(false);
    return s;
}

void fake_tensor_streams_destroy(struct fake_tensor_streams s) {
    fake_gpu_stream_destroy(s.apart);
    fake_gpu_stream_destroy(s.blocking);
}

struct fake_tensor fake_tensor_export_any(hr_batch *b, struct fake_tensor_streams s,
                                          uint32_t *random) {
    const uint32_t field = fake_tensor_random(random) % 3;
    const int64_t way = (int64_t)(fake_tensor_random(random) % 5) - 1;
    if (way < 3)
        return fake_tensor_export(b, field, way, s.blocking);
    return fake_tensor_export(b, field, (int64_t)(intptr_t)s.apart, s.apart);
}
