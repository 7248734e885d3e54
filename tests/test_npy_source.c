/*
 * Sources that are flat files: .npy and raw binary.
 */
#define _GNU_SOURCE
#include "npy_header.h"
#include "source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/headrace-test-XXXXXX";
static char path[64];

static int make_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/X.npy", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const void *bytes, size_t n_bytes) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n_bytes, f), n_bytes);
    assert_int_equal(fclose(f), 0);
}

static void write_npy(const char *descr, uint64_t num_samples, const uint64_t *shape, uint32_t rank,
                      const void *data, size_t data_bytes) {
    uint8_t bytes[4096];
    size_t n = hr__npy_header_print(descr, num_samples, shape, rank, bytes, sizeof bytes);
    assert_true(n + data_bytes <= sizeof bytes);
    if (data_bytes > 0)
        memcpy(bytes + n, data, data_bytes);
    write_file(bytes, n + data_bytes);
}

static hr_status read_all(struct hr__source *src, uint64_t first, uint64_t n, void *dst,
                          hr_error *err) {
    struct hr__source_reader *r = NULL;
    struct hr__budget budget = {.limit_bytes = 1 << 20};
    hr_status st = src->ops->open_reader(src, &budget, NULL, &r, err);
    if (st == HR_OK)
        st = src->ops->read(r, first, n, dst, err);
    src->ops->close_reader(r);
    return st;
}

static void npy__a_file__is_described_and_read(void **state) {
    (void)state;
    const float data[3][2] = {{1, 2}, {3, 4}, {5, 6}};
    const uint64_t shape[] = {2};
    struct hr__source *src = NULL;
    float got[2][2];
    write_npy("<f4", 3, shape, 1, data, sizeof data);
    assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
    assert_string_equal(src->info.default_name, "X");
    assert_string_equal(src->info.path, path);
    assert_string_equal(src->info.file.path, path);
    assert_null(src->info.member);
    assert_null(src->info.note);
    assert_null(src->info.numpy_dtype);
    assert_int_equal(src->info.dtype, HR_FLOAT32);
    assert_int_equal(src->info.num_samples, 3);
    assert_int_equal(src->info.sample_bytes, 8);
    assert_int_equal(src->info.rank, 1);
    assert_int_equal(src->info.shape[0], 2);
    struct stat s;
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(src->info.file.size_bytes, s.st_size);
    assert_int_equal(src->info.file.mtime_ns,
                     (int64_t)s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec);
    assert_int_equal(read_all(src, 1, 2, got, NULL), HR_OK);
    assert_memory_equal(got, data[1], sizeof got);
    assert_int_equal(read_all(src, 2, 2, got, NULL), HR_ERR_INVALID);
    src->ops->close(src);
}

