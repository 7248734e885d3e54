/*
 * hr_compare(): what is equal, what differs and where, whatever the files are; and the parts that
 * it is made of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compare_values.h"
#include "made_dataset.h"
#include "npy_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUM 3000u

static int32_t x[NUM][4];
static double y[NUM];
static const uint64_t shape4[] = {4};

/* What on_field was told, as text: the test's own words for it. */
static char told[4096];

static void note_field(void *user, const hr_compared_field *f) {
    char line[256];
    (void)user;
    (void)snprintf(line, sizeof line, "%s/%s:%u:%llu/%llu", f->a != NULL ? f->a->name : "-",
                   f->b != NULL ? f->b->name : "-", f->differs,
                   (unsigned long long)f->num_different, (unsigned long long)f->num_elements);
    strcat(told, line);
    for (uint32_t i = 0; i < f->num_differences; i++) {
        int32_t a, b;
        memcpy(&a, f->differences[i].a, 4);
        memcpy(&b, f->differences[i].b, 4);
        (void)snprintf(line, sizeof line, " (%llu,%llu:%d,%d)",
                       (unsigned long long)f->differences[i].sample,
                       (unsigned long long)f->differences[i].element, a, b);
        strcat(told, line);
    }
    strcat(told, "; ");
}

static void fill(void) {
    for (uint32_t i = 0; i < NUM; i++) {
        y[i] = i * 0.5;
        for (uint32_t k = 0; k < 4; k++)
            x[i][k] = (int32_t)(i * 4 + k);
    }
}

/* x, then y, or only x. */
static const char *write_set(const char *name, uint32_t num_fields, uint64_t n, uint32_t chunk) {
    static char paths[2][256];
    static int turn;
    const hr_field fields[] = {{.name = "x", .dtype = HR_INT32, .rank = 1, .shape = shape4},
                               {.name = "y", .dtype = HR_FLOAT64}};
    const void *const columns[] = {x, y};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    char *path = paths[turn++ % 2];
    (void)snprintf(path, sizeof paths[0], "%s", made_path(name));
    o.samples_per_chunk = chunk;
    o.num_threads = 1;
    o.flags = HR_WRITER_REPLACE;
    made_ok(hr_writer_open(path, fields, num_fields, &o, &w, &err), &err);
    made_ok(hr_writer_append(w, n, columns, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    return path;
}

static const char *write_npy(const char *name, const char *descr, uint64_t n, uint32_t rank,
                             const uint64_t *shape, const void *data, size_t data_bytes) {
    static char path[256];
    uint8_t header[2048];
    size_t head = hr__npy_header_print(descr, n, shape, rank, header, sizeof header);
    (void)snprintf(path, sizeof path, "%s", made_path(name));
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(header, 1, head, f), head);
    assert_int_equal(fwrite(data, 1, data_bytes, f), data_bytes);
    assert_int_equal(fclose(f), 0);
    return path;
}

static hr_compare_options options(const char *a, const char *b) {
    hr_compare_options o = HR_COMPARE_OPTIONS_INIT;
    o.a = a;
    o.b = b;
    o.num_threads = 2;
    o.on_field = note_field;
    o.budget_bytes = UINT64_C(64) << 20;
    told[0] = '\0';
    return o;
}

static hr_compare_result compare(const hr_compare_options *o) {
    hr_compare_result r = {.struct_bytes = sizeof r};
    hr_error err = {0};
    made_ok(hr_compare(o, &r, &err), &err);
    return r;
}

static void compare__equal_sets_of_other_chunks__are_equal(void **state) {
    (void)state;
    fill();
    const char *a = write_set("a.hrd", 2, NUM, 7);
    hr_compare_options o = options(a, write_set("b.hrd", 2, NUM, 64));
    hr_compare_result r = compare(&o);
    assert_string_equal(told, "x/x:0:0/12000; y/y:0:0/3000; ");
    assert_true(r.equal == 1 && r.num_fields == 2 && r.num_different == 0);
    assert_int_equal(r.compared_bytes, sizeof x + sizeof y);
}

/* Whatever the number of threads and the size of the pieces, the first ones are told. */
static void compare__elements_that_differ__are_counted_and_the_first_told(void **state) {
    (void)state;
    fill();
    const char *a = write_set("a.hrd", 1, NUM, 7);
    for (uint32_t i = 5; i < NUM; i += 10)
        x[i][2] = -1;
    const char *b = write_set("b.hrd", 1, NUM, 5);
    for (uint32_t threads = 1; threads <= 8; threads++) {
        hr_compare_options o = options(a, b);
        o.num_threads = threads;
        o.max_differences = 3;
        o.budget_bytes = (UINT64_C(12) + threads * 5) << 20;
        hr_compare_result r = compare(&o);
        assert_string_equal(told, "x/x:1:300/12000 (5,2:22,-1) (15,2:62,-1) (25,2:102,-1); ");
        assert_true(r.equal == 0 && r.num_different == 1);
    }
}

static void compare__bits_of_numbers_that_are_equal__differ(void **state) {
    (void)state;
    fill();
    y[1] = 0.0;
    const char *a = write_set("a.hrd", 2, NUM, 7);
    y[1] = -0.0;
    y[2] = __builtin_nan("1");
    const char *b = write_set("b.hrd", 2, NUM, 7);
    hr_compare_options o = options(a, b);
    const char *const only[] = {"y"};
    o.fields = only;
    o.num_fields = 1;
    assert_int_equal(compare(&o).equal, 0);
    assert_non_null(strstr(told, "y/y:1:2/3000 (1,0:"));
    o = options(b, b); /* the same NaN is equal */
    assert_int_equal(compare(&o).equal, 1);
}

static void compare__fields_that_one_has__are_told(void **state) {
    (void)state;
    fill();
    const char *a = write_set("a.hrd", 1, NUM, 7);
    const char *b = write_set("b.hrd", 2, NUM, 7);
    hr_compare_options o = options(a, b);
    assert_int_equal(compare(&o).num_different, 1);
    assert_string_equal(told, "x/x:0:0/12000; -/y:32:0/0; ");
    o = options(b, a);
    assert_int_equal(compare(&o).num_fields, 2);
    assert_string_equal(told, "x/x:0:0/12000; y/-:16:0/0; ");
    const char *const none[] = {"x", "z"};
    o.fields = none; /* and num_fields 0: all */
    assert_int_equal(compare(&o).num_fields, 2);
    hr_compare_result r = {.struct_bytes = sizeof r};
    hr_error err = {0};
    o.num_fields = 2;
    assert_int_equal(hr_compare(&o, &r, &err), HR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "has a field z"));
}

