/*
 * writer/field_filters.c: what is tried on fields of every kind.
 */
#include "field_filters.h"
#include "frame_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_BYTES 512u

/* "none byte-shuffle:4 delta:4@112", each with its element bytes and distance. */
static void list(const hr_field *field, int32_t filter, bool few, char text[TEXT_BYTES]) {
    struct hr__schema s;
    struct hr__storage how[HR__MAX_FIELD_FILTERS];
    size_t at = 0;
    assert_int_equal(hr__schema_make(field, 1, 100, &s, NULL), HR_OK);
    const uint32_t n = hr__field_filters(&s.fields[0], filter, few, how);
    assert_in_range(n, 1, HR__MAX_FIELD_FILTERS);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(hr__filter_fits(how[i].filter, how[i].element_bytes, how[i].distance_bytes, 0));
        at += (size_t)snprintf(text + at, TEXT_BYTES - at, "%s%s", i > 0 ? " " : "",
                               hr__filter_name(how[i].filter));
        if (how[i].element_bytes > 0)
            at += (size_t)snprintf(text + at, TEXT_BYTES - at, ":%u", how[i].element_bytes);
        if (how[i].distance_bytes > 0)
            at += (size_t)snprintf(text + at, TEXT_BYTES - at, "@%u", how[i].distance_bytes);
    }
    hr__schema_free(&s);
}

static void assert_tried(hr_dtype dtype, uint32_t rank, const uint64_t *shape,
                         const char *expected) {
    const hr_field field = {.name = "x",
                            .dtype = dtype,
                            .width_bytes = dtype == HR_FIXED_BYTES ? 12 : 0,
                            .rank = rank,
                            .shape = shape};
    char text[TEXT_BYTES];
    list(&field, HR_FILTER_AUTO, false, text);
    assert_string_equal(text, expected);
}

static void filters__of_every_kind_of_field__take_their_distances(void **state) {
    (void)state;
    const uint64_t row[] = {512}, few[] = {6}, long_row[] = {200000}, grey[] = {28, 28};
    const uint64_t colours[] = {224, 224, 3}, points[] = {1000, 3}, none[] = {4, 0};
    assert_tried(HR_INT64, 0, NULL,
                 "none byte-shuffle:8 bit-shuffle:8 delta:8@8 delta+byte-shuffle:8@8 "
                 "delta+bit-shuffle:8@8");
    assert_tried(HR_FLOAT32, 1, row,
                 "none byte-shuffle:4 bit-shuffle:4 delta:4@4 delta:4@2048 delta+byte-shuffle:4@4 "
                 "delta+byte-shuffle:4@2048 delta+bit-shuffle:4@4 delta+bit-shuffle:4@2048");
    assert_tried(HR_FLOAT16, 1, few,
                 "none byte-shuffle:2 bit-shuffle:2 delta:2@2 delta:2@12 delta+byte-shuffle:2@2 "
                 "delta+byte-shuffle:2@12 delta+bit-shuffle:2@2 delta+bit-shuffle:2@12");
    assert_tried(HR_UINT8, 2, grey,
                 "none bit-shuffle:1 delta:1@1 delta:1@28 delta+bit-shuffle:1@1 "
                 "delta+bit-shuffle:1@28");
    assert_tried(HR_UINT8, 3, colours,
                 "none bit-shuffle:1 delta:1@3 delta:1@672 delta+bit-shuffle:1@3 "
                 "delta+bit-shuffle:1@672");
    assert_tried(HR_FLOAT32, 2, points,
                 "none byte-shuffle:4 bit-shuffle:4 delta:4@12 delta:4@12000 "
                 "delta+byte-shuffle:4@12 delta+byte-shuffle:4@12000 delta+bit-shuffle:4@12 "
                 "delta+bit-shuffle:4@12000");
    /* Complex numbers are shuffled by their parts, and subtracted whole. */
    assert_tried(HR_COMPLEX64, 0, NULL,
                 "none byte-shuffle:4 bit-shuffle:4 delta:4@8 delta+byte-shuffle:4@8 "
                 "delta+bit-shuffle:4@8");
    assert_tried(HR_FIXED_BYTES, 0, NULL, "none bit-shuffle:1 delta:1@12 delta+bit-shuffle:1@12");
    /* The row before is in no frame. */
    assert_tried(HR_UINT8, 1, long_row, "none bit-shuffle:1 delta:1@1 delta+bit-shuffle:1@1");
    assert_tried(HR_INT16, 2, none, "none byte-shuffle:2 bit-shuffle:2");
}

static void filters__asked_for__are_that_or_what_it_comes_to(void **state) {
    (void)state;
    const uint64_t shape[] = {10, 10};
    const hr_field wide = {.name = "x", .dtype = HR_INT32, .rank = 2, .shape = shape};
    const hr_field narrow = {.name = "x", .dtype = HR_INT8, .rank = 2, .shape = shape};
    static const char *const expected[][2] = {
        [HR_FILTER_NONE] = {"none", "none"},
        [HR_FILTER_BYTE_SHUFFLE] = {"byte-shuffle:4", "none"},
        [HR_FILTER_BIT_SHUFFLE] = {"bit-shuffle:4", "bit-shuffle:1"},
        [HR_FILTER_DELTA] = {"delta:4@4 delta:4@40", "delta:1@1 delta:1@10"},
        [HR_FILTER_DELTA_BYTE_SHUFFLE] = {"delta+byte-shuffle:4@4 delta+byte-shuffle:4@40",
                                          "delta:1@1 delta:1@10"},
        [HR_FILTER_DELTA_BIT_SHUFFLE] = {"delta+bit-shuffle:4@4 delta+bit-shuffle:4@40",
                                         "delta+bit-shuffle:1@1 delta+bit-shuffle:1@10"},
    };
    char text[TEXT_BYTES];
    for (int32_t filter = HR_FILTER_NONE; filter <= HR_FILTER_DELTA_BIT_SHUFFLE; filter++) {
        list(&wide, filter, false, text);
        assert_string_equal(text, expected[filter][0]);
        list(&narrow, filter, false, text);
        assert_string_equal(text, expected[filter][1]);
    }
}

static void filters__of_many_fields__are_few(void **state) {
    (void)state;
    const hr_field wide = {.name = "x", .dtype = HR_FLOAT64},
                   narrow = {.name = "x", .dtype = HR_BOOL};
    char text[TEXT_BYTES];
    list(&wide, HR_FILTER_AUTO, true, text);
    assert_string_equal(text, "none byte-shuffle:8 delta+byte-shuffle:8@8");
    list(&narrow, HR_FILTER_AUTO, true, text);
    assert_string_equal(text, "none bit-shuffle:1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters__of_every_kind_of_field__take_their_distances),
        cmocka_unit_test(filters__asked_for__are_that_or_what_it_comes_to),
        cmocka_unit_test(filters__of_many_fields__are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
