/*
 * Values of variable length through a conversion: whatever is chosen of them, and whatever the
 * budget, they are what they were.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "made_dataset.h"
#include "varlen_rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLES 6000u

static char folder[64];
static uint64_t cancel_from_samples;
static hr_progress told;

static void write_part(const char *path, uint64_t first, uint64_t n, uint32_t flags) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_error err = {0};
    hr_writer *w = NULL;
    hr_field fields[VARLEN_NUM_FIELDS];
    memcpy(fields, varlen_fields, sizeof fields);
    fields[3].attributes_json = "{\"vocabulary\": \"small\"}";
    o.flags = flags;
    o.num_threads = 2;
    o.budget_bytes = UINT64_C(64) << 20;
    o.samples_per_chunk = (flags & HR_WRITER_APPEND) != 0 ? 0 : 170;
    o.attributes_json = (flags & HR_WRITER_APPEND) != 0 ? NULL : "{\"licence\": \"none\"}";
    made_ok(hr_writer_open(path, fields, VARLEN_NUM_FIELDS, &o, &w, &err), &err);
    made_ok(varlen_append(w, first, n, 500, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
}

static int enter_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/headrace-test-XXXXXX");
    cancel_from_samples = UINT64_MAX;
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        return -1;
    write_part("a.hrd", 0, SAMPLES / 3, 0);
    write_part("a.hrd", SAMPLES / 3, SAMPLES - SAMPLES / 3, HR_WRITER_APPEND);
    return 0;
}

static int leave_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

static int take_progress(void *user, const hr_progress *progress) {
    (void)user;
    assert_true(progress->done_samples >= told.done_samples || told.done_samples == SAMPLES);
    told = *progress;
    return progress->done_samples >= cancel_from_samples;
}

static hr_convert_options options(const char *const *inputs, uint32_t n) {
    hr_convert_options o = HR_CONVERT_OPTIONS_INIT;
    o.inputs = inputs;
    o.num_inputs = n;
    o.output = "b.hrd";
    o.num_threads = 3;
    o.budget_bytes = UINT64_C(64) << 20;
    o.on_progress = take_progress;
    told = (hr_progress){0};
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
    assert_int_not_equal(access(o->output, F_OK), 0);
}

static hr_dataset *open_output(void) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_ok(hr_dataset_verify("b.hrd", NULL, &err), &err);
    made_ok(hr_dataset_open("b.hrd", NULL, &ds, &err), &err);
    return ds;
}

/* Values of a field of b.hrd are those of `field` from sample `first` on. */
static void check_values(hr_dataset *ds, const char *name, uint32_t field, uint64_t first) {
    hr_error err = {0};
    uint32_t found;
    uint64_t n = hr_dataset_num_samples(ds), n_bytes;
    uint8_t wanted[8192];
    int64_t *offsets = malloc((n + 1) * sizeof *offsets);
    made_ok(hr_dataset_find_field(ds, name, &found, &err), &err);
    made_ok(hr_dataset_read_values(ds, found, 0, n, offsets, NULL, 0, &n_bytes, &err), &err);
    uint8_t *values = malloc(n_bytes + 1);
    made_ok(hr_dataset_read_values(ds, found, 0, n, offsets, values, n_bytes, &n_bytes, &err),
            &err);
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t length = varlen_length(field, first + i);
        varlen_fill(field, first + i, wanted);
        assert_int_equal(offsets[i + 1] - offsets[i], length);
        assert_memory_equal(values + offsets[i], wanted, length);
    }
    free(values);
    free(offsets);
}

static void check_all(hr_dataset *ds) {
    hr_error err = {0};
    made_ok(varlen_read(ds, SAMPLES, 1000, &err), &err);
}

static bool says(const hr_dataset *ds, const char *words) {
    return strstr(hr_dataset_json(ds), words) != NULL;
}

/* ---- what is carried over ---- */

static void convert__values__are_rechunked_with_what_is_said_of_them(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    hr_convert_result result = {.struct_bytes = sizeof result};
    hr_dataset_info info = {.struct_bytes = sizeof info};
    hr_error err = {0};
    hr_field field;
    o.chunk_bytes = 5000;
    o.codec = HR_CODEC_RAW;
    made_ok(hr_convert(&o, &result, &err), &err);
    hr_dataset *ds = open_output();
    check_all(ds);
    made_ok(hr_dataset_describe(ds, &info, &err), &err);
    assert_in_range(info.samples_per_chunk, 10, 60);
    assert_int_equal(info.dead_bytes, 0);
    assert_int_equal(result.decoded_bytes, info.decoded_bytes);
    assert_int_equal(told.done_samples, SAMPLES);
    assert_int_equal(told.done_bytes, info.decoded_bytes);
    assert_int_equal(told.total_bytes, info.decoded_bytes);
    made_ok(hr_dataset_field(ds, 3, &field, &err), &err);
    assert_int_equal(field.dtype, HR_VAR_BYTES);
    assert_int_equal(field.element_dtype, HR_INT32);
    assert_non_null(strstr(field.attributes_json, "small"));
    assert_true(says(ds, "\"licence\""));
    hr_dataset_close(ds);
}

