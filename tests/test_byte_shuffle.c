/*
 * format/byte_shuffle*.c: every way gives the bytes that the format page says, at any length and
 * alignment, and touches nothing else.
 */
#include "byte_shuffle.h"
#include "chunk_header.h"
#include "cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ELEMENTS 300u
#define MAX_BYTES    (MAX_ELEMENTS * 16u)

typedef size_t vector_fn(const uint8_t *in, size_t n, uint32_t element_bytes, uint8_t *out);

static const uint32_t sizes[] = {2, 4, 8, 16};

/* The definition, word for word. */
static void shuffle_by_definition(const uint8_t *in, size_t n, uint32_t e, uint8_t *out) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < e; j++)
            out[j * n + i] = in[i * e + j];
}

static void fill(uint8_t *bytes, size_t n) {
    uint32_t x = 12345;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
}

/* Memory of its own, so that a sanitizer sees a byte before or behind it; at an odd address. */
struct exact {
    uint8_t *memory, *bytes;
};

static struct exact exact_new(size_t n_bytes, size_t shift) {
    struct exact x = {.memory = malloc(n_bytes + shift)};
    x.bytes = x.memory + shift;
    memset(x.memory, 0xa5, n_bytes + shift);
    return x;
}

static void public__every_length_and_alignment__is_by_definition(void **state) {
    (void)state;
    for (size_t k = 0; k < 4; k++)
        for (size_t n = 1; n <= MAX_ELEMENTS; n++) {
            const size_t n_bytes = n * sizes[k], shift = n % 17;
            struct exact in = exact_new(n_bytes, shift), out = exact_new(n_bytes, 16 - shift);
            struct exact expected = exact_new(n_bytes, 0), back = exact_new(n_bytes, shift / 2);
            fill(in.bytes, n_bytes);
            shuffle_by_definition(in.bytes, n, sizes[k], expected.bytes);
            hr__byte_shuffle(in.bytes, n_bytes, sizes[k], out.bytes);
            assert_memory_equal(out.bytes, expected.bytes, n_bytes);
            hr__byte_unshuffle(out.bytes, n_bytes, sizes[k], back.bytes);
            assert_memory_equal(back.bytes, in.bytes, n_bytes);
            free(in.memory);
            free(out.memory);
            free(expected.memory);
            free(back.memory);
        }
}

/* Elements 0 .. done - 1 as the definition has them; all others of out untouched. */
static void check_vector(vector_fn *shuffle, vector_fn *unshuffle, size_t group) {
    static uint8_t in[MAX_BYTES], expected[MAX_BYTES], out[MAX_BYTES + 1], back[MAX_BYTES + 1];
    fill(in, sizeof(in));
    for (size_t k = 0; k < 4; k++)
        for (size_t n = 0; n <= MAX_ELEMENTS; n++) {
            const uint32_t e = sizes[k];
            memset(out, 0xa5, sizeof(out));
            memset(back, 0xa5, sizeof(back));
            shuffle_by_definition(in, n, e, expected);
            const size_t done = shuffle(in, n, e, out + 1);
            assert_int_equal(done, n - n % group);
            for (size_t j = 0; j < e; j++) {
                assert_memory_equal(out + 1 + j * n, expected + j * n, done);
                for (size_t i = done; i < n; i++)
                    assert_int_equal(out[1 + j * n + i], 0xa5);
            }
            assert_int_equal(unshuffle(expected, n, e, back + 1), done);
            assert_memory_equal(back + 1, in, done * e);
            for (size_t i = done * e; i < n * e; i++)
                assert_int_equal(back[1 + i], 0xa5);
        }
    assert_int_equal(shuffle(in, 100, 3, out), 0);
    assert_int_equal(unshuffle(in, 100, 3, out), 0);
}

static void sse2__every_length__is_by_definition(void **state) {
    (void)state;
#if defined(__x86_64__)
    check_vector(hr__byte_shuffle_sse2, hr__byte_unshuffle_sse2, 16);
#else
    skip();
#endif
}

static void avx2__every_length__is_by_definition(void **state) {
    (void)state;
#if defined(__x86_64__)
    if (!hr__cpu_has_avx2())
        skip();
    check_vector(hr__byte_shuffle_avx2, hr__byte_unshuffle_avx2, 32);
#else
    skip();
#endif
}

static void portable__every_length__is_by_definition(void **state) {
    (void)state;
    static uint8_t in[MAX_BYTES], expected[MAX_BYTES], out[MAX_BYTES], back[MAX_BYTES];
    fill(in, sizeof(in));
    for (size_t k = 0; k < 4; k++)
        for (size_t n = 1; n <= MAX_ELEMENTS; n++) {
            shuffle_by_definition(in, n, sizes[k], expected);
            hr__byte_shuffle_portable(in, 0, n, sizes[k], out);
            assert_memory_equal(out, expected, n * sizes[k]);
            hr__byte_unshuffle_portable(out, 0, n, sizes[k], back);
            assert_memory_equal(back, in, n * sizes[k]);
        }
}

/* A frame may have the most bytes a frame can have. */
static void public__largest_frame__comes_back(void **state) {
    (void)state;
    uint8_t *in = malloc(HR__MAX_FRAME_BYTES), *out = malloc(HR__MAX_FRAME_BYTES);
    uint8_t *back = malloc(HR__MAX_FRAME_BYTES);
    fill(in, HR__MAX_FRAME_BYTES);
    for (size_t k = 0; k < 4; k++) {
        hr__byte_shuffle(in, HR__MAX_FRAME_BYTES, sizes[k], out);
        assert_memory_not_equal(out, in, HR__MAX_FRAME_BYTES);
        hr__byte_unshuffle(out, HR__MAX_FRAME_BYTES, sizes[k], back);
        assert_memory_equal(back, in, HR__MAX_FRAME_BYTES);
    }
    free(in);
    free(out);
    free(back);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public__every_length_and_alignment__is_by_definition),
        cmocka_unit_test(sse2__every_length__is_by_definition),
        cmocka_unit_test(avx2__every_length__is_by_definition),
        cmocka_unit_test(portable__every_length__is_by_definition),
        cmocka_unit_test(public__largest_frame__comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
