/*
 * Appending to data sets: what is there afterwards, what stays as it was, and what is refused.
 */
#define _GNU_SOURCE
#include "hash.h"
#include "hrd_reader_util.h"
#include "varlen_rows.h"
#include "writer_rows.h"

#include "bytes.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder_path[] = "/tmp/hr-writer-append-XXXXXX";
static char target[256];

static hr_status open_append(const hr_field *fields, uint32_t num_fields, hr_writer **w,
                             hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.flags = HR_WRITER_APPEND;
    o.num_threads = 2;
    return hr_writer_open(target, fields, num_fields, &o, w, err);
}

/* A new file of n samples. */
static void write_new(const hr_field *fields, uint32_t num_fields, uint64_t n,
                      uint32_t samples_per_chunk) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    o.flags = HR_WRITER_REPLACE;
    o.samples_per_chunk = samples_per_chunk;
    o.num_threads = 2;
    o.codec = HR_CODEC_ZSTD;
    o.filter = HR_FILTER_BYTE_SHUFFLE;
    hr_status st = hr_writer_open(target, fields, num_fields, &o, &w, &err);
    if (st == HR_OK)
        st = rows_append(w, fields, num_fields, 0, n, 50, &err);
    if (st == HR_OK)
        st = hr_writer_commit(w, &err);
    if (st != HR_OK)
        fail_msg("%s", err.message);
    hr_writer_close(w);
}

/* n samples more. */
static void append(const hr_field *fields, uint32_t num_fields, uint64_t n, uint64_t step) {
    hr_writer *w = NULL;
    hr_error err = {0};
    hr_status st = open_append(fields, num_fields, &w, &err);
    if (st == HR_OK)
        st = rows_append(w, fields, num_fields, hr_writer_num_samples(w), n, step, &err);
    if (st == HR_OK)
        st = hr_writer_commit(w, &err);
    if (st != HR_OK)
        fail_msg("%s", err.message);
    hr_writer_close(w);
}

static struct hrd_image load(void) {
    struct hrd_image im;
    hr_error err = {0};
    if (hrd_image_load_path(&hr__posix_folder, target, &im, &err) != HR_OK)
        fail_msg("%s", err.message);
    return im;
}

static void assert_verifies(void) {
    hr_error err = {0};
    if (hr_dataset_verify(target, NULL, &err) != HR_OK)
        fail_msg("%s", err.message);
}

static void assert_holds(const hr_field *fields, uint32_t num_fields, uint64_t n) {
    struct hrd_image im = load();
    assert_int_equal(im.footer.num_samples, n);
    assert_int_equal(im.footer.num_segments, n > 0 ? 1 : 0);
    assert_true(rows_equal(fields, num_fields, n, im.columns));
    hrd_image_free(&im);
    assert_verifies();
}

static uint64_t hash_of_file(void) {
    FILE *f = fopen(target, "rb");
    struct stat st;
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_int_equal(fread(bytes, 1, (size_t)st.st_size, f), st.st_size);
    const uint64_t hash = hr__hash(bytes, (size_t)st.st_size);
    free(bytes);
    fclose(f);
    return hash;
}

static void overwrite(const void *bytes, size_t n_bytes, uint64_t off) {
    const int fd = open(target, O_WRONLY);
    assert_int_equal(pwrite(fd, bytes, n_bytes, (off_t)off), n_bytes);
    close(fd);
}

static void read_at(void *bytes, size_t n_bytes, uint64_t off) {
    const int fd = open(target, O_RDONLY);
    assert_int_equal(pread(fd, bytes, n_bytes, (off_t)off), n_bytes);
    close(fd);
}

/* ---- what is there afterwards ---- */

