/*
 * IDX files: their headers, their names, and samples from plain and compressed ones.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "idx_header.h"
#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static char folder[] = "/tmp/headrace-test-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

/* ---- headers ---- */

static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 234, 96, 0, 0, 0, 28, 0, 0, 0, 28, 7};

static void header__of_images__is_understood(void **state) {
    (void)state;
    struct hr__npy_header h;
    assert_int_equal(hr__idx_header_parse(images, sizeof images, &h, NULL), HR_OK);
    assert_int_equal(h.element.dtype, HR_UINT8);
    assert_int_equal(h.element.swap_bytes, 0);
    assert_int_equal(h.rank, 2);
    assert_int_equal(h.shape[0], 28);
    assert_int_equal(h.shape[1], 28);
    assert_int_equal(h.num_samples, 60000);
    assert_int_equal(h.sample_bytes, 784);
    assert_int_equal(h.data_off, 16);
}

static void header__each_type__has_its_dtype(void **state) {
    (void)state;
    static const struct {
        uint8_t code;
        hr_dtype dtype;
        uint32_t swap_bytes;
    } types[] = {{8, HR_UINT8, 0},  {9, HR_INT8, 0},     {11, HR_INT16, 2},
                 {12, HR_INT32, 4}, {13, HR_FLOAT32, 4}, {14, HR_FLOAT64, 8}};
    uint32_t known = 0;
    for (unsigned code = 0; code < 256; code++) {
        const uint8_t bytes[] = {0, 0, (uint8_t)code, 1, 0, 0, 0, 5};
        struct hr__npy_header h;
        hr_error err = {0};
        const hr_status st = hr__idx_header_parse(bytes, sizeof bytes, &h, &err);
        assert_int_equal(hr__idx_is(bytes, sizeof bytes), st == HR_OK);
        if (st != HR_OK) {
            assert_int_equal(st, HR_ERR_UNSUPPORTED);
            continue;
        }
        assert_int_equal(types[known].code, code);
        assert_int_equal(h.element.dtype, types[known].dtype);
        assert_int_equal(h.element.swap_bytes, types[known].swap_bytes);
        known++;
    }
    assert_int_equal(known, sizeof types / sizeof types[0]);
}

static void header__cut_off_anywhere__is_an_error(void **state) {
    (void)state;
    for (size_t n = 0; n < 16; n++) {
        struct hr__npy_header h;
        hr_error err = {0};
        assert_int_equal(hr__idx_header_parse(images, n, &h, &err), HR_ERR_CORRUPT);
        assert_true(err.message[0] != '\0');
    }
}

static void header__sizes_beyond_all_bounds__are_refused(void **state) {
    (void)state;
    uint8_t bytes[4 + 4 * 40];
    struct hr__npy_header h;
    memset(bytes, 0xff, sizeof bytes);
    memcpy(bytes, "\0\0\x0e", 3);
    for (unsigned dimensions = 2; dimensions < 40; dimensions++) {
        bytes[3] = (uint8_t)dimensions;
        const hr_status st = hr__idx_header_parse(bytes, sizeof bytes, &h, NULL);
        assert_int_equal(st, dimensions > HR_MAX_RANK + 1 ? HR_ERR_UNSUPPORTED : HR_ERR_CORRUPT);
    }
    bytes[3] = 0;
    assert_int_equal(hr__idx_header_parse(bytes, sizeof bytes, &h, NULL), HR_ERR_UNSUPPORTED);
}

