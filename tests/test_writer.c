/*
 * Writers: what is appended is what is in the file, for every dtype, shape, codec and amount.
 */
#include "fault_disk.h"
#include "frame_filter.h"
#include "hrd_reader_util.h"
#include "writer_internal.h"
#include "writer_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TARGET "t.hrd"

static hr_writer_options options(void) {
    return (hr_writer_options)HR_WRITER_OPTIONS_INIT;
}

static void assert_ok(hr_status st, const hr_error *err) {
    if (st != HR_OK)
        fail_msg("%s: %s", hr_status_name(st), err->message);
}

/* Writes samples 0 .. n - 1 to TARGET. */
static void write_rows(struct fault_disk *d, const hr_field *fields, uint32_t num_fields,
                       uint64_t n, uint64_t step, const hr_writer_options *opts) {
    hr_error err = {0};
    hr_writer *w = NULL;
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, fields, num_fields, opts, &w, &err),
              &err);
    assert_ok(rows_append(w, fields, num_fields, 0, n, step, &err), &err);
    assert_int_equal(hr_writer_num_samples(w), n);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
}

static void load(struct fault_disk *d, struct hrd_image *im) {
    hr_error err = {0};
    assert_ok(hrd_image_load_path(fault_disk_folder(d), TARGET, im, &err), &err);
}

/* Writes, reads back, compares. */
static void round_trip(const hr_field *fields, uint32_t num_fields, uint64_t n, uint64_t step,
                       const hr_writer_options *opts) {
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    write_rows(d, fields, num_fields, n, step, opts);
    assert_false(fault_disk_has(d, TARGET ".partial"));
    load(d, &im);
    assert_int_equal(im.footer.num_samples, n);
    assert_int_equal(im.footer.schema.num_fields, num_fields);
    assert_true(rows_equal(fields, num_fields, n, im.columns));
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void writer__every_dtype__comes_back_bit_for_bit(void **state) {
    (void)state;
    const uint64_t shape[] = {3, 2};
    hr_field fields[17];
    for (uint32_t t = HR_BOOL; t <= HR_FIXED_UTF8; t++)
        fields[t - 1] = (hr_field){.name = hr_dtype_name((hr_dtype)t),
                                   .dtype = (hr_dtype)t,
                                   .width_bytes = t >= HR_FIXED_BYTES ? 5 : 0,
                                   .rank = 2,
                                   .shape = shape};
    round_trip(fields, 17, 1000, 77, NULL);
}

static void writer__every_codec_and_filter__comes_back_bit_for_bit(void **state) {
    (void)state;
    for (int32_t codec = HR_CODEC_AUTO; codec <= HR_CODEC_ZSTD; codec++) {
        for (int32_t filter = HR_FILTER_AUTO; filter <= HR_FILTER_DELTA_BIT_SHUFFLE; filter++) {
            hr_writer_options o = options();
            o.codec = codec;
            o.filter = filter;
            o.chunk_bytes = 8192;
            if (codec == HR_CODEC_RAW && filter > HR_FILTER_NONE)
                continue;
            round_trip(rows_fields, ROWS_NUM_FIELDS, 1000, 333, &o);
        }
    }
}

static void writer__rows_in_any_amounts__give_the_same_data(void **state) {
    (void)state;
    hr_writer_options o = options();
    o.samples_per_chunk = 10;
    const uint64_t amounts[] = {1, 7, 10, 11, 100, 1000};
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++)
        for (uint64_t n = 0; n <= 41; n += n < 2 ? 1 : 13)
            round_trip(rows_fields, ROWS_NUM_FIELDS, n, amounts[i], &o);
}

