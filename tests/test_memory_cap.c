/*
 * Memory of the whole process (base/memory_cap.c): every object counts, exactly while it lives, and
 * nothing is given out beyond the cap.
 */
#define _GNU_SOURCE
#include "budget.h"
#include "default_budget.h"
#include "made_dataset.h"
#include "memory_cap.h"
#include "thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static const struct made usual = {4000, 30, 37, 50, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};

static int begin(void **state) {
    (void)state;
    hr_memory_set_cap(0);
    assert_true(hr_memory_in_use() == 0);
    return 0;
}

static int end(void **state) {
    (void)state;
    hr_memory_set_cap(0);
    made_cleanup();
    return hr_memory_in_use() != 0;
}

static hr_dataset *open_data(void) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path("cap.hrd"), &usual);
    made_ok(hr_dataset_open(made_path("cap.hrd"), NULL, &ds, &err), &err);
    return ds;
}

static hr_loader_options usual_options(uint64_t budget_bytes) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 64;
    o.num_threads = 2;
    o.num_epochs = 1;
    o.budget_bytes = budget_bytes;
    return o;
}

static hr_loader *open_loader(hr_dataset *ds, uint64_t budget_bytes) {
    const hr_loader_options o = usual_options(budget_bytes);
    hr_error err = {0};
    hr_loader *l = NULL;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    return l;
}

static uint64_t read_epoch(hr_loader *l) {
    hr_error err = {0};
    hr_batch *b = NULL;
    uint64_t samples = 0;
    hr_status st;
    while ((st = hr_loader_next(l, -1, &b, &err)) == HR_OK) {
        assert_true(made_batch_right(b, &usual));
        samples += hr_batch_num_samples(b);
        hr_batch_release(b);
    }
    assert_int_equal(st, HR_END_OF_EPOCH);
    return samples;
}

/* ---- budgets ---- */

static void cap__none__is_the_beginning_and_everything_is_counted(void **state) {
    (void)state;
    struct hr__budget a, b, part;
    hr__budget_init(&a, 100);
    hr__budget_init(&b, UINT64_MAX);
    hr__budget_init_uncounted(&part);
    assert_true(hr_memory_cap() == 0);
    assert_int_equal(hr__budget_reserve(&a, 60, "x", NULL), HR_OK);
    assert_int_equal(hr__budget_reserve(&b, 1000, "x", NULL), HR_OK);
    assert_int_equal(hr__budget_reserve(&part, 5000, "x", NULL), HR_OK);
    assert_true(hr_memory_in_use() == 1060);
    hr__budget_release(&a, 20);
    assert_true(hr_memory_in_use() == 1040);
    assert_int_equal(hr__budget_reserve(&a, 61, "x", NULL), HR_ERR_BUDGET);
    assert_true(hr_memory_in_use() == 1040);
    hr__budget_close(&part);
    hr__budget_close(&a);
    hr__budget_close(&a);
    assert_true(hr_memory_in_use() == 1000);
    hr__budget_close(&b);
    hr__budget_close(&(struct hr__budget){0});
    assert_true(hr_memory_in_use() == 0);
}

static void cap__reached__is_refused_and_nothing_stays_taken(void **state) {
    (void)state;
    struct hr__budget a, b;
    hr_error err = {0};
    hr__budget_init(&a, 100 * MIB);
    hr__budget_init(&b, 100 * MIB);
    hr_memory_set_cap(10 * MIB);
    assert_true(hr_memory_cap() == 10 * MIB);
    assert_int_equal(hr__budget_reserve(&a, 7 * MIB, "x", &err), HR_OK);
    assert_int_equal(hr__budget_reserve(&b, 4 * MIB, "the ring", &err), HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "the ring needs 4.0 MiB"));
    assert_non_null(strstr(err.message, "3.0 MiB of the process-wide cap of 10.0 MiB are left"));
    assert_non_null(strstr(err.message, "7.0 MiB are in use"));
    assert_non_null(strstr(err.message, "a budget of at most 3.0 MiB"));
    assert_true(b.reserved_bytes == 0 && b.peak_bytes == 0);
    assert_int_equal(hr__budget_reserve(&b, 3 * MIB, "x", &err), HR_OK);
    assert_int_equal(hr__budget_reserve(&b, 1, "x", NULL), HR_ERR_BUDGET);
    assert_int_equal(hr__budget_reserve(&b, UINT64_MAX - 5, "x", NULL), HR_ERR_BUDGET);
    hr__budget_release(&a, MIB);
    assert_int_equal(hr__budget_reserve(&b, MIB, "x", &err), HR_OK);
    hr__budget_close(&a);
    hr__budget_close(&b);
}

