/*
 * Which files become which fields.
 */
#define _GNU_SOURCE
#include "input_names.h"
#include "input_paths.h"
#include "inputs.h"
#include "natural_order.h"
#include "npy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char notes[8192];

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

/* n samples of int32: first, first + 1, ... */
static void write_npy(const char *path, int32_t first, uint64_t n) {
    uint8_t header[256];
    size_t header_bytes = hr__npy_header_print("<i4", n, NULL, 0, header, sizeof header);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(header, 1, header_bytes, f), header_bytes);
    for (uint64_t i = 0; i < n; i++) {
        int32_t v = first + (int32_t)i;
        assert_int_equal(fwrite(&v, sizeof v, 1, f), 1);
    }
    assert_int_equal(fclose(f), 0);
}

static void write_bytes(const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void take_note(void *user, const char *line) {
    (void)user;
    strncat(notes, line, sizeof notes - strlen(notes) - 2);
    strcat(notes, "\n");
}

static hr_status open_inputs(const char *const *inputs, uint32_t n, struct hr__inputs *in,
                             hr_error *err) {
    hr_convert_options opts = HR_CONVERT_OPTIONS_INIT;
    opts.inputs = inputs;
    opts.num_inputs = n;
    opts.on_note = take_note;
    return hr__inputs_open(&opts, in, err);
}

static void check_samples(struct hr__source *src, uint64_t first, const int32_t *expected,
                          uint64_t n) {
    struct hr__source_reader *r = NULL;
    struct hr__budget budget = {.limit_bytes = 1 << 20};
    int32_t got[64];
    assert_true(n <= 64);
    assert_int_equal(src->ops->open_reader(src, &budget, NULL, &r, NULL), HR_OK);
    assert_int_equal(src->ops->read(r, first, n, got, NULL), HR_OK);
    assert_memory_equal(got, expected, n * sizeof *got);
    src->ops->close_reader(r);
}

static void natural__numbers__count_as_numbers(void **state) {
    (void)state;
    static const char *const ascending[] = {
        "",
        "a",
        "a0",
        "a00",
        "a01",
        "a1",
        "a1b",
        "a2",
        "a10",
        "a10b2",
        "a10b10",
        "a99999999999999999999998",
        "a99999999999999999999999",
        "ab",
        "b",
        "b-9",
        "b-10",
    };
    size_t n = sizeof ascending / sizeof ascending[0];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            int got = hr__natural_compare(ascending[i], ascending[k]);
            if ((got < 0) != (i < k) || (got > 0) != (i > k))
                fail_msg("'%s' and '%s': %d", ascending[i], ascending[k], got);
        }
}