static void append__any_numbers_of_samples__gives_all_of_them(void **state) {
    (void)state;
    static const uint64_t old[] = {0, 1, 31, 32, 33, 64, 100};
    static const uint64_t more[] = {0, 1, 31, 32, 33, 200};
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++)
        for (size_t k = 0; k < sizeof more / sizeof more[0]; k++) {
            write_new(rows_fields, ROWS_NUM_FIELDS, old[i], 32);
            append(rows_fields, ROWS_NUM_FIELDS, more[k], 29);
            assert_holds(rows_fields, ROWS_NUM_FIELDS, old[i] + more[k]);
            append(rows_fields, ROWS_NUM_FIELDS, 7, 3);
            assert_holds(rows_fields, ROWS_NUM_FIELDS, old[i] + more[k] + 7);
        }
}

static void append__to_samples_without_bytes__counts_them(void **state) {
    (void)state;
    static const uint64_t none[] = {0};
    const hr_field field = {.name = "nothing", .dtype = HR_FLOAT32, .rank = 1, .shape = none};
    write_new(&field, 1, 10, 8);
    append(&field, 1, 90000, 90000);
    assert_holds(&field, 1, 90010);
}

static void write_values(uint64_t first, uint64_t n, uint32_t flags) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    o.flags = flags;
    o.num_threads = 2;
    o.samples_per_chunk = (flags & HR_WRITER_APPEND) != 0 ? 0 : 32;
    hr_status st = hr_writer_open(target, varlen_fields, VARLEN_NUM_FIELDS, &o, &w, &err);
    if (st == HR_OK)
        st = varlen_append(w, first, n, 7, &err);
    if (st == HR_OK)
        st = hr_writer_commit(w, &err);
    if (st != HR_OK)
        fail_msg("%s", err.message);
    hr_writer_close(w);
}

static void append__values_of_variable_length__gives_all_of_them(void **state) {
    (void)state;
    static const uint64_t old[] = {0, 1, 31, 32, 33};
    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        hr_dataset *ds = NULL;
        hr_error err = {0};
        uint64_t n = old[i];
        write_values(0, n, HR_WRITER_REPLACE);
        for (uint64_t more = 1; more < 100; n += more, more *= 3)
            write_values(n, more, HR_WRITER_APPEND);
        assert_verifies();
        if (hr_dataset_open(target, NULL, &ds, &err) != HR_OK ||
            varlen_read(ds, n, 50, &err) != HR_OK)
            fail_msg("%s", err.message);
        assert_int_equal(hr_dataset_num_samples(ds), n);
        for (uint32_t f = 0; f < VARLEN_NUM_FIELDS; f++) {
            hr_length_statistics s = {.struct_bytes = sizeof s};
            if (hr_dataset_length_statistics(ds, f, &s, NULL) == HR_OK && s.valid)
                assert_int_equal(s.num_values, n);
        }
        hr_dataset_close(ds);
    }
}

static void append__each__is_one_commit_of_the_same_file(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    struct hrd_image before = load();
    for (uint64_t n = 1; n <= 4; n++) {
        append(rows_fields, ROWS_NUM_FIELDS, 10, 10);
        struct hrd_image after = load();
        assert_int_equal(after.superblock.commit_seq, 1 + n);
        assert_memory_equal(after.superblock.uuid, before.superblock.uuid, 16);
        assert_int_equal(after.superblock.required, before.superblock.required);
        assert_int_equal(after.footer.schema.layout_hash, before.footer.schema.layout_hash);
        hrd_image_free(&after);
    }
    uint8_t slots[2][HR__PAGE_BYTES];
    read_at(slots[0], HR__PAGE_BYTES, 0);
    read_at(slots[1], HR__PAGE_BYTES, HR__SLOT1_OFF);
    assert_memory_equal(slots[0], slots[1], HR__PAGE_BYTES);
    hrd_image_free(&before);
}