static void writer__odd_shapes__come_back(void **state) {
    (void)state;
    const uint64_t none[] = {4, 0};
    const uint64_t five[] = {2, 1, 3, 1, 2};
    const uint64_t large[] = {300, 257};    /* float32: more than a chunk */
    const uint64_t huge[] = {2, 700, 1024}; /* uint8: 1.4 MB, more than a frame may hold */
    const hr_field fields[] = {
        {.name = "empty", .dtype = HR_FLOAT64, .rank = 2, .shape = none},
        {.name = "five", .dtype = HR_INT16, .rank = 5, .shape = five},
        {.name = "scalar", .dtype = HR_COMPLEX128},
        {.name = "large", .dtype = HR_FLOAT32, .rank = 2, .shape = large},
        {.name = "huge", .dtype = HR_UINT8, .rank = 3, .shape = huge},
    };
    round_trip(fields, 3, 100000, 100000, NULL);
    round_trip(&fields[0], 1, 70000, 70000, NULL);
    round_trip(fields, 5, 3, 1, NULL);
    round_trip(fields, 5, 0, 1, NULL);
}

static void writer__nan_payloads_and_minus_zero__are_kept(void **state) {
    (void)state;
    const uint32_t bits[] = {0x7fc12345, 0xffc00001, 0x7f800001, 0x80000000, 0xff800000};
    const hr_field field = {.name = "x", .dtype = HR_FLOAT32};
    for (int32_t filter = HR_FILTER_NONE; filter <= HR_FILTER_DELTA_BIT_SHUFFLE; filter++) {
        struct fault_disk *d = fault_disk_new();
        struct hrd_image im;
        hr_error err = {0};
        hr_writer *w = NULL;
        hr_writer_options o = options();
        o.codec = HR_CODEC_ZSTD;
        o.filter = filter;
        const void *columns[] = {bits};
        assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, &o, &w, &err), &err);
        assert_ok(hr_writer_append(w, 5, columns, &err), &err);
        assert_ok(hr_writer_commit(w, &err), &err);
        hr_writer_close(w);
        load(d, &im);
        assert_memory_equal(im.columns[0], bits, sizeof bits);
        hrd_image_free(&im);
        fault_disk_free(d);
    }
}

static void writer__incompressible_data__are_stored_raw(void **state) {
    (void)state;
    const uint64_t shape[] = {4096};
    const hr_field field = {.name = "x", .dtype = HR_UINT8, .rank = 1, .shape = shape};
    uint8_t *noise = malloc(100 * 4096);
    uint64_t s = 1;
    for (size_t i = 0; i < 100 * 4096; i++)
        noise[i] = (uint8_t)((s = s * 6364136223846793005u + 1442695040888963407u) >> 56);
    for (int32_t codec = HR_CODEC_AUTO; codec <= HR_CODEC_ZSTD; codec += 2) {
        struct fault_disk *d = fault_disk_new();
        struct hrd_image im;
        hr_error err = {0};
        hr_writer *w = NULL;
        hr_writer_options o = options();
        o.codec = codec;
        const void *columns[] = {noise};
        assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, &o, &w, &err), &err);
        assert_ok(hr_writer_append(w, 100, columns, &err), &err);
        assert_ok(hr_writer_commit(w, &err), &err);
        hr_writer_close(w);
        load(d, &im);
        assert_int_equal(im.num_zstd_frames, 0);
        /* The trial finds it out; an order to use zstd stays an order. */
        assert_int_equal(im.footer.schema.fields[0].storage.codec,
                         codec == HR_CODEC_AUTO ? HR__CODEC_RAW : HR__CODEC_ZSTD);
        assert_memory_equal(im.columns[0], noise, 100 * 4096);
        hrd_image_free(&im);
        fault_disk_free(d);
    }
    free(noise);
}

static void writer__compressible_data__are_compressed_by_choice(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    write_rows(d, rows_fields, ROWS_NUM_FIELDS, 5000, 500, NULL);
    load(d, &im);
    assert_true(im.num_zstd_frames > 0);
    assert_int_equal(im.footer.schema.fields[0].storage.codec, HR__CODEC_ZSTD);
    assert_non_null(strstr(im.footer.json, "\"reason\""));
    assert_non_null(strstr(im.footer.json, "\"candidates\""));
    hrd_image_free(&im);
    fault_disk_free(d);
}

/* Sums of small steps: every level finds something, and the higher ones more. */
static void fill_walk(float *x, size_t n) {
    uint64_t s = 1;
    int32_t value = 0;
    for (size_t i = 0; i < n; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        value += (int32_t)(s >> 61) - 3;
        x[i] = (float)(value % 512);
    }
}

