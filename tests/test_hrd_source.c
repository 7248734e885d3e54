/*
 * Data sets as sources: what is carried over, which fields and samples are chosen, how readers
 * share what they read, and what is refused.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hrd_file.h"
#include "made_dataset.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLES 3000u

static const struct made made = {.num_samples = SAMPLES,
                                 .samples_per_chunk = 70,
                                 .row_bytes = 33,
                                 .row_words = 10,
                                 .codec = HR_CODEC_ZSTD};
static char folder[64];
static char notes[4096];
static uint64_t cancel_from_samples;

static int enter_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/headrace-test-XXXXXX");
    notes[0] = '\0';
    cancel_from_samples = UINT64_MAX;
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    made_write("a.hrd", &made);
    return 0;
}

static int leave_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

static void take_note(void *user, const char *line) {
    (void)user;
    strncat(notes, line, sizeof notes - strlen(notes) - 2);
    strcat(notes, "\n");
}

static int take_progress(void *user, const hr_progress *progress) {
    (void)user;
    return progress->done_samples >= cancel_from_samples;
}

static hr_convert_options options(const char *const *inputs, uint32_t n) {
    hr_convert_options o = HR_CONVERT_OPTIONS_INIT;
    o.inputs = inputs;
    o.num_inputs = n;
    o.output = "b.hrd";
    o.num_threads = 3;
    o.budget_bytes = UINT64_C(64) << 20;
    o.on_note = take_note;
    o.on_progress = take_progress;
    return o;
}

static const char *const one[] = {"a.hrd"};

static void run(const hr_convert_options *o) {
    hr_error err = {0};
    made_ok(hr_convert(o, NULL, &err), &err);
}

static void refused(const hr_convert_options *o, hr_status status, const char *words) {
    hr_error err = {0};
    assert_int_equal(hr_convert(o, NULL, &err), status);
    if (strstr(err.message, words) == NULL)
        fail_msg("not in \"%s\": %s", err.message, words);
}

static hr_dataset *open_output(void) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_ok(hr_dataset_verify("b.hrd", NULL, &err), &err);
    made_ok(hr_dataset_open("b.hrd", NULL, &ds, &err), &err);
    return ds;
}

/* Samples of b.hrd, from `at` on, are those of the made data from `first` on. */
static void check_samples(hr_dataset *ds, const char *y, const char *x, uint64_t at, uint64_t first,
                          uint64_t n) {
    hr_error err = {0};
    uint32_t fy, fx;
    int64_t *ys = malloc(n * sizeof *ys);
    uint8_t *xs = malloc(n * made.row_bytes);
    made_ok(hr_dataset_find_field(ds, y, &fy, &err), &err);
    made_ok(hr_dataset_find_field(ds, x, &fx, &err), &err);
    made_ok(hr_dataset_read(ds, fy, at, n, ys, n * sizeof *ys, &err), &err);
    made_ok(hr_dataset_read(ds, fx, at, n, xs, n * made.row_bytes, &err), &err);
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(ys[i], first + i);
        for (uint32_t k = 0; k < made.row_bytes; k++)
            assert_int_equal(xs[i * made.row_bytes + k], made_byte(first + i, k));
    }
    free(xs);
    free(ys);
}

/* ---- what is carried over ---- */

static void convert__a_data_set__is_rechunked_in_its_order(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    hr_dataset_info info = {.struct_bytes = sizeof info};
    o.chunk_bytes = 50000;
    o.codec = HR_CODEC_RAW;
    run(&o);
    hr_dataset *ds = open_output();
    assert_int_equal(hr_dataset_num_samples(ds), SAMPLES);
    assert_int_equal(hr_dataset_num_fields(ds), 3);
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    assert_int_equal(info.samples_per_chunk, 50000 / (8 + 33 + 40));
    check_samples(ds, "y", "x", 0, 0, SAMPLES);
    hr_dataset_close(ds);
}

