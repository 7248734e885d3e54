/*
 * Chunks of HDF5's own filters: what is decoded is what was given, in any order of the filters and
 * with any of them left out; damaged ones are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chunk_pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CHUNK_BYTES 3001u /* no multiple of any element */
#define ROOM_BYTES  8192u

static uint8_t plain[CHUNK_BYTES];

static void make_plain(void) {
    uint32_t x = 1;
    for (size_t i = 0; i < CHUNK_BYTES; i++) {
        x = x * 1103515245 + 12345;
        plain[i] = (uint8_t)(i < 1000 ? i * i / 7 : (x >> 16) % 3);
    }
}

/* --- the filters, as they are written ------------------------------------------------------- */

static size_t deflate_bytes(uint8_t *bytes, size_t n) {
    static uint8_t out[ROOM_BYTES];
    uLongf n_out = sizeof out;
    assert_int_equal(compress2(out, &n_out, bytes, n, 6), Z_OK);
    memcpy(bytes, out, n_out);
    return n_out;
}

static size_t shuffle_bytes(uint8_t *bytes, size_t n, size_t width) {
    static uint8_t out[ROOM_BYTES];
    size_t k = 0;
    for (size_t b = 0; b < width; b++)
        for (size_t i = 0; i < n / width; i++)
            out[k++] = bytes[i * width + b];
    memcpy(out + k, bytes + k, n - k);
    memcpy(bytes, out, n);
    return n;
}

/* By its definition: sums modulo 65535, where 0 is only that of zeros. */
static size_t add_checksum(uint8_t *bytes, size_t n) {
    uint32_t sum = 0, sums = 0;
    for (size_t i = 0; i < n; i += 2) {
        sum += (uint32_t)bytes[i] << 8 | (i + 1 < n ? bytes[i + 1] : 0u);
        sum = sum > 65535 ? sum - 65535 : sum;
        sums += sum;
        sums = sums > 65535 ? sums - 65535 : sums;
    }
    bytes[n] = (uint8_t)sum;
    bytes[n + 1] = (uint8_t)(sum >> 8);
    bytes[n + 2] = (uint8_t)sums;
    bytes[n + 3] = (uint8_t)(sums >> 8);
    return n + 4;
}

/* filters: "s", "d", "f" in the order of writing. */
static size_t store(const char *filters, unsigned width, uint32_t mask, uint8_t *out) {
    size_t n = CHUNK_BYTES;
    memcpy(out, plain, n);
    for (uint32_t i = 0; filters[i] != '\0'; i++) {
        if ((mask >> i & 1) != 0)
            continue;
        if (filters[i] == 'd')
            n = deflate_bytes(out, n);
        else
            n = filters[i] == 's' ? shuffle_bytes(out, n, width) : add_checksum(out, n);
    }
    return n;
}

static void make_pipeline(const char *filters, unsigned width, struct chunk_pipeline *out) {
    const unsigned level = 6;
    *out = (struct chunk_pipeline){0};
    for (; *filters != '\0'; filters++) {
        if (*filters == 'd')
            assert_true(chunk_pipeline_add(out, CHUNK_DEFLATE, &level, 1));
        else if (*filters == 's')
            assert_true(chunk_pipeline_add(out, CHUNK_SHUFFLE, &width, 1));
        else
            assert_true(chunk_pipeline_add(out, CHUNK_FLETCHER32, NULL, 0));
    }
}

/* --- tests ---------------------------------------------------------------------------------- */

static const char *const orders[] = {"d",  "s",  "f",   "sd",  "df", "fd",
                                     "sf", "fs", "sdf", "sfd", "fsd"};
#define NUM_ORDERS (sizeof orders / sizeof *orders)

