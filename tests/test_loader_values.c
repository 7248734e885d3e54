/*
 * Loaders of values of variable length: every row is its sample, in any order, by any number of
 * threads, of ranks, subsets and several files, and after a resume; what does not fit is said.
 */
#define _GNU_SOURCE
#include "hash.h"
#include "headrace/hold.h"
#include "headrace/loader.h"
#include "headrace/salvage.h"
#include "headrace/subset.h"
#include "varlen_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_SAMPLES 2000
#define BUDGET      ((uint64_t)128 << 20)
#define BATCH       64

static char folder_path[] = "/tmp/hr-values-XXXXXX";
static char paths[2][256]; /* both have the samples 0 .. NUM_SAMPLES - 1 */

static void assert_ok(hr_status st, const hr_error *err) {
    if (st != HR_OK)
        fail_msg("%s: %s", hr_status_name(st), err->message);
}

static hr_status write_file(const char *path, hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.budget_bytes = BUDGET;
    o.num_threads = 2;
    o.samples_per_chunk = 50;
    hr_status st = hr_writer_open(path, varlen_fields, VARLEN_NUM_FIELDS, &o, &w, err);
    if (st == HR_OK)
        st = varlen_append(w, 0, NUM_SAMPLES, 300, err);
    if (st == HR_OK)
        st = hr_writer_commit(w, err);
    hr_writer_close(w);
    return st;
}

static int set_up(void **state) {
    (void)state;
    hr_error err = {0};
    if (mkdtemp(folder_path) == NULL)
        return 1;
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d.hrd", folder_path, i);
        if (write_file(paths[i], &err) != HR_OK)
            return 1;
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(paths[0]);
    unlink(paths[1]);
    return rmdir(folder_path);
}

#define NUM_SEQUENCES 20
#define SEQUENCE      1000

static int32_t sequences[NUM_SEQUENCES * SEQUENCE];

/* One chunk for each sequence, so that all ends of values are stored raw; by a salvage the file
 * then needs the byte shuffle of the values alone. */
