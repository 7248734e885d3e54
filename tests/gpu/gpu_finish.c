/*
 * The kernels of finishing on a GPU against their twin on the host, bit for bit: all casts, moves
 * and layouts, of values that are awkward: NaN with payloads, subnormal numbers, ties, infinities,
 * every float16; the counts of a check, and nothing written beside.
 */
#include "finish.h"
#include "gpu_case.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ELEMENTS 140000u
#define GUARD_BYTES   256u
#define BUFFER_BYTES  (MOST_ELEMENTS * 8u + GUARD_BYTES)
#define TABLE_ENTRIES 4096u
#define FILLER        0xa5

struct buffers {
    uint8_t *src, *expected, *got; /* src and got are registered */
    float *scale, *shift;          /* registered */
    uint8_t *gpu_src, *gpu_dst;
    float *gpu_scale, *gpu_shift;
    struct hr__finish_bad *bad; /* registered */
    struct hr__finish_bad *gpu_bad;
    cudaStream_t stream;
};

static struct buffers b;

static void *gpu_alloc(size_t n_bytes) {
    void *p;
    GPU_CALL(cudaMalloc(&p, n_bytes));
    return p;
}

static void buffers_make(void) {
    const size_t table_bytes = TABLE_ENTRIES * sizeof(float);
    b.stream = gpu_stream();
    b.src = gpu_host_alloc(BUFFER_BYTES);
    b.got = gpu_host_alloc(BUFFER_BYTES);
    b.expected = malloc(BUFFER_BYTES);
    b.scale = gpu_host_alloc(table_bytes);
    b.shift = gpu_host_alloc(table_bytes);
    b.bad = gpu_host_alloc(sizeof(*b.bad));
    b.gpu_src = gpu_alloc(BUFFER_BYTES);
    b.gpu_dst = gpu_alloc(BUFFER_BYTES);
    b.gpu_scale = gpu_alloc(table_bytes);
    b.gpu_shift = gpu_alloc(table_bytes);
    b.gpu_bad = gpu_alloc(sizeof(*b.gpu_bad));
    GPU_CHECK(b.expected != NULL, "no memory");
}

static void buffers_free(void) {
    void *const host[] = {b.src, b.got, b.scale, b.shift, b.bad};
    void *const gpu[] = {b.gpu_src, b.gpu_dst, b.gpu_scale, b.gpu_shift, b.gpu_bad};
    for (size_t i = 0; i < 5; i++) {
        gpu_host_free(host[i]);
        GPU_CALL(cudaFree(gpu[i]));
    }
    free(b.expected);
    GPU_CALL(cudaStreamDestroy(b.stream));
}

static void upload(void *dst, const void *src, size_t n_bytes) {
    GPU_CALL(cudaMemcpyAsync(dst, src, n_bytes, cudaMemcpyHostToDevice, b.stream));
}

static void tables_fill(void) {
    uint64_t random = 3;
    for (size_t i = 0; i < TABLE_ENTRIES; i++) {
        b.scale[i] = (float)gpu_random(&random) / 0x1p62f;
        b.shift[i] = (float)(int64_t)gpu_random(&random) / 0x1p60f;
    }
    upload(b.gpu_scale, b.scale, TABLE_ENTRIES * sizeof(float));
    upload(b.gpu_shift, b.shift, TABLE_ENTRIES * sizeof(float));
    GPU_CALL(cudaStreamSynchronize(b.stream));
}

/* ---- awkward values ---- */

/* float32: every exponent and sign, with mantissas at and beside ties of both 16-bit formats. */
static uint32_t awkward32(uint64_t i, uint64_t *random) {
    static const uint32_t mantissas[] = {
        0,       1,       0x7fff, 0x8000,   0x8001,   0x0fff,   0x1000,   0x1001,   0x17fff,
        0x18000, 0x18001, 0x3000, 0x400000, 0x400001, 0x7fffff, 0x7fefff, 0x7ff000, 0x7f7fff};
    const uint32_t top = (uint32_t)(i % 512) << 23; /* sign and exponent */
    const uint64_t which = i / 512;
    if (which < sizeof(mantissas) / sizeof(mantissas[0]))
        return top | mantissas[which];
    return top | (uint32_t)(gpu_random(random) & 0x7fffff);
}