static void append__storage__is_that_of_the_file(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 640, 32);
    struct hrd_image before = load();
    write_new(rows_fields, ROWS_NUM_FIELDS, 320, 32);
    append(rows_fields, ROWS_NUM_FIELDS, 320, 320);
    struct hrd_image after = load();
    for (uint32_t f = 0; f < ROWS_NUM_FIELDS; f++) {
        const struct hr__storage *a = &before.footer.schema.fields[f].storage;
        const struct hr__storage *b = &after.footer.schema.fields[f].storage;
        assert_int_equal(a->codec, b->codec);
        assert_int_equal(a->filter, b->filter);
        assert_int_equal(a->level, b->level);
        assert_int_equal(a->element_bytes, b->element_bytes);
    }
    assert_in_range(after.num_shuffled_frames, 1, after.num_zstd_frames);
    assert_int_equal(after.num_zstd_frames, before.num_zstd_frames);
    assert_int_equal(after.payload_hash, before.payload_hash);
    hrd_image_free(&before);
    hrd_image_free(&after);
}

static hr_statistics statistics_of(uint32_t field) {
    hr_dataset *ds = NULL;
    hr_statistics s = {.struct_bytes = sizeof s};
    assert_int_equal(hr_dataset_open(target, NULL, &ds, NULL), HR_OK);
    assert_int_equal(hr_dataset_statistics(ds, field, &s, NULL), HR_OK);
    hr_dataset_close(ds);
    return s;
}

static void append__statistics__are_those_of_all_samples(void **state) {
    (void)state;
    hr_statistics whole[ROWS_NUM_FIELDS];
    write_new(rows_fields, ROWS_NUM_FIELDS, 200, 32);
    for (uint32_t f = 0; f < ROWS_NUM_FIELDS; f++)
        whole[f] = statistics_of(f);
    write_new(rows_fields, ROWS_NUM_FIELDS, 0, 32);
    for (int i = 0; i < 20; i++)
        append(rows_fields, ROWS_NUM_FIELDS, 10, 10);
    for (uint32_t f = 0; f < ROWS_NUM_FIELDS; f++) {
        const hr_statistics s = statistics_of(f);
        assert_int_equal(s.num_values, whole[f].num_values);
        assert_int_equal(s.num_zeros, whole[f].num_zeros);
        assert_int_equal(s.num_nan, whole[f].num_nan);
        assert_true(s.min == whole[f].min && s.max == whole[f].max);
        assert_true(fabs(s.mean - whole[f].mean) <= 1e-12 * fabs(whole[f].mean));
        assert_true(fabs(s.std - whole[f].std) <= 1e-12 * fabs(whole[f].std));
        assert_int_equal(s.num_runs, whole[f].num_runs);
        assert_int_equal(s.num_distinct, whole[f].num_distinct);
        assert_int_equal(s.longest_run_samples, whole[f].longest_run_samples);
    }
}

/* Chunks of one sample make a full index page cheap. */
static void append__past_a_page_of_the_index__leaves_full_pages_where_they_are(void **state) {
    (void)state;
    const hr_field field = {.name = "y", .dtype = HR_INT32};
    write_new(&field, 1, HR__INDEX_PAGE_ENTRIES - 2, 1);
    append(&field, 1, 1, 1);
    assert_holds(&field, 1, HR__INDEX_PAGE_ENTRIES - 1);
    append(&field, 1, 1, 1);
    struct hrd_image full = load();
    append(&field, 1, 1, 1);
    append(&field, 1, 5, 5);
    struct hrd_image after = load();
    assert_int_equal(full.footer.num_index_pages, 1);
    assert_int_equal(after.footer.num_index_pages, 2);
    assert_int_equal(after.footer.index_pages[0].off, full.footer.index_pages[0].off);
    assert_int_equal(after.footer.index_pages[0].hash, full.footer.index_pages[0].hash);
    hrd_image_free(&full);
    hrd_image_free(&after);
    assert_holds(&field, 1, HR__INDEX_PAGE_ENTRIES + 6);
}

/* ---- what stays as it was ---- */

static void append__of_no_samples__changes_nothing(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    const uint64_t before = hash_of_file();
    append(rows_fields, ROWS_NUM_FIELDS, 0, 1);
    assert_int_equal(hash_of_file(), before);
}