static void names__of_idx_files__lose_their_mark(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t base;
    } cases[] = {{"train-images-idx3-ubyte", 12},
                 {"train-images.idx3-ubyte", 12},
                 {"t10k-labels_idx1-ubyte", 11},
                 {"x.idx", 1},
                 {".idx", 4},
                 {"idx3-ubyte", 10},
                 {"-idx3-ubyte", 11},
                 {"images-ubyte", 12},
                 {"x-idxx-ubyte", 12},
                 {"x-idx3-ubytes", 13},
                 {"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(hr__idx_name_base(cases[i].name), cases[i].base);
}

/* ---- samples ---- */

#define SAMPLES 5000u

/* int32 samples of two elements: 2 i, 2 i + 1. */
static size_t fill(uint8_t *bytes) {
    static const uint8_t head[] = {0, 0, 12, 2, 0, 0, SAMPLES >> 8, SAMPLES & 255, 0, 0, 0, 2};
    memcpy(bytes, head, sizeof head);
    for (uint32_t i = 0; i < 2 * SAMPLES; i++) {
        const uint32_t swapped = __builtin_bswap32(i);
        memcpy(bytes + sizeof head + 4 * i, &swapped, 4);
    }
    return sizeof head + 8 * SAMPLES;
}

static uint8_t plain[8 * SAMPLES + 64], packed[16 * SAMPLES + 64];

static void write_file(const char *path, const void *bytes, size_t n_bytes) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n_bytes, f), n_bytes);
    assert_int_equal(fclose(f), 0);
}

/* As gzip would; a member. */
static size_t pack(const uint8_t *bytes, size_t n_bytes, uint8_t *out, size_t room) {
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)bytes,
                  .avail_in = (uInt)n_bytes,
                  .next_out = out,
                  .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&z);
    return room - z.avail_out;
}

static hr_status read_samples(struct hr__source *src, struct hr__source_reader *r, uint64_t first,
                              uint64_t n, hr_error *err) {
    int32_t *got = malloc(n * 8 + 1);
    assert_non_null(got);
    const hr_status st = src->ops->read(r, first, n, got, err);
    for (uint64_t i = 0; st == HR_OK && i < 2 * n; i++)
        assert_int_equal(got[i], 2 * first + i);
    free(got);
    return st;
}

/* The samples in ranges of `step`, the status of the first that fails. */
static hr_status read_all(const char *path, bool gzip, uint64_t step, hr_error *err) {
    struct hr__source *src = NULL;
    struct hr__source_reader *r = NULL;
    struct hr__budget budget = {.limit_bytes = 1 << 20};
    hr_status st = hr__idx_source_open(path, gzip, &src, err);
    if (st != HR_OK)
        return st;
    assert_int_equal(src->info.is_stream, gzip);
    assert_int_equal(src->info.any_pieces, !gzip);
    st = src->ops->open_reader(src, &budget, NULL, &r, err);
    for (uint64_t at = 0; st == HR_OK && at < SAMPLES; at += step)
        st = read_samples(src, r, at, at + step <= SAMPLES ? step : SAMPLES - at, err);
    src->ops->close_reader(r);
    src->ops->close(src);
    return st;
}

static void samples__plain_and_compressed__are_the_same(void **state) {
    (void)state;
    const size_t n = fill(plain), k = pack(plain, n, packed, sizeof packed);
    write_file("x.idx", plain, n);
    write_file("x.idx.gz", packed, k);
    for (uint64_t step = 1; step <= SAMPLES; step = step * 7 + 1) {
        assert_int_equal(read_all("x.idx", false, step, NULL), HR_OK);
        assert_int_equal(read_all("x.idx.gz", true, step, NULL), HR_OK);
    }
}

static void samples__compressed__may_be_read_in_any_order(void **state) {
    (void)state;
    struct hr__source *src = NULL;
    struct hr__source_reader *r = NULL;
    struct hr__budget budget = {.limit_bytes = 1 << 20};
    static const uint64_t firsts[] = {4000, 4100, 4050, 0, 4999, 4999, 1, 2500};
    const size_t k = pack(plain, fill(plain), packed, sizeof packed);
    write_file("x.idx.gz", packed, k);
    assert_int_equal(hr__idx_source_open("x.idx.gz", true, &src, NULL), HR_OK);
    assert_string_equal(src->info.default_name, "x");
    assert_int_equal(src->ops->open_reader(src, &budget, NULL, &r, NULL), HR_OK);
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++)
        assert_int_equal(read_samples(src, r, firsts[i], 1, NULL), HR_OK);
    assert_int_equal(read_samples(src, r, SAMPLES, 1, NULL), HR_ERR_INVALID);
    src->ops->close_reader(r);
    src->ops->close(src);
}

