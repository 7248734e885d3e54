/*
 * hr_convert(): from files to a data set that gives the same bytes, and the ways in which it says
 * no.
 */
#define _GNU_SOURCE
#include "headrace/convert.h"
#include "npy_header.h"
#include "shuffle.h"
#include "space.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SAMPLES 5000u
#define WIDTH   100u

static char folder[64];
static char notes[8192];
static unsigned progress_calls, cancel_at;
static uint64_t cancel_from_samples = UINT64_MAX;
static hr_progress last_progress;

static int enter_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/headrace-test-XXXXXX");
    notes[0] = '\0';
    progress_calls = cancel_at = 0;
    return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
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
    last_progress = *progress;
    return ++progress_calls == cancel_at || progress->done_samples >= cancel_from_samples;
}

static void write_npy(const char *path, const char *descr, uint64_t n, const uint64_t *shape,
                      uint32_t rank, const void *data, size_t data_bytes) {
    uint8_t header[2048];
    size_t header_bytes = hr__npy_header_print(descr, n, shape, rank, header, sizeof header);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(header, 1, header_bytes, f), header_bytes);
    assert_int_equal(fwrite(data, 1, data_bytes, f), data_bytes);
    assert_int_equal(fclose(f), 0);
}

static float xs[SAMPLES][WIDTH];
static int64_t ys[SAMPLES];

static void write_inputs(void) {
    uint32_t seed = 12345;
    const uint64_t shape[] = {WIDTH};
    for (uint32_t i = 0; i < SAMPLES; i++) {
        for (uint32_t k = 0; k < WIDTH; k++) {
            seed = seed * 1664525u + 1013904223u;
            xs[i][k] = (float)(seed >> 20);
        }
        ys[i] = i / 500;
    }
    write_npy("X.npy", "<f4", SAMPLES, shape, 1, xs, sizeof xs);
    write_npy("y.npy", "<i8", SAMPLES, NULL, 0, ys, sizeof ys);
}

static const char *const both[] = {"X.npy", "y.npy"};

static hr_convert_options options(void) {
    hr_convert_options o = HR_CONVERT_OPTIONS_INIT;
    o.inputs = both;
    o.num_inputs = 2;
    o.output = "out.hrd";
    o.on_note = take_note;
    o.on_progress = take_progress;
    o.num_threads = 2;
    return o;
}

static void check_field(hr_dataset *ds, const char *name, const void *expected, size_t n_bytes) {
    uint32_t field;
    uint8_t *got = malloc(n_bytes + 1);
    assert_non_null(got);
    assert_int_equal(hr_dataset_find_field(ds, name, &field, NULL), HR_OK);
    assert_int_equal(hr_dataset_sample_bytes(ds, field) * hr_dataset_num_samples(ds), n_bytes);
    assert_int_equal(hr_dataset_read(ds, field, 0, hr_dataset_num_samples(ds), got, n_bytes, NULL),
                     HR_OK);
    assert_memory_equal(got, expected, n_bytes);
    free(got);
}

static void check_output(void) {
    hr_dataset *ds = NULL;
    hr_error err = {0};
    if (hr_dataset_open("out.hrd", NULL, &ds, &err) != HR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(hr_dataset_num_samples(ds), SAMPLES);
    assert_int_equal(hr_dataset_num_fields(ds), 2);
    check_field(ds, "X", xs, sizeof xs);
    check_field(ds, "y", ys, sizeof ys);
    assert_non_null(strstr(hr_dataset_json(ds), "\"X.npy\""));
    hr_dataset_close(ds);
    assert_int_not_equal(access("out.hrd.partial", F_OK), 0);
}

static void run(const hr_convert_options *o, hr_convert_result *result) {
    hr_error err = {0};
    if (result != NULL)
        *result = (hr_convert_result){.struct_bytes = sizeof *result};
    if (hr_convert(o, result, &err) != HR_OK)
        fail_msg("%s", err.message);
}

static void convert__two_arrays__are_a_data_set(void **state) {
    (void)state;
    hr_convert_options o = options();
    hr_convert_result result;
    write_inputs();
    run(&o, &result);
    check_output();
    assert_int_equal(result.num_fields, 2);
    assert_int_equal(result.num_samples, SAMPLES);
    assert_int_equal(result.decoded_bytes, sizeof xs + sizeof ys);
    assert_true(result.stored_bytes > 0);
    assert_true(result.elapsed_ns > 0);
    assert_int_equal(result.resumed_samples, 0);
    assert_true(progress_calls > 0);
    assert_int_equal(last_progress.done_samples, SAMPLES);
    assert_int_equal(last_progress.done_bytes, last_progress.total_bytes);
}

static void convert__an_output_that_exists__is_kept(void **state) {
    (void)state;
    hr_convert_options o = options();
    hr_error err = {0};
    write_inputs();
    write_npy("out.hrd", "|u1", 3, NULL, 0, "abc", 3);
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_EXISTS);
    assert_non_null(strstr(err.message, "out.hrd"));
    assert_int_equal(access("out.hrd.partial", F_OK), -1);
    o.flags = HR_CONVERT_REPLACE;
    run(&o, NULL);
    check_output();
    o.output = "X.npy";
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "also an input"));
    o.output = ".";
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_INVALID);
}

