/*
 * Several files as one data set: the same samples and statistics as of one file with all of them,
 * and files that do not fit together.
 */
#define _GNU_SOURCE
#include "bytes.h"
#include "dataset.h"
#include "hash.h"
#include "reader_pass.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_FILES 5u

static const struct made all = {1000, 16, 24, 10, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};

/* Paths in the test's folder. */
struct names {
    char paths[MADE_MAX_FILES][PATH_MAX];
    const char *list[MADE_MAX_FILES];
};

static void names_make(struct names *n, const char *const *names, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        snprintf(n->paths[i], sizeof(n->paths[i]), "%s", made_path(names[i]));
        n->list[i] = n->paths[i];
    }
}

static hr_dataset *open_list(const char *const *paths, size_t count) {
    hr_dataset *ds = NULL;
    hr_error err = {0};
    made_ok(hr_dataset_open_many(paths, count, NULL, &ds, &err), &err);
    return ds;
}

/* Paths are refused, with this status and these words. */
static void refused(const char *const *paths, size_t count, uint64_t budget_bytes, hr_status st,
                    const char *const *words) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_error err = {0};
    hr_dataset *ds = (hr_dataset *)&o;
    o.budget_bytes = budget_bytes;
    assert_int_equal(hr_dataset_open_many(paths, count, &o, &ds, &err), st);
    assert_null(ds);
    assert_int_equal(err.status, st);
    for (; *words != NULL; words++)
        if (strstr(err.message, *words) == NULL)
            fail_msg("\"%s\" is not in: %s", *words, err.message);
    assert_int_equal(hr_dataset_open_many(paths, count, &o, &ds, NULL), st);
}

/* ---- what it says of itself ---- */

static void describe__several_files__sums_and_each_file(void **state) {
    (void)state;
    hr_dataset *ds = made_open_files("describe.hrd", &all, NUM_FILES);
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    uint64_t samples = 0, chunks = 0, bytes = 0;
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    assert_int_equal(hr_dataset_num_files(ds), NUM_FILES);
    for (uint32_t i = 0; i < NUM_FILES; i++) {
        char name[40];
        hr_file_info file = {.struct_bytes = sizeof(file)};
        assert_int_equal(hr_dataset_file(ds, i, &file, NULL), HR_OK);
        snprintf(name, sizeof(name), "/describe.hrd.%u", i);
        assert_non_null(strstr(file.path, name));
        assert_int_equal(file.first_sample, made_file_begin(&all, NUM_FILES, i));
        assert_int_equal(file.first_sample, samples);
        assert_int_equal(file.num_chunks, (file.num_samples + 15) / 16);
        assert_int_equal(file.commit_seq, 1);
        samples += file.num_samples;
        chunks += file.num_chunks;
        bytes += file.file_bytes;
    }
    assert_int_equal(samples, all.num_samples);
    assert_int_equal(info.num_samples, samples);
    assert_int_equal(info.num_chunks, chunks);
    assert_int_equal(info.num_segments, NUM_FILES);
    assert_int_equal(info.file_bytes, bytes);
    assert_int_equal(info.num_files, NUM_FILES);
    assert_int_equal(info.commit_seq, 0);
    assert_int_equal(info.index_bytes, NUM_FILES * HR__PAGE_BYTES);
    assert_int_equal(info.index_loaded_bytes, info.index_bytes);
    hr_file_info none = {.struct_bytes = sizeof(none)};
    assert_int_equal(hr_dataset_file(ds, NUM_FILES, &none, NULL), HR_ERR_INVALID);
    hr_dataset_close(ds);
}