/* What is stored of `x` for a goal: the file's schema is in im. */
static void write_for(const float *x, size_t num_samples, const hr_writer_options *o,
                      struct hrd_image *im) {
    const uint64_t shape[] = {512};
    const hr_field field = {.name = "x", .dtype = HR_FLOAT32, .rank = 1, .shape = shape};
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *w = NULL;
    const void *columns[] = {x};
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, o, &w, &err), &err);
    assert_ok(hr_writer_append(w, num_samples, columns, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    load(d, im);
    assert_memory_equal(im->columns[0], x, num_samples * 2048);
    fault_disk_free(d);
}

static void writer__goals__size_is_smallest_and_all_tell_what_was_tried(void **state) {
    (void)state;
    static const char *const names[] = {"\"speed\"", "\"balanced\"", "\"size\""};
    float *x = malloc(128 * 2048);
    uint64_t file_bytes[3];
    fill_walk(x, 128 * 512);
    for (int32_t goal = HR_OPTIMIZE_SPEED; goal <= HR_OPTIMIZE_SIZE; goal++) {
        struct hrd_image im;
        hr_writer_options o = options();
        o.optimize = goal;
        write_for(x, 128, &o, &im);
        const struct hr__storage *s = &im.footer.schema.fields[0].storage;
        assert_int_equal(s->codec, HR__CODEC_ZSTD);
        /* The figures are those of each level: the smallest is none of the lower ones. */
        if (goal == HR_OPTIMIZE_SIZE)
            assert_in_range(s->level, 6, 19);
        else
            assert_true(s->level <= (goal == HR_OPTIMIZE_SPEED ? 3 : 9));
        assert_non_null(strstr(im.footer.json, names[goal]));
        assert_non_null(strstr(im.footer.json, "\"level\""));
        file_bytes[goal] = im.superblock.file_bytes;
        hrd_image_free(&im);
    }
    /* Of candidates within 1 % of the smallest, the fastest is taken: which, is a measurement. And
     * a footer names all that were tried. */
    uint64_t most = file_bytes[HR_OPTIMIZE_SIZE] * 99 / 100 - 4096;
    assert_true(file_bytes[HR_OPTIMIZE_SPEED] > most && file_bytes[HR_OPTIMIZE_BALANCED] > most);
    free(x);
}

/* Ascending ids are smallest as differences; the file lists what that needs. */
static void writer__ascending_ids__are_stored_as_differences(void **state) {
    (void)state;
    const hr_field field = {.name = "id", .dtype = HR_INT64};
    const uint64_t n = 60000;
    int64_t *ids = malloc(n * sizeof *ids), id = 0;
    for (uint64_t i = 0; i < n; i++)
        ids[i] = id += 1 + (int64_t)(i * 2654435761u >> 7) % 50;
    for (int32_t goal = HR_OPTIMIZE_BALANCED; goal <= HR_OPTIMIZE_SIZE; goal++) {
        struct fault_disk *d = fault_disk_new();
        struct hrd_image im;
        hr_error err = {0};
        hr_writer *w = NULL;
        hr_writer_options o = options();
        const void *columns[] = {ids};
        o.optimize = goal;
        assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, &o, &w, &err), &err);
        assert_ok(hr_writer_append(w, n, columns, &err), &err);
        assert_ok(hr_writer_commit(w, &err), &err);
        hr_writer_close(w);
        load(d, &im);
        const struct hr__storage *s = &im.footer.schema.fields[0].storage;
        assert_true(hr__filter_has_delta(s->filter));
        assert_int_equal(s->element_bytes, 8);
        assert_int_equal(s->distance_bytes, 8);
        assert_int_equal(im.superblock.required, HR__FEATURE_ZSTD | hr__filter_features(s->filter));
        assert_non_null(strstr(im.footer.json, "\"distance_bytes\": 8"));
        assert_memory_equal(im.columns[0], ids, n * sizeof *ids);
        hrd_image_free(&im);
        fault_disk_free(d);
    }
    free(ids);
}