static void convert__cancelled__is_resumed(void **state) {
    (void)state;
    hr_convert_options o = options();
    hr_convert_result result;
    hr_error err = {0};
    write_inputs();
    cancel_at = 1;
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_CANCELLED);
    assert_int_equal(access("out.hrd", F_OK), -1);
    cancel_at = 0;
    o.flags = HR_CONVERT_RESUME;
    run(&o, &result);
    check_output();
}

/* What tells a conversion of these inputs from one of other arrays in them: {"arrays": ...}. */
static void arrays_of_job(char *out, size_t n_bytes) {
    hr_convert_options o = options();
    hr_dataset *ds = NULL;
    run(&o, NULL);
    assert_int_equal(hr_dataset_open("out.hrd", NULL, &ds, NULL), HR_OK);
    const char *at = strstr(hr_dataset_json(ds), "\"arrays\"");
    assert_non_null(at);
    snprintf(out, n_bytes, "{\"arrays\": %.18s}", strchr(at + 8, '"'));
    hr_dataset_close(ds);
    assert_int_equal(unlink("out.hrd"), 0);
}

static void convert__resumed_in_the_middle__has_the_same_data(void **state) {
    (void)state;
    hr_convert_options o = options();
    hr_convert_result result;
    hr_writer *writer = NULL;
    const uint64_t shape[] = {WIDTH};
    const hr_field fields[] = {{.name = "X", .dtype = HR_FLOAT32, .rank = 1, .shape = shape},
                               {.name = "y", .dtype = HR_INT64}};
    const void *const columns[] = {xs, ys};
    hr_source_fingerprint files[2];
    hr_writer_options w = HR_WRITER_OPTIONS_INIT;
    char arrays[64];
    write_inputs();
    arrays_of_job(arrays, sizeof arrays);
    w.provenance_json = arrays;
    for (int i = 0; i < 2; i++) {
        struct stat s;
        assert_int_equal(stat(both[i], &s), 0);
        files[i] =
            (hr_source_fingerprint){both[i], (uint64_t)s.st_size,
                                    (int64_t)s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec};
    }
    w.sources = files;
    w.num_sources = 2;
    w.chunk_bytes = o.chunk_bytes = 16384; /* 40 samples */
    assert_int_equal(hr_writer_open("out.hrd", fields, 2, &w, &writer, NULL), HR_OK);
    assert_int_equal(hr_writer_append(writer, 4321, columns, NULL), HR_OK);
    hr_writer_close(writer);
    o.flags = HR_CONVERT_RESUME;
    hr_error err = {0};
    cancel_at = progress_calls + 1; /* the first chunk that is read again is told, and may end it */
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_CANCELLED);
    assert_non_null(strstr(err.message, "was read again"));
    cancel_at = 0;
    run(&o, &result);
    check_output();
    assert_true(result.resumed_samples > 0 && result.resumed_samples <= 4320);
    assert_int_equal(result.resumed_samples % 40, 0);
    assert_non_null(strstr(notes, "resumed after"));
}

static void convert__nothing_to_resume__begins_anew_and_says_so(void **state) {
    (void)state;
    hr_convert_options o = options();
    write_inputs();
    o.flags = HR_CONVERT_RESUME;
    run(&o, NULL);
    check_output();
    assert_non_null(strstr(notes, "nothing is there to resume"));
}

