/*
 * format/dtype.c, format/utf8.c
 */
#include "dtype.h"

#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The table of section 2.1. */
static const struct {
    hr_dtype dtype;
    const char *name;
    uint32_t bytes, shuffle;
} table[] = {
    {HR_BOOL, "bool", 1, 1},
    {HR_INT8, "int8", 1, 1},
    {HR_INT16, "int16", 2, 2},
    {HR_INT32, "int32", 4, 4},
    {HR_INT64, "int64", 8, 8},
    {HR_UINT8, "uint8", 1, 1},
    {HR_UINT16, "uint16", 2, 2},
    {HR_UINT32, "uint32", 4, 4},
    {HR_UINT64, "uint64", 8, 8},
    {HR_FLOAT16, "float16", 2, 2},
    {HR_BFLOAT16, "bfloat16", 2, 2},
    {HR_FLOAT32, "float32", 4, 4},
    {HR_FLOAT64, "float64", 8, 8},
    {HR_COMPLEX64, "complex64", 8, 4},
    {HR_COMPLEX128, "complex128", 16, 8},
    {HR_FIXED_BYTES, "fixed_bytes", 0, 1},
    {HR_FIXED_UTF8, "fixed_utf8", 0, 1},
    {HR_VAR_BYTES, "bytes", 0, 1},
    {HR_VAR_UTF8, "utf8", 0, 1},
};

static void dtype__each__is_as_specified(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        hr_dtype back = (hr_dtype)0;
        assert_int_equal(table[i].dtype, i + 1); /* the numbers of the format */
        assert_string_equal(hr_dtype_name(table[i].dtype), table[i].name);
        assert_int_equal(hr_dtype_from_name(table[i].name, &back, NULL), HR_OK);
        assert_int_equal(back, table[i].dtype);
        assert_int_equal(hr_dtype_bytes(table[i].dtype), table[i].bytes);
        assert_int_equal(hr__dtype_shuffle_bytes(table[i].dtype), table[i].shuffle);
    }
}

static void dtype__kinds__do_not_overlap(void **state) {
    (void)state;
    for (int t = -1; t < 25; t++) {
        hr_dtype d = (hr_dtype)t;
        int kinds = hr__dtype_is_integer(d) + hr__dtype_is_real(d) + hr__dtype_is_complex(d) +
                    hr__dtype_is_fixed_width(d) + hr__dtype_is_variable(d);
        assert_int_equal(kinds, t >= 1 && t <= 19);
        assert_int_equal(hr__dtype_valid(d), t >= 1 && t <= 19);
        assert_int_equal(hr__dtype_is_signed(d), t >= HR_INT8 && t <= HR_INT64);
    }
}

static void dtype__unknown__is_refused(void **state) {
    (void)state;
    hr_dtype out;
    hr_error err = {0};
    assert_null(hr_dtype_name((hr_dtype)0));
    assert_null(hr_dtype_name((hr_dtype)20));
    assert_null(hr_dtype_name((hr_dtype)-1));
    assert_int_equal(hr_dtype_bytes((hr_dtype)20), 0);
    static const char *const bad[] = {"", "int7", "Int8", "int8 ", "float", "<f4"};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(hr_dtype_from_name(bad[i], &out, &err), HR_ERR_INVALID);
    assert_int_equal(err.status, HR_ERR_INVALID);
    assert_int_equal(hr_dtype_from_name(NULL, &out, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dtype_from_name("int8", NULL, &err), HR_ERR_INVALID);
}

/* The length of what encodes a code point, 0 for none. */
static size_t encode(uint32_t c, uint8_t *p) {
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        p[i] = (uint8_t)(0x80 | (c & 0x3f));
    p[0] = (uint8_t)((0xf00 >> n & 0xff) | c);
    return n;
}

static void utf8__every_code_point__is_judged(void **state) {
    (void)state;
    uint8_t text[4];
    for (uint32_t c = 0; c <= 0x1fffff; c++) {
        const size_t n = encode(c, text);
        const bool scalar = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
        if (hr__utf8_valid(text, n) != scalar)
            fail_msg("U+%04X", c);
        if (n > 1 && hr__utf8_valid(text, n - 1))
            fail_msg("U+%04X cut off", c);
    }
    assert_true(hr__utf8_valid("", 0));
}

static void utf8__malformed__is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc3(",
        "a\xe2\x82",
        "\xe2\x28\xa1",
        "\xf0\x28\x8c\xbc",
        "ok\xc3\xa9\xc3",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (hr__utf8_valid(bad[i], strlen(bad[i])))
            fail_msg("text %zu", i);
    assert_true(hr__utf8_valid("a\0\xc3\xa9\xf0\x9f\x99\x82", 8));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype__each__is_as_specified),
        cmocka_unit_test(dtype__kinds__do_not_overlap),
        cmocka_unit_test(dtype__unknown__is_refused),
        cmocka_unit_test(utf8__every_code_point__is_judged),
        cmocka_unit_test(utf8__malformed__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