static void append__closed_without_commit__leaves_the_file_as_it_was(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    const uint64_t before = hash_of_file();
    hr_writer *w = NULL;
    assert_int_equal(open_append(rows_fields, ROWS_NUM_FIELDS, &w, NULL), HR_OK);
    assert_int_equal(hr_writer_num_samples(w), 40);
    assert_int_equal(rows_append(w, rows_fields, ROWS_NUM_FIELDS, 40, 500, 50, NULL), HR_OK);
    assert_int_equal(hr_writer_num_samples(w), 540);
    hr_writer_close(w);
    assert_int_equal(hash_of_file(), before);
}

static void append__a_row_that_is_refused__leaves_the_writer_usable(void **state) {
    (void)state;
    const hr_field field = {.name = "b", .dtype = HR_BOOL};
    write_new(&field, 1, 3, 8);
    hr_writer *w = NULL;
    hr_error err = {0};
    const uint8_t bad = 7;
    const void *columns[1] = {&bad};
    assert_int_equal(open_append(&field, 1, &w, &err), HR_OK);
    assert_int_equal(hr_writer_append(w, 1, columns, &err), HR_ERR_DATA);
    assert_non_null(strstr(err.message, "sample 3"));
    assert_int_equal(rows_append(w, &field, 1, 3, 4, 4, &err), HR_OK);
    assert_int_equal(hr_writer_commit(w, &err), HR_OK);
    hr_writer_close(w);
    assert_holds(&field, 1, 7);
}

static void append__a_damaged_slot__is_made_good(void **state) {
    (void)state;
    for (int slot = 0; slot < 2; slot++) {
        write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
        overwrite("damage", 6, slot == 0 ? 100 : HR__SLOT1_OFF + 100);
        append(rows_fields, ROWS_NUM_FIELDS, 10, 10);
        assert_holds(rows_fields, ROWS_NUM_FIELDS, 50);
    }
}

/* What an append leaves that dies between the two slots, and one that dies before. */
static void
append__after_one_that_was_cut_short__goes_on_from_the_commit_that_decides(void **state) {
    (void)state;
    for (int slot = 0; slot < 2; slot++) {
        uint8_t old[HR__PAGE_BYTES];
        write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
        read_at(old, sizeof old, 0);
        append(rows_fields, ROWS_NUM_FIELDS, 10, 10);
        overwrite(old, sizeof old, slot == 0 ? 0 : HR__SLOT1_OFF);
        struct hrd_image im = load();
        overwrite("left behind", 11, im.superblock.file_bytes + 5000);
        hrd_image_free(&im);
        assert_holds(rows_fields, ROWS_NUM_FIELDS, 50);
        append(rows_fields, ROWS_NUM_FIELDS, 10, 10);
        assert_holds(rows_fields, ROWS_NUM_FIELDS, 60);
        im = load();
        assert_int_equal(im.superblock.commit_seq, 3);
        hrd_image_free(&im);
    }
}