static void writer__incompressible_data__are_raw_for_every_goal(void **state) {
    (void)state;
    uint32_t *x = malloc(128 * 2048);
    uint64_t s = 1;
    for (size_t i = 0; i < 128 * 512; i++)
        x[i] = (uint32_t)((s = s * 6364136223846793005u + 1442695040888963407u) >> 32);
    for (int32_t goal = HR_OPTIMIZE_SPEED; goal <= HR_OPTIMIZE_SIZE; goal++) {
        struct hrd_image im;
        hr_writer_options o = options();
        o.optimize = goal;
        o.disk_bytes_per_s = 1000000;
        write_for((const float *)(const void *)x, 128, &o, &im);
        assert_int_equal(im.footer.schema.fields[0].storage.codec, HR__CODEC_RAW);
        assert_int_equal(im.num_zstd_frames, 0);
        hrd_image_free(&im);
    }
    free(x);
}

/* Of raw, the first that is tried, every byte takes as long as the disk that was stated needs. */
static void writer__disk_rate__is_what_candidates_are_weighed_by(void **state) {
    (void)state;
    static const struct {
        uint64_t disk_bytes_per_s;
        double raw_cost_ns;
    } cases[] = {{0, 0.0}, {1000000, 1000.0}, {10000000, 100.0}};
    float *x = malloc(128 * 2048);
    fill_walk(x, 128 * 512);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hrd_image im;
        hr_writer_options o = options();
        o.disk_bytes_per_s = cases[i].disk_bytes_per_s;
        write_for(x, 128, &o, &im);
        const char *cost = strstr(im.footer.json, "\"cost_ns_per_byte\"");
        assert_non_null(cost);
        const char *disk = strstr(im.footer.json, "\"disk_bytes_per_s\"");
        assert_non_null(disk);
        assert_int_equal(strtoull(strchr(disk, ':') + 1, NULL, 10),
                         cases[i].disk_bytes_per_s > 0 ? cases[i].disk_bytes_per_s : 1000000000);
        if (cases[i].raw_cost_ns > 0)
            assert_float_equal(strtod(strchr(cost, ':') + 1, NULL), cases[i].raw_cost_ns, 0.001);
        assert_int_equal(im.footer.schema.fields[0].storage.codec, HR__CODEC_ZSTD);
        hrd_image_free(&im);
    }
    free(x);
}

/* What is said is not tried: the level, or codec zstd for speed, which is level 1. */
static void writer__level_said__is_the_only_one(void **state) {
    (void)state;
    float *x = malloc(64 * 2048);
    fill_walk(x, 64 * 512);
    for (int32_t level = 0; level <= 7; level += 7) {
        struct hrd_image im;
        hr_writer_options o = options();
        o.codec = HR_CODEC_ZSTD;
        o.level = level;
        o.optimize = level == 0 ? HR_OPTIMIZE_SPEED : HR_OPTIMIZE_SIZE;
        write_for(x, 64, &o, &im);
        assert_int_equal(im.footer.schema.fields[0].storage.level, level == 0 ? 1 : 7);
        hrd_image_free(&im);
    }
    free(x);
}

static void writer__one_and_four_threads__store_the_same_bytes(void **state) {
    (void)state;
    struct hrd_image im[2];
    for (int i = 0; i < 2; i++) {
        struct fault_disk *d = fault_disk_new();
        hr_writer_options o = options();
        o.num_threads = i == 0 ? 1 : 4;
        o.codec = HR_CODEC_ZSTD;
        o.filter = HR_FILTER_BYTE_SHUFFLE;
        o.samples_per_chunk = 16;
        write_rows(d, rows_fields, ROWS_NUM_FIELDS, 5000, 123, &o);
        load(d, &im[i]);
        fault_disk_free(d);
    }
    assert_int_equal(im[0].payload_hash, im[1].payload_hash);
    assert_string_equal(im[0].footer.json, im[1].footer.json);
    assert_int_equal(im[0].superblock.file_bytes, im[1].superblock.file_bytes);
    hrd_image_free(&im[0]);
    hrd_image_free(&im[1]);
}

/* More than one index page: 8,192 chunks and some. */
static void writer__many_chunks__fill_several_index_pages(void **state) {
    (void)state;
    const hr_field field = {.name = "x", .dtype = HR_INT16};
    hr_writer_options o = options();
    o.samples_per_chunk = 1;
    round_trip(&field, 1, 8192, 1000, &o);
    round_trip(&field, 1, 8200, 1000, &o);
}