static void convert__nan_and_inf__are_told(void **state) {
    (void)state;
    hr_convert_options o = options();
    hr_convert_result result;
    write_inputs();
    const uint64_t shape[] = {WIDTH};
    xs[4000][3] = __builtin_nanf("");
    xs[4001][7] = __builtin_nanf("");
    xs[77][0] = -__builtin_inff();
    write_npy("X.npy", "<f4", SAMPLES, shape, 1, xs, sizeof xs);
    run(&o, &result);
    check_output();
    assert_int_equal(result.num_nan, 2);
    assert_int_equal(result.num_inf, 1);
    assert_non_null(strstr(notes, "field X has 2 NaN (the first in sample 4000)"));
    assert_non_null(strstr(notes, "1 Inf (the first in sample 77)"));
}

static void convert__bad_values__are_an_error_that_names_them(void **state) {
    (void)state;
    hr_convert_options o = options();
    const char *const given[] = {"b.npy"};
    uint8_t bools[1000] = {0};
    hr_error err = {0};
    bools[712] = 2;
    write_npy("b.npy", "|b1", 1000, NULL, 0, bools, sizeof bools);
    o.inputs = given;
    o.num_inputs = 1;
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_DATA);
    assert_non_null(strstr(err.message, "sample 712 "));
    assert_non_null(strstr(err.message, "b.npy"));
    assert_int_equal(access("out.hrd", F_OK), -1);
}

static void convert__text__keeps_its_width_for_export(void **state) {
    (void)state;
    hr_convert_options o = options();
    const char *const given[] = {"t.npy"};
    const uint32_t text[2][2] = {{'a', 0}, {0x20ac, 'b'}};
    hr_dataset *ds = NULL;
    hr_field field;
    write_npy("t.npy", "<U2", 2, NULL, 0, text, sizeof text);
    o.inputs = given;
    o.num_inputs = 1;
    run(&o, NULL);
    assert_int_equal(hr_dataset_open("out.hrd", NULL, &ds, NULL), HR_OK);
    assert_int_equal(hr_dataset_field(ds, 0, &field, NULL), HR_OK);
    assert_int_equal(field.dtype, HR_FIXED_UTF8);
    assert_int_equal(field.width_bytes, 8);
    assert_non_null(strstr(field.attributes_json, "<U2"));
    hr_dataset_close(ds);
}

static void convert__no_samples_and_no_bytes__are_fine(void **state) {
    (void)state;
    hr_convert_options o = options();
    const char *const given[] = {"e.npy"};
    const uint64_t shape[] = {0};
    hr_dataset *ds = NULL;
    o.inputs = given;
    o.num_inputs = 1;
    write_npy("e.npy", "<f8", 0, NULL, 0, "", 0);
    run(&o, NULL);
    assert_int_equal(hr_dataset_open("out.hrd", NULL, &ds, NULL), HR_OK);
    assert_int_equal(hr_dataset_num_samples(ds), 0);
    hr_dataset_close(ds);
    write_npy("e.npy", "<f8", 100000, shape, 1, "", 0);
    o.flags = HR_CONVERT_REPLACE;
    run(&o, NULL);
    assert_int_equal(hr_dataset_open("out.hrd", NULL, &ds, NULL), HR_OK);
    assert_int_equal(hr_dataset_num_samples(ds), 100000);
    hr_dataset_close(ds);
    write_npy("e.npy", "<f8", UINT64_C(1) << 60, shape, 1, "", 0);
    assert_int_equal(hr_convert(&o, NULL, NULL), HR_ERR_UNSUPPORTED);
}