static void check_order(struct chunk_unpacker *u, const char *filters, unsigned width,
                        uint32_t mask) {
    static uint8_t out[CHUNK_BYTES];
    struct chunk_pipeline p;
    make_pipeline(filters, width, &p);
    for (int to_out = 0; to_out < 2; to_out++) {
        const size_t n = store(filters, width, mask, u->buffers[0]);
        memset(out, 0, sizeof out);
        const uint8_t *got = chunk_unpack(u, &p, mask, n, to_out ? out : NULL);
        assert_non_null(got);
        assert_true(!to_out || got == out);
        assert_memory_equal(got, plain, CHUNK_BYTES);
    }
}

static void unpack__any_order_any_left_out__is_what_was_stored(void **state) {
    static const unsigned widths[] = {1, 2, 3, 4, 7, 8, 16, 20, 5000};
    struct chunk_unpacker u;
    (void)state;
    assert_true(chunk_unpacker_open(&u, CHUNK_BYTES));
    for (size_t i = 0; i < NUM_ORDERS; i++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (uint32_t mask = 0; mask < 8; mask++)
                check_order(&u, orders[i], widths[w], mask);
    chunk_unpacker_close(&u);
}

static size_t change_bit(const uint8_t *stored, size_t n, size_t bit, struct chunk_unpacker *u) {
    memcpy(u->buffers[0], stored, n);
    u->buffers[0][bit / 8] ^= (uint8_t)(1u << bit % 8);
    return n;
}

static void unpack__any_bit_under_a_checksum_changed__is_damaged(void **state) {
    static const char *const checked[] = {"f", "sf", "sdf"};
    static uint8_t stored[ROOM_BYTES], out[CHUNK_BYTES];
    struct chunk_unpacker u;
    (void)state;
    assert_true(chunk_unpacker_open(&u, CHUNK_BYTES));
    for (size_t i = 0; i < sizeof checked / sizeof *checked; i++) {
        struct chunk_pipeline p;
        make_pipeline(checked[i], 4, &p);
        const size_t n = store(checked[i], 4, 0, stored);
        for (size_t bit = 0; bit < n * 8; bit++) {
            const uint8_t *got = chunk_unpack(&u, &p, 0, change_bit(stored, n, bit, &u), out);
            assert_null(got);
        }
    }
    chunk_unpacker_close(&u);
}

/* Adler-32 lets some changes of few bytes pass: exactly those, to the same bytes. */
static void unpack__any_bit_of_deflate_changed__is_damaged_where_zlib_says_so(void **state) {
    static uint8_t stored[ROOM_BYTES], out[CHUNK_BYTES], expected[CHUNK_BYTES];
    struct chunk_unpacker u;
    struct chunk_pipeline p;
    size_t passed = 0;
    (void)state;
    assert_true(chunk_unpacker_open(&u, CHUNK_BYTES));
    make_pipeline("d", 1, &p);
    const size_t n = store("d", 1, 0, stored);
    for (size_t bit = 0; bit < n * 8; bit++) {
        uLongf n_out = CHUNK_BYTES;
        (void)change_bit(stored, n, bit, &u);
        const bool good = uncompress(expected, &n_out, u.buffers[0], n) == Z_OK;
        const uint8_t *got = chunk_unpack(&u, &p, 0, n, out);
        assert_int_equal(got != NULL, good && n_out == CHUNK_BYTES);
        assert_true(got == NULL || memcmp(got, expected, CHUNK_BYTES) == 0);
        passed += got != NULL;
    }
    assert_true(passed < n / 8);
    chunk_unpacker_close(&u);
}

static void unpack__cut_off_anywhere__is_damaged(void **state) {
    static uint8_t out[CHUNK_BYTES];
    struct chunk_unpacker u;
    (void)state;
    assert_true(chunk_unpacker_open(&u, CHUNK_BYTES));
    for (size_t i = 0; i < NUM_ORDERS; i++) {
        struct chunk_pipeline p;
        make_pipeline(orders[i], 4, &p);
        for (size_t n = store(orders[i], 4, 0, u.buffers[0]); n-- > 0;) {
            (void)store(orders[i], 4, 0, u.buffers[0]);
            assert_null(chunk_unpack(&u, &p, 0, n, out));
        }
    }
    chunk_unpacker_close(&u);
}

/* The decoded size is that of the data set, whatever a chunk inflates to. */
static void unpack__chunk_of_another_size__is_damaged(void **state) {
    static const uint64_t sizes[] = {
        1, 5, CHUNK_BYTES - 4, CHUNK_BYTES - 1, CHUNK_BYTES + 1, CHUNK_BYTES + 4, 100000};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct chunk_unpacker u;
        uint8_t *out = malloc((size_t)sizes[k]);
        assert_non_null(out);
        assert_true(chunk_unpacker_open(&u, sizes[k]));
        for (size_t i = 0; i < NUM_ORDERS; i++) {
            struct chunk_pipeline p;
            make_pipeline(orders[i], 4, &p);
            assert_null(chunk_unpack(&u, &p, 0, store(orders[i], 4, 0, u.buffers[0]), out));
        }
        chunk_unpacker_close(&u);
        free(out);
    }
}

