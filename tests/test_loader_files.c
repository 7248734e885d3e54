/*
 * Loaders over several files: the orders that tests/order_reference.py has for segments, states,
 * and damage, which is told of the file that has it.
 */
#define _GNU_SOURCE
#include "dataset.h"
#include "reader_pass.h"

#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_FILES 5u
#define BUDGET    ((uint64_t)64 << 20)

static const struct made all = {1000, 16, 24, 10, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};

static hr_dataset *open_list(const char *const *paths, size_t count) {
    hr_dataset *ds = NULL;
    hr_error err = {0};
    made_ok(hr_dataset_open_many(paths, count, NULL, &ds, &err), &err);
    return ds;
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
    uint8_t bytes[HR_LOADER_STATE_BYTES], one_file[HR_LOADER_STATE_BYTES];
    hr_dataset *saved = made_open_files("state.hrd", &all, 3);
    const char *const again[] = {saved->files[0].path, saved->files[1].path, saved->files[2].path};
    const char *const swapped[] = {again[0], again[2], again[1]};
    state_take(saved, bytes);
    state_try(again, 3, bytes, NULL);
    state_try(swapped, 3, bytes, "in another order");
    state_try(again, 2, bytes, "other files");
    state_try(again, 1, bytes, "saved with a data set of several files, this one is one file");
    hr_dataset *last = open_list(again + 2, 1);
    state_take(last, one_file);
    hr_dataset_close(last);
    state_try(again, 3, one_file, "saved with a data set of one file, this one is several files");
    state_try(again + 1, 1, one_file, "another UUID");
    hr_dataset_close(saved);
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

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader__each_way_of_reading__every_sample_once),
        cmocka_unit_test(loader__in_order_of_the_files__as_one_after_the_other),
        cmocka_unit_test(loader__files_as_segments__delivers_the_golden_order),
        cmocka_unit_test(state__of_other_files__is_refused_in_words),
        cmocka_unit_test(loader__damaged_chunk__names_file_and_its_chunk),
        cmocka_unit_test(loader__file_cut_or_removed_meanwhile__told_or_no_matter),
    };
    alarm(100); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, teardown);
}
