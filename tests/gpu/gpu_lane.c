/*
 * See gpu_lane.h.
 */
#include "gpu_lane.h"

#include <stdlib.h>

#define ALIGN_BYTES   256u
#define NEXT_LIMIT_NS INT64_C(60000000000)
#define LATE_US       300u

static size_t aligned(size_t n_bytes) {
    return (n_bytes / ALIGN_BYTES + 1) * ALIGN_BYTES;
}

static void batch_make(struct lane_batch *b, const struct made *m, size_t samples) {
    const size_t y = aligned(samples * sizeof(int64_t)), x = aligned(samples * m->row_bytes);
    b->memory = gpu_host_alloc(y + x + aligned(samples * m->row_words * sizeof(float)));
    b->y = b->memory;
    b->x = b->y + y;
    b->w = b->x + x;
    b->indices = calloc(samples, sizeof(*b->indices));
    GPU_CHECK(b->indices != NULL, "no memory for indices");
}

void lane_open(struct lane *l, const struct made *m, uint32_t batch_samples, cudaStream_t stream,
               bool own_stream, uint64_t seed) {
    *l = (struct lane){.made = m,
                       .stream = own_stream ? gpu_stream() : stream,
                       .own_stream = own_stream,
                       .most_us = LATE_US,
                       .random = seed};
    for (uint32_t i = 0; i < LANE_DEPTH; i++)
        batch_make(&l->batches[i], m, batch_samples);
}

void lane_close(struct lane *l) {
    lane_settle(l);
    for (uint32_t i = 0; i < LANE_DEPTH; i++) {
        gpu_host_free(l->batches[i].memory);
        free(l->batches[i].indices);
    }
    if (l->own_stream)
        GPU_CALL(cudaStreamDestroy(l->stream));
}

static void copy_back(struct lane *l, void *dst, const hr_batch *b, const char *field,
                      size_t n_bytes) {
    const void *src = hr_batch_data_by_name(b, field);
    GPU_CHECK(src != NULL, "the batch has no field %s", field);
    GPU_CHECK((uintptr_t)src % ALIGN_BYTES == 0, "field %s is at %p", field, src);
    GPU_CALL(cudaMemcpyAsync(dst, src, n_bytes, cudaMemcpyDeviceToHost, l->stream));
}

void lane_use(struct lane *l, hr_batch *b) {
    struct lane_batch *to = &l->batches[l->num_queued++];
    const struct made *m = l->made;
    const size_t n = hr_batch_num_samples(b);
    hr_error err = {0};
    to->num_samples = (uint32_t)n;
    made_ok(hr_batch_indices(b, to->indices, &err), &err);
    made_ok(hr_batch_wait_on(b, l->stream, &err), &err);
    if (gpu_random(&l->random) % 2 == 0)
        GPU_CALL(gpu_delay(l->stream, (uint32_t)(gpu_random(&l->random) % l->most_us)));
    copy_back(l, to->y, b, "y", n * sizeof(int64_t));
    copy_back(l, to->x, b, "x", n * m->row_bytes);
    if (m->row_words > 0)
        copy_back(l, to->w, b, "w", n * m->row_words * sizeof(float));
    made_ok(hr_batch_release_on(b, l->stream, &err), &err);
    if (l->num_queued == LANE_DEPTH)
        lane_settle(l);
}

static void row_check(const struct made *m, const struct lane_batch *b, size_t row) {
    const uint64_t sample = b->indices[row];
    const int64_t *y = (const int64_t *)(const void *)b->y;
    const float *w = (const float *)(const void *)b->w;
    GPU_CHECK(y[row] == (int64_t)sample, "row %zu has y %lld, and is sample %llu", row,
              (long long)y[row], (unsigned long long)sample);
    for (uint32_t k = 0; k < m->row_bytes; k++)
        GPU_CHECK(b->x[row * m->row_bytes + k] == made_byte(sample, k),
                  "byte %u of x in row %zu is not that of sample %llu", k, row,
                  (unsigned long long)sample);
    for (uint32_t k = 0; k < m->row_words; k++)
        GPU_CHECK(w[row * m->row_words + k] == made_word(sample, k),
                  "value %u of w in row %zu is not that of sample %llu", k, row,
                  (unsigned long long)sample);
}

void lane_settle(struct lane *l) {
    GPU_CALL(cudaStreamSynchronize(l->stream));
    for (uint32_t i = 0; i < l->num_queued; i++) {
        const struct lane_batch *b = &l->batches[i];
        for (uint32_t row = 0; row < b->num_samples; row++)
            row_check(l->made, b, row);
        l->num_samples += b->num_samples;
    }
    l->num_queued = 0;
}

hr_status lane_take(struct lane *l, hr_loader *loader, hr_error *err) {
    hr_batch *b = NULL;
    const hr_status st = hr_loader_next(loader, NEXT_LIMIT_NS, &b, err);
    GPU_CHECK(st != HR_TIMEOUT, "no batch came within a minute");
    if (st == HR_OK)
        lane_use(l, b);
    return st;
}

uint64_t lane_epoch(struct lane *l, hr_loader *loader) {
    hr_error err = {0};
    hr_status st;
    const uint64_t before = l->num_samples;
    do
        st = lane_take(l, loader, &err);
    while (st == HR_OK);
    made_ok(st == HR_END_OF_EPOCH ? HR_OK : st, &err);
    lane_settle(l);
    return l->num_samples - before;
}

hr_loader *lane_loader(hr_dataset *ds, const hr_loader_options *o) {
    hr_error err = {0};
    hr_loader *loader = NULL;
    made_ok(hr_loader_open(ds, o, &loader, &err), &err);
    return loader;
}