/* float64: near the range of float32, often a tie of it, and subnormal or too large there. */
static uint64_t awkward64(uint64_t i, uint64_t *random) {
    const uint64_t sign = (i & 1) << 63;
    const uint64_t tie = i % 3 == 0 ? 0x10000000u : gpu_random(random) & 0x1fffffffu;
    if (i % 64 == 0) /* NaN with a payload, infinity, zero, the least subnormal number */
        return sign | (i % 256 == 0    ? 0x7ff0000000000000u | gpu_random(random) >> 13
                       : i % 256 == 64 ? 0x7ff0000000000000u
                                       : (uint64_t)(i % 256 == 128));
    return sign | (863 + gpu_random(random) % 310) << 52 | (gpu_random(random) & 0xfffffe0000000u) |
           tie;
}

static void values_fill(hr_dtype type) {
    uint64_t random = 7;
    for (uint64_t i = 0; i < MOST_ELEMENTS; i++) {
        const uint64_t any = gpu_random(&random);
        const uint64_t bits = type == HR_FLOAT32   ? awkward32(i, &random)
                              : type == HR_FLOAT64 ? awkward64(i, &random)
                              : i < 65536          ? i /* every one of 16 bits */
                                                   : any;
        const uint32_t bytes = hr_dtype_bytes(type);
        memcpy(b.src + i * bytes, &bits, bytes); /* little-endian */
    }
    upload(b.gpu_src, b.src, (size_t)MOST_ELEMENTS * hr_dtype_bytes(type));
    GPU_CALL(cudaStreamSynchronize(b.stream));
}

/* ---- both ways ---- */

static void run_on_gpu(const struct hr__finish *f, uint64_t num_samples, size_t n_bytes) {
    struct hr__finish plan = *f;
    plan.scale = f->scale != NULL ? b.gpu_scale : NULL;
    plan.shift = f->shift != NULL ? b.gpu_shift : NULL;
    *b.bad = (struct hr__finish_bad)HR__FINISH_BAD_NONE;
    upload(b.gpu_bad, b.bad, sizeof(*b.bad));
    GPU_CALL(cudaMemsetAsync(b.gpu_dst, FILLER, n_bytes, b.stream));
    GPU_CALL((cudaError_t)hr__finish_launch(&plan, b.gpu_src, num_samples, b.gpu_dst, b.gpu_bad,
                                            b.stream));
    GPU_CALL(cudaMemcpyAsync(b.got, b.gpu_dst, n_bytes, cudaMemcpyDeviceToHost, b.stream));
    GPU_CALL(cudaMemcpyAsync(b.bad, b.gpu_bad, sizeof(*b.bad), cudaMemcpyDeviceToHost, b.stream));
    GPU_CALL(cudaStreamSynchronize(b.stream));
}

static void compare(const struct hr__finish *f, uint64_t num_samples, size_t n_bytes,
                    const struct hr__finish_bad *expected) {
    for (size_t i = 0; i < n_bytes; i++)
        GPU_CHECK(
            b.got[i] == b.expected[i],
            "%s to %s, %u channels, planes of %llu, %llu samples, chw %d, scale %d, shift %d: "
            "byte %zu is %02x, expected %02x",
            hr_dtype_name(f->from), hr_dtype_name(f->to), f->channels,
            (unsigned long long)f->plane_elements, (unsigned long long)num_samples, f->to_chw,
            f->scale != NULL, f->shift != NULL, i, b.got[i], b.expected[i]);
    GPU_CHECK(b.bad->num_nan == expected->num_nan && b.bad->num_inf == expected->num_inf &&
                  b.bad->first_row == expected->first_row,
              "%s to %s: %llu NaN, %llu infinite, first row %llu; expected %llu, %llu, %llu",
              hr_dtype_name(f->from), hr_dtype_name(f->to), (unsigned long long)b.bad->num_nan,
              (unsigned long long)b.bad->num_inf, (unsigned long long)b.bad->first_row,
              (unsigned long long)expected->num_nan, (unsigned long long)expected->num_inf,
              (unsigned long long)expected->first_row);
}