static void npy__big_endian__becomes_little_endian(void **state) {
    (void)state;
    static const struct {
        const char *descr;
        uint8_t in[16], out[16];
        uint32_t n_bytes;
    } cases[] = {
        {">u2", {1, 2}, {2, 1}, 2},
        {">f4", {1, 2, 3, 4}, {4, 3, 2, 1}, 4},
        {">i8", {1, 2, 3, 4, 5, 6, 7, 8}, {8, 7, 6, 5, 4, 3, 2, 1}, 8},
        {">c8", {1, 2, 3, 4, 5, 6, 7, 8}, {4, 3, 2, 1, 8, 7, 6, 5}, 8},
        {">c16",
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
         {8, 7, 6, 5, 4, 3, 2, 1, 16, 15, 14, 13, 12, 11, 10, 9},
         16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hr__source *src = NULL;
        uint8_t data[32], got[32];
        memcpy(data, cases[i].in, cases[i].n_bytes);
        memcpy(data + cases[i].n_bytes, cases[i].in, cases[i].n_bytes);
        write_npy(cases[i].descr, 2, NULL, 0, data, 2 * cases[i].n_bytes);
        assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
        assert_int_equal(read_all(src, 0, 2, got, NULL), HR_OK);
        assert_memory_equal(got, cases[i].out, cases[i].n_bytes);
        assert_memory_equal(got + cases[i].n_bytes, cases[i].out, cases[i].n_bytes);
        src->ops->close(src);
    }
}

static void npy__a_bool_that_is_neither__is_refused_with_its_sample(void **state) {
    (void)state;
    const uint8_t data[3][4] = {{0, 1, 0, 1}, {1, 1, 1, 0}, {0, 0, 2, 0}};
    const uint64_t shape[] = {4};
    struct hr__source *src = NULL;
    uint8_t got[3][4];
    hr_error err = {0};
    write_npy("|b1", 3, shape, 1, data, sizeof data);
    assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
    assert_int_equal(read_all(src, 0, 2, got, NULL), HR_OK);
    assert_int_equal(read_all(src, 1, 2, got, &err), HR_ERR_DATA);
    assert_non_null(strstr(err.message, "sample 2 "));
    assert_non_null(strstr(err.message, path));
    src->ops->close(src);
}

static void npy__unicode__becomes_utf8_of_the_same_width(void **state) {
    (void)state;
    const uint32_t text[2][3] = {{'a', 0xe9, 0x20ac}, {0x1f600, 0, 0}};
    const uint8_t expected[2][12] = {{'a', 0xc3, 0xa9, 0xe2, 0x82, 0xac}, {0xf0, 0x9f, 0x98, 0x80}};
    struct hr__source *src = NULL;
    uint8_t got[2][12];
    write_npy("<U3", 2, NULL, 0, text, sizeof text);
    assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
    assert_int_equal(src->info.dtype, HR_FIXED_UTF8);
    assert_int_equal(src->info.width_bytes, 12);
    assert_string_equal(src->info.numpy_dtype, "<U3");
    assert_int_equal(read_all(src, 0, 2, got, NULL), HR_OK);
    assert_memory_equal(got, expected, sizeof got);
    src->ops->close(src);
}

static void npy__big_endian_unicode__exports_as_little_endian(void **state) {
    (void)state;
    const uint8_t text[8] = {0, 0, 0, 'a', 0, 1, 0xf6, 0};
    const uint8_t expected[8] = {'a', 0xf0, 0x9f, 0x98, 0x80};
    struct hr__source *src = NULL;
    uint8_t got[8];
    write_npy(">U2", 1, NULL, 0, text, sizeof text);
    assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
    assert_string_equal(src->info.numpy_dtype, "<U2");
    assert_int_equal(read_all(src, 0, 1, got, NULL), HR_OK);
    assert_memory_equal(got, expected, sizeof got);
    src->ops->close(src);
}

static void npy__code_points_that_are_none__are_refused_with_their_sample(void **state) {
    (void)state;
    static const uint32_t bad[] = {0xd800, 0xdfff, 0x110000, 0xffffffff};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const uint32_t text[2][2] = {{'a', 'b'}, {'c', bad[i]}};
        struct hr__source *src = NULL;
        uint8_t got[2][8];
        hr_error err = {0};
        write_npy("<U2", 2, NULL, 0, text, sizeof text);
        assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
        assert_int_equal(read_all(src, 0, 2, got, &err), HR_ERR_DATA);
        assert_non_null(strstr(err.message, "sample 1 "));
        src->ops->close(src);
    }
}

static void npy__empty_arrays__are_fine(void **state) {
    (void)state;
    const uint64_t shape[] = {0, 5};
    struct hr__source *src = NULL;
    uint8_t got[1];
    write_npy("<f4", 0, shape + 1, 1, NULL, 0);
    assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
    assert_int_equal(src->info.num_samples, 0);
    assert_int_equal(src->info.sample_bytes, 20);
    assert_int_equal(read_all(src, 0, 0, got, NULL), HR_OK);
    src->ops->close(src);
    write_npy("|b1", 7, shape, 2, NULL, 0);
    assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
    assert_int_equal(src->info.num_samples, 7);
    assert_int_equal(src->info.sample_bytes, 0);
    assert_int_equal(read_all(src, 0, 7, got, NULL), HR_OK);
    src->ops->close(src);
}

static void npy__every_truncation__is_refused(void **state) {
    (void)state;
    uint8_t bytes[256];
    hr_error err = {0};
    size_t n = hr__npy_header_print("<i4", 5, NULL, 0, bytes, sizeof bytes);
    memset(bytes + n, 7, 20);
    for (size_t cut = 0; cut < n + 20; cut++) {
        struct hr__source *src = NULL;
        write_file(bytes, cut);
        assert_int_equal(hr__npy_plain_source_open(path, &src, &err), HR_ERR_CORRUPT);
        assert_null(src);
        assert_non_null(strstr(err.message, path));
    }
    assert_non_null(strstr(err.message, "147 bytes"));
    assert_non_null(strstr(err.message, "need 148"));
}

static void npy__bytes_behind_the_array__are_noted(void **state) {
    (void)state;
    const uint8_t data[5] = {1, 2, 3, 4, 5};
    struct hr__source *src = NULL;
    write_npy("|u1", 3, NULL, 0, data, sizeof data);
    assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
    assert_non_null(src->info.note);
    assert_non_null(strstr(src->info.note, "2 bytes"));
    src->ops->close(src);
}

