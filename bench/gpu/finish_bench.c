/*
 * The kernels of finishing against the bandwidth of the GPU's memory: bytes read and written, as a
 * share of those that a copy on the GPU moves, in the same round. finish_bench [--quick]; JSON.
 */
#include "finish.h"
#include "gpu_clock.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS  7u
#define REPEATS 20u

struct subject {
    const char *name;
    struct hr__finish plan;
    bool has_tables;
    struct figure rate, share; /* bytes a second */
};

#define IMAGE(plane, depth)                                                                        \
    .plane_elements = (plane), .channels = (depth), .sample_elements = (uint64_t)(plane) * (depth)
#define TYPES(f, f_bytes, t, t_bytes)                                                              \
    .from = (f), .to = (t), .from_bytes = (f_bytes), .to_bytes = (t_bytes)

static struct subject subjects[] = {
    {.name = "uint8 (224, 224, 3) to float16 (3, 224, 224), scaled",
     .plan = {TYPES(HR_UINT8, 1, HR_FLOAT16, 2), IMAGE(224 * 224, 3), .to_chw = true},
     .has_tables = true},
    {.name = "uint8 (224, 224, 3) to float32 (3, 224, 224), scaled",
     .plan = {TYPES(HR_UINT8, 1, HR_FLOAT32, 4), IMAGE(224 * 224, 3), .to_chw = true},
     .has_tables = true},
    {.name = "uint8 to float32", .plan = {TYPES(HR_UINT8, 1, HR_FLOAT32, 4), IMAGE(4096, 1)}},
    {.name = "uint8 to float16, checked",
     .plan = {TYPES(HR_UINT8, 1, HR_FLOAT16, 2), IMAGE(4096, 1), .check_finite = true}},
    {.name = "float32 to bfloat16", .plan = {TYPES(HR_FLOAT32, 4, HR_BFLOAT16, 2), IMAGE(4096, 1)}},
    {.name = "float32 to float16, checked",
     .plan = {TYPES(HR_FLOAT32, 4, HR_FLOAT16, 2), IMAGE(4096, 1), .check_finite = true}},
    {.name = "float64 to float32", .plan = {TYPES(HR_FLOAT64, 8, HR_FLOAT32, 4), IMAGE(4096, 1)}},
    {.name = "float32, only checked (read)",
     .plan = {TYPES(HR_FLOAT32, 4, HR_FLOAT32, 4), IMAGE(4096, 1), .check_finite = true}},
    {.name = "float32 (56, 56, 64) to (64, 56, 56)",
     .plan = {TYPES(HR_FLOAT32, 4, HR_FLOAT32, 4), IMAGE(56 * 56, 64), .to_chw = true}},
};
#define NUM_SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

struct memory {
    size_t half_bytes;
    uint8_t *src, *dst;
    float *tables; /* of three channels: scales, then shifts */
    struct hr__finish_bad *bad;
    cudaStream_t stream;
    struct stopwatch watch;
};

static void *gpu_alloc(size_t n_bytes) {
    void *p;
    GPU_CALL(cudaMalloc(&p, n_bytes));
    return p;
}

static void memory_make(struct memory *m, size_t half_bytes) {
    const float tables[6] = {0.017f, 0.0175f, 0.0174f, -2.1f, -2.0f, -1.8f};
    m->half_bytes = half_bytes;
    m->stream = gpu_stream();
    m->src = gpu_alloc(half_bytes);
    m->dst = gpu_alloc(half_bytes);
    m->tables = gpu_alloc(sizeof(tables));
    m->bad = gpu_alloc(sizeof(*m->bad));
    GPU_CALL(cudaMemcpy(m->tables, tables, sizeof(tables), cudaMemcpyHostToDevice));
    GPU_CALL(cudaDeviceSynchronize());
    GPU_CALL(cudaMemsetAsync(m->src, 0x3c, half_bytes, m->stream)); /* finite in every type */
    GPU_CALL(cudaMemsetAsync(m->dst, 0, half_bytes, m->stream));
    GPU_CALL(cudaMemsetAsync(m->bad, 0, sizeof(*m->bad), m->stream));
    GPU_CALL(cudaStreamSynchronize(m->stream));
    stopwatch_make(&m->watch);
}

static void memory_free(struct memory *m) {
    stopwatch_free(&m->watch);
    GPU_CALL(cudaFree(m->src));
    GPU_CALL(cudaFree(m->dst));
    GPU_CALL(cudaFree(m->tables));
    GPU_CALL(cudaFree(m->bad));
    GPU_CALL(cudaStreamDestroy(m->stream));
}

/* Bytes read and written a second by a copy. */
static double copy_rate(struct memory *m) {
    stopwatch_begin(&m->watch, m->stream);
    for (uint32_t i = 0; i < REPEATS; i++)
        GPU_CALL(
            cudaMemcpyAsync(m->dst, m->src, m->half_bytes, cudaMemcpyDeviceToDevice, m->stream));
    return 2e9 * REPEATS * (double)m->half_bytes / stopwatch_end_ns(&m->watch, m->stream);
}

static void launch(struct memory *m, const struct hr__finish *plan, uint64_t num_samples) {
    GPU_CALL((cudaError_t)hr__finish_launch(plan, m->src, num_samples, m->dst, m->bad, m->stream));
}

static double finish_rate(struct memory *m, const struct subject *s) {
    struct hr__finish plan = s->plan;
    const uint32_t larger = plan.from_bytes > plan.to_bytes ? plan.from_bytes : plan.to_bytes;
    const uint64_t num_samples = m->half_bytes / (plan.sample_elements * larger);
    const uint64_t each = plan.from_bytes + (hr__finish_writes(&plan) ? plan.to_bytes : 0);
    GPU_CHECK(num_samples > 0, "%s: a sample is too large", s->name);
    plan.scale = s->has_tables ? m->tables : NULL;
    plan.shift = s->has_tables ? m->tables + 3 : NULL;
    launch(m, &plan, num_samples);
    stopwatch_begin(&m->watch, m->stream);
    for (uint32_t i = 0; i < REPEATS; i++)
        launch(m, &plan, num_samples);
    return 1e9 * REPEATS * (double)(num_samples * plan.sample_elements * each) /
           stopwatch_end_ns(&m->watch, m->stream);
}

static void print(const struct figure *copy) {
    printf("{");
    figure_print("copy_bytes_per_s", copy);
    printf(", \"promised\": 0.8, \"rows\": [");
    for (size_t i = 0; i < NUM_SUBJECTS; i++) {
        printf("%s\n  {\"name\": \"%s\", ", i > 0 ? "," : "", subjects[i].name);
        figure_print("bytes_per_s", &subjects[i].rate);
        printf(", ");
        figure_print("share", &subjects[i].share);
        printf("}");
    }
    printf("]}\n");
}

int main(int argc, char **argv) {
    const bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    struct figure copy = {.num_values = 0};
    struct memory m;
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0)
        return GPU_SKIPPED;
    memory_make(&m, (size_t)(quick ? 2 : 512) << 20);
    (void)copy_rate(&m);
    for (uint32_t round = 0; round < (quick ? 1 : ROUNDS); round++)
        for (size_t i = 0; i < NUM_SUBJECTS; i++) {
            const double limit = copy_rate(&m), rate = finish_rate(&m, &subjects[i]);
            if (i == 0)
                figure_add(&copy, limit);
            figure_add(&subjects[i].rate, rate);
            figure_add(&subjects[i].share, rate / limit);
        }
    print(&copy);
    memory_free(&m);
    return 0;
}