static void names__numbered__have_a_base(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t base;
    } cases[] = {
        {"X_12", 1},
        {"X-00012", 1},
        {"part.7", 4},
        {"X-00001-of-00010", 1},
        {"X_0-of-3", 1},
        {"12", 0},
        {"a of-3", 4},
        {"X", HR__NOT_NUMBERED},
        {"X1", HR__NOT_NUMBERED},
        {"", HR__NOT_NUMBERED},
        {"x_2d", HR__NOT_NUMBERED},
        {"7-of-9", 0},
        {"_5", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (hr__numbered_name_base(cases[i].name) != cases[i].base)
            fail_msg("%s: %zu", cases[i].name, hr__numbered_name_base(cases[i].name));
}

static void inputs__two_files__are_two_fields(void **state) {
    (void)state;
    struct hr__inputs in;
    const char *const given[] = {"X.npy", "y.npy"};
    write_npy("X.npy", 10, 3);
    write_npy("y.npy", 20, 3);
    assert_int_equal(open_inputs(given, 2, &in, NULL), HR_OK);
    assert_int_equal(in.num_fields, 2);
    assert_string_equal(in.fields[0].name, "X");
    assert_string_equal(in.fields[1].name, "y");
    assert_int_equal(in.num_files, 2);
    assert_string_equal(in.files[1].path, "y.npy");
    check_samples(in.fields[1].source, 0, (const int32_t[]){20, 21, 22}, 3);
    assert_int_equal(hr__inputs_check_unchanged(&in, NULL), HR_OK);
    write_npy("y.npy", 20, 4);
    assert_int_equal(hr__inputs_check_unchanged(&in, NULL), HR_ERR_DATA);
    hr__inputs_close(&in);
}

static void inputs__numbered_files__are_one_field_in_natural_order(void **state) {
    (void)state;
    static const char *const ways[] = {".", "X_*.npy", "X_[0-9]*"};
    write_npy("X_10.npy", 30, 2);
    write_npy("X_9.npy", 20, 0);
    write_npy("X_2.npy", 10, 3);
    write_npy(".hidden.npy", 10, 3);
    assert_int_equal(mkdir("Y_3.npy", 0700), 0);
    for (size_t i = 0; i < 3; i++) {
        struct hr__inputs in;
        hr_error err = {0};
        notes[0] = '\0';
        if (open_inputs(&ways[i], 1, &in, &err) != HR_OK)
            fail_msg("%s: %s", ways[i], err.message);
        assert_int_equal(in.num_fields, 1);
        assert_string_equal(in.fields[0].name, "X");
        assert_int_equal(in.num_files, 3);
        assert_int_equal(in.fields[0].source->info.num_samples, 5);
        check_samples(in.fields[0].source, 0, (const int32_t[]){10, 11, 12, 30, 31}, 5);
        check_samples(in.fields[0].source, 2, (const int32_t[]){12, 30}, 2);
        check_samples(in.fields[0].source, 4, (const int32_t[]){31}, 1);
        check_samples(in.fields[0].source, 5, NULL, 0);
        assert_non_null(strstr(notes, "3 files"));
        assert_true(strstr(notes, "X_2.npy") < strstr(notes, "X_9.npy"));
        assert_true(strstr(notes, "X_9.npy") < strstr(notes, "X_10.npy"));
        hr__inputs_close(&in);
    }
}

static void names__numbered__agree_by_their_number(void **state) {
    (void)state;
    assert_true(hr__numbered_names_agree("X_7", "y-00007-of-00010"));
    assert_true(hr__numbered_names_agree("0", "y_000"));
    assert_false(hr__numbered_names_agree("X_7", "y_70"));
    assert_false(hr__numbered_names_agree("X_1-of-3", "y_3-of-3"));
}

static hr_status open_parts(const char *const *given, uint32_t n, hr_error *err) {
    struct hr__inputs in;
    const hr_status st = open_inputs(given, n, &in, err);
    if (st == HR_OK)
        hr__inputs_close(&in);
    return st;
}

static void inputs__parts_without_their_counterparts__are_refused(void **state) {
    (void)state;
    const char *const folder_only[] = {"."};
    const char *const swapped[] = {"X_1.npy", "X_2.npy", "y_2.npy", "y_1.npy"};
    hr_error err = {0};
    write_npy("X_1.npy", 0, 2);
    write_npy("X_2.npy", 2, 2);
    write_npy("y_1.npy", 4, 2);
    write_npy("y_3.npy", 6, 2);
    assert_int_equal(open_parts(folder_only, 1, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "X_2.npy and ./y_3.npy would belong together"));
    assert_int_equal(rename("y_3.npy", "y_002.npy"), 0);
    assert_int_equal(open_parts(folder_only, 1, &err), HR_OK);
    assert_int_equal(rename("y_002.npy", "y_2.npy"), 0);
    assert_int_equal(open_parts(swapped, 4, &err), HR_ERR_INVALID);
    write_npy("y_2.npy", 6, 1); /* another division of as many samples is none of our business */
    write_npy("y_5.npy", 6, 1);
    assert_int_equal(open_parts(folder_only, 1, &err), HR_OK);
}

static void inputs__a_folder_of_two_fields__keeps_them_apart(void **state) {
    (void)state;
    const char *const given[] = {"."};
    struct hr__inputs in;
    write_npy("X_1.npy", 0, 2);
    write_npy("X_2.npy", 2, 2);
    write_npy("y_1.npy", 4, 2);
    write_npy("y_2.npy", 6, 2);
    write_npy("id.npy", 8, 4);
    write_npy("z_7.npy", 8, 4);
    assert_int_equal(open_inputs(given, 1, &in, NULL), HR_OK);
    assert_int_equal(in.num_fields, 4);
    assert_string_equal(in.fields[0].name, "X");
    assert_string_equal(in.fields[1].name, "id");
    assert_string_equal(in.fields[2].name, "y");
    assert_string_equal(in.fields[3].name, "z_7");
    check_samples(in.fields[2].source, 0, (const int32_t[]){4, 5, 6, 7}, 4);
    hr__inputs_close(&in);
}

static void inputs__the_same_name_in_two_folders__goes_on(void **state) {
    (void)state;
    const char *const given[] = {"b", "a"};
    struct hr__inputs in;
    assert_int_equal(mkdir("a", 0700) | mkdir("b", 0700), 0);
    write_npy("a/X.npy", 0, 2);
    write_npy("b/X.npy", 5, 1);
    assert_int_equal(open_inputs(given, 2, &in, NULL), HR_OK);
    assert_int_equal(in.num_fields, 1);
    check_samples(in.fields[0].source, 0, (const int32_t[]){5, 0, 1}, 3);
    hr__inputs_close(&in);
}

static void inputs__fields_said_outright__are_named_so(void **state) {
    (void)state;
    const hr_convert_field fields[] = {{"image", "data/part*.npy"}, {"label", "y_1.npy"}};
    hr_convert_options opts = HR_CONVERT_OPTIONS_INIT;
    struct hr__inputs in;
    assert_int_equal(mkdir("data", 0700), 0);
    write_npy("data/part1.npy", 0, 2);
    write_npy("data/partial.npy", 2, 2);
    write_npy("y_1.npy", 4, 4);
    opts.fields = fields;
    opts.num_fields = 2;
    assert_int_equal(hr__inputs_open(&opts, &in, NULL), HR_OK);
    assert_int_equal(in.num_fields, 2);
    assert_string_equal(in.fields[0].name, "image");
    check_samples(in.fields[0].source, 0, (const int32_t[]){0, 1, 2, 3}, 4);
    assert_string_equal(in.fields[1].name, "label");
    hr__inputs_close(&in);
}

static void inputs__raw_files__need_a_dtype(void **state) {
    (void)state;
    const char *const given[] = {"X.bin", "y.npy"};
    hr_convert_options opts = HR_CONVERT_OPTIONS_INIT;
    struct hr__inputs in;
    hr_error err = {0};
    const int32_t data[] = {1, 2, 3};
    write_bytes("X.bin", data, sizeof data);
    write_npy("y.npy", 4, 3);
    opts.inputs = given;
    opts.num_inputs = 2;
    assert_int_equal(hr__inputs_open(&opts, &in, &err), HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "X.bin"));
    opts.raw_dtype = "int32";
    assert_int_equal(hr__inputs_open(&opts, &in, NULL), HR_OK);
    check_samples(in.fields[0].source, 0, data, 3);
    check_samples(in.fields[1].source, 0, (const int32_t[]){4, 5, 6}, 3);
    hr__inputs_close(&in);
}