static void cap__lowered_below_what_is_in_use__gives_nothing_until_it_has_come_down(void **state) {
    (void)state;
    struct hr__budget a;
    hr__budget_init(&a, 100);
    assert_int_equal(hr__budget_reserve(&a, 90, "x", NULL), HR_OK);
    hr_memory_set_cap(50);
    assert_true(hr__memory_left() == 0);
    assert_int_equal(hr__budget_reserve(&a, 1, "x", NULL), HR_ERR_BUDGET);
    assert_int_equal(hr__budget_reserve(&a, 0, "x", NULL), HR_OK);
    hr__budget_release(&a, 60);
    assert_int_equal(hr__budget_reserve(&a, 20, "x", NULL), HR_OK);
    assert_int_equal(hr__budget_reserve(&a, 1, "x", NULL), HR_ERR_BUDGET);
    hr_memory_set_cap(0);
    assert_int_equal(hr__budget_reserve(&a, 1, "x", NULL), HR_OK);
    hr__budget_close(&a);
}

static void *take_and_give(void *arg) {
    struct hr__budget b;
    (void)arg;
    hr__budget_init(&b, 1000);
    for (uint64_t i = 0; i < 20000; i++) {
        const uint64_t n = i * 7 % 40 + 1;
        if (hr__budget_reserve(&b, n, "x", NULL) == HR_OK) {
            if (hr_memory_in_use() > 100)
                return arg;
            hr__budget_release(&b, n);
        }
    }
    hr__budget_close(&b);
    return NULL;
}

static void *take_and_give_thread(void *arg) {
    *(void **)arg = take_and_give(arg);
    return NULL;
}

static void cap__many_threads__is_never_passed_and_nothing_is_lost(void **state) {
    (void)state;
    struct hr__thread threads[4] = {{0}};
    void *passed[4];
    hr_error err = {0};
    hr_memory_set_cap(100);
    for (int i = 0; i < 4; i++)
        made_ok(hr__thread_start(&threads[i], "cap", take_and_give_thread, &passed[i], &err), &err);
    for (int i = 0; i < 4; i++) {
        hr__thread_join(&threads[i]);
        assert_null(passed[i]);
    }
    assert_true(hr_memory_in_use() == 0);
}

/* ---- objects ---- */

static void in_use__of_data_set_and_loaders__is_what_they_reserve(void **state) {
    (void)state;
    hr_dataset *ds = open_data();
    const uint64_t of_data = hr_memory_in_use();
    hr_loader_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {0};
    assert_true(of_data > 0);
    hr_loader *a = open_loader(ds, 64 * MIB);
    made_ok(hr_loader_describe(a, &info, &err), &err);
    assert_true(hr_memory_in_use() == info.reserved_bytes);
    hr_loader *b = open_loader(ds, 64 * MIB);
    assert_true(hr_memory_in_use() == 2 * info.reserved_bytes - of_data);
    assert_true(read_epoch(a) == usual.num_samples && read_epoch(b) == usual.num_samples);
    hr_loader_close(a);
    assert_true(hr_memory_in_use() == info.reserved_bytes);
    hr_loader_close(b);
    assert_true(hr_memory_in_use() == of_data);
    hr_dataset_close(ds);
    assert_true(hr_memory_in_use() == 0);
}

static void cap__too_low_for_a_second_loader__is_refused_until_the_first_is_closed(void **state) {
    (void)state;
    const hr_loader_options o = usual_options(64 * MIB);
    hr_dataset *ds = open_data();
    hr_loader *a = open_loader(ds, 64 * MIB), *b = NULL;
    const uint64_t with_one = hr_memory_in_use();
    hr_error err = {0};
    hr_memory_set_cap(with_one + with_one / 2);
    assert_int_equal(hr_loader_open(ds, &o, &b, &err), HR_ERR_BUDGET);
    assert_null(b);
    assert_non_null(strstr(err.message, "cap.hrd"));
    assert_non_null(strstr(err.message, "process-wide cap"));
    assert_true(hr_memory_in_use() == with_one);
    assert_true(read_epoch(a) == usual.num_samples);
    hr_loader_close(a);
    b = open_loader(ds, 64 * MIB);
    assert_true(read_epoch(b) == usual.num_samples);
    hr_loader_close(b);
    hr_dataset_close(ds);
}

/* What the message advises: a budget of what is left opens. */
static void cap__budget_of_what_is_left__opens(void **state) {
    (void)state;
    hr_dataset *ds = open_data();
    hr_loader *a = open_loader(ds, 64 * MIB);
    hr_memory_set_cap(hr_memory_in_use() + 3 * MIB);
    hr_loader *b = open_loader(ds, hr__memory_left());
    assert_true(read_epoch(b) == usual.num_samples);
    hr_loader_close(a);
    hr_loader_close(b);
    hr_dataset_close(ds);
}

static void cap__set__makes_default_budgets_that_fit(void **state) {
    (void)state;
    hr_dataset *ds = open_data();
    hr_memory_set_cap(hr_memory_in_use() + 100 * MIB);
    assert_true(hr_default_budget() == 25 * MIB || hr_default_budget() == 16 * MIB);
    hr_loader *a = open_loader(ds, 0), *b = open_loader(ds, 0);
    assert_true(hr_memory_in_use() <= hr_memory_cap());
    hr_loader_close(a);
    hr_loader_close(b);
    hr_dataset_close(ds);
}