static void writer__statistics__cover_all_samples(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_writer_options o = options();
    o.samples_per_chunk = 64;
    write_rows(d, rows_fields, ROWS_NUM_FIELDS, 1000, 100, &o);
    load(d, &im);
    hr_statistics s = {.struct_bytes = sizeof s};
    assert_non_null(im.footer.schema.fields[1].statistics);
    hr__statistics_get(im.footer.schema.fields[1].statistics, &s);
    assert_int_equal(s.num_values, 1000);
    int32_t least = INT32_MAX;
    const int32_t *labels = (const int32_t *)(const void *)im.columns[1];
    for (int i = 0; i < 1000; i++)
        least = labels[i] < least ? labels[i] : least;
    assert_int_equal(s.min_int, least);
    assert_int_equal(s.has_labels, 1);
    hrd_image_free(&im);
    fault_disk_free(d);
}

/* Label figures of many fields would not fit the footer: only the first few have them. */
static void writer__many_label_fields__are_read_back(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_statistics s = {.struct_bytes = sizeof s};
    hr_field fields[12];
    char names[12][4];
    for (int i = 0; i < 12; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%d", i);
        fields[i] = (hr_field){.name = names[i], .dtype = HR_INT32};
    }
    write_rows(d, fields, 12, 1000, 100, NULL);
    load(d, &im);
    hr__statistics_get(im.footer.schema.fields[7].statistics, &s);
    assert_int_equal(s.has_labels, 1);
    hr__statistics_get(im.footer.schema.fields[8].statistics, &s);
    assert_int_equal(s.has_labels, 0);
    assert_int_equal(s.num_values, 1000);
    hrd_image_free(&im);
    fault_disk_free(d);
}

/* ---- refusals ---- */

static void writer__bool_of_two__is_refused_and_nothing_is_taken(void **state) {
    (void)state;
    const hr_field field = {.name = "b", .dtype = HR_BOOL};
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_error err = {0};
    hr_writer *w = NULL;
    const uint8_t good[] = {0, 1, 1};
    const uint8_t bad[] = {1, 1, 2, 1};
    const void *columns[] = {good};
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, NULL, &w, &err), &err);
    assert_ok(hr_writer_append(w, 3, columns, &err), &err);
    columns[0] = bad;
    assert_int_equal(hr_writer_append(w, 4, columns, &err), HR_ERR_DATA);
    assert_non_null(strstr(err.message, "sample 5"));
    assert_int_equal(hr_writer_num_samples(w), 3);
    columns[0] = good;
    assert_ok(hr_writer_append(w, 3, columns, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    load(d, &im);
    assert_memory_equal(im.columns[0], "\0\1\1\0\1\1", 6);
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void writer__text_that_is_not_utf8__is_refused_with_its_sample(void **state) {
    (void)state;
    const hr_field field = {.name = "t", .dtype = HR_FIXED_UTF8, .width_bytes = 2};
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *w = NULL;
    const void *columns[] = {"ab\xff\xff"};
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, NULL, &w, &err), &err);
    assert_int_equal(hr_writer_append(w, 2, columns, &err), HR_ERR_DATA);
    assert_non_null(strstr(err.message, "sample 1"));
    hr_writer_close(w);
    fault_disk_free(d);
}

static void writer__existing_target__is_refused_unless_replaced(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_error err = {0};
    hr_writer *w = NULL;
    hr_writer_options o = options();
    write_rows(d, rows_fields, ROWS_NUM_FIELDS, 10, 10, NULL);
    assert_int_equal(hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields, ROWS_NUM_FIELDS,
                                        NULL, &w, &err),
                     HR_ERR_EXISTS);
    assert_null(w);
    o.flags = HR_WRITER_REPLACE;
    write_rows(d, rows_fields, ROWS_NUM_FIELDS, 20, 10, &o);
    load(d, &im);
    assert_int_equal(im.footer.num_samples, 20);
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void writer__second_writer__is_busy(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *first = NULL, *second = NULL;
    const struct hr__folder_ops *folder = fault_disk_folder(d);
    assert_ok(hr__writer_open_in(folder, TARGET, rows_fields, 1, NULL, &first, &err), &err);
    assert_int_equal(hr__writer_open_in(folder, TARGET, rows_fields, 1, NULL, &second, &err),
                     HR_ERR_BUSY);
    assert_true(fault_disk_has(d, TARGET ".partial"));
    hr_writer_close(first);
    /* Nothing was written to it: it is gone. */
    assert_false(fault_disk_has(d, TARGET ".partial"));
    assert_ok(hr__writer_open_in(folder, TARGET, rows_fields, 1, NULL, &second, &err), &err);
    hr_writer_close(second);
    fault_disk_free(d);
}