static void write_shuffled(const char *path, const char *salvaged) {
    const hr_field field = {.name = "t", .dtype = HR_VAR_BYTES, .element_dtype = HR_INT32};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_salvage_options s = HR_SALVAGE_OPTIONS_INIT;
    hr_error err = {0};
    hr_writer *w = NULL;
    int64_t offsets[NUM_SEQUENCES + 1];
    for (int i = 0; i < NUM_SEQUENCES * SEQUENCE; i++)
        sequences[i] = i;
    for (int i = 0; i <= NUM_SEQUENCES; i++)
        offsets[i] = i * (int64_t)(SEQUENCE * sizeof *sequences);
    const hr_varlen_column column = {offsets, sequences, sizeof sequences};
    const void *columns[] = {&column};
    o.samples_per_chunk = 1;
    o.codec = HR_CODEC_ZSTD;
    o.level = 1;
    o.filter = HR_FILTER_BYTE_SHUFFLE;
    assert_ok(hr_writer_open(path, &field, 1, &o, &w, &err), &err);
    assert_ok(hr_writer_append(w, NUM_SEQUENCES, columns, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    s.path = path;
    s.output = salvaged;
    assert_ok(hr_salvage(&s, NULL, &err), &err);
}

static void loader__values_with_the_byte_shuffle_alone__are_delivered(void **state) {
    (void)state;
    char path[300], salvaged[300];
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    snprintf(path, sizeof path, "%s/sequences.hrd", folder_path);
    snprintf(salvaged, sizeof salvaged, "%s/salvaged.hrd", folder_path);
    write_shuffled(path, salvaged);
    assert_ok(hr_dataset_open(salvaged, NULL, &ds, &err), &err);
    o.batch_samples = NUM_SEQUENCES;
    o.num_epochs = 1;
    assert_ok(hr_loader_open(ds, &o, &l, &err), &err);
    assert_ok(hr_loader_next(l, -1, &b, &err), &err);
    assert_int_equal(hr_batch_offsets(b, 0)[NUM_SEQUENCES], sizeof sequences);
    assert_memory_equal(hr_batch_data(b, 0), sequences, sizeof sequences);
    hr_batch_release(b);
    hr_loader_close(l);
    hr_dataset_close(ds);
    unlink(path);
    unlink(salvaged);
}

static hr_dataset *open_files(size_t n) {
    const char *list[] = {paths[0], paths[1]};
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    o.budget_bytes = BUDGET;
    assert_ok(hr_dataset_open_many(list, n, &o, &ds, &err), &err);
    return ds;
}

static hr_loader_options options(bool shuffle) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = shuffle ? HR_LOADER_SHUFFLE : 0;
    o.batch_samples = BATCH;
    o.window_visits = shuffle ? 8 : 0;
    o.num_epochs = 1;
    o.budget_bytes = BUDGET;
    o.num_threads = 2;
    o.seed = 7;
    return o;
}

/* The rows are the samples that the batch says, which are counted. */
static void check_batch(const hr_batch *b, uint32_t *seen) {
    uint64_t indices[BATCH];
    uint8_t expected[8192];
    hr_error err = {0};
    const uint32_t n = hr_batch_num_samples(b);
    assert_ok(hr_batch_indices(b, indices, &err), &err);
    for (uint32_t f = 0; f < VARLEN_NUM_FIELDS; f++) {
        const uint8_t *data = hr_batch_data(b, f);
        const int64_t *offsets = hr_batch_offsets(b, f);
        assert_true((offsets == NULL) == (varlen_fields[f].dtype == HR_INT32));
        assert_int_equal((uintptr_t)data % 256, 0);
        if (offsets != NULL)
            assert_int_equal(offsets[0], 0);
        for (uint32_t r = 0; r < n; r++) {
            const uint64_t sample = indices[r] % NUM_SAMPLES, length = varlen_length(f, sample);
            const uint8_t *row = offsets != NULL ? data + offsets[r] : data + 4 * r;
            if (offsets != NULL)
                assert_int_equal(offsets[r + 1] - offsets[r], length);
            varlen_fill(f, sample, expected);
            if (length > 0)
                assert_memory_equal(row, expected, length);
        }
    }
    for (uint32_t r = 0; r < n; r++)
        seen[indices[r]]++;
}

/* A hash of all that is delivered, in order. */
static uint64_t hash_batch(const hr_batch *b, uint64_t hash) {
    const uint32_t n = hr_batch_num_samples(b);
    for (uint32_t f = 0; f < hr_batch_num_fields(b); f++) {
        const int64_t *offsets = hr_batch_offsets(b, f);
        const size_t n_bytes = offsets != NULL ? (size_t)offsets[n] : 4 * n;
        const uint64_t parts[] = {hash, hr__hash(hr_batch_data(b, f), n_bytes),
                                  offsets != NULL ? hr__hash(offsets, 8 * (n + 1)) : 0};
        hash = hr__hash(parts, sizeof parts);
    }
    return hash;
}

static uint64_t run_epoch(hr_dataset *ds, const hr_loader_options *o, uint32_t *seen) {
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_status st;
    uint64_t hash = 0;
    assert_ok(hr_loader_open(ds, o, &l, &err), &err);
    while ((st = hr_loader_next(l, -1, &b, &err)) == HR_OK) {
        check_batch(b, seen);
        hash = hash_batch(b, hash);
        hr_batch_release(b);
    }
    if (st != HR_END_OF_EPOCH)
        assert_ok(st, &err);
    hr_loader_close(l);
    return hash;
}

static void assert_each(const uint32_t *seen, uint64_t n, uint32_t times) {
    for (uint64_t i = 0; i < n; i++)
        if (seen[i] != times)
            fail_msg("sample %llu came %u times", (unsigned long long)i, seen[i]);
}

static void loader__any_threads_and_order__delivers_the_same_bytes(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        uint64_t first = 0;
        for (uint32_t threads = 1; threads <= 4; threads++) {
            uint32_t seen[NUM_SAMPLES] = {0};
            hr_loader_options o = options(shuffle != 0);
            o.num_threads = threads;
            const uint64_t hash = run_epoch(ds, &o, seen);
            first = threads == 1 ? hash : first;
            assert_int_equal(hash, first);
            assert_each(seen, NUM_SAMPLES, 1);
        }
    }
    hr_dataset_close(ds);
}

