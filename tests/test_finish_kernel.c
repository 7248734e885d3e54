/*
 * The bodies of the CUDA kernels, run here for every block and thread of their grids, against the
 * host's twin: the same bits, the same counts, and nothing written beside.
 */
#include "finish_choice.h"
#include "order_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST_ELEMENTS 70000u
#define GUARD_BYTES   64u

struct buffers {
    uint8_t *src, *dst, *expected; /* aligned as fields in a slot are */
    float scale[4096], shift[4096];
};

static int buffers_make(void **state) {
    struct buffers *b = calloc(1, sizeof(*b));
    uint64_t random = 3;
    b->src = aligned_alloc(256, MOST_ELEMENTS * 8 / 256 * 256 + 512);
    b->dst = aligned_alloc(256, MOST_ELEMENTS * 8 / 256 * 256 + 512);
    b->expected = aligned_alloc(256, MOST_ELEMENTS * 8 / 256 * 256 + 512);
    for (size_t i = 0; i < MOST_ELEMENTS * 8; i++)
        b->src[i] = (uint8_t)case_random(&random);
    for (size_t i = 0; i < 4096; i++) {
        b->scale[i] = (float)case_random(&random) / 0x1p46f;
        b->shift[i] = (float)(int64_t)case_random(&random) / 0x1p40f;
    }
    *state = b;
    return 0;
}

static int buffers_free(void **state) {
    struct buffers *b = *state;
    free(b->src);
    free(b->dst);
    free(b->expected);
    free(b);
    return 0;
}

/* A grid of tiles: between the halves of a body, all threads of a block wait for each other. */
static void run_tiles(const struct hr__kernel_choice *k, const struct hr__kernel_args *a,
                      uint32_t blocks, struct hr__finish_bad *bad) {
    static uint64_t tile[HR__TILE_SLOTS];
    const uint64_t num_tiles = hr__num_tiles(a->num_samples, a->plane_elements, a->channels);
    for (uint32_t block = 0; block < blocks; block++)
        for (uint64_t number = block; number < num_tiles; number += blocks) {
            const struct hr__tile t = hr__tile_at(a, number);
            assert_true((t.channels - 1) * t.pitch + t.pixels <= HR__TILE_SLOTS);
            memset(tile, 0x5a, sizeof(tile));
            for (uint32_t thread = 0; thread < HR__KERNEL_THREADS; thread++)
                hr__kernel_tile_load(k->from, k->to, a, &t, thread, tile, bad);
            for (uint32_t thread = 0; thread < HR__KERNEL_THREADS; thread++)
                hr__kernel_tile_store(k->to, a, &t, thread, tile);
        }
}

static void run_threads(const struct hr__kernel_choice *k, const struct hr__kernel_args *a,
                        uint32_t blocks, struct hr__finish_bad *bad) {
    const uint64_t num_threads = (uint64_t)blocks * HR__KERNEL_THREADS;
    for (uint64_t thread = 0; thread < num_threads; thread++) {
        struct hr__finish_bad found = HR__FINISH_BAD_NONE;
        if (k->kind == HR__KERNEL_DIRECT)
            hr__kernel_direct(k->from, k->to, a, thread, num_threads, &found);
        else
            hr__kernel_linear(k->from, k->to, k->one_channel, a, thread, num_threads, &found);
        hr__finish_bad_add(bad, &found, 0);
    }
}

/* most_blocks: fewer than there is work for, so that threads go round several times. */
static enum hr__kernel_kind run_grid(const struct hr__finish *f, const void *src,
                                     uint64_t num_samples, void *dst, uint32_t most_blocks,
                                     struct hr__finish_bad *bad) {
    const struct hr__kernel_choice k = hr__kernel_choose(f, num_samples);
    const struct hr__kernel_args a = hr__kernel_args_of(f, src, num_samples, dst);
    const uint32_t blocks = k.blocks < most_blocks ? k.blocks : most_blocks;
    assert_true(k.blocks > 0);
    if (k.kind == HR__KERNEL_TILE)
        run_tiles(&k, &a, blocks, bad);
    else
        run_threads(&k, &a, blocks, bad);
    return k.kind;
}