static void append__attributes_and_provenance__are_kept_and_sources_added(void **state) {
    (void)state;
    const hr_source_fingerprint sources[] = {{"a.npy", 5, 6}, {"b.npy", 7, 8}};
    const hr_field field = {.name = "t", .dtype = HR_INT64, .attributes_json = "{\"unit\":\"ns\"}"};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.flags = HR_WRITER_REPLACE;
    o.attributes_json = "{\"who\":\"me\",\"n\":1}";
    o.provenance_json = "{\"note\":\"kept\"}";
    o.sources = sources;
    o.num_sources = 1;
    assert_int_equal(hr_writer_open(target, &field, 1, &o, &w, NULL), HR_OK);
    assert_int_equal(rows_append(w, &field, 1, 0, 5, 5, NULL), HR_OK);
    assert_int_equal(hr_writer_commit(w, NULL), HR_OK);
    hr_writer_close(w);
    o.flags = HR_WRITER_APPEND;
    o.attributes_json = "{\"who\":\"me\"}";
    o.provenance_json = NULL;
    o.sources = sources + 1;
    assert_int_equal(hr_writer_open(target, &field, 1, &o, &w, NULL), HR_OK);
    assert_int_equal(rows_append(w, &field, 1, 5, 5, 5, NULL), HR_OK);
    assert_int_equal(hr_writer_commit(w, NULL), HR_OK);
    hr_writer_close(w);
    assert_holds(&field, 1, 10);
    struct hrd_image im = load();
    assert_non_null(strstr(im.footer.schema.attributes_json, "\"n\":1"));
    assert_non_null(strstr(im.footer.schema.fields[0].attributes_json, "ns"));
    const char *a = strstr(im.footer.schema.provenance_json, "a.npy");
    assert_non_null(a);
    assert_non_null(strstr(a, "b.npy"));
    assert_non_null(strstr(im.footer.schema.provenance_json, "kept"));
    hrd_image_free(&im);
}

static void append__of_very_many_sources__counts_those_that_are_too_many(void **state) {
    (void)state;
    const hr_field field = {.name = "y", .dtype = HR_INT32};
    const uint32_t many = 60000;
    char path[64];
    memset(path, 'p', sizeof path);
    path[63] = '\0';
    hr_source_fingerprint *sources = calloc(many, sizeof *sources);
    for (uint32_t i = 0; i < many; i++)
        sources[i] = (hr_source_fingerprint){path, i, i};
    write_new(&field, 1, 5, 8);
    for (int i = 0; i < 2; i++) {
        hr_writer_options o = HR_WRITER_OPTIONS_INIT;
        hr_writer *w = NULL;
        o.flags = HR_WRITER_APPEND;
        o.sources = sources;
        o.num_sources = i == 0 ? 30000 : many;
        assert_int_equal(hr_writer_open(target, &field, 1, &o, &w, NULL), HR_OK);
        assert_int_equal(rows_append(w, &field, 1, 5 + (uint64_t)i, 1, 1, NULL), HR_OK);
        assert_int_equal(hr_writer_commit(w, NULL), HR_OK);
        hr_writer_close(w);
    }
    struct hrd_image im = load();
    assert_non_null(strstr(im.footer.schema.provenance_json, "\"size_bytes\":29999"));
    assert_non_null(strstr(im.footer.schema.provenance_json, "\"sources_left_out\":60000"));
    assert_null(strstr(im.footer.schema.provenance_json, "\"size_bytes\":30000"));
    hrd_image_free(&im);
    free(sources);
    assert_holds(&field, 1, 7);
}

/* ---- what is refused ---- */

static void assert_refused(const hr_field *fields, uint32_t num_fields, hr_status wanted,
                           const char *text) {
    hr_writer *w = (hr_writer *)&wanted;
    hr_error err = {0};
    const uint64_t before = hash_of_file();
    assert_int_equal(open_append(fields, num_fields, &w, &err), wanted);
    assert_null(w);
    assert_int_equal(err.status, wanted);
    if (strstr(err.message, text) == NULL || strstr(err.message, target) == NULL)
        fail_msg("not '%s': %s", text, err.message);
    assert_int_equal(hash_of_file(), before);
}

