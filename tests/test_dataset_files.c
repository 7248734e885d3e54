/*
 * Several files as one data set: the same samples as one file with all of them, orders as
 * tests/order_reference.py has them for segments, and errors that name the file.
 */
#define _GNU_SOURCE
#include "bytes.h"
#include "dataset.h"
#include "frame_codec.h"
#include "reader_pass.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_FILES 5u
#define BUDGET    ((uint64_t)64 << 20)

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

static void loader__each_way_of_reading__every_sample_once(void **state) {
    (void)state;
    static const hr_io ios[] = {HR_IO_DIRECT, HR_IO_LIBAIO, HR_IO_CACHED, HR_IO_THREADS,
                                HR_IO_AUTO};
    hr_dataset *ds = made_open_files("ios.hrd", &all, NUM_FILES);
    for (size_t i = 0; i < sizeof(ios) / sizeof(ios[0]); i++) {
        hr_error err = {0};
        hr_status st = pass_loader(ds, &all, ios[i], 3, 2, &err);
        if (st == HR_ERR_UNSUPPORTED && i < 2)
            continue;
        made_ok(st, &err);
    }
    hr_dataset_close(ds);
}

static void loader__in_order_of_the_files__as_one_after_the_other(void **state) {
    (void)state;
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    uint64_t at = 0;
    hr_dataset *ds = made_open_files("sequential.hrd", &all, NUM_FILES);
    o.batch_samples = 37;
    o.num_epochs = 1;
    o.budget_bytes = BUDGET;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    while (hr_loader_next(l, -1, &b, &err) == HR_OK) {
        const int64_t *y = hr_batch_data_by_name(b, "y");
        uint64_t indices[37];
        assert_true(made_batch_right(b, &all));
        assert_int_equal(hr_batch_indices(b, indices, NULL), HR_OK);
        for (uint32_t i = 0; i < hr_batch_num_samples(b); i++, at++)
            assert_true(y[i] == (int64_t)at && indices[i] == at);
        hr_batch_release(b);
    }
    assert_int_equal(at, all.num_samples);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* ---- the order: golden cases whose segments become files ---- */

static uint64_t number(FILE *f, const char *name) {
    char word[32];
    uint64_t n = 0;
    if (name != NULL) {
        assert_int_equal(fscanf(f, "%31s", word), 1);
        assert_string_equal(word, name);
    }
    assert_int_equal(fscanf(f, "%" SCNu64, &n), 1);
    return n;
}

/* Its files, and the options of a loader that follows it. */
static hr_dataset *golden_open(FILE *f, hr_loader_options *o) {
    char kind[32];
    uint64_t sizes[MADE_MAX_FILES], total = 0;
    const char *paths[MADE_MAX_FILES];
    assert_int_equal(fscanf(f, "%31s", kind), 1);
    const uint64_t num_files = number(f, "segments");
    assert_in_range(num_files, 2, MADE_MAX_FILES);
    for (uint64_t i = 0; i < num_files; i++)
        total += sizes[i] = number(f, NULL);
    const struct made m = {total, (uint32_t)number(f, "S"), 3, 0, HR_CODEC_RAW, HR_FILTER_NONE};
    for (uint64_t i = 0, begin = 0; i < num_files; begin += sizes[i++]) {
        char name[40];
        snprintf(name, sizeof(name), "golden.%" PRIu64, i);
        made_write_part(made_path(name), &m, begin, sizes[i]);
        paths[i] = strdup(made_path(name));
    }
    hr_dataset *ds = open_list(paths, num_files);
    for (uint64_t i = 0; i < num_files; i++)
        free((char *)paths[i]);
    o->flags = strcmp(kind, "interleaved/1") == 0 ? HR_LOADER_SHUFFLE : 0;
    o->batch_samples = (uint32_t)number(f, "B");
    o->num_streams = (uint32_t)number(f, "streams");
    o->window_visits = (uint32_t)number(f, "W");
    (void)number(f, "sample_bytes"); /* of the default window only */
    o->seed = number(f, "seed");
    const uint64_t last = number(f, "drop");
    o->flags |= last == 1 ? HR_LOADER_DROP_LAST : last == 2 ? HR_LOADER_PAD_LAST : 0;
    assert_int_equal(number(f, "window"),
                     o->flags & HR_LOADER_SHUFFLE ? o->window_visits : o->num_streams);
    return ds;
}

/* A rank's part of a batch: the rows of its streams. */
static void check_rank(hr_loader *l, const uint64_t *expected, uint32_t rows, uint32_t rank,
                       uint32_t world) {
    uint64_t indices[64];
    hr_batch *b = NULL;
    hr_error err = {0};
    made_ok(hr_loader_next(l, -1, &b, &err), &err);
    const int64_t *y = hr_batch_data_by_name(b, "y");
    assert_int_equal(hr_batch_num_samples(b) * world, rows);
    assert_int_equal(hr_batch_indices(b, indices, NULL), HR_OK);
    for (uint32_t i = 0; i < rows / world; i++) {
        assert_int_equal(indices[i], expected[rank * (rows / world) + i]);
        assert_int_equal(y[i], indices[i]);
    }
    hr_batch_release(b);
}

static void check_epochs(FILE *f, hr_dataset *ds, hr_loader_options o) {
    hr_loader *ranks[8] = {NULL};
    hr_error err = {0};
    const uint64_t num_batches = number(f, "batches"), num_epochs = number(f, "epochs");
    o.world_size = o.num_streams;
    assert_in_range(o.world_size, 1, 8);
    for (uint64_t e = 0; e < num_epochs; e++) {
        o.first_epoch = number(f, "epoch");
        for (o.rank = 0; o.rank < o.world_size; o.rank++)
            made_ok(hr_loader_open(ds, &o, &ranks[o.rank], &err), &err);
        for (uint64_t n = 0; n < num_batches; n++) {
            uint64_t expected[64];
            const uint32_t rows = (uint32_t)number(f, NULL);
            assert_in_range(rows, 1, 64);
            for (uint32_t i = 0; i < rows; i++)
                expected[i] = number(f, NULL);
            for (uint32_t r = 0; r < o.world_size; r++)
                check_rank(ranks[r], expected, rows, r, o.world_size);
            for (uint32_t s = 0; s < o.num_streams && o.flags & HR_LOADER_PAD_LAST; s++)
                (void)number(f, NULL); /* repeats: test_order_golden.c */
        }
        for (uint32_t r = 0; r < o.world_size; r++)
            hr_loader_close(ranks[r]);
    }
}

static void loader__files_as_segments__delivers_the_golden_order(void **state) {
    (void)state;
    static const char *const cases[] = {"sequential",  "segments",       "streams_short",
                                        "pad_streams", "pad_sequential", "pad_unequal"};
    const char *source = getenv("HEADRACE_SOURCE");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[PATH_MAX];
        hr_loader_options o = HR_LOADER_OPTIONS_INIT;
        snprintf(path, sizeof(path), "%s/tests/golden/order/order_%s.txt",
                 source != NULL ? source : ".", cases[i]);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        o.num_threads = 2;
        o.budget_bytes = BUDGET;
        hr_dataset *ds = golden_open(f, &o);
        check_epochs(f, ds, o);
        hr_dataset_close(ds);
        fclose(f);
    }
}