static void samples__of_several_members_and_padding__are_one_file(void **state) {
    (void)state;
    const size_t n = fill(plain);
    size_t k = 0;
    for (size_t at = 0; at < n; at += 9999)
        k += pack(plain + at, n - at < 9999 ? n - at : 9999, packed + k, sizeof packed - k);
    memset(packed + k, 0, 100);
    write_file("x.gz", packed, k + 100);
    assert_int_equal(read_all("x.gz", true, 1000, NULL), HR_OK);
    packed[k + 99] = 'x';
    write_file("x.gz", packed, k + 100);
    hr_error err = {0};
    assert_int_equal(read_all("x.gz", true, 1000, &err), HR_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "x.gz"));
}

static void samples__compressed_and_cut_off_anywhere__are_an_error(void **state) {
    (void)state;
    const size_t k = pack(plain, fill(plain), packed, sizeof packed);
    for (size_t n = 0; n < k; n += n < 64 || k - n < 64 ? 1 : 97) {
        hr_error err = {0};
        write_file("x.gz", packed, n);
        assert_int_equal(read_all("x.gz", true, 1000, &err), HR_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "x.gz"));
    }
}

static void samples__compressed_with_a_bit_flipped__are_an_error_or_right(void **state) {
    (void)state;
    const size_t k = pack(plain, fill(plain), packed, sizeof packed);
    unsigned harmless = 0;
    for (size_t at = 0; at < k; at += at < 32 || k - at < 32 ? 1 : 211) {
        hr_error err = {0};
        packed[at] ^= 4;
        write_file("x.gz", packed, k);
        /* Values are compared as they are read, so a flip may be seen there before the checksum. */
        struct hr__source *src = NULL;
        hr_status st = hr__idx_source_open("x.gz", true, &src, &err);
        static int32_t got[2 * SAMPLES];
        struct hr__source_reader *r = NULL;
        struct hr__budget budget = {.limit_bytes = 1 << 20};
        if (st == HR_OK)
            st = src->ops->open_reader(src, &budget, NULL, &r, &err);
        memset(got, 0xff, sizeof got);
        if (st == HR_OK) {
            assert_int_equal(src->info.num_samples, SAMPLES);
            st = src->ops->read(r, 0, SAMPLES, got, &err);
        }
        for (uint32_t i = 0; st == HR_OK && i < 2 * SAMPLES; i++)
            assert_int_equal(got[i], i);
        harmless += st == HR_OK;
        assert_true(st == HR_OK || err.message[0] != '\0');
        if (src != NULL) {
            src->ops->close_reader(r);
            src->ops->close(src);
        }
        packed[at] ^= 4;
    }
    assert_true(harmless <= 7); /* time and operating system in the header */
}

static void samples__too_few__are_an_error(void **state) {
    (void)state;
    hr_error err = {0};
    const size_t n = fill(plain);
    write_file("x.idx", plain, n - 1);
    assert_int_equal(read_all("x.idx", false, 1000, &err), HR_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "truncated"));
    write_file("x.gz", packed, pack(plain, n - 1, packed, sizeof packed));
    assert_int_equal(read_all("x.gz", true, 1000, &err), HR_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "ends in sample 4999 of 5000"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header__of_images__is_understood),
        cmocka_unit_test(header__each_type__has_its_dtype),
        cmocka_unit_test(header__cut_off_anywhere__is_an_error),
        cmocka_unit_test(header__sizes_beyond_all_bounds__are_refused),
        cmocka_unit_test(names__of_idx_files__lose_their_mark),
        cmocka_unit_test(samples__plain_and_compressed__are_the_same),
        cmocka_unit_test(samples__compressed__may_be_read_in_any_order),
        cmocka_unit_test(samples__of_several_members_and_padding__are_one_file),
        cmocka_unit_test(samples__compressed_and_cut_off_anywhere__are_an_error),
        cmocka_unit_test(samples__compressed_with_a_bit_flipped__are_an_error_or_right),
        cmocka_unit_test(samples__too_few__are_an_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
