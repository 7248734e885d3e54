/*
 * Options of finishing: every one that cannot be is refused, by name, with what would do.
 */
#include "made_dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static hr_dataset *ds;

/* u: uint8 (4, 5, 3); f: float32 (6); k: float32, all 7; n: float64, all NaN; b: bfloat16 (2);
 * z: complex128 (2, 2, 2); t: text; y: int32. */
static int data_make(void **state) {
    (void)state;
    const uint64_t image[3] = {4, 5, 3}, six[1] = {6}, two[1] = {2}, twos[3] = {2, 2, 2};
    const hr_field fields[] = {{.name = "u", .dtype = HR_UINT8, .rank = 3, .shape = image},
                               {.name = "f", .dtype = HR_FLOAT32, .rank = 1, .shape = six},
                               {.name = "k", .dtype = HR_FLOAT32},
                               {.name = "n", .dtype = HR_FLOAT64},
                               {.name = "b", .dtype = HR_BFLOAT16, .rank = 1, .shape = two},
                               {.name = "z", .dtype = HR_COMPLEX128, .rank = 3, .shape = twos},
                               {.name = "t", .dtype = HR_FIXED_UTF8, .width_bytes = 4},
                               {.name = "y", .dtype = HR_INT32}};
    static uint8_t u[2][60];
    static float f[2][6] = {{1, 2, 3, 4, 5, 6}, {7, 8, 9, 10, 11, 12}};
    static double z[2][16];
    static uint16_t b[2][2];
    const float k[2] = {7, 7};
    const double n[2] = {NAN, NAN};
    const char t[2][4] = {"a", "b"};
    const int32_t y[2] = {1, 2};
    const void *columns[] = {u, f, k, n, b, z, t, y};
    hr_writer *writer = NULL;
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_error err = {0};
    made_ok(hr_writer_open(made_path("fields.hrd"), fields, 8, &o, &writer, &err), &err);
    made_ok(hr_writer_append(writer, 2, columns, &err), &err);
    made_ok(hr_writer_commit(writer, &err), &err);
    hr_writer_close(writer);
    made_ok(hr_dataset_open(made_path("fields.hrd"), NULL, &ds, &err), &err);
    return 0;
}

static int data_free(void **state) {
    (void)state;
    hr_dataset_close(ds);
    made_cleanup();
    return 0;
}

/* HR_OK where a loader opens with all fields but the last, y. */
static hr_status open_with(const hr_finish *finish, uint32_t num_finish, hr_error *err) {
    static const char *const names[] = {"u", "f", "k", "n", "b", "z", "t"};
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    hr_loader *l = NULL;
    o.batch_samples = 2;
    o.num_threads = 1;
    o.fields = names;
    o.num_fields = 7;
    o.finish = finish;
    o.num_finish = num_finish;
    const hr_status st = hr_loader_open(ds, &o, &l, err);
    assert_int_equal(st == HR_OK, l != NULL);
    assert_int_equal(hr_loader_plan_make(ds, &o, &plan, NULL), st);
    hr_loader_close(l);
    return st;
}

static void refused(hr_finish f, hr_status status, const char *words) {
    hr_error err = {0};
    f.struct_bytes = sizeof(f);
    const hr_status st = open_with(&f, 1, &err);
    if (st != status || strstr(err.message, words) == NULL)
        fail_msg("%s: %s; expected %s: %s", hr_status_name(st), err.message, hr_status_name(status),
                 words);
    assert_non_null(strstr(err.message, "fields.hrd: "));
}

static const float ones[6] = {1, 1, 1, 1, 1, 1};