static void write_with_attributes(const char *path, const char *attributes, const char *of_field) {
    hr_error err = {0};
    hr_writer *w = NULL;
    const int32_t values[] = {3, 1, 2};
    const void *columns[] = {values};
    const hr_field field = {.name = "v", .dtype = HR_INT32, .attributes_json = of_field};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.attributes_json = attributes;
    o.provenance_json =
        "{\"shuffle\": {\"name\": \"permutation\", \"version\": 1, \"seed\": \"9\"}}";
    o.flags = HR_WRITER_REPLACE;
    made_ok(hr_writer_open(path, &field, 1, &o, &w, &err), &err);
    made_ok(hr_writer_append(w, 3, columns, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
}

static bool says(const hr_dataset *ds, const char *words) {
    return strstr(hr_dataset_json(ds), words) != NULL;
}

static void convert__attributes_and_provenance__are_carried_over(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    hr_statistics s = {.struct_bytes = sizeof s};
    write_with_attributes("a.hrd", "{\"licence\": \"none\"}", "{\"unit\": \"mm\"}");
    run(&o);
    hr_dataset *ds = open_output();
    hr_field field;
    assert_int_equal(hr_dataset_field(ds, 0, &field, NULL), HR_OK);
    assert_non_null(strstr(field.attributes_json, "\"mm\""));
    assert_true(says(ds, "\"licence\""));
    assert_true(says(ds, "\"made_of\""));
    assert_true(says(ds, "\"seed\": \"9\"") || says(ds, "\"seed\":\"9\""));
    assert_int_equal(hr_dataset_statistics(ds, 0, &s, NULL), HR_OK);
    assert_int_equal(s.min_int, 1);
    assert_int_equal(s.max_int, 3);
    hr_dataset_close(ds);
}

static void convert__attributes_that_differ__are_left_out_and_it_is_said(void **state) {
    (void)state;
    static const char *const two[] = {"a.hrd", "c.hrd"};
    hr_convert_options o = options(two, 2);
    write_with_attributes("a.hrd", "{\"licence\": \"none\", \"year\": 7}", NULL);
    write_with_attributes("c.hrd", "{\"licence\": \"other\", \"year\": 7}", NULL);
    run(&o);
    hr_dataset *ds = open_output();
    assert_false(says(ds, "\"licence\""));
    assert_true(says(ds, "\"year\""));
    assert_int_equal(hr_dataset_num_samples(ds), 6);
    assert_non_null(strstr(notes, "differ between them are left out: licence"));
    hr_dataset_close(ds);
}

/* ---- choosing ---- */

static void convert__fields_renames_and_range__are_chosen(void **state) {
    (void)state;
    static const char *const kept[] = {"x", "y"};
    static const hr_convert_rename renames[] = {{"y", "x"}, {"x", "y"}};
    hr_convert_options o = options(one, 1);
    o.kept_fields = kept;
    o.num_kept_fields = 2;
    o.renames = renames;
    o.num_renames = 2;
    o.first_sample = 501;
    o.end_sample = 2222;
    run(&o);
    hr_dataset *ds = open_output();
    hr_field first;
    assert_int_equal(hr_dataset_num_fields(ds), 2);
    assert_int_equal(hr_dataset_field(ds, 0, &first, NULL), HR_OK);
    assert_string_equal(first.name, "y");
    assert_int_equal(hr_dataset_num_samples(ds), 2222 - 501);
    check_samples(ds, "x", "y", 0, 501, 2222 - 501);
    assert_true(says(ds, "\"range\""));
    hr_dataset_close(ds);
}

static void convert__one_field_of_a_data_set__is_named_behind_a_colon(void **state) {
    (void)state;
    static const char *const two[] = {"a.hrd:x", "a.hrd:/y"};
    hr_convert_options o = options(two, 2);
    run(&o);
    hr_dataset *ds = open_output();
    assert_int_equal(hr_dataset_num_fields(ds), 2);
    check_samples(ds, "y", "x", 0, 0, SAMPLES);
    hr_dataset_close(ds);
    static const char *const none[] = {"a.hrd:z"};
    o = options(none, 1);
    o.output = "c.hrd";
    refused(&o, HR_ERR_NOT_FOUND, "no field \"z\"; it has: y, x, w");
}

static void convert__a_choice_that_cannot_be__is_refused(void **state) {
    (void)state;
    static const char *const none[] = {"x", "z"}, *const twice[] = {"x", "x"};
    static const hr_convert_rename taken = {"y", "x"}, missing = {"z", "q"}, empty = {"y", ""};
    hr_convert_options o = options(one, 1);
    o.kept_fields = none;
    o.num_kept_fields = 2;
    refused(&o, HR_ERR_NOT_FOUND, "no input gives a field z; there are: y, x, w");
    o.kept_fields = twice;
    refused(&o, HR_ERR_INVALID, "twice");
    o.kept_fields = NULL;
    refused(&o, HR_ERR_INVALID, "without its list");
    o.num_kept_fields = 0;
    o.num_renames = 1;
    refused(&o, HR_ERR_INVALID, "without its list");
    o.renames = &taken;
    refused(&o, HR_ERR_INVALID, "is the name of another field");
    o.renames = &missing;
    refused(&o, HR_ERR_NOT_FOUND, "no input gives a field z");
    o.renames = &empty;
    refused(&o, HR_ERR_INVALID, "lacks a name");
    o.num_renames = 0;
    o.first_sample = 5;
    o.end_sample = 5;
    refused(&o, HR_ERR_INVALID, "is empty");
    o.end_sample = SAMPLES + 1;
    refused(&o, HR_ERR_INVALID, "have 3000 samples");
    o.first_sample = SAMPLES;
    o.end_sample = 0;
    refused(&o, HR_ERR_INVALID, "have 3000 samples");
}

static void convert__the_output_as_input__is_refused(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    o.output = "a.hrd";
    o.flags = HR_CONVERT_REPLACE;
    refused(&o, HR_ERR_INVALID, "also an input");
    assert_int_equal(symlink("a.hrd", "b.hrd"), 0);
    o.output = "b.hrd";
    refused(&o, HR_ERR_INVALID, "also an input");
}

/* ---- several ---- */

static void convert__many_data_sets__are_put_one_after_the_other(void **state) {
    (void)state;
    static const char *const all[] = {"part_*.hrd"};
    hr_convert_options o = options(all, 1);
    uint64_t first = 0;
    for (uint32_t i = 0; first < SAMPLES; i++) { /* of sizes that are no whole chunks */
        char path[32];
        const uint64_t n = i == 2 ? 0 : 200 + i * 7, left = SAMPLES - first;
        snprintf(path, sizeof path, "part_%u.hrd", i);
        made_write_part(path, &made, first, n < left ? n : left);
        first += n < left ? n : left;
    }
    o.first_sample = 100;
    run(&o);
    hr_dataset *ds = open_output();
    assert_int_equal(hr_dataset_num_samples(ds), SAMPLES - 100);
    check_samples(ds, "y", "x", 0, 100, SAMPLES - 100);
    hr_dataset_close(ds);
}

static void convert__a_range_behind_another__is_appended(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    o.end_sample = 1234;
    run(&o);
    o.flags = HR_CONVERT_APPEND;
    o.first_sample = 1234;
    o.end_sample = 0;
    run(&o);
    hr_dataset *ds = open_output();
    check_samples(ds, "y", "x", 0, 0, SAMPLES);
    hr_dataset_close(ds);
    static const char *const appended[] = {"b.hrd"};
    o = options(appended, 1);
    o.output = "c.hrd";
    o.chunk_bytes = 10000;
    run(&o);
    assert_int_equal(rename("c.hrd", "b.hrd"), 0);
    ds = open_output();
    check_samples(ds, "y", "x", 0, 0, SAMPLES);
    hr_dataset_close(ds);
}

static void convert__a_data_set_shuffled__has_its_samples(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    o.flags = HR_CONVERT_SHUFFLE;
    o.shuffle_seed = 3;
    run(&o);
    hr_dataset *ds = open_output();
    hr_error err = {0};
    static int64_t ys[SAMPLES];
    static bool seen[SAMPLES];
    made_ok(hr_dataset_read(ds, 0, 0, SAMPLES, ys, sizeof ys, &err), &err);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        check_samples(ds, "y", "x", i, (uint64_t)ys[i], 1);
        assert_false(seen[ys[i]]);
        seen[ys[i]] = true;
    }
    hr_dataset_close(ds);
}

/* ---- trouble ---- */

static void convert__stopped__is_resumed_from_what_is_there(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    hr_convert_result result = {.struct_bytes = sizeof result};
    hr_error err = {0};
    o.chunk_bytes = 2000;
    cancel_from_samples = 1;
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_CANCELLED);
    cancel_from_samples = UINT64_MAX;
    o.flags = HR_CONVERT_RESUME;
    o.end_sample = 2000;
    refused(&o, HR_ERR_MISMATCH, "provenance");
    o.end_sample = 0;
    made_ok(hr_convert(&o, &result, &err), &err);
    assert_in_range(result.resumed_samples, 1, SAMPLES);
    hr_dataset *ds = open_output();
    check_samples(ds, "y", "x", 0, 0, SAMPLES);
    hr_dataset_close(ds);
}

