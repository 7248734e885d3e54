/*
 * format/delta*.c, format/bit_*.c: every way gives the bytes that the format page says, at any
 * length, distance and alignment, and touches nothing else.
 */
#include "bit_shuffle.h"
#include "chunk_header.h"
#include "cpu.h"
#include "delta.h"
#include "filter_vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GUARD_BYTES 64u

static const uint32_t elements[] = {1, 2, 4, 8};

static void fill(uint8_t *bytes, size_t n, uint32_t seed) {
    uint32_t x = seed;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
}

/* Bytes at an odd address, at the very end of their memory, so that a sanitizer sees a byte behind
 * them, and with known ones before them. */
struct room {
    uint8_t *memory, *bytes;
};

static struct room room_new(size_t n_bytes) {
    struct room r = {.memory = malloc(GUARD_BYTES + n_bytes)};
    assert_non_null(r.memory);
    memset(r.memory, 0xa5, GUARD_BYTES + n_bytes);
    r.bytes = r.memory + GUARD_BYTES;
    return r;
}

static void room_end(struct room *r) {
    for (size_t i = 0; i < GUARD_BYTES; i++)
        assert_int_equal(r->memory[i], 0xa5);
    free(r->memory);
}

/* ---- delta ---- */

static uint64_t element(const uint8_t *p, uint32_t e) {
    uint64_t v = 0;
    for (uint32_t i = 0; i < e; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static void delta_by_definition(const uint8_t *in, size_t n, uint32_t e, size_t d, uint8_t *out) {
    for (size_t at = 0; at < n; at += e) {
        const uint64_t v = element(in + at, e) - (at >= d ? element(in + at - d, e) : 0);
        for (uint32_t i = 0; i < e; i++)
            out[at + i] = (uint8_t)(v >> 8 * i);
    }
}

static void check_delta(const struct hr__delta_steps *steps, size_t n, uint32_t e, size_t d) {
    struct room in = room_new(n), expected = room_new(n), out = room_new(n);
    fill(in.bytes, n, (uint32_t)(n * 31 + d));
    delta_by_definition(in.bytes, n, e, d, expected.bytes);
    hr__delta(in.bytes, n, e, d, out.bytes);
    assert_memory_equal(out.bytes, expected.bytes, n);
    hr__undelta_by(steps, out.bytes, n, e, d);
    if (memcmp(out.bytes, in.bytes, n) != 0)
        fail_msg("%zu bytes, elements of %u, distance %zu", n, e, d);
    room_end(&in);
    room_end(&expected);
    room_end(&out);
}

/* Around a vector, the doubling of distances, and the blocks of delta.c; distances up to beyond
 * HR__DELTA_FAR_BYTES, and beyond the bytes. */
static void check_delta_everywhere(const struct hr__delta_steps *steps) {
    static const size_t many[] = {8191, 8192, 8193, 16384, 20001};
    for (size_t k = 0; k < 4; k++) {
        const uint32_t e = elements[k];
        for (size_t n = 0; n <= 40 * e; n += e)
            for (size_t d = e; d <= n + e && d <= 40 * e; d += e)
                check_delta(steps, n, e, d);
        for (size_t i = 0; i < 5; i++)
            for (size_t d = e; d <= 300; d += e)
                check_delta(steps, many[i] - many[i] % e, e, d);
        check_delta(steps, 20000, e, 8192);
        check_delta(steps, 20000, e, 20000);
        check_delta(steps, 20000, e, HR__MAX_FRAME_BYTES);
    }
}

static void delta_base__every_length_and_distance__is_by_definition(void **state) {
    (void)state;
    check_delta_everywhere(&hr__delta_steps_base);
}

static void delta_avx2__every_length_and_distance__is_by_definition(void **state) {
    (void)state;
#if defined(__x86_64__)
    if (!hr__cpu_has_avx2())
        skip();
    check_delta_everywhere(&hr__delta_steps_avx2);
#else
    skip();
#endif
}

static void delta__largest_frame__comes_back(void **state) {
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        check_delta(hr__delta_steps_best(), HR__MAX_FRAME_BYTES, elements[k], elements[k]);
        check_delta(hr__delta_steps_best(), HR__MAX_FRAME_BYTES, elements[k], 672);
    }
}

/* ---- bit shuffle ---- */

static void bits_by_definition(const uint8_t *in, size_t n_bytes, uint32_t e, uint8_t *out) {
    const size_t n = n_bytes / e, m = n - n % 8;
    memset(out, 0, m * e);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < e; j++)
            for (size_t k = 0; k < 8; k++)
                out[(8 * j + k) * (m / 8) + i / 8] |= (uint8_t)((in[i * e + j] >> k & 1) << i % 8);
    memcpy(out + m * e, in + m * e, n_bytes - m * e);
}

static void check_bits(const struct hr__bit_planes *by, size_t n, uint32_t e) {
    struct room in = room_new(n * e), expected = room_new(n * e);
    struct room out = room_new(n * e), back = room_new(n * e);
    fill(in.bytes, n * e, (uint32_t)n);
    bits_by_definition(in.bytes, n * e, e, expected.bytes);
    hr__bit_shuffle_by(by, in.bytes, n * e, e, out.bytes);
    if (memcmp(out.bytes, expected.bytes, n * e) != 0)
        fail_msg("%zu elements of %u", n, e);
    hr__bit_unshuffle_by(by, out.bytes, n * e, e, back.bytes);
    assert_memory_equal(back.bytes, in.bytes, n * e);
    room_end(&in);
    room_end(&expected);
    room_end(&out);
    room_end(&back);
}

/* Around the groups of bit_shuffle.c, which have 512 elements. */
static void check_bits_everywhere(const struct hr__bit_planes *by) {
    for (size_t k = 0; k < 4; k++) {
        for (size_t n = 0; n <= 70; n++)
            check_bits(by, n, elements[k]);
        for (size_t n = 504; n <= 530; n++)
            check_bits(by, n, elements[k]);
        check_bits(by, 1024, elements[k]);
        check_bits(by, 2047, elements[k]);
    }
}

static void bits_base__every_length__are_by_definition(void **state) {
    (void)state;
    check_bits_everywhere(&hr__bit_planes_base);
}

static void bits_avx2__every_length__are_by_definition(void **state) {
    (void)state;
#if defined(__x86_64__)
    if (!hr__cpu_has_avx2())
        skip();
    check_bits_everywhere(&hr__bit_planes_avx2);
#else
    skip();
#endif
}

static void bits__largest_frame__come_back(void **state) {
    (void)state;
    for (size_t k = 0; k < 4; k++)
        check_bits(hr__bit_planes_best(), HR__MAX_FRAME_BYTES / elements[k], elements[k]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delta_base__every_length_and_distance__is_by_definition),
        cmocka_unit_test(delta_avx2__every_length_and_distance__is_by_definition),
        cmocka_unit_test(delta__largest_frame__comes_back),
        cmocka_unit_test(bits_base__every_length__are_by_definition),
        cmocka_unit_test(bits_avx2__every_length__are_by_definition),
        cmocka_unit_test(bits__largest_frame__come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