/* ---- choosing ---- */

static void convert__fields_renames_and_range__are_chosen(void **state) {
    (void)state;
    static const char *const kept[] = {"tokens", "text"};
    static const hr_convert_rename renames[] = {{"tokens", "words"}};
    hr_convert_options o = options(one, 1);
    hr_error err = {0};
    hr_field first;
    o.kept_fields = kept;
    o.num_kept_fields = 2;
    o.renames = renames;
    o.num_renames = 1;
    o.first_sample = 501;
    o.end_sample = 2222;
    run(&o);
    hr_dataset *ds = open_output();
    assert_int_equal(hr_dataset_num_fields(ds), 2);
    assert_int_equal(hr_dataset_num_samples(ds), 2222 - 501);
    made_ok(hr_dataset_field(ds, 0, &first, &err), &err);
    assert_string_equal(first.name, "words");
    check_values(ds, "words", 3, 501);
    check_values(ds, "text", 0, 501);
    hr_dataset_close(ds);
}

static void convert__values_beside_other_inputs__belong_to_their_samples(void **state) {
    (void)state;
    static const struct made other = {.num_samples = SAMPLES,
                                      .samples_per_chunk = 77,
                                      .row_bytes = 33,
                                      .row_words = 10,
                                      .codec = HR_CODEC_ZSTD};
    static const char *const two[] = {"a.hrd:blob", "c.hrd"};
    hr_convert_options o = options(two, 2);
    hr_error err = {0};
    static int64_t ys[SAMPLES];
    made_write("c.hrd", &other);
    run(&o);
    hr_dataset *ds = open_output();
    assert_int_equal(hr_dataset_num_fields(ds), 4);
    check_values(ds, "blob", 2, 0);
    made_ok(hr_dataset_read(ds, 1, 0, SAMPLES, ys, sizeof ys, &err), &err);
    for (uint32_t i = 0; i < SAMPLES; i++)
        assert_int_equal(ys[i], i);
    hr_dataset_close(ds);
}

static void convert__a_shuffle_of_values__is_refused(void **state) {
    (void)state;
    static const char *const kept[] = {"label"};
    hr_convert_options o = options(one, 1);
    o.flags = HR_CONVERT_SHUFFLE;
    refused(&o, HR_ERR_UNSUPPORTED, "values of variable length are not shuffled");
    o.kept_fields = kept;
    o.num_kept_fields = 1;
    run(&o);
}

/* ---- several ---- */

static void convert__many_data_sets__are_put_one_after_the_other(void **state) {
    (void)state;
    static const char *const all[] = {"part_*.hrd"};
    hr_convert_options o = options(all, 1);
    uint64_t first = 0;
    for (uint32_t i = 0; first < SAMPLES; i++) {
        char path[32];
        const uint64_t n = i == 2 ? 0 : 700 + i * 7, left = SAMPLES - first;
        snprintf(path, sizeof path, "part_%u.hrd", i);
        write_part(path, first, n < left ? n : left, 0);
        first += n < left ? n : left;
    }
    run(&o);
    hr_dataset *ds = open_output();
    check_all(ds);
    hr_dataset_close(ds);
    o.first_sample = 650;
    o.flags = HR_CONVERT_REPLACE;
    run(&o);
    ds = open_output();
    assert_int_equal(hr_dataset_num_samples(ds), SAMPLES - 650);
    check_values(ds, "blob", 2, 650);
    hr_dataset_close(ds);
}

static void convert__sequences_of_other_numbers__are_no_parts(void **state) {
    (void)state;
    static const hr_field floats = {
        .name = "tokens", .dtype = HR_VAR_BYTES, .element_dtype = HR_FLOAT32};
    static const char *const two[] = {"a.hrd:tokens", "c.hrd"};
    hr_convert_options o = options(two, 2);
    hr_error err = {0};
    hr_writer *w = NULL;
    made_ok(hr_writer_open("c.hrd", &floats, 1, NULL, &w, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    refused(&o, HR_ERR_UNSUPPORTED, "samples of bytes of int32, c.hrd of bytes of float32");
}

static void convert__a_range_behind_another__is_appended(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    o.end_sample = 1234;
    run(&o);
    o = options(one, 1);
    o.flags = HR_CONVERT_APPEND;
    o.first_sample = 1234;
    run(&o);
    hr_dataset *ds = open_output();
    check_all(ds);
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
    o = options(one, 1);
    o.chunk_bytes = 2000;
    o.flags = HR_CONVERT_RESUME;
    made_ok(hr_convert(&o, &result, &err), &err);
    assert_in_range(result.resumed_samples, 1, SAMPLES);
    hr_dataset *ds = open_output();
    check_all(ds);
    hr_dataset_close(ds);
}

static void convert__a_damaged_chunk__is_named_and_nothing_is_made(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    struct stat s;
    uint8_t byte;
    int fd = open("a.hrd", O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &s) == 0);
    for (int i = 1; i < 8; i++) {
        assert_int_equal(pread(fd, &byte, 1, s.st_size / 8 * i), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, s.st_size / 8 * i), 1);
    }
    close(fd);
    refused(&o, HR_ERR_CORRUPT, "a.hrd: chunk ");
}