static void compare__one_is_longer__what_both_have_is_compared(void **state) {
    (void)state;
    fill();
    const char *a = write_set("a.hrd", 1, NUM, 7);
    x[100][0] = 0;
    const char *b = write_set("b.hrd", 1, 200, 7);
    hr_compare_options o = options(a, b);
    assert_int_equal(compare(&o).equal, 0);
    assert_string_equal(told, "x/x:9:1/800 (100,0:400,0); ");
    o = options(b, write_set("a.hrd", 1, 0, 7));
    (void)compare(&o);
    assert_string_equal(told, "x/x:8:0/0; ");
}

static void compare__other_kinds_of_file__are_compared_in_canonical_form(void **state) {
    (void)state;
    fill();
    static int32_t big[NUM][4];
    const char *a = write_set("a.hrd", 1, NUM, 7);
    for (uint32_t i = 0; i < NUM; i++)
        for (uint32_t k = 0; k < 4; k++)
            big[i][k] = (int32_t)__builtin_bswap32((uint32_t)x[i][k]);
    hr_compare_options o = options(a, write_npy("n.npy", ">i4", NUM, 1, shape4, big, sizeof big));
    assert_int_equal(compare(&o).equal, 1); /* single arrays: whatever their names are */
    assert_string_equal(told, "x/n:0:0/12000; ");
    big[2999][3] = 0;
    o = options(a, write_npy("n.npy", ">i4", NUM, 1, shape4, big, sizeof big));
    assert_int_equal(compare(&o).equal, 0);
    assert_string_equal(told, "x/n:1:1/12000 (2999,3:11999,0); ");
    o = options(a, write_npy("n.npy", "<u4", NUM, 1, shape4, x, sizeof x));
    (void)compare(&o);
    assert_string_equal(told, "x/n:2:0/0; ");
    const uint64_t shape2[] = {2};
    o = options(a, write_npy("n.npy", "<i4", 2 * NUM, 1, shape2, x, sizeof x));
    (void)compare(&o);
    assert_string_equal(told, "x/n:12:0/0; ");
}

static int stop(void *user, const hr_progress *progress) {
    (void)user;
    (void)progress;
    return 1;
}