/* ---- states ---- */

static void state_take(hr_dataset *ds, uint8_t out[HR_LOADER_STATE_BYTES]) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *l = NULL;
    hr_error err = {0};
    size_t n = 0;
    o.batch_samples = 16;
    o.num_threads = 1;
    o.budget_bytes = BUDGET;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    made_ok(hr_loader_state(l, out, HR_LOADER_STATE_BYTES, &n, &err), &err);
    hr_loader_close(l);
}

static void state_try(const char *const *paths, size_t count, const uint8_t *bytes,
                      const char *words) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *l = NULL;
    hr_error err = {0};
    hr_dataset *ds = open_list(paths, count);
    o.batch_samples = 16;
    o.num_threads = 1;
    o.budget_bytes = BUDGET;
    o.resume_state = bytes;
    o.resume_state_bytes = HR_LOADER_STATE_BYTES;
    hr_status st = hr_loader_open(ds, &o, &l, &err);
    assert_int_equal(st, words == NULL ? HR_OK : HR_ERR_MISMATCH);
    if (words != NULL && strstr(err.message, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, err.message);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void state__of_other_files__is_refused_in_words(void **state) {
    (void)state;
    static const char *const names[] = {"state.hrd.0", "state.hrd.1", "state.hrd.2"};
    uint8_t bytes[HR_LOADER_STATE_BYTES], one_file[HR_LOADER_STATE_BYTES];
    struct names n;
    names_make(&n, names, 3);
    hr_dataset *ds = made_open_files("state.hrd", &all, 3);
    state_take(ds, bytes);
    hr_dataset_close(ds);
    const char *const again[] = {n.list[0], n.list[1], n.list[2]};
    const char *const swapped[] = {n.list[0], n.list[2], n.list[1]};
    state_try(again, 3, bytes, NULL);
    state_try(swapped, 3, bytes, "in another order");
    state_try(again, 2, bytes, "other files");
    state_try(again, 1, bytes, "saved with a data set of several files, this one is one file");
    ds = open_list(again + 2, 1);
    state_take(ds, one_file);
    hr_dataset_close(ds);
    state_try(again, 3, one_file, "saved with a data set of one file, this one is several files");
    state_try(again + 1, 1, one_file, "another UUID");
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

/* ---- damage ---- */

/* An epoch fails, and the message has these words. */
static void epoch_fails(hr_dataset *ds, hr_io io, hr_status expected, const char *words) {
    hr_error err = {0};
    hr_status st = pass_loader(ds, &all, io, 2, 1, &err);
    if (st == HR_ERR_UNSUPPORTED)
        return;
    assert_int_equal(st, expected);
    if (strstr(err.message, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, err.message);
}

static void loader__damaged_chunk__names_file_and_its_chunk(void **state) {
    (void)state;
    static const hr_io ios[] = {HR_IO_DIRECT, HR_IO_LIBAIO, HR_IO_CACHED, HR_IO_THREADS};
    struct hr__index_cache cache = {0};
    struct hr__chunk_at at;
    hr_error err = {0};
    hr_dataset *ds = made_open_files("damaged.hrd", &all, NUM_FILES);
    const uint64_t chunk = ds->parts[3].first_chunk + 2;
    made_ok(hr__dataset_locate(ds, chunk, &cache, &at, &err), &err);
    assert_true(at.file == 3 && at.number == 2);
    FILE *f = fopen(ds->files[3].path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)(at.entry.page * HR__PAGE_BYTES + 600), SEEK_SET), 0);
    assert_true(fputc(0xa5, f) == 0xa5 && fputc(0x5a, f) == 0x5a);
    fclose(f);
    for (size_t i = 0; i < 4; i++)
        epoch_fails(ds, ios[i], HR_ERR_CORRUPT, "/damaged.hrd.3: chunk 2, field");
    hr_error read_err = {0};
    assert_int_equal(pass_read(ds, &all, &read_err), HR_ERR_CORRUPT);
    assert_non_null(strstr(read_err.message, "/damaged.hrd.3: chunk 2, field"));
    hr_dataset_close(ds);
}

static void loader__file_cut_or_removed_meanwhile__told_or_no_matter(void **state) {
    (void)state;
    static const hr_io ios[] = {HR_IO_DIRECT, HR_IO_LIBAIO, HR_IO_CACHED, HR_IO_THREADS};
    hr_error err = {0};
    hr_dataset *ds = made_open_files("removed.hrd", &all, NUM_FILES);
    assert_int_equal(unlink(ds->files[2].path), 0); /* open, so still there */
    made_ok(pass_loader(ds, &all, HR_IO_AUTO, 2, 2, &err), &err);
    assert_int_equal(truncate(ds->files[4].path, 150000), 0);
    for (size_t i = 0; i < 4; i++)
        epoch_fails(ds, ios[i], HR_ERR_CORRUPT, "/removed.hrd.4: chunk ");
    hr_dataset_close(ds);
}

/* ---- very many files, and limits ---- */

#define MANY 1000u

/* The same file again and again: its samples count as often. */
static const char *many_paths[MANY];

static void many_make(const char *name, const struct made *m) {
    static char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", made_path(name));
    made_write(path, m);
    for (uint32_t i = 0; i < MANY; i++)
        many_paths[i] = path;
}

static struct rlimit descriptors(rlim_t soft) {
    struct rlimit was, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    now = was;
    now.rlim_cur = soft < was.rlim_max ? soft : was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return was;
}

static void open__a_thousand_small_files__within_a_small_budget(void **state) {
    (void)state;
    const struct made m = {50, 16, 24, 10, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
    struct rlimit was = descriptors(MANY + 64);
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_loader_options lo = HR_LOADER_OPTIONS_INIT;
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {0};
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    uint32_t seen[50] = {0};
    many_make("small.hrd", &m);
    lo.budget_bytes = o.budget_bytes = (uint64_t)40 << 20;
    made_ok(hr_dataset_open_many(many_paths, MANY, &o, &ds, &err), &err);
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    assert_int_equal(info.num_samples, MANY * 50);
    assert_int_equal(info.index_loaded_bytes, MANY * HR__PAGE_BYTES);
    assert_in_range(ds->budget.reserved_bytes, info.index_loaded_bytes, (uint64_t)5 << 20);
    lo.flags = HR_LOADER_SHUFFLE;
    lo.batch_samples = 64;
    lo.num_epochs = 1;
    made_ok(hr_loader_open(ds, &lo, &l, &err), &err);
    while (hr_loader_next(l, -1, &b, &err) == HR_OK) {
        const int64_t *y = hr_batch_data_by_name(b, "y");
        assert_true(made_batch_right(b, &m));
        for (uint32_t i = 0; i < hr_batch_num_samples(b); i++)
            seen[y[i]]++;
        hr_batch_release(b);
    }
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(seen[i], MANY);
    hr_loader_close(l);
    hr_dataset_close(ds);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void open__no_descriptors_left__says_how_many_and_what_to_do(void **state) {
    (void)state;
    static const char *const words[] = {"of the 1000 of the data set", "ulimit -n", NULL};
    many_make("limit.hrd", &all);
    struct rlimit was = descriptors(64);
    refused(many_paths, MANY, BUDGET, HR_ERR_IO, words);
    /* Enough to open them, too few to open them twice. */
    hr_dataset *ds = open_list(many_paths, 40);
    hr_error err = {0};
    hr_status st = pass_loader(ds, &all, HR_IO_DIRECT, 1, 1, &err);
    if (st != HR_ERR_UNSUPPORTED) {
        assert_int_equal(st, HR_ERR_IO);
        assert_int_equal(err.os_errno, EMFILE);
        assert_non_null(strstr(err.message, "limit.hrd: "));
        assert_non_null(strstr(err.message, "for each of 40 files"));
    }
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *l = NULL;
    o.batch_samples = 16;
    o.budget_bytes = BUDGET;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    hr_loader_close(l);
    hr_dataset_close(ds);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

/* Chunks of one sample, and two index pages: 65,536 bytes and 8,192. */
static const struct made wide = {9000, 1, 8, 0, HR_CODEC_RAW, HR_FILTER_NONE};
#define WIDE_FILES 20u

static hr_status wide_open(uint64_t budget_bytes, hr_dataset **out) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    o.budget_bytes = budget_bytes;
    return hr_dataset_open_many(many_paths, WIDE_FILES, &o, out, NULL);
}

static void index__of_all_files__in_one_share_of_the_budget(void **state) {
    (void)state;
    hr_dataset *ds = NULL;
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {0};
    uint64_t indices[300];
    int64_t y[300];
    many_make("wide.hrd", &wide);
    assert_int_equal(wide_open((uint64_t)5 << 20, &ds), HR_OK);
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    assert_int_equal(info.index_bytes, WIDE_FILES * (65536 + 8192));
    assert_int_equal(info.index_loaded_bytes, 8 * (65536 + 8192) + 65536); /* an eighth, exactly */
    for (uint64_t i = 0; i < 300; i++)
        indices[i] = i * 799819 % (WIDE_FILES * 9000);
    made_ok(hr_dataset_gather(ds, 0, indices, 300, y, sizeof(y), &err), &err);
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(y[i], indices[i] % 9000);
    hr_dataset_close(ds);
}

/* Files whose chunks lie in other places take turns, more of them than the share holds. */
static void index__not_held__is_that_of_the_file(void **state) {
    (void)state;
    static const struct made small = {1024, 1, 5000, 0, HR_CODEC_ZSTD, HR_FILTER_NONE};
    struct made large = small;
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    hr_dataset *ds = NULL;
    hr_error err = {0};
    const char *paths[100];
    uint64_t indices[40];
    int64_t y[40];
    large.codec = HR_CODEC_RAW;
    many_make("small.hrd", &small);
    made_write(made_path("large.hrd"), &large);
    for (uint32_t i = 0; i < 100; i++)
        paths[i] = i % 2 == 0 ? many_paths[0] : made_path("large.hrd");
    o.budget_bytes = (uint64_t)5 << 20;
    made_ok(hr_dataset_open_many(paths, 100, &o, &ds, &err), &err);
    assert_int_equal(hr_dataset_describe(ds, &info, NULL), HR_OK);
    assert_int_equal(info.index_loaded_bytes, 80 * 8192);
    for (uint64_t i = 0; i < 40; i++)
        indices[i] = (60 + i) * 1024 + i * 7;
    made_ok(hr_dataset_gather(ds, 0, indices, 40, y, sizeof(y), &err), &err);
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(y[i], i * 7);
    hr_dataset_close(ds);
}

/* Whether a data set that was opened with the budget leaves room for a loader in it. */
static bool wide_fits(uint64_t budget_bytes, hr_loader_plan *plan) {
    hr_dataset *ds = NULL;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    *plan = (hr_loader_plan){.struct_bytes = sizeof(*plan)};
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 16;
    o.window_visits = 4;
    o.budget_bytes = budget_bytes;
    if (wide_open(budget_bytes, &ds) != HR_OK)
        return false;
    assert_int_equal(hr_loader_plan_make(ds, &o, plan, NULL), HR_OK);
    hr_dataset_close(ds);
    return plan->fits;
}

static void plan__smallest_budget_for_several_files__is_that(void **state) {
    (void)state;
    hr_loader_plan plan;
    many_make("wide.hrd", &wide);
    assert_true(wide_fits((uint64_t)1 << 30, &plan));
    const uint64_t smallest = plan.smallest_reopen_bytes;
    assert_in_range(smallest, 1 << 20, 8 << 20);
    assert_false(wide_fits(smallest - 1, &plan));
    for (uint64_t k = 0; k < 60; k++) {
        assert_true(wide_fits(smallest + k * 33333, &plan));
        assert_int_equal(plan.smallest_reopen_bytes, smallest);
    }
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
        cmocka_unit_test(loader__each_way_of_reading__every_sample_once),
        cmocka_unit_test(loader__in_order_of_the_files__as_one_after_the_other),
        cmocka_unit_test(loader__files_as_segments__delivers_the_golden_order),
        cmocka_unit_test(state__of_other_files__is_refused_in_words),
        cmocka_unit_test(open__files_that_differ__are_refused_in_words),
        cmocka_unit_test(open__one_file_missing_or_cut_or_none__is_told),
        cmocka_unit_test(open__files_without_samples__are_fine),
        cmocka_unit_test(loader__damaged_chunk__names_file_and_its_chunk),
        cmocka_unit_test(loader__file_cut_or_removed_meanwhile__told_or_no_matter),
        cmocka_unit_test(open__a_thousand_small_files__within_a_small_budget),
        cmocka_unit_test(open__no_descriptors_left__says_how_many_and_what_to_do),
        cmocka_unit_test(index__of_all_files__in_one_share_of_the_budget),
        cmocka_unit_test(index__not_held__is_that_of_the_file),
        cmocka_unit_test(plan__smallest_budget_for_several_files__is_that),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