static void unpack__checksum_of_old_versions__holds(void **state) {
    static uint8_t out[CHUNK_BYTES];
    struct chunk_unpacker u;
    struct chunk_pipeline p;
    (void)state;
    assert_true(chunk_unpacker_open(&u, CHUNK_BYTES));
    make_pipeline("f", 1, &p);
    const size_t n = store("f", 1, 0, u.buffers[0]);
    uint8_t *sum = u.buffers[0] + n - 4;
    const uint8_t exchanged[4] = {sum[1], sum[0], sum[3], sum[2]};
    memcpy(sum, exchanged, 4);
    assert_non_null(chunk_unpack(&u, &p, 0, n, out));
    assert_memory_equal(out, plain, CHUNK_BYTES);
    chunk_unpacker_close(&u);
}

static void add__what_cannot_be_decoded__is_refused(void **state) {
    const unsigned values[] = {6, 4, 0, 10};
    struct chunk_pipeline p = {0};
    (void)state;
    assert_false(chunk_pipeline_add(&p, 4, values, 1));             /* szip */
    assert_false(chunk_pipeline_add(&p, 32000, values, 1));         /* LZF */
    assert_false(chunk_pipeline_add(&p, CHUNK_DEFLATE, values, 0)); /* without a level */
    assert_false(chunk_pipeline_add(&p, CHUNK_DEFLATE, &values[3], 1));
    assert_false(chunk_pipeline_add(&p, CHUNK_SHUFFLE, values, 0));
    assert_false(chunk_pipeline_add(&p, CHUNK_SHUFFLE, &values[2], 1));
    assert_int_equal(p.num_steps, 0);
    assert_true(chunk_pipeline_add(&p, CHUNK_DEFLATE, values, 1));
    assert_false(chunk_pipeline_add(&p, CHUNK_DEFLATE, values, 1));     /* twice */
    assert_false(chunk_pipeline_add(&p, CHUNK_SHUFFLE, &values[1], 1)); /* behind it */
    assert_int_equal(p.num_steps, 1);
}

static void open__sizes_that_no_chunk_has__are_refused(void **state) {
    static const uint64_t sizes[] = {0, (uint64_t)UINT32_MAX + 1, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct chunk_unpacker u;
        assert_false(chunk_unpacker_open(&u, sizes[i]));
        chunk_unpacker_close(&u);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpack__any_order_any_left_out__is_what_was_stored),
        cmocka_unit_test(unpack__any_bit_under_a_checksum_changed__is_damaged),
        cmocka_unit_test(unpack__any_bit_of_deflate_changed__is_damaged_where_zlib_says_so),
        cmocka_unit_test(unpack__cut_off_anywhere__is_damaged),
        cmocka_unit_test(unpack__chunk_of_another_size__is_damaged),
        cmocka_unit_test(unpack__checksum_of_old_versions__holds),
        cmocka_unit_test(add__what_cannot_be_decoded__is_refused),
        cmocka_unit_test(open__sizes_that_no_chunk_has__are_refused),
    };
    make_plain();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