static void loader__every_way_to_read__delivers_the_same(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    const hr_io ways[] = {HR_IO_CACHED, HR_IO_THREADS, HR_IO_DIRECT, HR_IO_LIBAIO};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        uint32_t seen[NUM_SAMPLES] = {0};
        hr_loader_options o = options(true);
        o.io = ways[i];
        (void)run_epoch(ds, &o, seen);
        assert_each(seen, NUM_SAMPLES, 1);
    }
    hr_dataset_close(ds);
}

static void loader__several_files__delivers_all_of_them(void **state) {
    (void)state;
    hr_dataset *ds = open_files(2);
    uint32_t *seen = calloc(2 * NUM_SAMPLES, sizeof *seen);
    hr_loader_options o = options(true);
    (void)run_epoch(ds, &o, seen);
    assert_each(seen, 2 * NUM_SAMPLES, 1);
    free(seen);
    hr_dataset_close(ds);
}

static void loader__ranks_and_padding__deliver_each_sample(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    uint32_t seen[NUM_SAMPLES] = {0};
    uint64_t total = 0;
    for (uint32_t rank = 0; rank < 2; rank++) {
        hr_loader_options o = options(true);
        o.flags |= HR_LOADER_PAD_LAST;
        o.rank = rank;
        o.world_size = 2;
        o.num_streams = 4;
        (void)run_epoch(ds, &o, seen);
    }
    for (uint64_t i = 0; i < NUM_SAMPLES; i++) {
        assert_true(seen[i] >= 1);
        total += seen[i];
    }
    assert_int_equal(total % BATCH, 0);
    hr_dataset_close(ds);
}

static void loader__of_a_subset__delivers_its_samples(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    hr_error err = {0};
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        uint32_t seen[NUM_SAMPLES] = {0};
        uint64_t indices[NUM_SAMPLES / 7 + 1];
        uint32_t n = 0;
        hr_subset *subset = NULL;
        for (uint64_t i = 3; i < NUM_SAMPLES; i += 7)
            indices[n++] = i;
        assert_ok(hr_subset_from_indices(ds, indices, n, &subset, &err), &err);
        hr_loader_options o = options(shuffle != 0);
        o.subset = subset;
        (void)run_epoch(ds, &o, seen);
        for (uint64_t i = 0; i < NUM_SAMPLES; i++)
            assert_int_equal(seen[i], i % 7 == 3);
        hr_subset_free(subset);
    }
    hr_dataset_close(ds);
}

static void loader__resumed__goes_on_with_the_next_batch(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    uint32_t seen[NUM_SAMPLES] = {0};
    uint8_t place[HR_LOADER_STATE_BYTES];
    size_t place_bytes = 0;
    hr_loader_options o = options(true);
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    assert_ok(hr_loader_open(ds, &o, &l, &err), &err);
    for (int i = 0; i < 11; i++) {
        assert_ok(hr_loader_next(l, -1, &b, &err), &err);
        check_batch(b, seen);
        hr_batch_release(b);
    }
    assert_ok(hr_loader_state(l, place, sizeof place, &place_bytes, &err), &err);
    hr_loader_close(l);
    o.resume_state = place;
    o.resume_state_bytes = place_bytes;
    (void)run_epoch(ds, &o, seen);
    assert_each(seen, NUM_SAMPLES, 1);
    hr_dataset_close(ds);
}