/* docs/order.md, 8 */
static void uuid__of_several_files__is_the_hash_of_theirs(void **state) {
    (void)state;
    hr_dataset *ds = made_open_files("uuid.hrd", &all, 3);
    uint8_t bytes[3 * 32], expected[16];
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    for (uint32_t i = 0; i < 3; i++) {
        hr_file_info file = {.struct_bytes = sizeof(file)};
        assert_int_equal(hr_dataset_file(ds, i, &file, NULL), HR_OK);
        memcpy(bytes + 32 * i, file.uuid, 16);
        hr__put_u64(bytes + 32 * i + 16, file.commit_seq);
        hr__put_u64(bytes + 32 * i + 24, file.num_samples);
    }
    hr__hash_wide(bytes, sizeof(bytes), expected);
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    assert_memory_equal(info.uuid, expected, 16);
    hr_dataset_close(ds);
    /* That of "a" is a96faf705af16834e6c632b61e964e1f. */
    static const uint8_t known[16] = {0x1f, 0x4e, 0x96, 0x1e, 0xb6, 0x32, 0xc6, 0xe6,
                                      0x34, 0x68, 0xf1, 0x5a, 0x70, 0xaf, 0x6f, 0xa9};
    hr__hash_wide("a", 1, expected);
    assert_memory_equal(expected, known, 16);
}

static void same_statistics(hr_dataset *one, hr_dataset *many, uint32_t field) {
    hr_statistics a = {.struct_bytes = sizeof(a)}, b = {.struct_bytes = sizeof(b)};
    assert_int_equal(hr_dataset_statistics(one, field, &a, NULL), HR_OK);
    assert_int_equal(hr_dataset_statistics(many, field, &b, NULL), HR_OK);
    assert_true(b.valid && a.has_moments == b.has_moments && a.has_labels == b.has_labels);
    assert_true(fabs(a.mean - b.mean) <= 1e-9 * (1 + a.max));
    assert_true(fabs(a.std - b.std) <= 1e-9 * (1 + a.max));
    a.mean = b.mean;
    a.std = b.std;
    assert_memory_equal(&a, &b, sizeof(a));
}

static void statistics__several_files__are_those_of_one_with_all(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *one = NULL, *many = made_open_files("statistics.hrd", &all, NUM_FILES);
    made_write(made_path("whole.hrd"), &all);
    made_ok(hr_dataset_open(made_path("whole.hrd"), NULL, &one, &err), &err);
    for (uint32_t field = 0; field < 3; field++)
        same_statistics(one, many, field);
    hr_dataset_close(one);
    hr_dataset_close(many);
}