static void options__that_cannot_be__are_refused_in_words(void **state) {
    (void)state;
    static const float bad[3] = {1, INFINITY, 1}, nan[1] = {NAN};
    refused((hr_finish){0}, HR_ERR_INVALID, "no field; name one");
    refused((hr_finish){.field = "q"}, HR_ERR_NOT_FOUND, "no field \"q\"");
    refused((hr_finish){.field = "y"}, HR_ERR_INVALID, "not among the fields");
    refused((hr_finish){.field = "u", .flags = 64}, HR_ERR_INVALID, "unknown flags 0x40");
    refused((hr_finish){.field = "u", .dtype = HR_INT16}, HR_ERR_UNSUPPORTED,
            "cannot make int16 of uint8; it makes float16, bfloat16 or float32 of");
    refused((hr_finish){.field = "u", .dtype = (hr_dtype)77}, HR_ERR_UNSUPPORTED,
            "cannot make no dtype of uint8");
    refused((hr_finish){.field = "b", .dtype = HR_FLOAT32}, HR_ERR_UNSUPPORTED,
            "cannot make float32 of bfloat16");
    refused((hr_finish){.field = "t", .dtype = HR_FLOAT32}, HR_ERR_UNSUPPORTED,
            "cannot make float32 of fixed_utf8");
    refused((hr_finish){.field = "u", .scale = ones, .num_channels = 1}, HR_ERR_UNSUPPORTED,
            "delivered as uint8, of uint8, cannot be scaled");
    refused((hr_finish){.field = "n", .flags = HR_FINISH_STANDARDIZE}, HR_ERR_UNSUPPORTED,
            "delivered as float64, of float64, cannot be scaled");
    refused((hr_finish){.field = "u", .flags = HR_FINISH_CHECK_FINITE}, HR_ERR_INVALID,
            "delivered as uint8, which has no NaN");
    refused((hr_finish){.field = "f", .flags = HR_FINISH_CHW}, HR_ERR_INVALID,
            "samples have 1 dimensions, expected three");
    refused((hr_finish){.field = "z", .flags = HR_FINISH_CHW}, HR_ERR_UNSUPPORTED,
            "those of complex128 have 16");
    refused((hr_finish){.field = "f", .scale = ones, .num_channels = 5}, HR_ERR_INVALID,
            "num_channels is 5, expected 1 or 6");
    refused((hr_finish){.field = "f", .shift = ones}, HR_ERR_INVALID,
            "num_channels is 0, expected 1 or 6");
    refused((hr_finish){.field = "f", .num_channels = 6}, HR_ERR_INVALID,
            "scale and shift are NULL");
    refused((hr_finish){.field = "u", .dtype = HR_FLOAT32, .scale = bad, .num_channels = 3},
            HR_ERR_INVALID, "the scale of channel 1 is inf");
    refused((hr_finish){.field = "f", .shift = nan, .num_channels = 1}, HR_ERR_INVALID,
            "the shift of channel 0 is nan");
    refused(
        (hr_finish){.field = "f", .flags = HR_FINISH_STANDARDIZE, .scale = ones, .num_channels = 1},
        HR_ERR_INVALID, "finds scale and shift itself");
    refused((hr_finish){.field = "k", .flags = HR_FINISH_STANDARDIZE}, HR_ERR_INVALID,
            "a mean of 7 and a standard deviation of 0");
    refused((hr_finish){.field = "n", .dtype = HR_FLOAT32, .flags = HR_FINISH_STANDARDIZE},
            HR_ERR_INVALID, "no mean and standard deviation");
}

static void options__of_more_channels_than_the_budget_holds__are_refused(void **state) {
    (void)state;
    enum { CHANNELS = 1 << 22 };
    static uint8_t one[CHANNELS];
    const uint64_t shape[] = {1, 1, CHANNELS};
    const hr_field field = {.name = "wide", .dtype = HR_UINT8, .rank = 3, .shape = shape};
    const void *columns[] = {one};
    const hr_finish finish = {.struct_bytes = sizeof finish,
                              .field = "wide",
                              .dtype = HR_FLOAT32,
                              .flags = HR_FINISH_CHW | HR_FINISH_STANDARDIZE};
    hr_writer_options w = HR_WRITER_OPTIONS_INIT;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_writer *writer = NULL;
    hr_dataset *wide = NULL;
    hr_loader *l = NULL;
    hr_error err = {0};
    for (uint32_t i = 0; i < CHANNELS; i++)
        one[i] = (uint8_t)(i % 7);
    made_ok(hr_writer_open(made_path("wide.hrd"), &field, 1, &w, &writer, &err), &err);
    made_ok(hr_writer_append(writer, 1, columns, &err), &err);
    made_ok(hr_writer_commit(writer, &err), &err);
    hr_writer_close(writer);
    made_ok(hr_dataset_open(made_path("wide.hrd"), NULL, &wide, &err), &err);
    o.batch_samples = 1;
    o.budget_bytes = 16 << 20;
    o.finish = &finish;
    o.num_finish = 1;
    assert_int_equal(hr_loader_open(wide, &o, &l, &err), HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "field wide: scales and shifts of 4194304 channels"));
    hr_dataset_close(wide);
}

