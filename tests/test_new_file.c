/*
 * New files of whole chunks: places, segments, and what is left when one is not committed.
 */
#define _GNU_SOURCE
#include "made_dataset.h"
#include "new_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct opened {
    struct hr__schema schema;
    struct hr__budget budget;
    struct hr__new_file file;
    char *path, *partial;
};

static void open_file(struct opened *o, bool removed_on_failure) {
    const hr_field field = {.name = "y", .dtype = HR_INT64};
    hr_error err = {0};
    *o = (struct opened){.path = strdup(made_path("new.hrd"))};
    assert_true(asprintf(&o->partial, "%s.partial", o->path) > 0);
    (void)unlink(o->path);
    const struct hr__new_file_plan plan = {.path = o->path,
                                           .removed_on_failure = removed_on_failure,
                                           .job_options_json = strdup("{\"job\":\"test\"}")};
    made_ok(hr__schema_make(&field, 1, 10, &o->schema, &err), &err);
    hr__budget_init(&o->budget, UINT64_C(64) << 20);
    made_ok(hr__new_file_open(&o->file, &hr__posix_folder, &plan, &o->schema, &o->budget, &err),
            &err);
    made_ok(hr__new_file_begin(&o->file, &err), &err);
}

static void close_file(struct opened *o) {
    hr__new_file_close(&o->file);
    assert_int_equal(atomic_load(&o->budget.reserved_bytes), 0);
    hr__schema_free(&o->schema);
    hr__budget_close(&o->budget);
    free(o->path);
    free(o->partial);
}

/* Chunks of these samples; all of one page. */
static void add(struct opened *o, uint32_t num_samples) {
    const uint64_t end_off = o->file.sink.end_off;
    uint64_t off;
    hr_error err = {0};
    made_ok(hr__new_file_add(&o->file, 1, num_samples, NULL, &off, &err), &err);
    assert_int_equal(off, end_off);
}

static void segments__end_where_a_chunk_is_short__and_nowhere_else(void **state) {
    (void)state;
    struct opened o;
    open_file(&o, false);
    const uint32_t samples[] = {10, 10, 3, 10, 10, 10, 9, 1, 10};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        add(&o, samples[i]);
    assert_int_equal(o.file.num_segments, 4);
    const uint64_t expected[4][3] = {{0, 3, 23}, {3, 4, 39}, {7, 1, 1}, {8, 1, 10}};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(o.file.segments[i].first_chunk, expected[i][0]);
        assert_int_equal(o.file.segments[i].num_chunks, expected[i][1]);
        assert_int_equal(o.file.segments[i].num_samples, expected[i][2]);
    }
    assert_int_equal(o.file.segments[3].first_sample, 63);
    close_file(&o);
    (void)unlink(made_path("new.hrd.partial"));
}

static void segments__very_many__are_in_the_footer(void **state) {
    (void)state;
    struct opened o;
    hr_dataset *ds = NULL;
    hr_dataset_info info = {.struct_bytes = sizeof info};
    hr_error err = {0};
    open_file(&o, false);
    for (uint32_t i = 0; i < 9000; i++)
        add(&o, 1 + i % 9);
    made_ok(hr__new_file_commit(&o.file, &err), &err);
    made_ok(hr_dataset_open(o.path, NULL, &ds, &err), &err);
    made_ok(hr_dataset_describe(ds, &info, &err), &err);
    assert_int_equal(info.num_chunks, 9000);
    assert_int_equal(info.num_segments, 9000);
    assert_int_equal(info.num_samples, 9000 * 5);
    hr_dataset_close(ds);
    close_file(&o);
}

static void close__without_a_commit__keeps_only_what_can_be_resumed(void **state) {
    (void)state;
    struct opened o;
    open_file(&o, false);
    char *partial = strdup(o.partial);
    close_file(&o);
    assert_int_equal(access(partial, F_OK), 0);
    open_file(&o, true);
    close_file(&o);
    assert_int_not_equal(access(partial, F_OK), 0);
    free(partial);
}

static void commit__name_taken_meanwhile__keeps_the_complete_file(void **state) {
    (void)state;
    struct opened o;
    hr_error err = {0};
    open_file(&o, true);
    char *partial = strdup(o.partial);
    add(&o, 10);
    FILE *other = fopen(o.path, "wb");
    assert_non_null(other);
    assert_int_equal(fclose(other), 0);
    assert_int_equal(hr__new_file_commit(&o.file, &err), HR_ERR_EXISTS);
    close_file(&o);
    assert_int_equal(access(partial, F_OK), 0);
    free(partial);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments__end_where_a_chunk_is_short__and_nowhere_else),
        cmocka_unit_test(segments__very_many__are_in_the_footer),
        cmocka_unit_test(close__without_a_commit__keeps_only_what_can_be_resumed),
        cmocka_unit_test(commit__name_taken_meanwhile__keeps_the_complete_file),
    };
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return rc;
}
