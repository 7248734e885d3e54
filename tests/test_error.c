/*
 * Statuses and messages (base/error.h).
 */
#include "error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void status_name__every_status__has_its_own(void **state) {
    (void)state;
    int named = 0;
    for (int a = 0; a < 200; a++) {
        const char *name = hr_status_name((hr_status)a);
        assert_non_null(name);
        if (strcmp(name, "HR_ERR_UNKNOWN") == 0)
            continue;
        named++;
        assert_int_equal(strncmp(name, "HR_", 3), 0);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(name, hr_status_name((hr_status)b));
    }
    assert_int_equal(named, 26);
    assert_string_equal(hr_status_name(HR_ERR_DATA), "HR_ERR_DATA");
    assert_string_equal(hr_status_name((hr_status)-1), "HR_ERR_UNKNOWN");
}

static void set__an_error__fills_all_of_it(void **state) {
    (void)state;
    hr_error err = {.os_errno = 99, .file_off = 99};
    assert_int_equal(hr__error_set(&err, HR_ERR_DATA, "%s is %d", "x", 7), HR_ERR_DATA);
    assert_int_equal(err.status, HR_ERR_DATA);
    assert_int_equal(err.os_errno, 0);
    assert_true(err.file_off == UINT64_MAX);
    assert_string_equal(err.message, "x is 7");
}

static void at__an_error__knows_its_place(void **state) {
    (void)state;
    hr_error err = {0};
    assert_int_equal(hr__error_at(&err, HR_ERR_CORRUPT, 4096, "bad"), HR_ERR_CORRUPT);
    assert_true(err.file_off == 4096);
    assert_string_equal(err.message, "bad");
}

static void os__an_errno__becomes_a_status_and_its_text(void **state) {
    (void)state;
    static const struct {
        int os_errno;
        hr_status status;
    } cases[] = {{ENOSPC, HR_ERR_NO_SPACE},  {EDQUOT, HR_ERR_NO_SPACE}, {ENOMEM, HR_ERR_NO_MEMORY},
                 {ENOENT, HR_ERR_NOT_FOUND}, {EEXIST, HR_ERR_EXISTS},   {EIO, HR_ERR_IO},
                 {EACCES, HR_ERR_IO},        {12345, HR_ERR_IO}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hr_error err = {0};
        assert_int_equal(hr__error_os(&err, cases[i].os_errno, "opening %s", "f"), cases[i].status);
        assert_int_equal(err.status, cases[i].status);
        assert_int_equal(err.os_errno, cases[i].os_errno);
        assert_int_equal(strncmp(err.message, "opening f: ", 11), 0);
        assert_true(strlen(err.message) > 11);
    }
}

static void any__without_an_error__returns_the_status(void **state) {
    (void)state;
    assert_int_equal(hr__error_set(NULL, HR_ERR_DATA, "x"), HR_ERR_DATA);
    assert_int_equal(hr__error_at(NULL, HR_ERR_CORRUPT, 1, "x"), HR_ERR_CORRUPT);
    assert_int_equal(hr__error_os(NULL, ENOSPC, "x"), HR_ERR_NO_SPACE);
    assert_int_equal(hr__error_no_memory(NULL, 1, "x"), HR_ERR_NO_MEMORY);
    hr__error_prefix(NULL, "x");
}

static void prefix__a_message__goes_before_it(void **state) {
    (void)state;
    hr_error err = {0};
    (void)hr__error_at(&err, HR_ERR_CORRUPT, 77, "bad magic");
    hr__error_prefix(&err, "%s", "a.hrd");
    assert_string_equal(err.message, "a.hrd: bad magic");
    assert_int_equal(err.status, HR_ERR_CORRUPT);
    assert_true(err.file_off == 77);
}

/* A message of exactly n bytes. */
static void fill(char *text, size_t n) {
    memset(text, 'm', n);
    text[n] = '\0';
}

static void prefix__long_texts__are_cut_and_ended(void **state) {
    (void)state;
    char text[700], before[700];
    static const size_t sizes[] = {0, 1, 250, 500, 508, 509, 510, 511, 512, 600};
    for (size_t i = 0; i < 10; i++)
        for (size_t k = 0; k < 10; k++) {
            struct {
                hr_error err;
                char guard;
            } at = {.guard = 'g'};
            fill(text, sizes[i]);
            fill(before, sizes[k]);
            (void)hr__error_set(&at.err, HR_ERR_IO, "%s", text);
            hr__error_prefix(&at.err, "%s", before);
            size_t whole = sizes[i] + 2 + sizes[k];
            assert_true(strlen(at.err.message) == (whole < 511 ? whole : 511));
            assert_int_equal(at.guard, 'g');
        }
}

static void os__a_long_message__is_cut_and_ended(void **state) {
    (void)state;
    char text[700];
    for (size_t n = 480; n < 540; n++) {
        hr_error err = {0};
        fill(text, n);
        (void)hr__error_os(&err, ENOSPC, "%s", text);
        assert_true(strlen(err.message) <= 511);
        assert_int_equal(err.os_errno, ENOSPC);
    }
}

/* Characters of 1 to 4 bytes, whole ones only. */
static int is_utf8(const char *text) {
    const unsigned char *p = (const unsigned char *)text;
    while (*p != 0) {
        int more = *p < 0x80 ? 0 : *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : -1;
        if (more < 0)
            return 0;
        for (p++; more > 0; more--, p++)
            if ((*p & 0xc0) != 0x80)
                return 0;
    }
    return 1;
}

static void any__a_long_name_in_utf8__is_cut_between_characters(void **state) {
    (void)state;
    static const char *const characters[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x8e"};
    char text[1024];
    for (size_t c = 0; c < 4; c++)
        for (size_t shift = 0; shift < 4; shift++) {
            hr_error err = {0};
            fill(text, shift);
            while (strlen(text) < 600)
                strcat(text, characters[c]);
            (void)hr__error_set(&err, HR_ERR_IO, "%s", text);
            assert_true(is_utf8(err.message));
            assert_true(strlen(err.message) > 507);
            hr__error_prefix(&err, "%s", "in");
            assert_true(is_utf8(err.message));
            assert_true(strlen(err.message) > 507);
            hr__error_prefix(&err, "%s", text);
            assert_true(is_utf8(err.message));
            (void)hr__error_os(&err, EIO, "%s", text);
            assert_true(is_utf8(err.message));
            (void)hr__error_at(&err, HR_ERR_IO, 0, "%s", text);
            assert_true(is_utf8(err.message));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_name__every_status__has_its_own),
        cmocka_unit_test(set__an_error__fills_all_of_it),
        cmocka_unit_test(at__an_error__knows_its_place),
        cmocka_unit_test(os__an_errno__becomes_a_status_and_its_text),
        cmocka_unit_test(any__without_an_error__returns_the_status),
        cmocka_unit_test(prefix__a_message__goes_before_it),
        cmocka_unit_test(prefix__long_texts__are_cut_and_ended),
        cmocka_unit_test(os__a_long_message__is_cut_and_ended),
        cmocka_unit_test(any__a_long_name_in_utf8__is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
