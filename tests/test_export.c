/*
 * hr_export_npy(): what was converted comes back.
 */
#define _GNU_SOURCE
#include "export_values.h"
#include "headrace/convert.h"
#include "npy_header.h"
#include "numpy_elements.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char notes[4096];

static int enter_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/headrace-test-XXXXXX");
    notes[0] = '\0';
    return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int leave_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

static void take_note(void *user, const char *line) {
    (void)user;
    strncat(notes, line, sizeof notes - strlen(notes) - 2);
}

static int cancel(void *user, const hr_progress *progress) {
    (void)user;
    (void)progress;
    return 1;
}

/* A data set of the fields, and opened. */
static hr_dataset *make(const hr_field *fields, uint32_t num_fields, uint64_t n,
                        const void *const *columns) {
    hr_writer *writer = NULL;
    hr_dataset *ds = NULL;
    hr_error err = {0};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.samples_per_chunk = 7;
    o.num_threads = 1;
    if (hr_writer_open("set.hrd", fields, num_fields, &o, &writer, &err) != HR_OK ||
        hr_writer_append(writer, n, columns, &err) != HR_OK ||
        hr_writer_commit(writer, &err) != HR_OK)
        fail_msg("%s", err.message);
    hr_writer_close(writer);
    if (hr_dataset_open("set.hrd", NULL, &ds, &err) != HR_OK)
        fail_msg("%s", err.message);
    return ds;
}

static hr_status export_to(hr_dataset *ds, const char *to, uint64_t first, uint64_t end,
                           hr_error *err) {
    hr_export_options o = HR_EXPORT_OPTIONS_INIT;
    o.folder = to;
    o.first_sample = first;
    o.end_sample = end;
    o.on_note = take_note;
    return hr_export_npy(ds, &o, err);
}

/* The file is exactly a header with this and these bytes. */
static void check_npy(const char *path, const char *descr, uint64_t n, const uint64_t *shape,
                      uint32_t rank, const void *data, size_t data_bytes) {
    static uint8_t got[65536], expected[4096];
    size_t header_bytes = hr__npy_header_print(descr, n, shape, rank, expected, sizeof expected);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("no file %s", path);
    size_t got_bytes = fread(got, 1, sizeof got, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(got_bytes, header_bytes + data_bytes);
    assert_memory_equal(got, expected, header_bytes);
    assert_memory_equal(got + header_bytes, data, data_bytes);
}

static void export__all_fields__come_back(void **state) {
    (void)state;
    float x[50][3];
    int64_t y[50];
    uint16_t b[50];
    char s[50][5] = {"abc", "defgh"};
    const uint64_t shape[] = {3};
    for (int i = 0; i < 50; i++) {
        y[i] = i * i;
        b[i] = (uint16_t)(i * 77);
        for (int k = 0; k < 3; k++)
            x[i][k] = (float)(i * 3 + k);
    }
    const hr_field fields[] = {
        {.name = "x", .dtype = HR_FLOAT32, .rank = 1, .shape = shape},
        {.name = "group/y", .dtype = HR_INT64},
        {.name = "b", .dtype = HR_BFLOAT16},
        {.name = "s", .dtype = HR_FIXED_BYTES, .width_bytes = 5},
    };
    const void *const columns[] = {x, y, b, s};
    hr_dataset *ds = make(fields, 4, 50, columns);
    assert_int_equal(export_to(ds, "all", 0, 0, NULL), HR_OK);
    check_npy("all/x.npy", "<f4", 50, shape, 1, x, sizeof x);
    check_npy("all/group__y.npy", "<i8", 50, NULL, 0, y, sizeof y);
    check_npy("all/b.npy", "<u2", 50, NULL, 0, b, sizeof b);
    check_npy("all/s.npy", "|S5", 50, NULL, 0, s, sizeof s);
    assert_non_null(strstr(notes, "field b is bfloat16"));
    assert_int_equal(access("all/x.npy.partial", F_OK), -1);
    for (uint64_t first = 0; first < 50; first += 9)
        for (uint64_t n = 1; n <= 50 - first; n += 8) {
            hr_export_options o = HR_EXPORT_OPTIONS_INIT;
            o.folder = "part/";
            o.flags = HR_CONVERT_REPLACE;
            o.first_sample = first;
            o.end_sample = first + n;
            assert_int_equal(hr_export_npy(ds, &o, NULL), HR_OK);
            check_npy("part/x.npy", "<f4", n, shape, 1, x[first], n * 12);
        }
    hr_dataset_close(ds);
}

static void export__text__becomes_code_points_again(void **state) {
    (void)state;
    const char text[2][12] = {"a\xe2\x82\xac", "\xf0\x9f\x98\x80zz"};
    const uint32_t expected[2][3] = {{'a', 0x20ac, 0}, {0x1f600, 'z', 'z'}};
    const uint32_t plain[2][12] = {{'a', 0x20ac}, {0x1f600, 'z', 'z'}};
    const hr_field fields[] = {
        {.name = "t",
         .dtype = HR_FIXED_UTF8,
         .width_bytes = 12,
         .attributes_json = "{\"headrace:numpy_dtype\": \"<U3\"}"},
        {.name = "u", .dtype = HR_FIXED_UTF8, .width_bytes = 12},
        {.name = "v",
         .dtype = HR_FIXED_UTF8,
         .width_bytes = 12,
         .attributes_json = "{\"headrace:numpy_dtype\": \"<U2\"}"},
    };
    const void *const columns[] = {text, text, text};
    hr_dataset *ds = make(fields, 3, 2, columns);
    assert_int_equal(export_to(ds, "out", 0, 0, NULL), HR_OK);
    check_npy("out/t.npy", "<U3", 2, NULL, 0, expected, sizeof expected);
    check_npy("out/u.npy", "<U12", 2, NULL, 0, plain, sizeof plain);
    check_npy("out/v.npy", "<U12", 2, NULL, 0, plain, sizeof plain); /* it would not fit <U2 */
    hr_dataset_close(ds);
}

static void export__what_cannot_be__is_refused(void **state) {
    (void)state;
    const uint8_t data[3] = {1, 2, 3};
    const hr_field fields[] = {{.name = "a/b", .dtype = HR_UINT8},
                               {.name = "a__b", .dtype = HR_UINT8}};
    const void *const columns[] = {data, data};
    const char *const second[] = {"a__b"}, *const unknown[] = {"c"};
    hr_error err = {0};
    hr_dataset *ds = make(fields, 2, 3, columns);
    hr_export_options o = HR_EXPORT_OPTIONS_INIT;
    assert_int_equal(export_to(ds, "out", 0, 0, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "would both become"));
    assert_int_equal(access("out", F_OK), -1);
    assert_int_equal(export_to(ds, "out", 4, 0, NULL), HR_ERR_INVALID);
    assert_int_equal(export_to(ds, "out", 3, 0, NULL), HR_ERR_INVALID);
    assert_int_equal(export_to(ds, "out", 2, 4, NULL), HR_ERR_INVALID);
    assert_int_equal(export_to(ds, "out", 2, 2, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "2:2 is empty"));
    o.folder = "out";
    o.fields = unknown;
    o.num_fields = 1;
    assert_int_equal(hr_export_npy(ds, &o, NULL), HR_ERR_NOT_FOUND);
    o.fields = second;
    assert_int_equal(hr_export_npy(ds, &o, NULL), HR_OK);
    check_npy("out/a__b.npy", "|u1", 3, NULL, 0, data, 3);
    assert_int_equal(hr_export_npy(ds, &o, NULL), HR_ERR_EXISTS);
    o.flags = HR_CONVERT_REPLACE;
    assert_int_equal(hr_export_npy(ds, &o, NULL), HR_OK);
    o.on_progress = cancel;
    assert_int_equal(hr_export_npy(ds, &o, NULL), HR_ERR_CANCELLED);
    assert_int_equal(access("out/a__b.npy.partial", F_OK), -1);
    check_npy("out/a__b.npy", "|u1", 3, NULL, 0, data, 3);
    o.folder = "no/such/folder";
    assert_int_equal(hr_export_npy(ds, &o, NULL), HR_ERR_NOT_FOUND);
    o.folder = NULL;
    assert_int_equal(hr_export_npy(ds, &o, NULL), HR_ERR_INVALID);
    assert_int_equal(hr_export_npy(ds, NULL, NULL), HR_ERR_INVALID);
    hr_dataset_close(ds);
}

static void export__variable_length_to_npy__is_refused_before_anything_is_made(void **state) {
    (void)state;
    const int64_t offsets[] = {0, 2, 3};
    const hr_varlen_column texts = {offsets, "abc", 3};
    const uint8_t data[2] = {1, 2};
    const hr_field fields[] = {{.name = "x", .dtype = HR_UINT8},
                               {.name = "t", .dtype = HR_VAR_UTF8}};
    const void *const columns[] = {data, &texts};
    hr_error err = {0};
    hr_dataset *ds = make(fields, 2, 2, columns);
    assert_int_equal(export_to(ds, "out", 0, 0, &err), HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "field t"));
    assert_non_null(strstr(err.message, ".h5 or .npz"));
    assert_int_equal(access("out", F_OK), -1);
    hr_dataset_close(ds);
}