static void inputs__strange_names__are_taken_literally(void **state) {
    (void)state;
    const char *const given[] = {"a[1]:/*.npy"};
    struct hr__inputs in;
    assert_int_equal(mkdir("a[1]:", 0700), 0);
    write_npy("a[1]:/*.npy", 1, 1);
    assert_int_equal(open_inputs(given, 1, &in, NULL), HR_OK);
    assert_string_equal(in.fields[0].name, "*");
    hr__inputs_close(&in);
}

static void paths__a_member__is_split_off(void **state) {
    (void)state;
    struct hr__input_paths p;
    write_bytes("a.h5", "x", 1);
    write_bytes("b.h5", "x", 1);
    assert_int_equal(hr__input_paths_find("a.h5:/images/train", false, &p, NULL), HR_OK);
    assert_int_equal(p.n, 1);
    assert_string_equal(p.paths[0], "a.h5");
    assert_string_equal(p.member, "/images/train");
    hr__input_paths_free(&p);
    assert_int_equal(hr__input_paths_find("*.h5:/x", false, &p, NULL), HR_OK);
    assert_int_equal(p.n, 2);
    assert_string_equal(p.member, "/x");
    hr__input_paths_free(&p);
    assert_int_equal(hr__input_paths_find("c.h5:/x", false, &p, NULL), HR_ERR_NOT_FOUND);
    assert_null(p.paths);
}

/* One way to get it wrong: what is given, what comes of it, what the message has. */
static void check_refused(const char *const *given, uint32_t n, hr_status expected,
                          const char *words) {
    struct hr__inputs in;
    hr_error err = {0};
    hr_status st = open_inputs(given, n, &in, &err);
    if (st != expected || strstr(err.message, words) == NULL)
        fail_msg("%s: %d %s", given[0], (int)st, err.message);
    assert_null(in.fields);
}