static void in_use__of_random_access__is_kept_for_the_next_and_given_back_at_last(void **state) {
    (void)state;
    hr_dataset *ds = open_data();
    const uint64_t of_data = hr_memory_in_use();
    const uint64_t indices[] = {9, 3999, 9};
    int64_t y[3];
    hr_error err = {0};
    hr_memory_set_cap(of_data + 1000);
    assert_int_equal(hr_dataset_gather(ds, 0, indices, 3, y, sizeof(y), &err), HR_ERR_BUDGET);
    assert_true(hr_memory_in_use() == of_data);
    hr_memory_set_cap(of_data + 16 * MIB);
    made_ok(hr_dataset_read(ds, 0, 10, 3, y, sizeof(y), &err), &err);
    assert_true(hr_memory_in_use() == of_data); /* others may need what there is */
    hr_memory_set_cap(0);
    made_ok(hr_dataset_read(ds, 0, 10, 3, y, sizeof(y), &err), &err);
    const uint64_t kept = hr_memory_in_use();
    assert_true(kept > of_data && kept <= of_data + 5 * MIB);
    made_ok(hr_dataset_gather(ds, 0, indices, 3, y, sizeof(y), &err), &err);
    assert_true(y[1] == 3999);
    assert_true(hr_memory_in_use() == kept);
    hr_dataset_close(ds);
    assert_true(hr_memory_in_use() == 0);
}

static void in_use__of_verify__is_given_back(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset_close(open_data());
    made_ok(hr_dataset_verify(made_path("cap.hrd"), NULL, &err), &err);
    assert_true(hr_memory_in_use() == 0);
}

static void in_use__of_conversion_and_export__is_given_back(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = open_data();
    hr_export_options e = HR_EXPORT_OPTIONS_INIT;
    hr_convert_options c = HR_CONVERT_OPTIONS_INIT;
    e.folder = made_path("arrays");
    made_ok(hr_export_npy(ds, &e, &err), &err);
    hr_dataset_close(ds);
    assert_true(hr_memory_in_use() == 0);
    char *input = strdup(made_path("arrays/x.npy"));
    c.inputs = (const char *const[]){input};
    c.num_inputs = 1;
    c.output = made_path("again.hrd");
    made_ok(hr_convert(&c, NULL, &err), &err);
    assert_true(hr_memory_in_use() == 0);
    c.output = made_path("refused.hrd");
    hr_memory_set_cap(MIB / 2);
    assert_int_equal(hr_convert(&c, NULL, &err), HR_ERR_BUDGET);
    assert_true(hr_memory_in_use() == 0);
    free(input);
}

static void in_use__of_a_writer__is_given_back_whenever_it_is_closed(void **state) {
    (void)state;
    const hr_field field = {.name = "y", .dtype = HR_INT64};
    const int64_t rows[500] = {0};
    const void *columns[] = {rows};
    hr_error err = {0};
    for (int steps = 0; steps < 3; steps++) {
        hr_writer *w = NULL;
        hr_writer_options o = HR_WRITER_OPTIONS_INIT;
        o.flags = HR_WRITER_REPLACE;
        made_ok(hr_writer_open(made_path("w.hrd"), &field, 1, &o, &w, &err), &err);
        assert_true(hr_memory_in_use() > 0);
        if (steps > 0)
            made_ok(hr_writer_append(w, 500, columns, &err), &err);
        if (steps > 1)
            made_ok(hr_writer_commit(w, &err), &err);
        hr_writer_close(w);
        assert_true(hr_memory_in_use() == 0);
    }
    hr_writer *w = NULL;
    hr_memory_set_cap(1000);
    assert_int_equal(hr_writer_open(made_path("w2.hrd"), &field, 1, NULL, &w, &err), HR_ERR_BUDGET);
    assert_true(hr_memory_in_use() == 0);
}

#define WITH_CAP(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_CAP(cap__none__is_the_beginning_and_everything_is_counted),
        WITH_CAP(cap__reached__is_refused_and_nothing_stays_taken),
        WITH_CAP(cap__lowered_below_what_is_in_use__gives_nothing_until_it_has_come_down),
        WITH_CAP(cap__many_threads__is_never_passed_and_nothing_is_lost),
        WITH_CAP(in_use__of_data_set_and_loaders__is_what_they_reserve),
        WITH_CAP(cap__too_low_for_a_second_loader__is_refused_until_the_first_is_closed),
        WITH_CAP(cap__budget_of_what_is_left__opens),
        WITH_CAP(cap__set__makes_default_budgets_that_fit),
        WITH_CAP(in_use__of_random_access__is_kept_for_the_next_and_given_back_at_last),
        WITH_CAP(in_use__of_verify__is_given_back),
        WITH_CAP(in_use__of_conversion_and_export__is_given_back),
        WITH_CAP(in_use__of_a_writer__is_given_back_whenever_it_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