static void convert__a_damaged_chunk__is_named_and_how_to_save_the_rest(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    struct stat s;
    int fd = open("a.hrd", O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &s) == 0);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, s.st_size / 2), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, s.st_size / 2), 1);
    close(fd);
    hr_error err = {0};
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "a.hrd: chunk "));
    assert_non_null(strstr(err.message, "headrace verify --salvage"));
    assert_int_not_equal(access("b.hrd", F_OK), 0);
}

static void convert__any_budget__works_or_says_which_would(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    uint64_t good = 0;
    for (uint64_t budget = 1 << 16; budget <= UINT64_C(64) << 20; budget += budget / 2) {
        hr_error err = {0};
        o.budget_bytes = budget;
        o.flags = HR_CONVERT_REPLACE;
        const hr_status st = hr_convert(&o, NULL, &err);
        if (st != HR_OK && (st != HR_ERR_BUDGET || good > 0))
            fail_msg("%llu: %s", (unsigned long long)budget, err.message);
        if (st == HR_OK && good == 0)
            good = budget;
    }
    assert_true(good > 0 && good < UINT64_C(48) << 20);
}

/* ---- what readers share ---- */

static void cursors__of_one_thread_and_all_fields__are_one(void **state) {
    (void)state;
    hr_error err = {0};
    struct hr__source **sources = NULL;
    struct hr__source_reader *readers[2][3];
    const struct hr__hrd_options all = {.num_threads = 2};
    struct hr__budget budget;
    uint8_t row[64];
    uint32_t n = 0;
    hr__budget_init(&budget, UINT64_C(16) << 20);
    made_ok(hr__hrd_sources_open("a.hrd", &all, &sources, &n, &err), &err);
    assert_int_equal(n, 3);
    for (uint32_t t = 0; t < 2; t++)
        for (uint32_t f = 0; f < 3; f++) {
            struct hr__source *s = sources[f];
            made_ok(s->ops->open_reader(s, &budget, NULL, &readers[t][f], &err), &err);
            assert_int_equal(atomic_load(&budget.reserved_bytes), (t + 1) * HR__ACCESS_BYTES);
            assert_true(HR__ACCESS_BYTES <= s->info.pool_bytes);
        }
    made_ok(sources[1]->ops->read(readers[1][1], 71, 1, row, &err), &err);
    assert_int_equal(row[5], made_byte(71, 5));
    assert_int_equal(sources[1]->ops->piece_end(sources[1], 71), 140);
    assert_int_equal(sources[1]->ops->piece_end(sources[1], SAMPLES - 1), SAMPLES);
    assert_int_equal(sources[1]->ops->read(readers[1][1], SAMPLES - 1, 2, row, &err),
                     HR_ERR_INVALID);
    for (uint32_t t = 0; t < 2; t++)
        for (uint32_t f = 0; f < 3; f++)
            sources[f]->ops->close_reader(readers[t][f]);
    assert_int_equal(atomic_load(&budget.reserved_bytes), 0);
    for (uint32_t f = 0; f < 3; f++)
        sources[f]->ops->close(sources[f]);
    free(sources);
    hr__budget_close(&budget);
}

