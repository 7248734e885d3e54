/*
 * transfer/salvage_lost.c: reasons as they are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "salvage_internal.h"

#include <stdio.h>
#include <string.h>

static char told[HR_ERROR_MESSAGE_BYTES];

static void on_lost(void *user, const hr_lost *lost) {
    (void)user;
    (void)snprintf(told, sizeof told, "%s", lost->reason);
}

static const char *told_of(const char *reason) {
    uint64_t ranges[1][2];
    struct hr__salvage s = {.opts = {.on_lost = on_lost}, .lost = {.ranges = ranges}};
    hr__salvage_lose(&s, 1, 10, false, reason);
    return told;
}

static void reason__with_advice_behind_it__is_told_without(void **state) {
    (void)state;
    assert_string_equal(told_of("it is damaged; run headrace verify, and convert anew"),
                        "it is damaged");
    assert_string_equal(told_of("it ends early; copy the file again"), "it ends early");
    assert_string_equal(told_of("a; b"), "a; b");
    assert_string_equal(told_of("no more"), "no more");
}

static void reason__with_a_name_that_reads_like_advice__keeps_it(void **state) {
    (void)state;
    assert_string_equal(told_of("field x; convert anew: its hash is wrong; convert anew"),
                        "field x; convert anew: its hash is wrong");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reason__with_advice_behind_it__is_told_without),
        cmocka_unit_test(reason__with_a_name_that_reads_like_advice__keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
