/*
 * Guards over a made-up root.
 */
#define _GNU_SOURCE
#include "made_guard.h"

#include "made_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define FAST_NS (INT64_C(2) * 1000000)

hr_guard_options made_guard_options(void) {
    hr_guard_options o = HR_GUARD_OPTIONS_INIT;
    o.interval_ns = FAST_NS;
    return o;
}

hr_guard *made_guard_open(const hr_guard_options *o) {
    const struct hr__guard_setup setup = {.root = made_root, .longest_ns = 2 * FAST_NS};
    hr_error err = {.message = ""};
    hr_guard *g;
    hr_status st = hr__guard_open(o, &setup, &g, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(st, HR_OK);
    return g;
}

void made_guard_nap(void) {
    const struct timespec ts = {.tv_nsec = 1000000};
    nanosleep(&ts, NULL);
}

hr_guard_info made_guard_state(hr_guard *g) {
    hr_guard_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {.message = ""};
    assert_int_equal(hr_guard_state(g, &info, &err), HR_OK);
    return info;
}

void made_guard_await_looks(hr_guard *g, uint64_t n) {
    const uint64_t until = made_guard_state(g).num_looks + n + 1;
    while (made_guard_state(g).num_looks < until)
        made_guard_nap();
}