static void options__of_any_field_in_the_set__are_taken(void **state) {
    (void)state;
    hr_error err = {0};
    hr_finish f[7];
    const char *const names[7] = {"u", "f", "k", "n", "b", "z", "t"};
    for (uint32_t i = 0; i < 7; i++) {
        f[i] = (hr_finish)HR_FINISH_INIT;
        f[i].field = names[i];
    }
    made_ok(open_with(f, 7, &err), &err); /* nothing is to be done */
    f[0].flags = HR_FINISH_CHW;
    f[1].scale = ones;
    f[1].num_channels = 6;
    f[2].dtype = HR_FLOAT32; /* as it is stored */
    f[3].flags = HR_FINISH_CHECK_FINITE;
    f[4].flags = HR_FINISH_CHECK_FINITE;
    made_ok(open_with(f, 7, &err), &err);
}

static void options__given_wrongly__are_refused_in_words(void **state) {
    (void)state;
    hr_error err = {0};
    hr_finish f[2] = {HR_FINISH_INIT, HR_FINISH_INIT};
    f[0].field = f[1].field = "f";
    f[0].dtype = f[1].dtype = HR_FLOAT16;
    assert_int_equal(open_with(f, 2, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "field f is finished twice"));
    f[1].struct_bytes = 0;
    assert_int_equal(open_with(f, 2, &err), HR_ERR_INVALID);
    assert_non_null(
        strstr(err.message, "entry 1 of the array of hr_finish has another struct_bytes"));
    f[0].struct_bytes = 8;
    assert_int_equal(open_with(f, 1, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "hr_finish is missing or not initialised"));
    assert_int_equal(open_with(NULL, 1, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "num_finish is 1, but finish is NULL"));
}

/* A caller of a later version, whose entries are larger; what is new in them must be zero. */
static void options__of_a_newer_caller__are_taken_where_the_rest_is_zero(void **state) {
    (void)state;
    struct {
        hr_finish known;
        uint64_t more;
    } f[2] = {{HR_FINISH_INIT, 0}, {HR_FINISH_INIT, 0}};
    hr_error err = {0};
    f[0].known.struct_bytes = f[1].known.struct_bytes = sizeof(f[0]);
    f[0].known.field = "f";
    f[1].known.field = "u";
    f[1].known.dtype = HR_FLOAT16;
    made_ok(open_with(&f[0].known, 2, &err), &err);
    f[1].more = 1;
    assert_int_equal(open_with(&f[0].known, 2, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "options that this version does not know"));
}

static void bad_values__of_no_field_or_no_check__say_so(void **state) {
    (void)state;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_bad_values v = {.struct_bytes = sizeof(v)}, small = {.struct_bytes = 4};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_error err = {0};
    o.batch_samples = 2;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    made_ok(hr_loader_next(l, -1, &b, &err), &err);
    assert_int_equal(hr_batch_bad_values(b, 8, &v, &err), HR_ERR_INVALID);
    assert_int_equal(hr_loader_bad_values(l, 8, &v, &err), HR_ERR_INVALID);
    assert_int_equal(hr_batch_bad_values(b, 0, &small, &err), HR_ERR_INVALID);
    made_ok(hr_batch_bad_values(b, 3, &v, &err), &err);
    assert_int_equal(v.checked, 0);
    assert_true(v.first_sample == UINT64_MAX);
    made_ok(hr_loader_bad_values(l, 3, &v, &err), &err);
    assert_int_equal(v.checked, 0);
    assert_true(v.num_nan == 0 && v.first_sample == UINT64_MAX);
    hr_loader_close(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options__that_cannot_be__are_refused_in_words),
        cmocka_unit_test(options__of_more_channels_than_the_budget_holds__are_refused),
        cmocka_unit_test(options__of_any_field_in_the_set__are_taken),
        cmocka_unit_test(options__given_wrongly__are_refused_in_words),
        cmocka_unit_test(options__of_a_newer_caller__are_taken_where_the_rest_is_zero),
        cmocka_unit_test(bad_values__of_no_field_or_no_check__say_so),
    };
    return cmocka_run_group_tests(tests, data_make, data_free);
}
