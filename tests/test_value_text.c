/*
 * Elements as text: few digits, but enough to tell every number from its neighbours; and nothing
 * that a terminal would act on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "value_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(hr_dtype dtype, uint32_t width, const void *element, bool utf8) {
    static value_text v;
    v = value_text_of(dtype, width, element, utf8, VALUE_EXACT);
    return v.text;
}

/* All finite numbers of a two-byte type: the text is nearest to its own number. */
static void check_two_bytes(hr_dtype dtype, uint16_t infinity) {
    for (uint16_t bits = 1; bits < infinity - 1; bits++) {
        const uint16_t below = (uint16_t)(bits - 1), above = (uint16_t)(bits + 1);
        const double text = strtod(text_of(dtype, 2, &bits, false), NULL);
        const double own = fabs(text - value_real(dtype, &bits, 0));
        assert_true(own < fabs(text - value_real(dtype, &below, 0)));
        assert_true(own < fabs(text - value_real(dtype, &above, 0)));
    }
}

static void text__of_every_float16_and_bfloat16__is_of_no_other(void **state) {
    (void)state;
    check_two_bytes(HR_FLOAT16, 0x7c00);
    check_two_bytes(HR_BFLOAT16, 0x7f80);
}

static void text__of_float32_and_float64__reads_back_exactly(void **state) {
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 100000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        float f;
        double d;
        memcpy(&f, &x, sizeof f);
        memcpy(&d, &x, sizeof d);
        if (isfinite(f))
            assert_true(strtof(text_of(HR_FLOAT32, 4, &f, false), NULL) == f);
        if (isfinite(d))
            assert_true(strtod(text_of(HR_FLOAT64, 8, &d, false), NULL) == d);
    }
}

static void text__of_numbers__is_as_people_write_them(void **state) {
    (void)state;
    const float floats[] = {0.1f, 430, -0.0f, 1e-5f, 1e16f, 16777216, INFINITY, -INFINITY};
    const char *const texts[] = {"0.1",   "430.0",      "-0.0", "1e-05",
                                 "1e+16", "16777216.0", "inf",  "-inf"};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        assert_string_equal(text_of(HR_FLOAT32, 4, &floats[i], false), texts[i]);
    const uint32_t nans[] = {0x7fc00000, 0x7fc00001, 0xffc00000};
    assert_string_equal(text_of(HR_FLOAT32, 4, &nans[0], false), "nan");
    assert_string_equal(text_of(HR_FLOAT32, 4, &nans[1], false), "nan(0x7fc00001)");
    assert_string_equal(text_of(HR_FLOAT32, 4, &nans[2], false), "nan(0xffc00000)");
    const int64_t least = INT64_MIN;
    assert_string_equal(text_of(HR_INT64, 8, &least, false), "-9223372036854775808");
    assert_string_equal(text_of(HR_UINT64, 8, &least, false), "9223372036854775808");
    const uint8_t bools[] = {0, 1, 2};
    assert_string_equal(text_of(HR_BOOL, 1, &bools[0], false), "False");
    assert_string_equal(text_of(HR_BOOL, 1, &bools[2], false), "2");
    const float complex[] = {1.5f, -2};
    assert_string_equal(text_of(HR_COMPLEX64, 8, complex, false), "1.5-2.0j");
    const double third = 1.0 / 3;
    assert_string_equal(value_text_of(HR_FLOAT64, 8, &third, false, 8).text, "0.33333333");
}

static void text__of_texts__has_nothing_that_a_terminal_acts_on(void **state) {
    (void)state;
    assert_string_equal(text_of(HR_FIXED_UTF8, 8, "a\033[31m\0\0", true), "\"a\\x1b[31m\"");
    assert_string_equal(text_of(HR_FIXED_UTF8, 4,
                                "\xc2\x9b"
                                "31",
                                true),
                        "\"\\xc2\\x9b31\"");
    assert_string_equal(text_of(HR_FIXED_UTF8, 3, "\xe2\x80\xae", true), "\"\\xe2\\x80\\xae\"");
    assert_string_equal(text_of(HR_FIXED_UTF8, 2, "\xc3\x9f", true), "\"\xc3\x9f\"");
    assert_string_equal(text_of(HR_FIXED_UTF8, 2, "\xc3\x9f", false), "\"\\xc3\\x9f\"");
    assert_string_equal(text_of(HR_FIXED_BYTES, 4, "\"\\\n\xff", true), "b\"\\\"\\\\\\n\\xff\"");
    assert_string_equal(text_of(HR_FIXED_BYTES, 0, "", true), "b\"\"");
    for (int c = 0; c < 256; c++) {
        char bytes[400];
        memset(bytes, c, sizeof bytes);
        const char *t = text_of(HR_FIXED_UTF8, sizeof bytes, bytes, true);
        assert_true(strlen(t) < VALUE_TEXT_BYTES - 1);
        for (const char *p = t; *p != '\0'; p++)
            assert_true((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__of_every_float16_and_bfloat16__is_of_no_other),
        cmocka_unit_test(text__of_float32_and_float64__reads_back_exactly),
        cmocka_unit_test(text__of_numbers__is_as_people_write_them),
        cmocka_unit_test(text__of_texts__has_nothing_that_a_terminal_acts_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