static void readers__of_a_file_that_was_replaced__are_refused(void **state) {
    (void)state;
    hr_error err = {0};
    struct hr__source **sources = NULL;
    struct hr__source_reader *reader = NULL;
    const struct hr__hrd_options only = {.member = "y", .num_threads = 2};
    struct hr__budget budget;
    uint32_t n = 0;
    hr__budget_init(&budget, UINT64_C(16) << 20);
    made_ok(hr__hrd_sources_open("a.hrd", &only, &sources, &n, &err), &err);
    assert_int_equal(n, 1);
    made_write("new.hrd", &made);
    assert_int_equal(rename("new.hrd", "a.hrd"), 0);
    assert_int_equal(sources[0]->ops->open_reader(sources[0], &budget, NULL, &reader, &err),
                     HR_ERR_DATA);
    assert_non_null(strstr(err.message, "a.hrd was changed"));
    assert_null(reader);
    sources[0]->ops->close(sources[0]);
    free(sources);
    hr__budget_close(&budget);
}

int main(void) {
#define ONE(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        ONE(convert__a_data_set__is_rechunked_in_its_order),
        ONE(convert__attributes_and_provenance__are_carried_over),
        ONE(convert__attributes_that_differ__are_left_out_and_it_is_said),
        ONE(convert__fields_renames_and_range__are_chosen),
        ONE(convert__one_field_of_a_data_set__is_named_behind_a_colon),
        ONE(convert__a_choice_that_cannot_be__is_refused),
        ONE(convert__the_output_as_input__is_refused),
        ONE(convert__many_data_sets__are_put_one_after_the_other),
        ONE(convert__a_range_behind_another__is_appended),
        ONE(convert__a_data_set_shuffled__has_its_samples),
        ONE(convert__stopped__is_resumed_from_what_is_there),
        ONE(convert__a_damaged_chunk__is_named_and_how_to_save_the_rest),
        ONE(convert__any_budget__works_or_says_which_would),
        ONE(cursors__of_one_thread_and_all_fields__are_one),
        ONE(readers__of_a_file_that_was_replaced__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