static enum hr__kernel_kind check(struct buffers *b, const struct hr__finish *f,
                                  uint64_t num_samples, uint32_t most_blocks) {
    struct hr__finish_bad bad = HR__FINISH_BAD_NONE, expected = HR__FINISH_BAD_NONE;
    const size_t n_bytes = num_samples * f->sample_elements * f->to_bytes + GUARD_BYTES;
    assert_true(num_samples * f->sample_elements <= MOST_ELEMENTS);
    memset(b->dst, 0xa5, n_bytes);
    memset(b->expected, 0xa5, n_bytes);
    hr__finish_run(f, b->src, num_samples, b->expected, &expected);
    enum hr__kernel_kind kind = run_grid(f, b->src, num_samples, b->dst, most_blocks, &bad);
    assert_memory_equal(b->dst, b->expected, n_bytes);
    assert_int_equal(bad.num_nan, expected.num_nan);
    assert_int_equal(bad.num_inf, expected.num_inf);
    assert_int_equal(bad.first_row, expected.first_row);
    return kind;
}

struct layout {
    uint32_t channels;
    uint64_t plane_elements, num_samples;
};

static const struct layout layouts[] = {
    {1, 1, 1},    {1, 1, 777}, {1, 5000, 3}, {2, 33, 5},    {3, 1, 4},   {3, 49, 7},   {3, 784, 9},
    {4, 1024, 5}, {4, 13, 5},  {3, 48, 300}, {5, 500, 2},   {7, 100, 2}, {31, 70, 3},  {32, 65, 2},
    {33, 64, 2},  {64, 17, 3}, {100, 70, 2}, {1025, 33, 2}, {1, 7, 5},   {2, 2049, 2},
};

/* Both ways of laying out; which kinds of kernels were run, as bits. */
static unsigned check_layouts(struct buffers *b, struct hr__finish f) {
    unsigned kinds = 0;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        const struct layout *l = &layouts[i];
        f.channels = l->channels;
        f.plane_elements = l->plane_elements;
        f.sample_elements = l->channels * l->plane_elements;
        for (int chw = 0; chw < 2; chw++) {
            f.to_chw = chw == 1;
            if (hr__finish_writes(&f) || f.check_finite)
                kinds |= 1u << check(b, &f, l->num_samples, i % 2 == 0 ? UINT32_MAX : 2);
        }
    }
    return kinds;
}

static void casts__every_thread_of_every_grid__are_the_host_s(void **state) {
    static const hr_dtype from[] = {HR_UINT8, HR_INT16, HR_FLOAT16, HR_FLOAT32, HR_FLOAT64};
    static const hr_dtype to[] = {HR_FLOAT16, HR_BFLOAT16, HR_FLOAT32};
    struct buffers *b = *state;
    for (uint32_t i = 0; i < 15; i++)
        for (uint32_t how = 0; how < 3; how++) {
            struct hr__finish f = {.from = from[i / 3],
                                   .to = to[i % 3],
                                   .from_bytes = hr_dtype_bytes(from[i / 3]),
                                   .to_bytes = hr_dtype_bytes(to[i % 3]),
                                   .check_finite = how != 1,
                                   .scale = how >= 1 ? b->scale : NULL,
                                   .shift = how >= 2 ? b->shift : NULL};
            const unsigned all =
                1u << HR__KERNEL_LINEAR | 1u << HR__KERNEL_DIRECT | 1u << HR__KERNEL_TILE;
            assert_int_equal(check_layouts(b, f), all);
        }
}

static void moves__every_thread_of_every_grid__are_the_host_s(void **state) {
    static const hr_dtype types[] = {HR_BOOL,    HR_INT16,   HR_UINT32,   HR_INT64,
                                     HR_FLOAT16, HR_FLOAT32, HR_BFLOAT16, HR_FLOAT64};
    struct buffers *b = *state;
    for (uint32_t i = 0; i < 8; i++) {
        struct hr__finish f = {.from = types[i],
                               .to = types[i],
                               .from_bytes = hr_dtype_bytes(types[i]),
                               .to_bytes = hr_dtype_bytes(types[i])};
        (void)check_layouts(b, f);
        f.check_finite = i >= 4;
        (void)check_layouts(b, f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(casts__every_thread_of_every_grid__are_the_host_s),
        cmocka_unit_test(moves__every_thread_of_every_grid__are_the_host_s),
    };
    return cmocka_run_group_tests(tests, buffers_make, buffers_free);
}