static void writer__too_small_budget__is_refused_with_one_that_works(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *w = NULL;
    hr_writer_options o = options();
    o.budget_bytes = 4096;
    o.num_threads = 4;
    assert_int_equal(hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields, ROWS_NUM_FIELDS,
                                        &o, &w, &err),
                     HR_ERR_BUDGET);
    assert_int_equal(fault_disk_count(d), 0);
    unsigned long long smallest = 0;
    assert_int_equal(sscanf(err.message, "writing needs at least %llu bytes", &smallest), 1);
    o.budget_bytes = smallest - 1;
    assert_int_equal(hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields, ROWS_NUM_FIELDS,
                                        &o, &w, &err),
                     HR_ERR_BUDGET);
    o.budget_bytes = smallest;
    round_trip(rows_fields, ROWS_NUM_FIELDS, 20000, 1000, &o);
    fault_disk_free(d);
}

static void writer__kept_to_what_it_needs__works(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *w = NULL;
    hr_writer_options o = options();
    hr_writer_info info = {.struct_bytes = sizeof info};
    o.budget_bytes = UINT64_C(1) << 30;
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields, ROWS_NUM_FIELDS, &o, &w,
                                 &err),
              &err);
    const uint64_t needed_bytes = hr__writer_keep_to_need(w);
    assert_true(needed_bytes < UINT64_C(1) << 28);
    assert_ok(rows_append(w, rows_fields, ROWS_NUM_FIELDS, 0, 9000, 500, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    assert_ok(hr_writer_describe(w, &info, &err), &err);
    assert_int_equal(info.budget_bytes, needed_bytes);
    assert_true(info.reserved_bytes <= needed_bytes && info.reserved_bytes >= needed_bytes / 2);
    hr_writer_close(w);
    fault_disk_free(d);
}

static void writer__any_budget__is_never_exceeded(void **state) {
    (void)state;
    for (uint64_t mib = 6; mib < 40; mib += 7) {
        struct fault_disk *d = fault_disk_new();
        hr_error err = {0};
        hr_writer *w = NULL;
        hr_writer_options o = options();
        hr_writer_info info = {.struct_bytes = sizeof info};
        o.budget_bytes = mib << 20;
        o.num_threads = 4;
        const hr_status st = hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields,
                                                ROWS_NUM_FIELDS, &o, &w, &err);
        if (st == HR_OK) {
            assert_ok(rows_append(w, rows_fields, ROWS_NUM_FIELDS, 0, 9000, 500, &err), &err);
            assert_ok(hr_writer_describe(w, &info, &err), &err);
            assert_true(info.reserved_bytes <= info.budget_bytes);
            assert_int_equal(info.budget_bytes, mib << 20);
            assert_int_equal(info.num_samples, 9000);
            assert_int_equal(info.codecs_chosen, 1);
            assert_ok(hr_writer_commit(w, &err), &err);
        } else {
            assert_int_equal(st, HR_ERR_BUDGET);
        }
        hr_writer_close(w);
        fault_disk_free(d);
    }
}

