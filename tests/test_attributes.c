/*
 * Attributes of several sources as one object.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attributes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_joined(const char *const *texts, uint32_t n, const char *joined,
                          const char *differing) {
    char *out = NULL, apart[64];
    assert_int_equal(hr__attributes_join(texts, n, &out, apart, sizeof apart, NULL), HR_OK);
    assert_true((out == NULL) == (joined == NULL));
    if (joined != NULL)
        assert_string_equal(out, joined);
    assert_string_equal(apart, differing);
    free(out);
}

static void join__nothing__is_nothing(void **state) {
    (void)state;
    assert_joined(NULL, 0, NULL, "");
    assert_joined((const char *[]){NULL, NULL}, 2, NULL, "");
    assert_joined((const char *[]){"{}"}, 1, NULL, "");
}

static void join__different_names__all_are_kept(void **state) {
    (void)state;
    assert_joined((const char *[]){"{\"b\": 1}", NULL, "{\"a\": [2.5], \"b\": 1}"}, 3,
                  "{\"b\":1,\"a\":[2.5]}", "");
}

static void join__different_values__are_left_out_for_good(void **state) {
    (void)state;
    const char *texts[] = {"{\"a\": 1, \"b\": 0}", "{\"a\": 2}", "{\"a\": 1, \"c\": null}"};
    assert_joined(texts, 3, "{\"b\":0,\"c\":null}", "a");
    assert_joined((const char *[]){"{\"a\": 1}", "{\"a\": 1.0}"}, 2, NULL, "a");
}

static void join__many_that_differ__are_cut_off(void **state) {
    (void)state;
    char one[2000] = "{", two[2000] = "{", *out = NULL, apart[64];
    for (int i = 0; i < 50; i++) {
        char entry[32];
        (void)snprintf(entry, sizeof entry, "%s\"name%d\": 1", i > 0 ? "," : "", i);
        (void)strcat(one, entry);
        entry[strlen(entry) - 1] = '2';
        (void)strcat(two, entry);
    }
    const char *texts[] = {strcat(one, "}"), strcat(two, "}")};
    assert_int_equal(hr__attributes_join(texts, 2, &out, apart, sizeof apart, NULL), HR_OK);
    assert_null(out);
    assert_int_equal(strlen(apart), sizeof apart - 1);
    assert_string_equal(apart + sizeof apart - 4, "...");
}

static void join__no_object__is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"", "[]", "1", "{", "{\"a\": 1, \"a\": 2}", "{\"a\": nan}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *out = NULL, apart[64];
        const char *texts[] = {"{\"x\": 1}", bad[i]};
        hr_error err = {.status = HR_OK};
        assert_int_equal(hr__attributes_join(texts, 2, &out, apart, sizeof apart, &err),
                         HR_ERR_CORRUPT);
        assert_null(out);
        assert_true(err.message[0] != '\0');
    }
}

static void attributes__of_an_append__are_only_what_headrace_says(void **state) {
    (void)state;
    hr_error err = {0};
    char *out = NULL;
    assert_int_equal(
        hr__attributes_own("{\"unit\":\"m\",\"headrace:enum\":{\"a\":1},\"n\":2}", &out, &err),
        HR_OK);
    assert_string_equal(out, "{\"headrace:enum\":{\"a\":1}}");
    free(out);
    assert_int_equal(hr__attributes_own("{\"unit\":\"m\"}", &out, &err), HR_OK);
    assert_null(out);
    assert_int_equal(hr__attributes_own(NULL, &out, &err), HR_OK);
    assert_null(out);
    assert_int_equal(hr__attributes_own("[1]", &out, &err), HR_ERR_CORRUPT);
    assert_null(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes__of_an_append__are_only_what_headrace_says),
        cmocka_unit_test(join__nothing__is_nothing),
        cmocka_unit_test(join__different_names__all_are_kept),
        cmocka_unit_test(join__different_values__are_left_out_for_good),
        cmocka_unit_test(join__many_that_differ__are_cut_off),
        cmocka_unit_test(join__no_object__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
