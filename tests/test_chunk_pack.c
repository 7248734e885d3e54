/*
 * Chunks compressed by several threads: what HDF5's filters make of them again is what was given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunk_pack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define NUM_SAMPLES 40000u
#define WIDTH       8u

static uint8_t rows[NUM_SAMPLES * 3 * WIDTH];

/* As H5Z_FILTER_SHUFFLE reads it. */
static void unshuffle(const uint8_t *in, uint64_t n_bytes, uint32_t width, uint8_t *out) {
    uint64_t n = n_bytes / width;
    for (uint64_t i = 0; i < n; i++)
        for (uint32_t b = 0; b < width; b++)
            out[i * width + b] = in[b * n + i];
}

static void check_chunk(const struct pack *p, uint64_t i, const struct packed_chunk *packed) {
    struct hr__chunk_run run;
    uint8_t *shuffled = malloc(p->chunk_bytes), *plain = malloc(p->chunk_bytes);
    uLongf n_bytes = p->chunk_bytes;
    assert_true(shuffled != NULL && plain != NULL);
    hr__chunks_run(p->chunks, i, &run);
    if (packed->filter_mask == 0)
        assert_int_equal(uncompress(shuffled, &n_bytes, packed->bytes, packed->n_bytes), Z_OK);
    else
        memcpy(shuffled, packed->bytes, p->chunk_bytes);
    assert_int_equal(n_bytes, p->chunk_bytes);
    if (p->shuffle_bytes > 1)
        unshuffle(shuffled, p->chunk_bytes, p->shuffle_bytes, plain);
    else
        memcpy(plain, shuffled, p->chunk_bytes);
    assert_memory_equal(plain, rows + hr__chunks_bytes(p->chunks, 0, i), run.n_bytes);
    for (uint64_t k = run.n_bytes; k < p->chunk_bytes; k++)
        assert_int_equal(plain[k], 0);
    free(plain);
    free(shuffled);
}

static void pack_and_check(uint32_t shuffle_bytes, uint32_t num_threads, uint32_t expected_mask) {
    const struct hr__helper_field f = {.dtype = HR_FLOAT64,
                                       .rank = 1,
                                       .shape = {3},
                                       .num_samples = NUM_SAMPLES,
                                       .sample_bytes = 3 * WIDTH,
                                       .granule_samples = 1};
    struct hr__chunks chunks;
    hr__chunks_make(&f, &chunks);
    const struct pack p = {.chunks = &chunks,
                           .chunk_bytes = chunks.chunk_bytes,
                           .shuffle_bytes = shuffle_bytes,
                           .level = 1,
                           .num_threads = num_threads};
    struct packed_chunk *packed = calloc(chunks.count, sizeof *packed);
    assert_non_null(packed);
    assert_true(chunks.count > 5);
    assert_int_equal(chunks_pack(&p, 0, chunks.count, rows, packed, NULL), HR_OK);
    for (uint64_t i = 0; i < chunks.count; i++) {
        check_chunk(&p, i, &packed[i]);
        if (i + 1 < chunks.count) /* the last one ends in zeros, which always compress */
            assert_int_equal(packed[i].filter_mask, expected_mask);
    }
    chunks_pack_free(packed, chunks.count);
    /* From the middle on: the same as by itself. */
    assert_int_equal(chunks_pack(&p, 3, 2, rows + hr__chunks_bytes(&chunks, 0, 3), packed, NULL),
                     HR_OK);
    check_chunk(&p, 3, &packed[0]);
    check_chunk(&p, 4, &packed[1]);
    chunks_pack_free(packed, 2);
    free(packed);
}

static void pack__numbers__come_back(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows; i++)
        rows[i] = (uint8_t)(i / 1000 + (i % WIDTH == 0 ? i * 7 : 0));
    for (uint32_t threads = 1; threads <= HR__HELPER_MAX_THREADS; threads *= 4) {
        pack_and_check(WIDTH, threads, 0);
        pack_and_check(1, threads, 0);
    }
}

static void pack__what_deflate_makes_no_smaller__is_kept_as_it_is(void **state) {
    (void)state;
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < sizeof rows; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        rows[i] = (uint8_t)(x >> 20);
    }
    pack_and_check(WIDTH, 4, 2); /* the second filter was not applied */
    pack_and_check(1, 4, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack__numbers__come_back),
        cmocka_unit_test(pack__what_deflate_makes_no_smaller__is_kept_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