static void append__other_fields__names_the_first_difference(void **state) {
    (void)state;
    static const uint64_t shape[] = {8, 4}, turned[] = {4, 8};
    const hr_field has[3] = {
        {.name = "x", .dtype = HR_FLOAT32, .rank = 2, .shape = shape},
        {.name = "t", .dtype = HR_INT64, .attributes_json = "{\"unit\":\"ns\"}"},
        {.name = "s", .dtype = HR_FIXED_BYTES, .width_bytes = 8},
    };
    hr_field given[3];
    write_new(has, 3, 5, 4);
    const struct {
        uint32_t field;
        hr_field as;
        const char *text;
    } cases[] = {
        {0, {.name = "z", .dtype = HR_FLOAT32, .rank = 2, .shape = shape}, "field 0"},
        {0, {.name = "x", .dtype = HR_FLOAT64, .rank = 2, .shape = shape}, "float64 [8, 4] is"},
        {0, {.name = "x", .dtype = HR_FLOAT32, .rank = 2, .shape = turned}, "float32 [4, 8] is"},
        {0, {.name = "x", .dtype = HR_FLOAT32, .rank = 1, .shape = shape}, "float32 [8] is"},
        {1, {.name = "t", .dtype = HR_INT64, .attributes_json = "{\"unit\":\"us\"}"}, "another"},
        {1, {.name = "t", .dtype = HR_INT64, .attributes_json = "{\"zone\":0}"}, "not in"},
        {2, {.name = "s", .dtype = HR_FIXED_BYTES, .width_bytes = 9}, "fixed_bytes(9)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(given, has, sizeof has);
        given[cases[i].field] = cases[i].as;
        assert_refused(given, 3, HR_ERR_MISMATCH, cases[i].text);
    }
    assert_refused(has, 2, HR_ERR_MISMATCH, "\"s\" is missing");
    memcpy(given, has, sizeof has);
    given[1].attributes_json = NULL;
    append(given, 3, 5, 5);
    const hr_field more[4] = {has[0], has[1], has[2], {.name = "more", .dtype = HR_INT8}};
    assert_refused(more, 4, HR_ERR_MISMATCH, "\"more\" is too many");
}

static void append__options_that_the_file_decides__are_refused(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 5, 32);
    for (int i = 0; i < 10; i++) {
        hr_writer_options o = HR_WRITER_OPTIONS_INIT;
        hr_writer *w = NULL;
        hr_error err = {0};
        o.flags = HR_WRITER_APPEND | (i == 0 ? HR_WRITER_REPLACE : i == 1 ? HR_WRITER_RESUME : 0);
        o.codec = i == 2 ? HR_CODEC_RAW : HR_CODEC_AUTO;
        o.filter = i == 3 ? HR_FILTER_DELTA : HR_FILTER_AUTO;
        o.level = i == 4 ? 3 : 0;
        o.optimize = i == 5 ? HR_OPTIMIZE_SIZE : HR_OPTIMIZE_SPEED;
        o.disk_bytes_per_s = i == 6 ? 1000 : 0;
        o.chunk_bytes = i == 7 ? 262144 : 0;
        o.provenance_json = i == 8 ? "{}" : NULL;
        o.samples_per_chunk = i == 9 ? 33 : 32;
        assert_int_equal(hr_writer_open(target, rows_fields, ROWS_NUM_FIELDS, &o, &w, &err),
                         i == 9 ? HR_ERR_MISMATCH : HR_ERR_INVALID);
        assert_null(w);
    }
}

static void append__to_what_is_no_data_set__says_what_to_do(void **state) {
    (void)state;
    hr_writer *w = NULL;
    hr_error err = {0};
    (void)unlink(target);
    assert_int_equal(open_append(rows_fields, ROWS_NUM_FIELDS, &w, &err), HR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "make it without append"));
    assert_int_equal(access(target, F_OK), -1);
    FILE *f = fopen(target, "wb");
    for (int i = 0; i < 200000; i++)
        fputc('x', f);
    fclose(f);
    assert_refused(rows_fields, ROWS_NUM_FIELDS, HR_ERR_NOT_DATASET, "not a Headrace file");
    f = fopen(target, "wb");
    fputs("short", f);
    fclose(f);
    assert_refused(rows_fields, ROWS_NUM_FIELDS, HR_ERR_CORRUPT, "truncated");
}

static void append__to_a_truncated_file__is_refused(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    struct stat st;
    assert_int_equal(stat(target, &st), 0);
    assert_int_equal(truncate(target, st.st_size - 4096), 0);
    assert_refused(rows_fields, ROWS_NUM_FIELDS, HR_ERR_CORRUPT, "truncated");
}

