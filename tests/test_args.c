/*
 * The command line's values (tools/args.c) and texts for people (tools/sizes.c).
 */
#include "args.h"
#include "sizes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void args_uint__digits_in_range__are_taken(void **state) {
    (void)state;
    args_error err;
    uint64_t v = 0;
    assert_true(args_uint("0", 0, 5, &v, &err) && v == 0);
    assert_true(args_uint("007", 0, UINT64_MAX, &v, &err) && v == 7);
    assert_true(args_uint("18446744073709551615", 0, UINT64_MAX, &v, &err) && v == UINT64_MAX);
}

static void args_uint__anything_else__is_refused_in_words(void **state) {
    (void)state;
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-", "1.0", "0x1", "1e3", "one"};
    args_error err;
    uint64_t v = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(args_uint(bad[i], 0, UINT64_MAX, &v, &err));
        assert_non_null(strstr(err.message, "not a whole number"));
    }
    assert_false(args_uint("-1", 2, UINT64_MAX, &v, &err));
    assert_non_null(strstr(err.message, "'-1' is negative; write 2 or more"));
    assert_false(args_size("-1M", &v, &err));
    assert_non_null(strstr(err.message, "'-1M' is negative"));
    assert_false(args_uint("6", 1, 5, &v, &err));
    assert_non_null(strstr(err.message, "1 to 5"));
    assert_false(args_uint("0", 1, UINT64_MAX, &v, &err));
    assert_false(args_uint("18446744073709551616", 0, UINT64_MAX, &v, &err));
    assert_non_null(strstr(err.message, "out of range"));
    assert_int_equal(v, 77);
}

static void args_uint__very_long_text__message_is_cut(void **state) {
    (void)state;
    char text[2000];
    memset(text, '9', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    args_error err;
    uint64_t v = 0;
    assert_false(args_uint(text, 0, UINT64_MAX, &v, &err));
    assert_true(strlen(err.message) < ARGS_MESSAGE_BYTES);
}

static void args_int__signs_and_limits__are_kept(void **state) {
    (void)state;
    args_error err;
    int64_t v = 0;
    assert_true(args_int("-131072", -131072, 22, &v, &err) && v == -131072);
    assert_true(args_int("+3", -131072, 22, &v, &err) && v == 3);
    assert_true(args_int("-9223372036854775808", INT64_MIN, INT64_MAX, &v, &err) && v == INT64_MIN);
    assert_false(args_int("23", -131072, 22, &v, &err));
    assert_false(args_int("--1", -131072, 22, &v, &err));
    assert_false(args_int("9223372036854775808", INT64_MIN, INT64_MAX, &v, &err));
}

static void args_size__units__are_powers_of_1024(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"512B", 512},
                {"1K", 1024},
                {"256M", UINT64_C(256) << 20},
                {"256MiB", UINT64_C(256) << 20},
                {"1.5G", UINT64_C(3) << 29},
                {"0.5k", 512},
                {"2T", UINT64_C(2) << 40},
                {"18446744073709551615", UINT64_MAX},
                {"16777215T", UINT64_C(16777215) << 40}};
    args_error err;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t v = 1;
        assert_true(args_size(good[i].text, &v, &err));
        assert_true(v == good[i].bytes);
    }
}

static void args_size__no_size__is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",    "M",  "-1M",  "1MB",  "1 M",       "1.5",
                                      ".5K", "1.", "1.5X", "infM", "16777216T", "99999999999.5T"};
    args_error err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t v = 0;
        if (args_size(bad[i], &v, &err)) {
            fail_msg("'%s' was taken for %llu", bad[i], (unsigned long long)v);
        }
        assert_true(strlen(err.message) > 0);
    }
}

static void args_duration__units__become_nanoseconds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0", 0},
                {"2", 2000000000},
                {"7ns", 7},
                {"5us", 5000},
                {"500ms", 500000000},
                {"60s", 60000000000},
                {"2m", 120000000000},
                {"1h", 3600000000000},
                {"1.5s", 1500000000}};
    static const char *const bad[] = {"", "s", "-1s", "1d", "1 s", "9999999999999h"};
    args_error err;
    int64_t v = -1;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(args_duration(good[i].text, &v, &err));
        assert_true(v == good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(args_duration(bad[i], &v, &err));
    }
}

static void args_range__open_ends__are_the_limits(void **state) {
    (void)state;
    static const char *const bad[] = {"", "5", "5-7", "a:b", "1:2:3", ":-1", "7:3"};
    args_error err;
    uint64_t a = 9, b = 9;
    assert_true(args_range("3:7", &a, &b, &err) && a == 3 && b == 7);
    assert_true(args_range("3:", &a, &b, &err) && a == 3 && b == UINT64_MAX);
    assert_true(args_range(":7", &a, &b, &err) && a == 0 && b == 7);
    assert_true(args_range(":", &a, &b, &err) && a == 0 && b == UINT64_MAX);
    assert_true(args_range("4:4", &a, &b, &err) && a == 4 && b == 4);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(args_range(bad[i], &a, &b, &err));
    }
}

