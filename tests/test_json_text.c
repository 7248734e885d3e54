/*
 * JSON texts: what is read, and what is refused.
 */
#include "json_text.h"

#include <locale.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t used_bytes, peak_bytes; /* by jansson */

static void *counting_malloc(size_t n) {
    void *p = malloc(n);
    used_bytes += p != NULL ? malloc_usable_size(p) + sizeof(size_t) : 0;
    peak_bytes = used_bytes > peak_bytes ? used_bytes : peak_bytes;
    return p;
}

static void counting_free(void *p) {
    used_bytes -= p != NULL ? malloc_usable_size(p) + sizeof(size_t) : 0;
    free(p);
}

static json_t *parsed(const char *text) {
    json_t *json = NULL;
    hr_error err = {.status = HR_OK};
    if (hr__json_parse_value(text, strlen(text), &json, &err) != HR_OK)
        fail_msg("%s: %s", text, err.message);
    return json;
}

static void assert_refused(const char *text) {
    json_t *json = (json_t *)1;
    hr_error err = {.status = HR_OK};
    if (hr__json_parse_value(text, strlen(text), &json, &err) != HR_ERR_CORRUPT)
        fail_msg("accepted: %s", text);
    assert_int_equal(err.status, HR_ERR_CORRUPT);
    assert_null(json);
    assert_ptr_equal(strstr(err.message, "its JSON is"), err.message);
}

static void json__strings__are_decoded(void **state) {
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"\"\"", ""},
        {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"", "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\"\xc3\xa4\"", "\xc3\xa4"},
        {"\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *json = parsed(cases[i].text);
        assert_string_equal(json_string_value(json), cases[i].expected);
        json_decref(json);
    }
}

static void json__bad_strings__are_refused(void **state) {
    (void)state;
    assert_refused("\"a");
    assert_refused("\"\\");
    assert_refused("\"\\x\"");
    assert_refused("\"\\u12\"");
    assert_refused("\"\\u0000\"");
    assert_refused("\"\\ud800\"");
    assert_refused("\"\\ud800\\u0041\"");
    assert_refused("\"\\udc00\"");
    assert_refused("\"\n\"");
    assert_refused("\"\xff\"");
    assert_refused("\"\xed\xa0\x80\"");
}

static void json__numbers__are_exact(void **state) {
    static const double reals[] = {0.1, -2.5e-3, 1e308, 5e-324, 2.2204460492503131e-16, 1e22};
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
        snprintf(text, sizeof(text), "%.17e", reals[i]);
        json_t *json = parsed(text);
        assert_memory_equal(&(double){json_real_value(json)}, &reals[i], sizeof(double));
        json_decref(json);
    }
    json_t *least = parsed("-9223372036854775808"), *most = parsed("9223372036854775807");
    assert_true(json_integer_value(least) == INT64_MIN && json_integer_value(most) == INT64_MAX);
    json_decref(least);
    json_decref(most);
}

static void json__numbers_under_a_locale_with_commas__are_the_same(void **state) {
    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
        skip(); /* localedef could not make it */
    assert_string_equal(localeconv()->decimal_point, ",");
    json_t *json = parsed("1.5");
    assert_true(json_real_value(json) == 1.5);
    json_decref(json);
    setlocale(LC_NUMERIC, "C");
}

static void json__bad_numbers__are_refused(void **state) {
    static const char *const bad[] = {"",   "-",   "01",  "+1",   ".5",  "1.",
                                      "1e", "1e+", "--1", "0x10", "NaN", "Infinity"};
    char text[1000];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(bad[i]);
    assert_refused("1e999");
    assert_refused("9223372036854775808");
    memset(text, '1', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_refused(text);
}

static void json__bad_structure__is_refused(void **state) {
    (void)state;
    assert_refused("[");
    assert_refused("[1");
    assert_refused("[1,]");
    assert_refused("[1 2]");
    assert_refused("[1}");
    assert_refused("{\"a\"}");
    assert_refused("{\"a\":}");
    assert_refused("{a:1}");
    assert_refused("{\"a\":1,}");
    assert_refused("{\"a\":1,\"a\":2}");
    assert_refused("{\"a\":1,\"\\u0061\":2}");
    assert_refused("[] []");
    assert_refused("tru");
    assert_refused("\xef\xbb\xbf{}");
    assert_refused("[1,\n 2,\n  x]");
}

static void json__64_levels__are_the_most(void **state) {
    char text[200];
    (void)state;
    for (int levels = 64; levels <= 65; levels++) {
        memset(text, '[', (size_t)levels);
        memset(text + levels, ']', (size_t)levels);
        text[2 * levels] = 0;
        if (levels == 64)
            json_decref(parsed(text));
        else
            assert_refused(text);
    }
    memset(text, ']', 70); /* closing more than was opened earns no depth */
    assert_refused(text);
}

static void json__every_truncation__is_refused(void **state) {
    static const char text[] = "{\"a\": [1, -2.5e3, \"\\ud83d\\ude00x\", true, null, {}]}";
    json_t *json = NULL;
    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        char *exact = malloc(n > 0 ? n : 1); /* so that a sanitizer sees a byte read beyond */
        assert_non_null(exact);
        memcpy(exact, text, n);
        assert_int_equal(hr__json_parse(exact, n, &json, NULL), HR_ERR_CORRUPT);
        free(exact);
    }
    assert_int_equal(hr__json_parse(text, sizeof(text) - 1, &json, NULL), HR_OK);
    json_decref(json);
}

/* One unit over and over: no text takes more than was said. */
static void json__any_text__takes_no_more_than_foretold(void **state) {
    static const char *const units[] = {
        "[],",  "{},",     "1,",        "\"\",",          "1.5,",
        "[0],", "[0, 0],", "{\"\":0},", "{\"a\":\"b\"},", "[[[[]]]],"};
    enum { TEXT_BYTES = 200000 };
    char *text = malloc(TEXT_BYTES);
    (void)state;
    assert_non_null(text);
    for (size_t u = 0; u <= sizeof(units) / sizeof(units[0]); u++) {
        bool keys = u == sizeof(units) / sizeof(units[0]);
        size_t n = 1;
        text[0] = keys ? '{' : '[';
        for (unsigned i = 0; n < TEXT_BYTES - 40; i++)
            n += keys ? (size_t)snprintf(text + n, 40, "\"%x\":%u,", i, i)
                      : (size_t)snprintf(text + n, 40, "%s", units[u]);
        text[n - 1] = keys ? '}' : ']';
        text[n] = 0;
        used_bytes = peak_bytes = 0;
        json_set_alloc_funcs(counting_malloc, counting_free);
        json_decref(parsed(text));
        json_set_alloc_funcs(malloc, free);
        assert_int_equal(used_bytes, 0);
        if (peak_bytes + n + 1 > hr__json_parse_bytes(text, n)) /* its scratch is not jansson's */
            fail_msg("%.10s...: %zu", text, peak_bytes);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json__strings__are_decoded),
        cmocka_unit_test(json__bad_strings__are_refused),
        cmocka_unit_test(json__numbers__are_exact),
        cmocka_unit_test(json__numbers_under_a_locale_with_commas__are_the_same),
        cmocka_unit_test(json__bad_numbers__are_refused),
        cmocka_unit_test(json__bad_structure__is_refused),
        cmocka_unit_test(json__64_levels__are_the_most),
        cmocka_unit_test(json__any_text__takes_no_more_than_foretold),
        cmocka_unit_test(json__every_truncation__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