static void writer__wrong_options__are_refused(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    const struct hr__folder_ops *folder = fault_disk_folder(d);
    hr_error err = {0};
    hr_writer *w = NULL;
    hr_writer_options o[11];
    for (size_t i = 0; i < 11; i++)
        o[i] = options();
    o[0].flags = 1u << 20;
    o[1].codec = 7;
    o[2].filter = 7;
    o[3].level = 1000;
    o[4].samples_per_chunk = 65537;
    o[5].num_sources = 1;
    o[6].attributes_json = "[1]";
    o[7].provenance_json = "{";
    o[8].struct_bytes = 3;
    o[9].optimize = 3;
    o[10].reserved = 1;
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(hr__writer_open_in(folder, TARGET, rows_fields, 1, &o[i], &w, &err),
                         HR_ERR_INVALID);
        assert_null(w);
    }
    struct {
        hr_writer_options options;
        uint64_t newer;
    } tail = {options(), 1};
    tail.options.struct_bytes = sizeof tail;
    assert_int_equal(hr__writer_open_in(folder, TARGET, rows_fields, 1, &tail.options, &w, &err),
                     HR_ERR_INVALID);
    tail.newer = 0;
    assert_ok(hr__writer_open_in(folder, TARGET, rows_fields, 1, &tail.options, &w, &err), &err);
    hr_writer_close(w);
    fault_disk_free(d);
}

static void writer__after_commit__can_only_be_closed(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *w = NULL;
    const hr_field field = {.name = "x", .dtype = HR_UINT8};
    const void *columns[] = {"abc"};
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, NULL, &w, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    assert_int_equal(hr_writer_append(w, 3, columns, &err), HR_ERR_INVALID);
    assert_int_equal(hr_writer_commit(w, &err), HR_ERR_INVALID);
    hr_writer_close(w);
    hr_writer_close(NULL);
    fault_disk_free(d);
}

/* The child of a fork has the writer's memory, but not its threads. */
static void writer__in_a_forked_child__is_refused_and_close_returns(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *w = NULL;
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields, ROWS_NUM_FIELDS, NULL,
                                 &w, &err),
              &err);
    const pid_t child = fork();
    if (child == 0) {
        int ok = rows_append(w, rows_fields, ROWS_NUM_FIELDS, 0, 5, 5, &err) == HR_ERR_FORKED;
        ok = ok && hr_writer_commit(w, &err) == HR_ERR_FORKED;
        hr_writer_close(w);
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(rows_append(w, rows_fields, ROWS_NUM_FIELDS, 0, 5, 5, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    fault_disk_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer__every_dtype__comes_back_bit_for_bit),
        cmocka_unit_test(writer__every_codec_and_filter__comes_back_bit_for_bit),
        cmocka_unit_test(writer__rows_in_any_amounts__give_the_same_data),
        cmocka_unit_test(writer__odd_shapes__come_back),
        cmocka_unit_test(writer__nan_payloads_and_minus_zero__are_kept),
        cmocka_unit_test(writer__incompressible_data__are_stored_raw),
        cmocka_unit_test(writer__compressible_data__are_compressed_by_choice),
        cmocka_unit_test(writer__goals__size_is_smallest_and_all_tell_what_was_tried),
        cmocka_unit_test(writer__incompressible_data__are_raw_for_every_goal),
        cmocka_unit_test(writer__ascending_ids__are_stored_as_differences),
        cmocka_unit_test(writer__disk_rate__is_what_candidates_are_weighed_by),
        cmocka_unit_test(writer__level_said__is_the_only_one),
        cmocka_unit_test(writer__one_and_four_threads__store_the_same_bytes),
        cmocka_unit_test(writer__many_chunks__fill_several_index_pages),
        cmocka_unit_test(writer__statistics__cover_all_samples),
        cmocka_unit_test(writer__many_label_fields__are_read_back),
        cmocka_unit_test(writer__bool_of_two__is_refused_and_nothing_is_taken),
        cmocka_unit_test(writer__text_that_is_not_utf8__is_refused_with_its_sample),
        cmocka_unit_test(writer__existing_target__is_refused_unless_replaced),
        cmocka_unit_test(writer__second_writer__is_busy),
        cmocka_unit_test(writer__too_small_budget__is_refused_with_one_that_works),
        cmocka_unit_test(writer__kept_to_what_it_needs__works),
        cmocka_unit_test(writer__any_budget__is_never_exceeded),
        cmocka_unit_test(writer__wrong_options__are_refused),
        cmocka_unit_test(writer__after_commit__can_only_be_closed),
        cmocka_unit_test(writer__in_a_forked_child__is_refused_and_close_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
