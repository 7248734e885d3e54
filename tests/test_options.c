/*
 * Callers built with older and newer headers: options, and results (base/options.h).
 */
#include "made_dataset.h"
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct known {
    uint32_t struct_bytes, a;
    uint64_t b;
};

struct newer {
    struct known known;
    uint64_t c, d;
};

#define LEAST offsetof(struct known, b)

static void options__older_caller__tail_keeps_its_default(void **state) {
    (void)state;
    struct known given = {LEAST, 5, 6}, out = {sizeof(out), 1, 2};
    hr_error err = {0};
    made_ok(hr__options_copy(&given, LEAST, &out, sizeof(out), "x", &err), &err);
    assert_int_equal(out.a, 5);
    assert_int_equal(out.b, 2);
    assert_int_equal(out.struct_bytes, sizeof(out));
}

static void options__newer_caller__accepted_where_its_tail_is_zero(void **state) {
    (void)state;
    struct newer given = {{sizeof(given), 5, 6}, 0, 0};
    struct known out = {sizeof(out), 1, 2};
    hr_error err = {0};
    made_ok(hr__options_copy(&given, LEAST, &out, sizeof(out), "x", &err), &err);
    assert_int_equal(out.a, 5);
    assert_int_equal(out.b, 6);
    assert_int_equal(out.struct_bytes, sizeof(out));
    given.d = 1;
    assert_int_equal(hr__options_copy(&given, LEAST, &out, sizeof(out), "x", &err), HR_ERR_INVALID);
}

static void options__missing_or_never_set__are_refused(void **state) {
    (void)state;
    static const uint32_t wrong[] = {0, 4, LEAST - 1, sizeof(struct known) + 4097, UINT32_MAX};
    struct known out = {sizeof(out), 1, 2};
    hr_error err = {0};
    assert_int_equal(hr__options_copy(NULL, LEAST, &out, sizeof(out), "x", &err), HR_ERR_INVALID);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct known given = {wrong[i], 5, 6};
        assert_int_equal(hr__options_copy(&given, LEAST, &out, sizeof(out), "x", &err),
                         HR_ERR_INVALID);
        assert_int_equal(hr__result_check(&given, LEAST, sizeof(given), "x", &err), HR_ERR_INVALID);
    }
    assert_int_equal(out.a, 1);
}

static void results__older_and_newer_caller__filled_as_far_as_they_go(void **state) {
    (void)state;
    const struct known from = {sizeof(from), 5, 6};
    struct known older = {LEAST, 1, 2};
    struct newer newer = {{sizeof(newer), 1, 2}, 3, 4};
    hr__result_copy(&older, &from, sizeof(from));
    assert_int_equal(older.struct_bytes, LEAST);
    assert_int_equal(older.a, 5);
    assert_int_equal(older.b, 2);
    hr__result_copy(&newer, &from, sizeof(from));
    assert_int_equal(newer.known.struct_bytes, sizeof(newer));
    assert_int_equal(newer.known.b, 6);
    assert_int_equal(newer.c + newer.d, 0);
}

/* A struct of the public headers with room behind it, as a newer caller has. */
#define NEWER(type)                                                                                \
    struct {                                                                                       \
        type it;                                                                                   \
        uint64_t more;                                                                             \
    }