/* Writes slot pages that are valid but for what the case changes. */
static void change_slots(void (*change)(uint8_t *page)) {
    uint8_t page[HR__PAGE_BYTES];
    read_at(page, sizeof page, 0);
    change(page);
    hr__put_u64(page + 4088, hr__hash(page, 4088));
    overwrite(page, sizeof page, 0);
    overwrite(page, sizeof page, HR__SLOT1_OFF);
}

static void add_optional(uint8_t *page) {
    hr__put_u16(page + 74, 8);
    memcpy(page + 1152, "thumbs7\n", 8);
}

static void add_required(uint8_t *page) {
    const uint16_t used = hr__get_u16(page + 72);
    memcpy(page + 128 + used, "zz-new\n", 7);
    hr__put_u16(page + 72, (uint16_t)(used + 7));
}

static void append__a_feature_that_is_not_known__is_refused(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    change_slots(add_optional);
    assert_holds(rows_fields, ROWS_NUM_FIELDS, 40);
    assert_refused(rows_fields, ROWS_NUM_FIELDS, HR_ERR_UNSUPPORTED, "\"thumbs7\"");
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    change_slots(add_required);
    assert_refused(rows_fields, ROWS_NUM_FIELDS, HR_ERR_UNSUPPORTED, "\"zz-new\"");
}

static void append__a_last_chunk_that_is_damaged__is_refused(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    struct hrd_image im = load();
    uint8_t entry[8], chunk[8];
    read_at(entry, 8, im.footer.index_pages[0].off + 8);
    const uint64_t off = (hr__get_u64(entry) & ((UINT64_C(1) << 40) - 1)) * HR__PAGE_BYTES;
    read_at(chunk, 8, off + 400);
    chunk[0] ^= 1;
    overwrite(chunk, 8, off + 400);
    assert_refused(rows_fields, ROWS_NUM_FIELDS, HR_ERR_CORRUPT, "its last chunk");
    chunk[0] ^= 1;
    overwrite(chunk, 8, off + 400);
    entry[1] ^= 1;
    overwrite(entry, 8, im.footer.index_pages[0].off + 8);
    assert_refused(rows_fields, ROWS_NUM_FIELDS, HR_ERR_CORRUPT, "index page 0");
    hrd_image_free(&im);
}

static void append__while_another_does__is_busy_at_once(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    hr_writer *first = NULL;
    hr_writer *second = NULL;
    hr_error err = {0};
    assert_int_equal(open_append(rows_fields, ROWS_NUM_FIELDS, &first, &err), HR_OK);
    assert_int_equal(open_append(rows_fields, ROWS_NUM_FIELDS, &second, &err), HR_ERR_BUSY);
    assert_null(second);
    assert_non_null(strstr(err.message, "another writer"));
    assert_int_equal(rows_append(first, rows_fields, ROWS_NUM_FIELDS, 40, 10, 10, &err), HR_OK);
    assert_int_equal(hr_writer_commit(first, &err), HR_OK);
    assert_int_equal(open_append(rows_fields, ROWS_NUM_FIELDS, &second, &err), HR_ERR_BUSY);
    hr_writer_close(first);
    append(rows_fields, ROWS_NUM_FIELDS, 10, 10);
    assert_holds(rows_fields, ROWS_NUM_FIELDS, 60);
}