static void args_shape__commas_or_x__are_dimensions(void **state) {
    (void)state;
    static const char *const bad[] = {"28,", ",28", "28,,28", "28x", "x", "-1", "2 8"};
    args_error err;
    uint64_t shape[3] = {0};
    uint32_t rank = 9;
    assert_true(args_shape("", shape, 3, &rank, &err) && rank == 0);
    assert_true(args_shape("28,29", shape, 3, &rank, &err) && rank == 2 && shape[1] == 29);
    assert_true(args_shape("1x0x3", shape, 3, &rank, &err) && rank == 3 && shape[2] == 3);
    assert_false(args_shape("1,2,3,4", shape, 3, &rank, &err));
    assert_non_null(strstr(err.message, "at most 3"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(args_shape(bad[i], shape, 3, &rank, &err));
    }
}

static void args_fractions__lists__are_taken(void **state) {
    (void)state;
    double f[3];
    uint32_t n = 0;
    args_error err;
    assert_true(args_fractions("0.8,0.1,0.1", f, 3, &n, &err) && n == 3);
    assert_true(f[0] == 0.8 && f[1] == 0.1 && f[2] == 0.1);
    assert_true(args_fractions("1", f, 3, &n, &err) && n == 1 && f[0] == 1);
    assert_true(args_fractions("0.333333333333,5", f, 2, &n, &err) && n == 2 && f[1] == 5);
}

static void args_fractions__anything_else__is_refused_in_words(void **state) {
    (void)state;
    static const char *const bad[] = {"",    ",",    "0.5,", ",0.5",  "0.5,,1", "-0.5",
                                      "+1",  ".5",   "1e-1", "1E2",   "0x1",    "nan",
                                      "inf", "0.5 ", " 1",   "0.5;1", "0.5.1"};
    double f[3];
    uint32_t n = 0;
    args_error err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(args_fractions(bad[i], f, 3, &n, &err));
        assert_non_null(strstr(err.message, "is not a list of fractions"));
    }
    assert_false(args_fractions("1,2,3,4", f, 3, &n, &err));
    assert_non_null(strstr(err.message, "more than 3 fractions"));
}

static void args_word__unknown__message_lists_all(void **state) {
    (void)state;
    static const char *const words[] = {"auto", "raw", "zstd"};
    args_error err;
    size_t place = 9;
    assert_true(args_word("zstd", words, 3, &place, &err) && place == 2);
    assert_false(args_word("zst", words, 3, &place, &err));
    assert_string_equal(err.message, "'zst' is none of: auto, raw, zstd");
}

static void args_list__commas_with_a_backslash__are_part_of_names(void **state) {
    (void)state;
    char text[] = "price\\, usd,a\\\\,b\\c,\\,";
    const char *items[4];
    uint32_t count = 0;
    args_error err;
    assert_true(args_list(text, items, 4, &count, &err));
    assert_int_equal(count, 4);
    assert_string_equal(items[0], "price, usd");
    assert_string_equal(items[1], "a\\");
    assert_string_equal(items[2], "b\\c");
    assert_string_equal(items[3], ",");
}

static void args_list__names__are_cut_at_commas(void **state) {
    (void)state;
    args_error err;
    const char *items[2] = {0};
    uint32_t count = 0;
    char two[] = "a,b c", three[] = "a,b,c", empty[] = "", hole[] = "a,,b", end[] = "a,";
    assert_true(args_list(two, items, 2, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(items[1], "b c");
    assert_false(args_list(three, items, 2, &count, &err));
    assert_false(args_list(empty, items, 2, &count, &err));
    assert_false(args_list(hole, items, 2, &count, &err));
    assert_false(args_list(end, items, 2, &count, &err));
}

static void sizes__figures__have_three_digits_that_count(void **state) {
    (void)state;
    assert_string_equal(sizes_bytes(0).text, "0 B");
    assert_string_equal(sizes_bytes(999).text, "999 B");
    assert_string_equal(sizes_bytes(1000).text, "0.98 KiB");
    assert_string_equal(sizes_bytes(3 << 19).text, "1.50 MiB");
    assert_string_equal(sizes_bytes(10485760).text, "10.0 MiB");
    assert_string_equal(sizes_bytes(UINT64_C(100) << 30).text, "100 GiB");
    assert_string_equal(sizes_bytes(UINT64_MAX).text, "16.0 EiB");
    assert_string_equal(sizes_rate(-1).text, "0 B/s");
    assert_string_equal(sizes_rate(812.0 * 1048576).text, "812 MiB/s");
    assert_string_equal(sizes_count(0).text, "0");
    assert_string_equal(sizes_count(999).text, "999");
    assert_string_equal(sizes_count(8123411).text, "8,123,411");
    assert_string_equal(sizes_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void sizes_duration__steps__have_a_unit_each(void **state) {
    (void)state;
    assert_string_equal(sizes_duration(-5).text, "0 ms");
    assert_string_equal(sizes_duration(850000000).text, "850 ms");
    assert_string_equal(sizes_duration(999600000).text, "1.0 s");
    assert_string_equal(sizes_duration(2400000000).text, "2.4 s");
    assert_string_equal(sizes_duration(59960000000).text, "1:00");
    assert_string_equal(sizes_duration(187000000000).text, "3:07");
    assert_string_equal(sizes_duration(3723000000000).text, "1:02:03");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(args_uint__digits_in_range__are_taken),
        cmocka_unit_test(args_uint__anything_else__is_refused_in_words),
        cmocka_unit_test(args_uint__very_long_text__message_is_cut),
        cmocka_unit_test(args_int__signs_and_limits__are_kept),
        cmocka_unit_test(args_size__units__are_powers_of_1024),
        cmocka_unit_test(args_size__no_size__is_refused),
        cmocka_unit_test(args_duration__units__become_nanoseconds),
        cmocka_unit_test(args_range__open_ends__are_the_limits),
        cmocka_unit_test(args_shape__commas_or_x__are_dimensions),
        cmocka_unit_test(args_fractions__lists__are_taken),
        cmocka_unit_test(args_fractions__anything_else__is_refused_in_words),
        cmocka_unit_test(args_word__unknown__message_lists_all),
        cmocka_unit_test(args_list__names__are_cut_at_commas),
        cmocka_unit_test(args_list__commas_with_a_backslash__are_part_of_names),
        cmocka_unit_test(sizes__figures__have_three_digits_that_count),
        cmocka_unit_test(sizes_duration__steps__have_a_unit_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