static void reader__newer_caller__is_served_unless_it_asks_for_more(void **state) {
    (void)state;
    const struct made m = {40, 8, 5, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    NEWER(hr_open_options) open = {HR_OPEN_OPTIONS_INIT, 0};
    NEWER(hr_loader_options) load = {HR_LOADER_OPTIONS_INIT, 0};
    NEWER(hr_verify_options) verify = {HR_VERIFY_OPTIONS_INIT, 0};
    hr_error err = {0};
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    open.it.struct_bytes = sizeof(open);
    load.it.struct_bytes = sizeof(load);
    load.it.batch_samples = 8;
    verify.it.struct_bytes = sizeof(verify);
    made_write(made_path("newer.hrd"), &m);
    made_ok(hr_dataset_open(made_path("newer.hrd"), &open.it, &ds, &err), &err);
    made_ok(hr_loader_open(ds, &load.it, &l, &err), &err);
    hr_loader_close(l);
    made_ok(hr_loader_plan_make(ds, &load.it, &plan, &err), &err);
    made_ok(hr_dataset_verify(made_path("newer.hrd"), &verify.it, &err), &err);
    open.more = load.more = verify.more = 1;
    hr_dataset *none = NULL;
    assert_int_equal(hr_dataset_open(made_path("newer.hrd"), &open.it, &none, &err),
                     HR_ERR_INVALID);
    assert_int_equal(hr_loader_open(ds, &load.it, &l, &err), HR_ERR_INVALID);
    assert_int_equal(hr_loader_plan_make(ds, &load.it, &plan, &err), HR_ERR_INVALID);
    assert_int_equal(hr_dataset_verify(made_path("newer.hrd"), &verify.it, &err), HR_ERR_INVALID);
    assert_null(none);
    assert_null(l);
    hr_dataset_close(ds);
}

static void loader_options__every_unknown_flag__is_refused(void **state) {
    (void)state;
    const struct made m = {40, 8, 5, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    const uint32_t known = HR_LOADER_SHUFFLE | HR_LOADER_DROP_LAST | HR_LOADER_PAD_LAST |
                           HR_LOADER_NUMA_OFF | HR_LOADER_PAGEABLE;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path("flags.hrd"), &m);
    made_ok(hr_dataset_open(made_path("flags.hrd"), NULL, &ds, &err), &err);
    for (uint32_t bit = 0; bit < 32; bit++) {
        hr_loader_options o = HR_LOADER_OPTIONS_INIT;
        hr_loader *l = NULL;
        o.batch_samples = 8;
        o.flags = UINT32_C(1) << bit;
        const bool refused = hr_loader_open(ds, &o, &l, &err) == HR_ERR_INVALID;
        assert_int_equal(refused, (o.flags & known) == 0);
        hr_loader_close(l);
    }
    hr_dataset_close(ds);
}

/* Calls with a result of `bytes` bytes; what lies behind them must stay as it was. */
static void older_result(hr_dataset *ds, hr_loader *l, uint32_t bytes) {
    union {
        uint32_t struct_bytes;
        hr_statistics statistics;
        hr_dataset_info info;
        hr_loader_info loader;
        hr_loader_plan plan;
        uint8_t bytes[512];
    } out;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.batch_samples = 8;
    hr_error err = {0};
    for (int call = 0; call < 4; call++) {
        memset(&out, 0xa5, sizeof(out));
        out.struct_bytes = bytes;
        hr_status st = call == 0   ? hr_dataset_statistics(ds, 0, &out.statistics, &err)
                       : call == 1 ? hr_dataset_describe(ds, &out.info, &err)
                       : call == 2 ? hr_loader_describe(l, &out.loader, &err)
                                   : hr_loader_plan_make(ds, &o, &out.plan, &err);
        made_ok(st, &err);
        assert_int_equal(out.struct_bytes, bytes);
        for (size_t i = bytes; i < sizeof(out.bytes); i++)
            assert_int_equal(out.bytes[i], 0xa5);
        out.struct_bytes = 4;
        st = call == 0   ? hr_dataset_statistics(ds, 0, &out.statistics, &err)
             : call == 1 ? hr_dataset_describe(ds, &out.info, &err)
             : call == 2 ? hr_loader_describe(l, &out.loader, &err)
                         : hr_loader_plan_make(ds, &o, &out.plan, &err);
        assert_int_equal(st, HR_ERR_INVALID);
    }
}

static void reader__results_of_other_sizes__nothing_behind_them_is_touched(void **state) {
    (void)state;
    const struct made m = {40, 8, 5, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    o.batch_samples = 8;
    made_write(made_path("older.hrd"), &m);
    made_ok(hr_dataset_open(made_path("older.hrd"), NULL, &ds, &err), &err);
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    for (uint32_t bytes = 16; bytes <= 480; bytes += 8)
        older_result(ds, l, bytes);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options__older_caller__tail_keeps_its_default),
        cmocka_unit_test(options__newer_caller__accepted_where_its_tail_is_zero),
        cmocka_unit_test(options__missing_or_never_set__are_refused),
        cmocka_unit_test(results__older_and_newer_caller__filled_as_far_as_they_go),
        cmocka_unit_test(reader__newer_caller__is_served_unless_it_asks_for_more),
        cmocka_unit_test(loader_options__every_unknown_flag__is_refused),
        cmocka_unit_test(reader__results_of_other_sizes__nothing_behind_them_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