static void convert__any_budget__works_or_says_which_would(void **state) {
    (void)state;
    hr_convert_options o = options(one, 1);
    uint64_t good = 0;
    for (uint64_t budget = 1 << 16; budget <= UINT64_C(64) << 20; budget += budget / 2) {
        hr_error err = {0};
        o.budget_bytes = budget;
        o.flags = HR_CONVERT_REPLACE;
        told = (hr_progress){0};
        const hr_status st = hr_convert(&o, NULL, &err);
        if (st != HR_OK && (st != HR_ERR_BUDGET || good > 0))
            fail_msg("%llu: %s", (unsigned long long)budget, err.message);
        if (st == HR_OK && good == 0) {
            hr_dataset *ds = open_output();
            check_all(ds);
            hr_dataset_close(ds);
            good = budget;
        }
    }
    assert_true(good > 0 && good < UINT64_C(48) << 20);
}

static void write_long_value(const char *path, uint64_t n_bytes) {
    static const hr_field blob = {.name = "blob", .dtype = HR_VAR_BYTES};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_error err = {0};
    hr_writer *w = NULL;
    const int64_t offsets[] = {0, 3, 3, 3 + (int64_t)n_bytes, 5 + (int64_t)n_bytes};
    uint8_t *bytes = malloc(n_bytes + 5);
    for (uint64_t i = 0; i < n_bytes + 5; i++)
        bytes[i] = (uint8_t)(i % 251);
    const hr_varlen_column column = {offsets, bytes, n_bytes + 5};
    const void *columns[] = {&column};
    o.samples_per_chunk = 1;
    o.num_threads = 1;
    o.budget_bytes = UINT64_C(512) << 20;
    made_ok(hr_writer_open(path, &blob, 1, &o, &w, &err), &err);
    made_ok(hr_writer_append(w, 4, columns, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    free(bytes);
}

/* The number behind the words of a message. */
static uint64_t number_after(const hr_error *err, const char *words) {
    const char *found = strstr(err->message, words);
    if (found == NULL)
        fail_msg("not in \"%s\": %s", err->message, words);
    return strtoull(found + strlen(words), NULL, 10);
}

static void convert__a_value_longer_than_a_piece__takes_what_the_budget_has(void **state) {
    (void)state;
    static const char *const c[] = {"c.hrd"};
    const uint64_t n_bytes = UINT64_C(12) << 20;
    hr_convert_options o = options(c, 1);
    hr_compare_options compare = HR_COMPARE_OPTIONS_INIT;
    hr_compare_result same = {.struct_bytes = sizeof same};
    hr_error err = {0};
    write_long_value("c.hrd", n_bytes);
    o.num_threads = 1;
    o.budget_bytes = UINT64_C(40) << 20;
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "the field blob of sample 2 has 12582912 bytes"));
    o.budget_bytes = number_after(&err, "give a budget of ");
    assert_in_range(o.budget_bytes, 4 * n_bytes, 6 * n_bytes);
    o.flags = HR_CONVERT_REPLACE;
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "too little for writing these values; give twice as much"));
    o.budget_bytes *= 2;
    told = (hr_progress){0};
    run(&o);
    compare.a = "c.hrd";
    compare.b = "b.hrd";
    made_ok(hr_compare(&compare, &same, &err), &err);
    assert_int_equal(same.num_different, 0);
}

int main(void) {
#define ONE(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)
    const struct CMUnitTest tests[] = {
        ONE(convert__values__are_rechunked_with_what_is_said_of_them),
        ONE(convert__fields_renames_and_range__are_chosen),
        ONE(convert__values_beside_other_inputs__belong_to_their_samples),
        ONE(convert__a_shuffle_of_values__is_refused),
        ONE(convert__many_data_sets__are_put_one_after_the_other),
        ONE(convert__sequences_of_other_numbers__are_no_parts),
        ONE(convert__a_range_behind_another__is_appended),
        ONE(convert__stopped__is_resumed_from_what_is_there),
        ONE(convert__a_damaged_chunk__is_named_and_nothing_is_made),
        ONE(convert__any_budget__works_or_says_which_would),
        ONE(convert__a_value_longer_than_a_piece__takes_what_the_budget_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