/* So that each thread with a descriptor for each of them would be too many. */
static void convert__many_fields_and_few_descriptors__works(void **state) {
    (void)state;
    enum { FIELDS = 40 };
    char names[FIELDS][16];
    hr_convert_field fields[FIELDS];
    struct rlimit before, few;
    hr_convert_options o = options();
    write_inputs();
    for (int i = 0; i < FIELDS; i++) {
        snprintf(names[i], sizeof names[i], "f%02d", i);
        fields[i] = (hr_convert_field){names[i], "y.npy"};
    }
    o.num_inputs = 0;
    o.fields = fields;
    o.num_fields = FIELDS;
    o.num_threads = 4;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){64, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    run(&o, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    hr_dataset *ds = NULL;
    assert_int_equal(hr_dataset_open("out.hrd", NULL, &ds, NULL), HR_OK);
    assert_int_equal(hr_dataset_num_fields(ds), FIELDS);
    check_field(ds, "f00", ys, sizeof ys);
    check_field(ds, "f39", ys, sizeof ys);
    hr_dataset_close(ds);
}

static void convert__a_small_budget__works_or_names_what_would(void **state) {
    (void)state;
    hr_error err = {0};
    bool worked = false, refused = false;
    write_inputs();
    for (uint64_t budget = 1; budget <= UINT64_C(1) << 28; budget *= 4) {
        hr_convert_options o = options();
        o.flags = HR_CONVERT_REPLACE;
        o.budget_bytes = budget;
        hr_status st = hr_convert(&o, NULL, &err);
        if (st == HR_OK) {
            worked = true;
            check_output();
            continue;
        }
        assert_int_equal(st, HR_ERR_BUDGET);
        assert_false(worked); /* what is enough is enough for all that is larger */
        refused = true;
    }
    assert_true(worked && refused);
}

static void convert__the_budget_that_a_refusal_names__is_the_smallest(void **state) {
    (void)state;
    hr_convert_options o = options();
    unsigned long long writing = 0;
    hr_error err = {0};
    write_inputs();
    o.budget_bytes = 1;
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_BUDGET);
    const char *w = strstr(err.message, "writing needs at least ");
    assert_non_null(w);
    assert_int_equal(sscanf(w, "writing needs at least %llu", &writing), 1);
    o.budget_bytes = writing - 1;
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_BUDGET);
    assert_int_equal(access("out.hrd.partial", F_OK), -1);
    o.budget_bytes = writing;
    run(&o, NULL);
    check_output();
}

static void convert__bad_options__are_refused(void **state) {
    (void)state;
    hr_convert_options o = options();
    hr_convert_result result = {0};
    write_inputs();
    assert_int_equal(hr_convert(NULL, NULL, NULL), HR_ERR_INVALID);
    assert_int_equal(hr_convert(&o, &result, NULL), HR_ERR_INVALID);
    o.flags = 1u << 31;
    assert_int_equal(hr_convert(&o, NULL, NULL), HR_ERR_INVALID);
    o = options();
    o.struct_bytes = 0;
    assert_int_equal(hr_convert(&o, NULL, NULL), HR_ERR_INVALID);
    o = options();
    o.output = NULL;
    assert_int_equal(hr_convert(&o, NULL, NULL), HR_ERR_INVALID);
    o = options();
    o.output = "no/such/folder/out.hrd";
    assert_int_not_equal(hr_convert(&o, NULL, NULL), HR_OK);
}

static void check_shuffled(uint64_t seed) {
    static float x[SAMPLES * WIDTH];
    static int64_t y[SAMPLES], row[SAMPLES];
    struct hr__permutation p;
    hr_dataset *ds = NULL;
    assert_int_equal(hr_dataset_open("out.hrd", NULL, &ds, NULL), HR_OK);
    assert_int_equal(hr_dataset_num_fields(ds), 3);
    assert_int_equal(hr_dataset_read(ds, 0, 0, SAMPLES, x, sizeof x, NULL), HR_OK);
    assert_int_equal(hr_dataset_read(ds, 1, 0, SAMPLES, y, sizeof y, NULL), HR_OK);
    assert_int_equal(hr_dataset_read(ds, 2, 0, SAMPLES, row, sizeof row, NULL), HR_OK);
    hr_dataset_close(ds);
    hr__shuffle_permutation(&p, SAMPLES, seed);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        const uint64_t place = hr__permutation_apply(&p, i);
        assert_memory_equal(x + place * WIDTH, xs[i], sizeof xs[i]);
        assert_int_equal(y[place], ys[i]);
        assert_int_equal(row[place], i);
    }
}

static void convert__shuffled__has_every_sample_at_its_place(void **state) {
    (void)state;
    hr_convert_options o = options();
    hr_convert_result result;
    write_inputs();
    o.flags = HR_CONVERT_SHUFFLE;
    o.shuffle_seed = 5;
    o.index_field = "row";
    run(&o, &result);
    check_shuffled(5);
    assert_int_equal(result.num_fields, 3);
    assert_int_equal(result.num_samples, SAMPLES);
    assert_int_equal(result.decoded_bytes, SAMPLES * (WIDTH * sizeof(float) + 16));
    assert_int_equal(last_progress.done_samples, SAMPLES);
    assert_int_equal(last_progress.done_bytes, result.decoded_bytes);
}