static void npy__a_file_that_shrinks_meanwhile__is_an_error(void **state) {
    (void)state;
    const uint8_t data[3] = {1, 2, 3};
    struct hr__source *src = NULL;
    struct hr__source_reader *r = NULL;
    struct hr__budget budget = {.limit_bytes = 1 << 20};
    uint8_t got[3];
    struct stat s;
    write_npy("|u1", 3, NULL, 0, data, sizeof data);
    assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_OK);
    assert_int_equal(src->ops->open_reader(src, &budget, NULL, &r, NULL), HR_OK);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(truncate(path, s.st_size - 1), 0);
    assert_int_equal(src->ops->read(r, 0, 2, got, NULL), HR_OK);
    assert_int_equal(src->ops->read(r, 0, 3, got, NULL), HR_ERR_CORRUPT);
    src->ops->close_reader(r);
    assert_int_equal(src->ops->open_reader(src, &budget, NULL, &r, NULL), HR_ERR_DATA);
    assert_null(r);
    src->ops->close(src);
}

static void npy__what_is_no_file__is_refused(void **state) {
    (void)state;
    struct hr__source *src = NULL;
    char missing[80];
    snprintf(missing, sizeof missing, "%s/missing.npy", folder);
    assert_int_equal(hr__npy_plain_source_open(missing, &src, NULL), HR_ERR_NOT_FOUND);
    assert_int_equal(hr__npy_plain_source_open(folder, &src, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__npy_plain_source_open("/dev/zero", &src, NULL), HR_ERR_INVALID);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(hr__npy_plain_source_open(path, &src, NULL), HR_ERR_INVALID);
    unlink(path);
}

static void raw__a_file__is_divided_into_samples(void **state) {
    (void)state;
    const uint8_t data[14] = {9, 9, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};
    const uint64_t shape[] = {3};
    struct hr__source *src = NULL;
    uint16_t got[2][3];
    write_file(data, sizeof data);
    assert_int_equal(hr__raw_source_open(path, ">u2", shape, 1, 2, &src, NULL), HR_OK);
    assert_int_equal(src->info.num_samples, 2);
    assert_int_equal(src->info.dtype, HR_UINT16);
    assert_string_equal(src->info.default_name, "X");
    assert_int_equal(read_all(src, 0, 2, got, NULL), HR_OK);
    assert_int_equal(got[0][0], 1);
    assert_int_equal(got[1][2], 6);
    src->ops->close(src);
}

static void raw__what_does_not_divide__is_refused(void **state) {
    (void)state;
    const uint8_t data[14] = {0};
    const uint64_t shape[] = {3, 0, UINT64_C(1) << 40, UINT64_C(1) << 40};
    struct hr__source *src = NULL;
    hr_error err = {0};
    write_file(data, sizeof data);
    assert_int_equal(hr__raw_source_open(path, "uint16", shape, 1, 0, &src, &err), HR_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "2 bytes more"));
    assert_int_equal(hr__raw_source_open(path, "uint16", shape, 1, 15, &src, NULL), HR_ERR_CORRUPT);
    assert_int_equal(hr__raw_source_open(path, "uint16", shape, 2, 0, &src, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__raw_source_open(path, "uint16", shape + 2, 2, 0, &src, NULL),
                     HR_ERR_INVALID);
    assert_int_equal(hr__raw_source_open(path, NULL, shape, 1, 0, &src, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__raw_source_open(path, "object", shape, 1, 0, &src, NULL),
                     HR_ERR_UNSUPPORTED);
    assert_null(src);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy__a_file__is_described_and_read),
        cmocka_unit_test(npy__big_endian__becomes_little_endian),
        cmocka_unit_test(npy__a_bool_that_is_neither__is_refused_with_its_sample),
        cmocka_unit_test(npy__unicode__becomes_utf8_of_the_same_width),
        cmocka_unit_test(npy__big_endian_unicode__exports_as_little_endian),
        cmocka_unit_test(npy__code_points_that_are_none__are_refused_with_their_sample),
        cmocka_unit_test(npy__empty_arrays__are_fine),
        cmocka_unit_test(npy__every_truncation__is_refused),
        cmocka_unit_test(npy__bytes_behind_the_array__are_noted),
        cmocka_unit_test(npy__a_file_that_shrinks_meanwhile__is_an_error),
        cmocka_unit_test(npy__what_is_no_file__is_refused),
        cmocka_unit_test(raw__a_file__is_divided_into_samples),
        cmocka_unit_test(raw__what_does_not_divide__is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