static void append__to_a_file_that_is_replaced_meanwhile__is_refused(void **state) {
    (void)state;
    hr_writer *w = NULL;
    hr_error err = {0};
    char aside[300];
    (void)snprintf(aside, sizeof aside, "%s.aside", target);
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    assert_int_equal(open_append(rows_fields, ROWS_NUM_FIELDS, &w, &err), HR_OK);
    assert_int_equal(rows_append(w, rows_fields, ROWS_NUM_FIELDS, 40, 100, 50, &err), HR_OK);
    assert_int_equal(rename(target, aside), 0);
    write_new(rows_fields, ROWS_NUM_FIELDS, 5, 32);
    assert_int_equal(hr_writer_commit(w, &err), HR_ERR_BUSY);
    assert_non_null(strstr(err.message, "replaced"));
    hr_writer_close(w);
    assert_holds(rows_fields, ROWS_NUM_FIELDS, 5);
    assert_int_equal(rename(aside, target), 0);
    assert_holds(rows_fields, ROWS_NUM_FIELDS, 40);
}

static void append__a_budget_that_is_too_small__says_how_much_is_needed(void **state) {
    (void)state;
    write_new(rows_fields, ROWS_NUM_FIELDS, 40, 32);
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    o.flags = HR_WRITER_APPEND;
    o.num_threads = 1;
    uint64_t least = 0;
    for (o.budget_bytes = 1; least == 0; o.budget_bytes += 100000) {
        const hr_status st = hr_writer_open(target, rows_fields, ROWS_NUM_FIELDS, &o, &w, &err);
        if (st == HR_OK)
            least = o.budget_bytes;
        else
            assert_int_equal(st, HR_ERR_BUDGET);
    }
    hr_writer_info info = {.struct_bytes = sizeof info};
    assert_int_equal(rows_append(w, rows_fields, ROWS_NUM_FIELDS, 40, 500, 50, &err), HR_OK);
    assert_int_equal(hr_writer_commit(w, &err), HR_OK);
    assert_int_equal(hr_writer_describe(w, &info, &err), HR_OK);
    assert_in_range(info.reserved_bytes, 1, least);
    assert_int_equal(info.num_samples, 540);
    hr_writer_close(w);
    assert_holds(rows_fields, ROWS_NUM_FIELDS, 540);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append__any_numbers_of_samples__gives_all_of_them),
        cmocka_unit_test(append__to_samples_without_bytes__counts_them),
        cmocka_unit_test(append__values_of_variable_length__gives_all_of_them),
        cmocka_unit_test(append__each__is_one_commit_of_the_same_file),
        cmocka_unit_test(append__storage__is_that_of_the_file),
        cmocka_unit_test(append__statistics__are_those_of_all_samples),
        cmocka_unit_test(append__past_a_page_of_the_index__leaves_full_pages_where_they_are),
        cmocka_unit_test(append__of_no_samples__changes_nothing),
        cmocka_unit_test(append__closed_without_commit__leaves_the_file_as_it_was),
        cmocka_unit_test(append__a_row_that_is_refused__leaves_the_writer_usable),
        cmocka_unit_test(append__a_damaged_slot__is_made_good),
        cmocka_unit_test(
            append__after_one_that_was_cut_short__goes_on_from_the_commit_that_decides),
        cmocka_unit_test(append__attributes_and_provenance__are_kept_and_sources_added),
        cmocka_unit_test(append__of_very_many_sources__counts_those_that_are_too_many),
        cmocka_unit_test(append__other_fields__names_the_first_difference),
        cmocka_unit_test(append__options_that_the_file_decides__are_refused),
        cmocka_unit_test(append__to_what_is_no_data_set__says_what_to_do),
        cmocka_unit_test(append__to_a_truncated_file__is_refused),
        cmocka_unit_test(append__a_feature_that_is_not_known__is_refused),
        cmocka_unit_test(append__a_last_chunk_that_is_damaged__is_refused),
        cmocka_unit_test(append__while_another_does__is_busy_at_once),
        cmocka_unit_test(append__to_a_file_that_is_replaced_meanwhile__is_refused),
        cmocka_unit_test(append__a_budget_that_is_too_small__says_how_much_is_needed),
    };
    if (mkdtemp(folder_path) == NULL)
        return 1;
    (void)snprintf(target, sizeof target, "%s/t.hrd", folder_path);
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(target);
    (void)rmdir(folder_path);
    return rc;
}