static void loader__some_fields__delivers_these(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    const char *const names[] = {"tokens", "label"};
    hr_loader_options o = options(true);
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_field field;
    hr_loader_info info = {.struct_bytes = sizeof info};
    o.fields = names;
    o.num_fields = 2;
    assert_ok(hr_loader_open(ds, &o, &l, &err), &err);
    assert_ok(hr_loader_next(l, -1, &b, &err), &err);
    assert_ok(hr_batch_field(b, 0, &field, &err), &err);
    assert_int_equal(field.dtype, HR_VAR_BYTES);
    assert_int_equal(field.element_dtype, HR_INT32);
    const int64_t *offsets = hr_batch_offsets(b, 0);
    assert_non_null(offsets);
    assert_null(hr_batch_offsets(b, 1));
    assert_null(hr_batch_offsets(b, 2));
    assert_ok(hr_loader_describe(l, &info, &err), &err);
    assert_int_equal(info.delivered_bytes, 4 * BATCH + (uint64_t)offsets[BATCH]);
    hr_batch_release(b);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void loader__a_batch_of_more_than_was_said__names_it(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    hr_loader_options o = options(false);
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_status st;
    o.max_value_bytes = 2000; /* the longest blob has more */
    assert_ok(hr_loader_open(ds, &o, &l, &err), &err);
    while ((st = hr_loader_next(l, -1, &b, &err)) == HR_OK)
        hr_batch_release(b);
    assert_int_equal(st, HR_ERR_BUDGET);
    assert_ptr_equal(strstr(err.message, paths[0]), err.message);
    assert_non_null(strstr(err.message, "of epoch 0: the values of field "));
    assert_non_null(strstr(err.message, " with that of sample "));
    assert_non_null(strstr(err.message, "max_value_bytes"));
    assert_int_equal(hr_loader_next(l, -1, &b, &err), HR_ERR_BUDGET);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void loader__a_budget_that_is_too_small__says_what_to_give(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    hr_loader_options o = options(true);
    hr_error err = {0};
    hr_loader *l = NULL;
    o.budget_bytes = (uint64_t)6 << 20;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "a smaller max_value_bytes (--max-bytes)"));
    assert_non_null(strstr(err.message, "are ample"));
    o.max_value_bytes = UINT64_MAX;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "is 18446744073709551615, expected at most 2^61"));
    o.max_value_bytes = 40000;
    uint32_t seen[NUM_SAMPLES] = {0};
    (void)run_epoch(ds, &o, seen);
    assert_each(seen, NUM_SAMPLES, 1);
    hr_dataset_close(ds);
}

static void loader__what_it_cannot_do__is_refused(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    hr_loader_options o = options(false);
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_finish finish = HR_FINISH_INIT;
    finish.field = "text";
    o.finish = &finish;
    o.num_finish = 1;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "cannot be finished"));
    o = options(false);
    o.device = HR_DEVICE_CUDA(0);
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "GPU"));
    hr_dataset_close(ds);
}

static void batch__held_after_close__keeps_its_values(void **state) {
    (void)state;
    hr_dataset *ds = open_files(1);
    hr_loader_options o = options(true);
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    assert_ok(hr_loader_open(ds, &o, &l, &err), &err);
    assert_ok(hr_loader_next(l, -1, &b, &err), &err);
    assert_ok(hr_batch_hold(b, &err), &err);
    const uint64_t hash = hash_batch(b, 0);
    hr_loader_close(l);
    assert_int_equal(hash_batch(b, 0), hash);
    hr_batch_let_go(b);
    hr_dataset_close(ds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader__any_threads_and_order__delivers_the_same_bytes),
        cmocka_unit_test(loader__every_way_to_read__delivers_the_same),
        cmocka_unit_test(loader__several_files__delivers_all_of_them),
        cmocka_unit_test(loader__ranks_and_padding__deliver_each_sample),
        cmocka_unit_test(loader__of_a_subset__delivers_its_samples),
        cmocka_unit_test(loader__resumed__goes_on_with_the_next_batch),
        cmocka_unit_test(loader__some_fields__delivers_these),
        cmocka_unit_test(loader__a_batch_of_more_than_was_said__names_it),
        cmocka_unit_test(loader__a_budget_that_is_too_small__says_what_to_give),
        cmocka_unit_test(loader__what_it_cannot_do__is_refused),
        cmocka_unit_test(loader__values_with_the_byte_shuffle_alone__are_delivered),
        cmocka_unit_test(batch__held_after_close__keeps_its_values),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
