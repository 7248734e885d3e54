/*
 * See fake_gpu.h.
 */
#include "fake_gpu.h"

#include "loader.h"

#include "headrace/gpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern hr__gpu_module_fn headrace_gpu_module;

const struct hr__gpu_ops *fake_gpu_ops(void) {
    return headrace_gpu_module(HR__GPU_ABI);
}

void fake_gpu_begin(uint64_t seed) {
    struct fake_cuda_config config = FAKE_CUDA_CONFIG_INIT;
    config.seed = seed;
    fake_cuda_begin(&config);
    fake_cuda_may_wait_named("hr-upload");
}

hr_loader *fake_gpu_loader(hr_dataset *ds, const hr_loader_options *o,
                           const struct hr__gpu_ops *ops) {
    const struct hr__loader_setup setup = {.gpu = ops};
    hr_error err = {0};
    hr_loader *l = NULL;
    made_ok(hr__loader_open(ds, o, &setup, &l, &err), &err);
    fake_cuda_steady(true);
    return l;
}

void fake_gpu_loader_close(hr_loader *l) {
    fake_cuda_steady(false);
    hr_loader_close(l);
}

void fake_gpu_end(void) {
    if (fake_cuda_end() != 0) {
        fake_cuda_print(stderr);
        fail_msg("the stand-in for CUDA has complained");
    }
}

cudaStream_t fake_gpu_stream(void) {
    cudaStream_t stream;
    fake_cuda_as_user(true);
    assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    fake_cuda_as_user(false);
    return stream;
}

void fake_gpu_stream_destroy(cudaStream_t stream) {
    fake_cuda_as_user(true);
    (void)cudaStreamDestroy(stream); /* a device that has failed says so here, too */
    fake_cuda_as_user(false);
}

struct check {
    struct made m;
    uint32_t num_samples;
    const uint8_t *y, *x, *w; /* on the GPU */
    uint64_t indices[];
};

static bool row_right(const struct check *c, uint32_t i, const int64_t *y, const uint8_t *x,
                      const float *w) {
    const uint64_t sample = c->indices[i];
    bool right = y[i] == (int64_t)sample;
    for (uint32_t k = 0; k < c->m.row_bytes; k++)
        right = right && x[(size_t)i * c->m.row_bytes + k] == made_byte(sample, k);
    for (uint32_t k = 0; k < c->m.row_words; k++)
        right = right && w[(size_t)i * c->m.row_words + k] == made_word(sample, k);
    return right;
}

static void check_batch(void *arg) {
    struct check *c = arg;
    const int64_t *y = fake_cuda_read(c->y, c->num_samples * sizeof(*y));
    const uint8_t *x = fake_cuda_read(c->x, (size_t)c->num_samples * c->m.row_bytes);
    const float *w = c->m.row_words > 0
                         ? fake_cuda_read(c->w, c->num_samples * c->m.row_words * sizeof(*w))
                         : NULL;
    for (uint32_t i = 0; i < c->num_samples; i++)
        if (!row_right(c, i, y, x, w)) {
            fake_cuda_report("row %u is not that of sample %llu", i,
                             (unsigned long long)c->indices[i]);
            break;
        }
}

void fake_gpu_check(hr_batch *b, const struct made *m, cudaStream_t stream) {
    const uint32_t n = hr_batch_num_samples(b);
    const size_t n_bytes = sizeof(struct check) + n * sizeof(uint64_t);
    struct check *c = calloc(1, n_bytes);
    assert_non_null(c);
    *c = (struct check){*m, n, hr_batch_data_by_name(b, "y"), hr_batch_data_by_name(b, "x"),
                        m->row_words > 0 ? hr_batch_data_by_name(b, "w") : NULL};
    made_ok(hr_batch_indices(b, c->indices, NULL), NULL);
    const struct fake_cuda_range reads[] = {{c->y, n * sizeof(int64_t)},
                                            {c->x, (size_t)n * m->row_bytes},
                                            {c->w, n * m->row_words * sizeof(float)}};
    fake_cuda_as_user(true);
    (void)fake_cuda_launch(stream,
                           &(struct fake_cuda_kernel){.name = "check",
                                                      .fn = check_batch,
                                                      .arg = c,
                                                      .arg_bytes = n_bytes,
                                                      .reads = reads,
                                                      .num_reads = m->row_words > 0 ? 3 : 2});
    fake_cuda_as_user(false);
    free(c);
}

uint64_t fake_gpu_drain(hr_loader *l, const struct made *m, cudaStream_t stream) {
    hr_error err = {0};
    hr_batch *b;
    uint64_t n = 0;
    hr_status st;
    while ((st = hr_loader_next(l, INT64_C(20000000000), &b, &err)) == HR_OK) {
        made_ok(hr_batch_wait_on(b, stream, &err), &err);
        fake_gpu_check(b, m, stream);
        n += hr_batch_num_samples(b);
        made_ok(hr_batch_release_on(b, stream, &err), &err);
    }
    assert_int_equal(st, HR_END_OF_EPOCH);
    return n;
}