/* One float32 for each sample. */
static void floats_write(const char *path, const float *values, uint64_t n) {
    hr_error err = {0};
    const hr_field field = {.name = "v", .dtype = HR_FLOAT32};
    const void *columns[] = {values};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.samples_per_chunk = 4;
    o.num_threads = 1;
    made_ok(hr_writer_open(path, &field, 1, &o, &w, &err), &err);
    made_ok(hr_writer_append(w, n, columns, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
}

static void statistics__nan_in_a_later_file__first_one_counts_all_samples(void **state) {
    (void)state;
    static const char *const names[] = {"clean.hrd", "nan.hrd"};
    const float clean[] = {1, 2, 3, 4, 5}, dirty[] = {6, 7, NAN};
    struct names n;
    hr_statistics s = {.struct_bytes = sizeof(s)};
    names_make(&n, names, 2);
    floats_write(n.list[0], clean, 5);
    floats_write(n.list[1], dirty, 3);
    hr_dataset *ds = open_list(n.list, 2);
    assert_int_equal(hr_dataset_statistics(ds, 0, &s, NULL), HR_OK);
    assert_int_equal(s.num_values, 8);
    assert_int_equal(s.num_nan, 1);
    assert_int_equal(s.first_nan_sample, 7);
    assert_int_equal(s.first_inf_sample, UINT64_MAX);
    assert_true(fabs(s.mean - 4) < 1e-12);
    hr_dataset_close(ds);
}

/* Two ranges of labels become a set of single ones, which is charged. */
static void statistics__many_labels_together__are_in_the_budget(void **state) {
    (void)state;
    static const struct made many = {20000, 1000, 1, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    hr_dataset *ds = made_open_files("labels.hrd", &many, 2);
    hr_statistics s = {.struct_bytes = sizeof(s)};
    assert_int_equal(hr_dataset_statistics(ds, 0, &s, NULL), HR_OK);
    assert_int_equal(s.num_distinct, 20000);
    assert_in_range(ds->budget.reserved_bytes, 65536 * 8, 65536 * 9);
    const char *const paths[] = {ds->files[0].path, ds->files[1].path};
    refused(paths, 2, 400000, HR_ERR_BUDGET,
            (const char *const[]){"labels.hrd.1: statistics", NULL});
    hr_dataset_close(ds);
}

/* What was tried for one file advises a loader only where all are stored alike. */
static void storage__of_files_that_differ__has_no_trials(void **state) {
    (void)state;
    static const char *const names[] = {"alike.hrd", "raw.hrd"};
    struct made raw = all;
    struct names n;
    names_make(&n, names, 2);
    raw.codec = HR_CODEC_RAW;
    raw.filter = HR_FILTER_NONE;
    made_write(n.list[0], &all);
    made_write(n.list[1], &raw);
    const char *const same[] = {n.list[0], n.list[0]};
    hr_dataset *ds = open_list(same, 2);
    assert_non_null(ds->footer.schema.fields[1].storage.why_json);
    hr_dataset_close(ds);
    ds = open_list(n.list, 2);
    assert_null(ds->footer.schema.fields[1].storage.why_json);
    hr_dataset_close(ds);
}

/* ---- reading ---- */

static void read__ranges_and_lists_over_borders__are_right(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = made_open_files("read.hrd", &all, NUM_FILES);
    made_ok(pass_read(ds, &all, &err), &err);
    made_ok(pass_gather(ds, &all, &err), &err);
    for (uint32_t i = 1; i < NUM_FILES; i++) { /* both sides of each border, back and forth */
        const uint64_t border = made_file_begin(&all, NUM_FILES, i);
        const uint64_t indices[] = {border, border - 1, border + 1, border - 1, 0, 999};
        int64_t y[6], range[2];
        made_ok(hr_dataset_gather(ds, 0, indices, 6, y, sizeof(y), &err), &err);
        for (int k = 0; k < 6; k++)
            assert_int_equal(y[k], indices[k]);
        made_ok(hr_dataset_read(ds, 0, border - 1, 2, range, sizeof(range), &err), &err);
        assert_true(range[0] == (int64_t)border - 1 && range[1] == (int64_t)border);
    }
    hr_dataset_close(ds);
}

static void read__in_a_forked_child__is_right(void **state) {
    (void)state;
    hr_dataset *ds = made_open_files("fork.hrd", &all, NUM_FILES);
    pid_t child = fork();
    if (child == 0) {
        hr_error err = {0};
        _exit(pass_gather(ds, &all, &err) == HR_OK &&
                      pass_loader(ds, &all, HR_IO_CACHED, 2, 1, &err) == HR_OK
                  ? 0
                  : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    hr_dataset_close(ds);
}

/* ---- files that do not fit together ---- */

static void fields_write(const char *path, const hr_field *fields, uint32_t num_fields,
                         uint32_t samples_per_chunk) {
    hr_error err = {0};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.samples_per_chunk = samples_per_chunk;
    made_ok(hr_writer_open(path, fields, num_fields, &o, &w, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
}

static void open__files_that_differ__are_refused_in_words(void **state) {
    (void)state;
    static const char *const names[] = {"first.hrd", "fewer.hrd", "name.hrd",  "dtype.hrd",
                                        "shape.hrd", "rank.hrd",  "order.hrd", "chunks.hrd"};
    const uint64_t shape[] = {4, 3}, other_shape[] = {4, 5};
    const hr_field x = {.name = "x", .dtype = HR_UINT8, .rank = 2, .shape = shape};
    const hr_field y = {.name = "y", .dtype = HR_INT64};
    hr_field z = y, short_y = y, other_x = x, flat_x = x;
    struct names n;
    names_make(&n, names, 8);
    z.name = "label";
    short_y.dtype = HR_INT32;
    other_x.shape = other_shape;
    flat_x.rank = 1;
    fields_write(n.list[0], (const hr_field[]){x, y}, 2, 16);
    fields_write(n.list[1], (const hr_field[]){x}, 1, 16);
    fields_write(n.list[2], (const hr_field[]){x, z}, 2, 16);
    fields_write(n.list[3], (const hr_field[]){x, short_y}, 2, 16);
    fields_write(n.list[4], (const hr_field[]){other_x, y}, 2, 16);
    fields_write(n.list[5], (const hr_field[]){flat_x, y}, 2, 16);
    fields_write(n.list[6], (const hr_field[]){y, x}, 2, 16);
    fields_write(n.list[7], (const hr_field[]){x, y}, 2, 15);
    static const char *const words[][4] = {
        {"fewer.hrd: it has 1 fields", "first file has 2", "first.hrd"},
        {"name.hrd: field 1 is label,", "in the first file y,", "first.hrd"},
        {"dtype.hrd: field 1 is y, int32 of 4 bytes", "y, int64 of 8 bytes", "first.hrd"},
        {"shape.hrd: field 0 is x, uint8 of 1 bytes, shape (4, 5)", "shape (4, 3)", "first.hrd"},
        {"rank.hrd: field 0 is x, uint8 of 1 bytes, shape (4)", "shape (4, 3)", "first.hrd"},
        {"order.hrd: field 0 is y", "same order", "first.hrd"},
        /* 16 samples of 4 x 3 + 8 bytes */
        {"chunks.hrd: its chunks have 15 samples", "first file 16", "--chunk-bytes 320 "},
    };
    for (uint32_t i = 1; i < 8; i++) {
        const char *const pair[] = {n.list[0], n.list[0], n.list[i]};
        refused(pair, 3, 0, HR_ERR_MISMATCH, words[i - 1]);
    }
}

static void open__one_file_missing_or_cut_or_none__is_told(void **state) {
    (void)state;
    static const char *const names[] = {"good.hrd", "cut.hrd", "missing.hrd"};
    struct names n;
    names_make(&n, names, 3);
    made_write(n.list[0], &all);
    made_write(n.list[1], &all);
    assert_int_equal(truncate(n.list[1], 140000), 0);
    refused(n.list, 2, 0, HR_ERR_CORRUPT, (const char *const[]){"cut.hrd: truncated", NULL});
    const char *const missing[] = {n.list[0], n.list[2]};
    refused(missing, 2, 0, HR_ERR_NOT_FOUND, (const char *const[]){"missing.hrd: ", NULL});
    refused(n.list, 0, 0, HR_ERR_INVALID, (const char *const[]){"0 files", NULL});
    refused(NULL, 1, 0, HR_ERR_INVALID, (const char *const[]){"expected 1 to", NULL});
    const char *const hole[] = {n.list[0], NULL};
    refused(hole, 2, 0, HR_ERR_INVALID, (const char *const[]){"path 1 is NULL", NULL});
}

static void open__files_without_samples__are_fine(void **state) {
    (void)state;
    static const char *const names[] = {"empty.hrd", "full.hrd"};
    struct names n;
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    names_make(&n, names, 2);
    made_write_part(n.list[0], &all, 0, 0);
    made_write(n.list[1], &all);
    const char *const list[] = {n.list[0], n.list[1], n.list[0]};
    hr_dataset *ds = open_list(list, 3);
    made_ok(pass_read(ds, &all, &err), &err);
    made_ok(pass_loader(ds, &all, HR_IO_AUTO, 2, 1, &err), &err);
    hr_dataset_close(ds);
    const char *const none[] = {n.list[0], n.list[0]};
    ds = open_list(none, 2);
    assert_int_equal(hr_dataset_num_samples(ds), 0);
    o.batch_samples = 4;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "empty.hrd and 1 more file: the data set has no samples"));
    hr_dataset_close(ds);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describe__several_files__sums_and_each_file),
        cmocka_unit_test(uuid__of_several_files__is_the_hash_of_theirs),
        cmocka_unit_test(statistics__several_files__are_those_of_one_with_all),
        cmocka_unit_test(statistics__nan_in_a_later_file__first_one_counts_all_samples),
        cmocka_unit_test(statistics__many_labels_together__are_in_the_budget),
        cmocka_unit_test(storage__of_files_that_differ__has_no_trials),
        cmocka_unit_test(read__ranges_and_lists_over_borders__are_right),
        cmocka_unit_test(read__in_a_forked_child__is_right),
        cmocka_unit_test(open__files_that_differ__are_refused_in_words),
        cmocka_unit_test(open__one_file_missing_or_cut_or_none__is_told),
        cmocka_unit_test(open__files_without_samples__are_fine),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