static void export__a_small_budget__reads_sample_by_sample(void **state) {
    (void)state;
    uint8_t data[40][100];
    const uint64_t shape[] = {100};
    const hr_field fields[] = {{.name = "x", .dtype = HR_UINT8, .rank = 1, .shape = shape}};
    const void *const columns[] = {data};
    for (int i = 0; i < 40; i++)
        memset(data[i], i, 100);
    hr_dataset *ds = make(fields, 1, 40, columns);
    hr_export_options o = HR_EXPORT_OPTIONS_INIT;
    o.folder = "out";
    o.flags = HR_CONVERT_REPLACE;
    for (o.budget_bytes = 100; o.budget_bytes <= 300; o.budget_bytes += 100) {
        assert_int_equal(hr_export_npy(ds, &o, NULL), HR_OK);
        check_npy("out/x.npy", "|u1", 40, shape, 1, data, sizeof data);
    }
    o.budget_bytes = 50;
    assert_int_equal(hr_export_npy(ds, &o, NULL), HR_ERR_BUDGET);
    check_npy("out/x.npy", "|u1", 40, shape, 1, data, sizeof data);
    hr_dataset_close(ds);
}

static void ucs4__text_that_does_not_fit__is_an_error(void **state) {
    (void)state;
    uint32_t out[4];
    assert_int_equal(hr__utf8_to_ucs4((const uint8_t *)"abc", 1, 3, 3, (uint8_t *)out, NULL),
                     HR_OK);
    assert_int_equal(hr__utf8_to_ucs4((const uint8_t *)"abc", 1, 3, 2, (uint8_t *)out, NULL),
                     HR_ERR_DATA);
    assert_int_equal(hr__utf8_to_ucs4((const uint8_t *)"a\xff", 1, 2, 2, (uint8_t *)out, NULL),
                     HR_ERR_DATA);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(export__all_fields__come_back),
        IN_FOLDER(export__text__becomes_code_points_again),
        IN_FOLDER(export__what_cannot_be__is_refused),
        IN_FOLDER(export__variable_length_to_npy__is_refused_before_anything_is_made),
        IN_FOLDER(export__a_small_budget__reads_sample_by_sample),
        cmocka_unit_test(ucs4__text_that_does_not_fit__is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