static void check(const struct hr__finish *f, uint64_t num_samples) {
    struct hr__finish_bad expected = HR__FINISH_BAD_NONE;
    const size_t n_bytes = num_samples * f->sample_elements * f->to_bytes + GUARD_BYTES;
    GPU_CHECK(num_samples * f->sample_elements <= MOST_ELEMENTS, "the case is too large");
    if (!hr__finish_writes(f) && !f->check_finite)
        return;
    memset(b.expected, FILLER, n_bytes);
    hr__finish_run(f, b.src, num_samples, b.expected, &expected);
    run_on_gpu(f, num_samples, n_bytes);
    compare(f, num_samples, n_bytes, &expected);
}

struct layout {
    uint32_t channels;
    uint64_t plane_elements, num_samples;
};

static const struct layout layouts[] = {
    {1, 1, 1},   {1, 1, 777},  {1, 5000, 3},  {1, 65536, 2}, {2, 33, 5},    {2, 2049, 2},
    {3, 1, 4},   {3, 49, 7},   {3, 784, 9},   {3, 48, 300},  {3, 4096, 11}, {4, 1024, 5},
    {4, 13, 5},  {5, 500, 2},  {7, 100, 2},   {31, 70, 3},   {32, 65, 2},   {33, 64, 2},
    {64, 17, 3}, {100, 70, 2}, {1025, 33, 2}, {1, 7, 5},     {4000, 4, 3},  {12, 1, 9999},
};

static void check_layouts(struct hr__finish f) {
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        f.channels = layouts[i].channels;
        f.plane_elements = layouts[i].plane_elements;
        f.sample_elements = f.channels * f.plane_elements;
        for (int chw = 0; chw < 2; chw++) {
            f.to_chw = chw == 1;
            check(&f, layouts[i].num_samples);
        }
    }
}

static void casts__awkward_values__are_the_host_s(void) {
    static const hr_dtype from[] = {HR_UINT8, HR_INT16, HR_FLOAT16, HR_FLOAT32, HR_FLOAT64};
    static const hr_dtype to[] = {HR_FLOAT16, HR_BFLOAT16, HR_FLOAT32};
    for (uint32_t i = 0; i < 15; i++) {
        values_fill(from[i / 3]);
        for (uint32_t how = 0; how < 4; how++) {
            const struct hr__finish f = {.from = from[i / 3],
                                         .to = to[i % 3],
                                         .from_bytes = hr_dtype_bytes(from[i / 3]),
                                         .to_bytes = hr_dtype_bytes(to[i % 3]),
                                         .check_finite = how != 1,
                                         .scale = how % 2 == 1 ? b.scale : NULL,
                                         .shift = how >= 2 ? b.shift : NULL};
            check_layouts(f);
        }
    }
}

static void moves__any_bits__are_the_host_s(void) {
    static const hr_dtype types[] = {HR_BOOL,    HR_INT16,   HR_UINT32,   HR_INT64,
                                     HR_FLOAT16, HR_FLOAT32, HR_BFLOAT16, HR_FLOAT64};
    for (uint32_t i = 0; i < 8; i++) {
        struct hr__finish f = {.from = types[i],
                               .to = types[i],
                               .from_bytes = hr_dtype_bytes(types[i]),
                               .to_bytes = hr_dtype_bytes(types[i])};
        values_fill(types[i]);
        check_layouts(f);
        f.check_finite = i >= 4;
        check_layouts(f);
    }
}

int main(int argc, char **argv) {
    static const struct gpu_case cases[] = {
        GPU_CASE(casts__awkward_values__are_the_host_s),
        GPU_CASE(moves__any_bits__are_the_host_s),
    };
    if (!gpu_is_there())
        return GPU_SKIPPED;
    buffers_make();
    tables_fill();
    const int failed =
        gpu_cases_run(cases, sizeof(cases) / sizeof(cases[0]), argc > 1 ? argv[1] : NULL);
    buffers_free();
    return failed;
}
