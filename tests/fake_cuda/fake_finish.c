/*
 * The kernels of finishing on the stand-in, by their twin on the host; and ranges that nobody looks
 * at. With gpu/cuda/cuda_module.c over it, this is all of the CUDA module.
 */
#include "cuda_ranges.h"
#include "fake_cuda.h"
#include "finish.h"

#include <string.h>

struct work {
    struct hr__finish plan;
    const void *src;
    void *dst;
    struct hr__finish_bad *bad;
    uint64_t num_samples;
};

static const float *table(const float *at, uint32_t channels) {
    return at != NULL ? fake_cuda_read(at, channels * sizeof(*at)) : NULL;
}

static void finish(void *arg) {
    struct work *w = arg;
    const uint64_t elements = w->num_samples * w->plan.sample_elements;
    struct hr__finish_bad found = HR__FINISH_BAD_NONE;
    w->plan.scale = table(w->plan.scale, w->plan.channels);
    w->plan.shift = table(w->plan.shift, w->plan.channels);
    hr__finish_run(
        &w->plan, fake_cuda_read(w->src, elements * w->plan.from_bytes), w->num_samples,
        hr__finish_writes(&w->plan) ? fake_cuda_write(w->dst, elements * w->plan.to_bytes) : NULL,
        &found);
    if (w->plan.check_finite)
        hr__finish_bad_add(fake_cuda_write(w->bad, sizeof(*w->bad)), &found, 0);
}

int hr__finish_launch(const struct hr__finish *f, const void *src, uint64_t num_samples, void *dst,
                      struct hr__finish_bad *bad, void *stream) {
    const struct work work = {*f, src, dst, bad, num_samples};
    const uint64_t elements = num_samples * f->sample_elements;
    struct fake_cuda_range reads[4] = {{src, elements * f->from_bytes}}, writes[2];
    struct fake_cuda_kernel kernel = {
        .name = "finish", .fn = finish, .arg = &work, .arg_bytes = sizeof(work), .num_reads = 1};
    const bool writes_out = hr__finish_writes(f);
    if (elements == 0 || !(writes_out || f->check_finite))
        return cudaSuccess;
    if (f->scale != NULL)
        reads[kernel.num_reads++] = (struct fake_cuda_range){f->scale, f->channels * sizeof(float)};
    if (f->shift != NULL)
        reads[kernel.num_reads++] = (struct fake_cuda_range){f->shift, f->channels * sizeof(float)};
    if (writes_out)
        writes[kernel.num_writes++] = (struct fake_cuda_range){dst, elements * f->to_bytes};
    if (f->check_finite) {
        reads[kernel.num_reads++] = (struct fake_cuda_range){bad, sizeof(*bad)};
        writes[kernel.num_writes++] = (struct fake_cuda_range){bad, sizeof(*bad)};
    }
    kernel.reads = reads;
    kernel.writes = writes;
    return fake_cuda_launch(stream, &kernel);
}

void *hr__cuda_ranges_open(void) {
    return NULL;
}

void hr__cuda_ranges_close(void *ranges) {
    (void)ranges;
}

void hr__cuda_range_begin(void *ranges, const char *name) {
    (void)ranges, (void)name;
}

void hr__cuda_range_end(void *ranges) {
    (void)ranges;
}