static void compare__what_cannot_be__is_refused(void **state) {
    (void)state;
    fill();
    const char *a = write_set("a.hrd", 1, NUM, 7);
    hr_compare_result r = {.struct_bytes = sizeof r};
    hr_error err = {0};
    hr_compare_options o = options(a, made_path("missing.npy"));
    assert_int_equal(hr_compare(&o, &r, &err), HR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "missing.npy"));
    o = options(a, a);
    o.on_progress = stop;
    assert_int_equal(hr_compare(&o, &r, &err), HR_ERR_CANCELLED);
    o = options(a, a);
    o.budget_bytes = 3 << 20;
    assert_int_equal(hr_compare(&o, &r, &err), HR_ERR_BUDGET);
    o = options(a, NULL);
    assert_int_equal(hr_compare(&o, &r, &err), HR_ERR_INVALID);
    o = options(a, a);
    o.max_differences = 4097;
    assert_int_equal(hr_compare(&o, &r, &err), HR_ERR_INVALID);
    o = options(a, a);
    o.flags = HR_CONVERT_REPLACE;
    assert_int_equal(hr_compare(&o, &r, &err), HR_ERR_INVALID);
    assert_int_equal(hr_compare(NULL, &r, NULL), HR_ERR_INVALID);
    o = options(a, a);
    assert_int_equal(hr_compare(&o, NULL, NULL), HR_ERR_INVALID);
}

static void compare__a_damaged_file__is_an_error_and_no_difference(void **state) {
    (void)state;
    fill();
    const char *a = write_set("a.hrd", 1, NUM, 7), *b = write_set("b.hrd", 1, NUM, 7);
    hr_compare_options o = options(a, b);
    hr_compare_result r = {.struct_bytes = sizeof r};
    FILE *f = fopen(b, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 131072 + 300, SEEK_SET), 0);
    const int was = fgetc(f);
    assert_int_equal(fseek(f, 131072 + 300, SEEK_SET), 0);
    assert_int_not_equal(fputc(was ^ 1, f), EOF);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(hr_compare(&o, &r, NULL), HR_ERR_CORRUPT);
    assert_string_equal(told, "");
}

/* --- the parts ------------------------------------------------------------------------------ */

static void elements__longer_than_what_is_kept__begin_where_they_differ(void **state) {
    (void)state;
    uint8_t a[3][100], b[3][100];
    hr_difference list[2];
    struct hr__differences d = {.list = list, .room = 2};
    memset(a, 'x', sizeof a);
    memcpy(b, a, sizeof b);
    b[1][70] = 'y';
    b[2][0] = 'y';
    hr__compare_elements(a[0], b[0], 3, 100, 1, 40, &d);
    assert_true(d.n == 2 && d.num_different == 2);
    assert_true(list[0].sample == 41 && list[0].first_byte == 70 && list[0].a_bytes == 30);
    assert_true(list[0].a[0] == 'x' && list[0].b[0] == 'y');
    assert_true(list[1].sample == 42 && list[1].first_byte == 0 && list[1].b_bytes == 64);
}

static void differences__merged_in_any_order__are_the_first(void **state) {
    (void)state;
    for (uint32_t room = 1; room < 9; room++) {
        hr_difference kept[8], part[2];
        struct hr__differences all = {.list = kept, .room = room};
        static const uint64_t order[] = {6, 2, 4, 0};
        for (int i = 0; i < 4; i++) {
            for (uint64_t k = 0; k < 2; k++)
                part[k] =
                    (hr_difference){.sample = (order[i] + k) / 4, .element = (order[i] + k) % 4};
            const struct hr__differences one = {.list = part, .n = 2, .num_different = 5};
            hr__differences_merge(&all, &one);
        }
        assert_int_equal(all.num_different, 20);
        assert_int_equal(all.n, room < 8 ? room : 8);
        for (uint64_t i = 0; i < all.n; i++)
            assert_true(kept[i].sample == i / 4 && kept[i].element == i % 4);
    }
}

static int clean(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compare__equal_sets_of_other_chunks__are_equal),
        cmocka_unit_test(compare__elements_that_differ__are_counted_and_the_first_told),
        cmocka_unit_test(compare__bits_of_numbers_that_are_equal__differ),
        cmocka_unit_test(compare__fields_that_one_has__are_told),
        cmocka_unit_test(compare__one_is_longer__what_both_have_is_compared),
        cmocka_unit_test(compare__other_kinds_of_file__are_compared_in_canonical_form),
        cmocka_unit_test(compare__what_cannot_be__is_refused),
        cmocka_unit_test(compare__a_damaged_file__is_an_error_and_no_difference),
        cmocka_unit_test(elements__longer_than_what_is_kept__begin_where_they_differ),
        cmocka_unit_test(differences__merged_in_any_order__are_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