static void inputs__what_does_not_fit__is_refused(void **state) {
    (void)state;
    write_npy("X.npy", 0, 3);
    write_npy("y.npy", 0, 4);
    write_bytes("s.hrd", "\x89HRD\r\n\x1a\n....", 12);
    write_bytes("t.txt", "text", 4);
    write_bytes("broken.npy", "text", 4);
    assert_int_equal(mkdir("empty", 0700), 0);
    check_refused((const char *const[]){"X.npy", "y.npy"}, 2, HR_ERR_INVALID, "has 4");
    check_refused((const char *const[]){"X.npy", "X.npy"}, 2, HR_ERR_INVALID, "twice");
    check_refused((const char *const[]){"s.hrd"}, 1, HR_ERR_CORRUPT, "s.hrd: truncated");
    check_refused((const char *const[]){"t.txt"}, 1, HR_ERR_UNSUPPORTED, "neither");
    check_refused((const char *const[]){"broken.npy"}, 1, HR_ERR_CORRUPT, "no .npy file");
    check_refused((const char *const[]){"empty"}, 1, HR_ERR_NOT_FOUND, "empty");
    check_refused((const char *const[]){"none*.npy"}, 1, HR_ERR_NOT_FOUND, "none*");
    check_refused((const char *const[]){"none.npy"}, 1, HR_ERR_NOT_FOUND, "none.npy");
    check_refused((const char *const[]){""}, 1, HR_ERR_INVALID, "no name");
    check_refused((const char *const[]){"X.npy:/a"}, 1, HR_ERR_INVALID, "no member");
    check_refused(NULL, 0, HR_ERR_INVALID, "no input");
}

static void inputs__parts_that_differ__are_refused(void **state) {
    (void)state;
    uint8_t header[256];
    size_t n = hr__npy_header_print("<f4", 0, (const uint64_t[]){7}, 1, header, sizeof header);
    write_bytes("X_1.npy", header, n);
    write_npy("X_2.npy", 0, 3);
    check_refused((const char *const[]){"."}, 1, HR_ERR_UNSUPPORTED, "float32 (7)");
    check_refused((const char *const[]){"."}, 1, HR_ERR_UNSUPPORTED, "int32 ()");
}

static void inputs__names_given_twice__are_refused(void **state) {
    (void)state;
    const hr_convert_field fields[] = {{"X", "a.npy"}, {"X", "b.npy"}};
    const char *const given[] = {"X.npy"};
    hr_convert_options opts = HR_CONVERT_OPTIONS_INIT;
    struct hr__inputs in;
    hr_error err = {0};
    write_npy("a.npy", 0, 3);
    write_npy("b.npy", 0, 3);
    write_npy("X.npy", 0, 3);
    opts.fields = fields;
    opts.num_fields = 2;
    assert_int_equal(hr__inputs_open(&opts, &in, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "twice"));
    opts.num_fields = 1;
    opts.inputs = given;
    opts.num_inputs = 1;
    assert_int_equal(hr__inputs_open(&opts, &in, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "outright"));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(natural__numbers__count_as_numbers),
        cmocka_unit_test(names__numbered__have_a_base),
        cmocka_unit_test(names__numbered__agree_by_their_number),
        IN_FOLDER(inputs__two_files__are_two_fields),
        IN_FOLDER(inputs__numbered_files__are_one_field_in_natural_order),
        IN_FOLDER(inputs__parts_without_their_counterparts__are_refused),
        IN_FOLDER(inputs__a_folder_of_two_fields__keeps_them_apart),
        IN_FOLDER(inputs__the_same_name_in_two_folders__goes_on),
        IN_FOLDER(inputs__fields_said_outright__are_named_so),
        IN_FOLDER(inputs__raw_files__need_a_dtype),
        IN_FOLDER(inputs__strange_names__are_taken_literally),
        IN_FOLDER(paths__a_member__is_split_off),
        IN_FOLDER(inputs__what_does_not_fit__is_refused),
        IN_FOLDER(inputs__parts_that_differ__are_refused),
        IN_FOLDER(inputs__names_given_twice__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