static void convert__shuffled_and_stopped__promises_only_what_there_is(void **state) {
    (void)state;
    hr_convert_options o = options();
    hr_convert_result result;
    hr_error err = {0};
    write_inputs();
    o.flags = HR_CONVERT_SHUFFLE;
    o.index_field = "row";
    o.chunk_bytes = 16384;
    cancel_at = 1; /* as it begins to read */
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_CANCELLED);
    assert_non_null(strstr(err.message, "begin again"));
    assert_int_equal(access("out.hrd.partial", F_OK), -1);
    cancel_at = 0;
    cancel_from_samples = SAMPLES; /* at the end, when all is appended */
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_CANCELLED);
    assert_non_null(strstr(err.message, "stopped after 5000 of 5000"));
    assert_int_equal(access("out.hrd.partial", F_OK), 0);
    cancel_from_samples = UINT64_MAX;
    o.flags |= HR_CONVERT_RESUME;
    o.shuffle_seed = 1;
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "\"seed\":\"0\""));
    o.shuffle_seed = 0;
    run(&o, &result);
    check_shuffled(0);
    assert_true(result.resumed_samples > 0);
}

static void convert__options_of_a_shuffle__are_checked(void **state) {
    (void)state;
    hr_convert_options o = options();
    hr_error err = {0};
    write_inputs();
    o.shuffle_seed = 1;
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_INVALID);
    o.shuffle_seed = 0;
    o.index_field = "row";
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_INVALID);
    o.flags = HR_CONVERT_SHUFFLE;
    o.index_field = "y";
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "y is a field of the inputs"));
    o.index_field = "\xff";
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_INVALID);
    o.index_field = "";
    assert_int_equal(hr_convert(&o, NULL, &err), HR_ERR_INVALID);
    assert_int_equal(access("out.hrd.partial", F_OK), -1);
}

static void space__too_little__is_refused_with_both_figures(void **state) {
    (void)state;
    hr_writer_info info = {.samples_per_chunk = 100, .trial_ratio = 4.0, .codecs_chosen = 1};
    hr_error err = {0};
    uint64_t needed = hr__space_needed(&info, UINT64_C(4) << 30, 1000000);
    assert_true(needed > UINT64_C(1) << 30);
    assert_true(needed < UINT64_C(1100) << 20);
    info.decoded_bytes = UINT64_C(4) << 30;
    info.num_samples = 1000000;
    assert_true(hr__space_needed(&info, UINT64_C(4) << 30, 1000000) < 1 << 20);
    info = (hr_writer_info){.samples_per_chunk = 100, .codecs_chosen = 1};
    assert_true(hr__space_needed(&info, UINT64_C(1) << 30, 1000) > UINT64_C(1) << 30);
    assert_int_equal(hr__space_check("out.hrd", 4096, "resume", NULL), HR_OK);
    assert_int_equal(hr__space_check("out.hrd", INT64_MAX, "resume", &err), HR_ERR_NO_SPACE);
    assert_non_null(strstr(err.message, "8796093022208.0 MiB more"));
    assert_non_null(strstr(err.message, "MiB are free"));
    assert_int_equal(hr__space_check_spill("out.hrd.shuffle", "shuffling", 4096, NULL), HR_OK);
    assert_int_equal(hr__space_check_spill("out.hrd.shuffle", "shuffling", INT64_MAX, &err),
                     HR_ERR_NO_SPACE);
    assert_non_null(
        strstr(err.message, "shuffling needs 8796093022208.0 MiB for a temporary file"));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(convert__two_arrays__are_a_data_set),
        IN_FOLDER(convert__an_output_that_exists__is_kept),
        IN_FOLDER(convert__cancelled__is_resumed),
        IN_FOLDER(convert__resumed_in_the_middle__has_the_same_data),
        IN_FOLDER(convert__nothing_to_resume__begins_anew_and_says_so),
        IN_FOLDER(convert__nan_and_inf__are_told),
        IN_FOLDER(convert__bad_values__are_an_error_that_names_them),
        IN_FOLDER(convert__text__keeps_its_width_for_export),
        IN_FOLDER(convert__no_samples_and_no_bytes__are_fine),
        IN_FOLDER(convert__many_fields_and_few_descriptors__works),
        IN_FOLDER(convert__a_small_budget__works_or_names_what_would),
        IN_FOLDER(convert__the_budget_that_a_refusal_names__is_the_smallest),
        IN_FOLDER(convert__bad_options__are_refused),
        IN_FOLDER(convert__shuffled__has_every_sample_at_its_place),
        IN_FOLDER(convert__shuffled_and_stopped__promises_only_what_there_is),
        IN_FOLDER(convert__options_of_a_shuffle__are_checked),
        IN_FOLDER(space__too_little__is_refused_with_both_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
