/*
 * Joining parts: the new file holds what the parts hold when they are opened as one, frame by
 * frame; parts that do not fit together are refused in words; a join that was stopped goes on.
 */
#define _GNU_SOURCE
#include "dataset.h"
#include "hrd_reader_util.h"
#include "join_internal.h"
#include "made_dataset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_PARTS 5u

static const struct made all = {.num_samples = 4000,
                                .samples_per_chunk = 60,
                                .row_bytes = 300,
                                .row_words = 20,
                                .codec = HR_CODEC_ZSTD,
                                .filter = HR_FILTER_BYTE_SHUFFLE};

/* The paths of the files of a data set that is opened. */
static hr_join_options join_of(const hr_dataset *many, const char *output,
                               const char *paths[MADE_MAX_FILES]) {
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    for (uint32_t i = 0; i < many->num_files; i++)
        paths[i] = many->files[i].path;
    o.parts = paths;
    o.num_parts = many->num_files;
    o.output = output;
    return o;
}

static hr_dataset *open_path(const char *path) {
    hr_dataset *ds = NULL;
    hr_error err = {0};
    made_ok(hr_dataset_open(path, NULL, &ds, &err), &err);
    return ds;
}

static void assert_whole(const char *path) {
    hr_error err = {0};
    made_ok(hr_dataset_verify(path, NULL, &err), &err);
}

/* The stored bytes of one chunk behind its header, malloc'ed. */
static uint8_t *frames_of(const hr_dataset *ds, uint64_t chunk, size_t *n_bytes) {
    struct hr__index_cache cache = {0};
    struct hr__chunk_at at;
    hr_error err = {0};
    made_ok(hr__dataset_locate(ds, chunk, &cache, &at, &err), &err);
    const size_t stored = at.entry.pages * (size_t)HR__PAGE_BYTES;
    uint8_t *bytes = malloc(stored);
    made_ok(hr__file_read_exact(&ds->files[at.file], bytes, stored, at.entry.page * HR__PAGE_BYTES,
                                &err),
            &err);
    const uint32_t header = hr__chunk_header_peek(bytes, stored);
    assert_in_range(header, HR__CHUNK_FIXED_BYTES, stored);
    *n_bytes = stored - header;
    memmove(bytes, bytes + header, *n_bytes);
    hr__index_cache_free(&cache);
    return bytes;
}

static void assert_same_frames(const hr_dataset *a, const hr_dataset *b) {
    assert_int_equal(a->footer.num_chunks, b->footer.num_chunks);
    for (uint64_t chunk = 0; chunk < a->footer.num_chunks; chunk++) {
        size_t n = 0, m = 0;
        uint8_t *x = frames_of(a, chunk, &n), *y = frames_of(b, chunk, &m);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n);
        free(x);
        free(y);
    }
}

static void assert_same_samples(hr_dataset *a, hr_dataset *b) {
    const uint64_t n = hr_dataset_num_samples(a);
    hr_error err = {0};
    assert_int_equal(n, hr_dataset_num_samples(b));
    assert_int_equal(hr_dataset_num_fields(a), hr_dataset_num_fields(b));
    for (uint32_t f = 0; f < hr_dataset_num_fields(a); f++) {
        const size_t n_bytes = (size_t)(n * hr_dataset_sample_bytes(a, f));
        uint8_t *x = malloc(n_bytes + 1), *y = malloc(n_bytes + 1);
        made_ok(hr_dataset_read(a, f, 0, n, x, n_bytes, &err), &err);
        made_ok(hr_dataset_read(b, f, 0, n, y, n_bytes, &err), &err);
        assert_memory_equal(x, y, n_bytes);
        free(x);
        free(y);
    }
}

static void assert_same_statistics(const hr_dataset *a, const hr_dataset *b) {
    hr_error err = {0};
    for (uint32_t f = 0; f < hr_dataset_num_fields(a); f++) {
        hr_statistics x = {.struct_bytes = sizeof x}, y = {.struct_bytes = sizeof y};
        made_ok(hr_dataset_statistics(a, f, &x, &err), &err);
        made_ok(hr_dataset_statistics(b, f, &y, &err), &err);
        assert_memory_equal(&x, &y, sizeof x);
    }
}

static void join__parts_of_all_sizes__are_one_file_with_their_frames(void **state) {
    (void)state;
    const char *paths[MADE_MAX_FILES];
    hr_dataset *many = made_open_files("frames.hrd", &all, NUM_PARTS);
    char *output = strdup(made_path("frames-all.hrd"));
    hr_join_result result = {.struct_bytes = sizeof result};
    hr_error err = {0};
    const hr_join_options o = join_of(many, output, paths);
    made_ok(hr_join(&o, &result, &err), &err);
    assert_whole(output);
    hr_dataset *one = open_path(output);
    assert_int_equal(result.num_parts, NUM_PARTS);
    assert_int_equal(result.num_samples, all.num_samples);
    assert_int_equal(result.num_chunks, many->footer.num_chunks);
    assert_int_equal(result.num_segments, one->footer.num_segments);
    assert_int_equal(result.stored_bytes, one->file_bytes);
    assert_int_equal(result.resumed_samples, 0);
    assert_true(one->footer.num_segments > 1);
    assert_int_equal(one->footer.dead_bytes, 0);
    assert_same_frames(many, one);
    assert_same_samples(many, one);
    assert_same_statistics(many, one);
    hr_dataset_close(one);
    hr_dataset_close(many);
    free(output);
}

/* Independent of reader/ and writer/. */
static void join__read_by_format_alone__is_whole(void **state) {
    (void)state;
    const char *paths[MADE_MAX_FILES];
    hr_dataset *many = made_open_files("alone.hrd", &all, 3);
    char *output = strdup(made_path("alone-all.hrd"));
    struct hrd_image image;
    hr_error err = {0};
    const hr_join_options o = join_of(many, output, paths);
    made_ok(hr_join(&o, NULL, &err), &err);
    made_ok(hrd_image_load_path(&hr__posix_folder, output, &image, &err), &err);
    const int64_t *y = (const int64_t *)(const void *)image.columns[0];
    for (uint64_t i = 0; i < all.num_samples; i++)
        assert_int_equal(y[i], i);
    /* What the even parts need, and the odd ones, which are raw, do not. */
    assert_int_equal(image.superblock.required, HR__FEATURE_ZSTD | HR__FEATURE_BYTE_SHUFFLE);
    hrd_image_free(&image);
    hr_dataset_close(many);
    free(output);
}

static void join__parts_without_a_short_chunk__are_one_segment(void **state) {
    (void)state;
    struct made m = all;
    m.num_samples = 60 * 16; /* parts of 0, 60 x 3 and so on */
    const char *paths[MADE_MAX_FILES];
    hr_dataset *many = made_open_files("full.hrd", &m, 4);
    char *output = strdup(made_path("full-all.hrd"));
    hr_join_result result = {.struct_bytes = sizeof result};
    hr_error err = {0};
    const hr_join_options o = join_of(many, output, paths);
    made_ok(hr_join(&o, &result, &err), &err);
    assert_int_equal(result.num_segments, 1);
    assert_int_equal(result.num_chunks, 16);
    assert_whole(output);
    hr_dataset_close(many);
    free(output);
}

static uint64_t drain(const char *path, const hr_loader_options *o, const struct made *m) {
    hr_dataset *ds = open_path(path);
    hr_loader *l = NULL;
    hr_error err = {0};
    made_ok(hr_loader_open(ds, o, &l, &err), &err);
    const uint64_t n = made_drain(l, m);
    hr_loader_close(l);
    hr_dataset_close(ds);
    return n;
}

static void loader__over_a_joined_file__gives_every_sample(void **state) {
    (void)state;
    const char *paths[MADE_MAX_FILES];
    hr_dataset *many = made_open_files("loader.hrd", &all, NUM_PARTS);
    char *output = strdup(made_path("loader-all.hrd"));
    hr_error err = {0};
    const hr_join_options o = join_of(many, output, paths);
    made_ok(hr_join(&o, NULL, &err), &err);
    hr_loader_options l = made_shuffled(64, HR_IO_AUTO, 2);
    assert_int_equal(drain(output, &l, &all), all.num_samples);
    l.flags &= ~HR_LOADER_SHUFFLE;
    assert_int_equal(drain(output, &l, &all), all.num_samples);
    hr_dataset_close(many);
    free(output);
}

/* Of every batch of a shuffled epoch, the indices. */
static uint64_t order_hash(hr_dataset *ds) {
    const hr_loader_options o = made_shuffled(64, HR_IO_AUTO, 2);
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_error err = {0};
    uint64_t hash = 0;
    made_ok(hr_loader_open(ds, &o, &l, &err), &err);
    while (hr_loader_next(l, -1, &b, &err) == HR_OK) {
        const int64_t *y = hr_batch_data_by_name(b, "y");
        for (uint32_t i = 0; i < hr_batch_num_samples(b); i++)
            hash = (hash ^ (uint64_t)y[i]) * UINT64_C(0x100000001b3);
        hr_batch_release(b);
    }
    hr_loader_close(l);
    return hash;
}

static void loader__over_a_joined_file__has_the_order_of_the_parts(void **state) {
    (void)state;
    const char *paths[MADE_MAX_FILES];
    hr_dataset *many = made_open_files("order.hrd", &all, NUM_PARTS);
    char *output = strdup(made_path("order-all.hrd"));
    hr_error err = {0};
    const hr_join_options o = join_of(many, output, paths);
    made_ok(hr_join(&o, NULL, &err), &err);
    hr_dataset *one = open_path(output);
    assert_int_equal(order_hash(one), order_hash(many));
    hr_dataset_close(one);
    hr_dataset_close(many);
    free(output);
}

/* ---- chunks of all sizes ---- */

/* One sample of 9 MiB a chunk: more than the buffer holds; and a field without bytes. */
static void write_large(const char *path, uint64_t num_samples, int32_t codec) {
    const uint64_t shape[2] = {3, (UINT64_C(3) << 20) + 17}, none[1] = {0};
    const hr_field fields[2] = {{.name = "x", .dtype = HR_UINT8, .rank = 2, .shape = shape},
                                {.name = "e", .dtype = HR_INT32, .rank = 1, .shape = none}};
    const size_t n_bytes = (size_t)(shape[0] * shape[1]);
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    o.codec = codec;
    o.budget_bytes = UINT64_C(1) << 30;
    made_ok(hr_writer_open(path, fields, 2, &o, &w, &err), &err);
    uint8_t *x = malloc(n_bytes);
    for (uint64_t i = 0; i < num_samples; i++) {
        for (size_t k = 0; k < n_bytes; k++)
            x[k] = (uint8_t)(k * (i + 3) + k / 1000);
        const void *columns[2] = {x, x};
        made_ok(hr_writer_append(w, 1, columns, &err), &err);
    }
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    free(x);
}

static void join__chunks_larger_than_its_memory__are_copied_in_pieces(void **state) {
    (void)state;
    char *a = strdup(made_path("large-a.hrd")), *b = strdup(made_path("large-b.hrd"));
    char *output = strdup(made_path("large.hrd"));
    const char *const parts[] = {a, b};
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    hr_dataset *many = NULL;
    hr_error err = {0};
    write_large(a, 2, HR_CODEC_RAW);
    write_large(b, 1, HR_CODEC_ZSTD);
    o.parts = parts;
    o.num_parts = 2;
    o.output = output;
    o.budget_bytes = UINT64_C(6) << 20;
    made_ok(hr_join(&o, NULL, &err), &err);
    assert_whole(output);
    made_ok(hr_dataset_open_many(parts, 2, NULL, &many, &err), &err);
    hr_dataset *one = open_path(output);
    assert_same_frames(many, one);
    hr_dataset_close(one);
    hr_dataset_close(many);
    free(a);
    free(b);
    free(output);
}

static void join__more_chunks_than_an_index_page__is_whole(void **state) {
    (void)state;
    struct made m = {.num_samples = 20000, .samples_per_chunk = 1, .row_bytes = 3};
    m.codec = HR_CODEC_RAW;
    const char *paths[MADE_MAX_FILES];
    hr_dataset *many = made_open_files("pages.hrd", &m, 2);
    char *output = strdup(made_path("pages-all.hrd"));
    hr_join_result result = {.struct_bytes = sizeof result};
    hr_error err = {0};
    const hr_join_options o = join_of(many, output, paths);
    made_ok(hr_join(&o, &result, &err), &err);
    assert_int_equal(result.num_chunks, m.num_samples);
    assert_whole(output);
    hr_dataset *one = open_path(output);
    assert_same_samples(many, one);
    hr_dataset_close(one);
    hr_dataset_close(many);
    free(output);
}

static void join__no_samples_at_all__is_an_empty_data_set(void **state) {
    (void)state;
    struct made m = all;
    m.num_samples = 0;
    const char *paths[MADE_MAX_FILES];
    hr_dataset *many = made_open_files("empty.hrd", &m, 2);
    char *output = strdup(made_path("empty-all.hrd"));
    hr_join_result result = {.struct_bytes = sizeof result};
    hr_error err = {0};
    const hr_join_options o = join_of(many, output, paths);
    made_ok(hr_join(&o, &result, &err), &err);
    assert_int_equal(result.num_samples, 0);
    assert_int_equal(result.num_segments, 0);
    assert_whole(output);
    hr_dataset_close(many);
    free(output);
}

/* ---- what is refused ---- */

static void refused(const hr_join_options *o, hr_status status, const char *const *words) {
    hr_error err = {0};
    assert_int_equal(hr_join(o, NULL, &err), status);
    assert_int_equal(err.status, status);
    for (; *words != NULL; words++)
        if (strstr(err.message, *words) == NULL)
            fail_msg("\"%s\" is not in: %s", *words, err.message);
    if (o->output != NULL && o->num_parts > 0 && o->output != o->parts[0])
        assert_int_not_equal(access(o->output, F_OK), 0);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void join__parts_that_do_not_fit__are_refused_in_words(void **state) {
    (void)state;
    char *a = strdup(made_path("fit-a.hrd")), *b = strdup(made_path("fit-b.hrd"));
    char *output = strdup(made_path("fit.hrd"));
    const char *const parts[] = {a, b};
    struct made m = all;
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    o.parts = parts;
    o.num_parts = 2;
    o.output = output;
    made_write_part(a, &m, 0, 100);
    m.samples_per_chunk = 61;
    made_write_part(b, &m, 100, 100);
    refused(&o, HR_ERR_MISMATCH, WORDS("fit-b.hrd", "61", "60", "convert"));
    m = all;
    m.row_words = 0;
    made_write_part(b, &m, 100, 100);
    refused(&o, HR_ERR_MISMATCH, WORDS("fit-b.hrd", "2 fields", "3"));
    m = all;
    m.row_bytes = 301;
    made_write_part(b, &m, 100, 100);
    refused(&o, HR_ERR_MISMATCH, WORDS("fit-b.hrd", "(301)", "(300)"));
    free(a);
    free(b);
    free(output);
}

static void join__options_that_cannot_be__are_refused(void **state) {
    (void)state;
    char *a = strdup(made_path("options-a.hrd")), *output = strdup(made_path("options.hrd"));
    const char *const twice[] = {a, a}, *const absent[] = {"/nowhere/part.hrd"};
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    made_write_part(a, &all, 0, 100);
    refused(&o, HR_ERR_INVALID, WORDS("output"));
    o.output = output;
    refused(&o, HR_ERR_INVALID, WORDS("0 parts"));
    o.parts = absent;
    o.num_parts = 1;
    refused(&o, HR_ERR_NOT_FOUND, WORDS("/nowhere/part.hrd"));
    o.parts = twice;
    o.num_parts = 2;
    refused(&o, HR_ERR_INVALID, WORDS("options-a.hrd", "same data set"));
    o.num_parts = 1;
    o.flags = 64;
    refused(&o, HR_ERR_INVALID, WORDS("0x40"));
    o.flags = HR_JOIN_REPLACE;
    o.output = a;
    refused(&o, HR_ERR_INVALID, WORDS("also an input"));
    assert_whole(a);
    free(a);
    free(output);
}

static void join__output_that_exists__is_replaced_only_when_asked(void **state) {
    (void)state;
    char *a = strdup(made_path("there-a.hrd")), *output = strdup(made_path("there.hrd"));
    const char *const parts[] = {a};
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    hr_error err = {0};
    made_write_part(a, &all, 0, 100);
    made_write_part(output, &all, 0, 7);
    o.parts = parts;
    o.num_parts = 1;
    o.output = output;
    assert_int_equal(hr_join(&o, NULL, &err), HR_ERR_EXISTS);
    hr_dataset *ds = open_path(output);
    assert_int_equal(hr_dataset_num_samples(ds), 7);
    hr_dataset_close(ds);
    o.flags = HR_JOIN_REPLACE;
    made_ok(hr_join(&o, NULL, &err), &err);
    ds = open_path(output);
    assert_int_equal(hr_dataset_num_samples(ds), 100);
    hr_dataset_close(ds);
    free(a);
    free(output);
}

static void write_with(const char *path, const char *attributes, const char *of_field,
                       const char *provenance) {
    const hr_field field = {.name = "y", .dtype = HR_INT64, .attributes_json = of_field};
    const int64_t value = 5;
    const void *const columns[] = {&value};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    o.flags = HR_WRITER_REPLACE;
    o.samples_per_chunk = 4;
    o.attributes_json = attributes;
    o.provenance_json = provenance;
    made_ok(hr_writer_open(path, &field, 1, &o, &w, &err), &err);
    made_ok(hr_writer_append(w, 1, columns, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
}

static void join__attributes_that_differ__are_named_or_those_of_the_first(void **state) {
    (void)state;
    char *a = strdup(made_path("attr-a.hrd")), *b = strdup(made_path("attr-b.hrd"));
    char *output = strdup(made_path("attr.hrd"));
    const char *const parts[] = {a, b};
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    hr_error err = {0};
    o.parts = parts;
    o.num_parts = 2;
    o.output = output;
    write_with(a, "{\"run\": 1, \"lens\": \"wide\"}", "{\"unit\": \"m\"}", NULL);
    write_with(b, "{\"lens\": \"wide\", \"run\": 2}", "{\"unit\": \"m\"}", NULL);
    refused(&o, HR_ERR_MISMATCH, WORDS("attr-b.hrd", "\"run\"", "the data set", "is 2", "part 1"));
    write_with(b, "{\"lens\": \"wide\", \"run\": 1}", "{}", NULL);
    refused(&o, HR_ERR_MISMATCH, WORDS("attr-b.hrd", "\"unit\"", "field y", "not there", "\"m\""));
    o.flags = HR_JOIN_FIRST_ATTRIBUTES;
    made_ok(hr_join(&o, NULL, &err), &err);
    hr_dataset *ds = open_path(output);
    assert_non_null(strstr(hr_dataset_json(ds), "\"unit\": \"m\""));
    hr_dataset_close(ds);
    write_with(b, "{\"lens\": \"wide\", \"run\": 1}", "{\"unit\": \"m\"}", NULL);
    o.flags = HR_JOIN_REPLACE;
    made_ok(hr_join(&o, NULL, &err), &err);
    ds = open_path(output);
    assert_non_null(strstr(hr_dataset_json(ds), "\"lens\": \"wide\""));
    hr_dataset_close(ds);
    free(a);
    free(b);
    free(output);
}

static void provenance__of_parts__lists_their_sources_or_themselves(void **state) {
    (void)state;
    char *a = strdup(made_path("from-a.hrd")), *b = strdup(made_path("from-b.hrd"));
    char *output = strdup(made_path("from.hrd"));
    const char *const parts[] = {a, b};
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    hr_error err = {0};
    o.parts = parts;
    o.num_parts = 2;
    o.output = output;
    write_with(a, NULL, NULL, "{\"sources\": [{\"path\": \"tape-1\"}, {\"path\": \"tape-2\"}]}");
    write_with(b, NULL, NULL, NULL);
    made_ok(hr_join(&o, NULL, &err), &err);
    hr_dataset *ds = open_path(output);
    const char *json = strstr(hr_dataset_json(ds), "\"provenance\"");
    assert_non_null(json);
    const char *first = strstr(json, "tape-1"), *second = strstr(json, "tape-2");
    const char *third = strstr(json, "from-b.hrd");
    assert_true(first != NULL && first < second && second < third);
    assert_null(strstr(json, "from-a.hrd"));
    hr_dataset_close(ds);
    free(a);
    free(b);
    free(output);
}

/* ---- damage, interruption, company ---- */

static void flip(const char *path, uint64_t off) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)off, SEEK_SET), 0);
    const int c = fgetc(f);
    assert_int_equal(fseek(f, (long)off, SEEK_SET), 0);
    assert_int_not_equal(fputc(c ^ 4, f), EOF);
    assert_int_equal(fclose(f), 0);
}

static void join__part_with_a_damaged_frame__names_part_chunk_and_field(void **state) {
    (void)state;
    char *a = strdup(made_path("bad-a.hrd")), *b = strdup(made_path("bad-b.hrd"));
    char *output = strdup(made_path("bad.hrd"));
    const char *const parts[] = {a, b};
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    o.parts = parts;
    o.num_parts = 2;
    o.output = output;
    made_write_part(a, &all, 0, 500);
    made_write_part(b, &all, 500, 500);
    hr_dataset *ds = open_path(b);
    struct hr__index_cache cache = {0};
    struct hr__chunk_at at;
    assert_int_equal(hr__dataset_locate(ds, 3, &cache, &at, NULL), HR_OK);
    uint8_t *head = malloc(HR__PAGE_BYTES);
    assert_int_equal(hr__file_read_exact(&ds->files[0], head, HR__PAGE_BYTES,
                                         at.entry.page * HR__PAGE_BYTES, NULL),
                     HR_OK);
    /* The first block is that of "y". */
    flip(b, at.entry.page * HR__PAGE_BYTES + hr__chunk_header_peek(head, HR__PAGE_BYTES) + 5);
    refused(&o, HR_ERR_CORRUPT, WORDS("bad-b.hrd", "chunk 3", "field y", "--salvage"));
    flip(b, at.entry.page * HR__PAGE_BYTES + 70);
    refused(&o, HR_ERR_CORRUPT, WORDS("bad-b.hrd", "chunk 3", "header", "--salvage"));
    hr__index_cache_free(&cache);
    hr_dataset_close(ds);
    free(head);
    free(a);
    free(b);
    free(output);
}

static int stop_at_once(void *user, const hr_progress *progress) {
    (void)user;
    assert_true(progress->done_bytes <= progress->total_bytes);
    return 1;
}

static void keep_note(void *user, const char *line) {
    (void)snprintf(user, 200, "%s", line);
}

static void join__stopped__goes_on_to_the_same_frames(void **state) {
    (void)state;
    struct made m = all;
    m.row_bytes = 20000; /* several runs */
    m.codec = HR_CODEC_RAW;
    m.filter = HR_FILTER_AUTO;
    m.num_samples = 1500;
    const char *paths[MADE_MAX_FILES];
    hr_dataset *many = made_open_files("stop.hrd", &m, 3);
    char *output = strdup(made_path("stop-all.hrd")), note[200] = "";
    hr_join_result result = {.struct_bytes = sizeof result};
    hr_error err = {0};
    hr_join_options o = join_of(many, output, paths);
    o.user = note;
    o.on_progress = stop_at_once;
    o.on_note = keep_note;
    o.num_threads = 1;
    assert_int_equal(hr_join(&o, NULL, &err), HR_ERR_CANCELLED);
    assert_non_null(strstr(err.message, ".partial"));
    assert_int_not_equal(access(output, F_OK), 0);
    o.on_progress = NULL;
    o.flags = HR_JOIN_RESUME;
    made_ok(hr_join(&o, &result, &err), &err);
    assert_true(result.resumed_samples > 0 && result.resumed_samples < m.num_samples);
    assert_non_null(strstr(note, "resumed after"));
    assert_whole(output);
    hr_dataset *one = open_path(output);
    assert_same_frames(many, one);
    assert_same_statistics(many, one);
    hr_dataset_close(one);
    hr_dataset_close(many);
    free(output);
}

static void resume__of_other_parts__is_refused_and_with_nothing_there_begins(void **state) {
    (void)state;
    const char *paths[MADE_MAX_FILES];
    hr_dataset *many = made_open_files("other.hrd", &all, 3);
    char *output = strdup(made_path("other-all.hrd")), note[200] = "";
    hr_error err = {0};
    hr_join_options o = join_of(many, output, paths);
    o.user = note;
    o.on_progress = stop_at_once;
    assert_int_equal(hr_join(&o, NULL, &err), HR_ERR_CANCELLED);
    o.on_progress = NULL;
    o.on_note = keep_note;
    o.num_parts = 2;
    o.flags = HR_JOIN_RESUME;
    assert_int_equal(hr_join(&o, NULL, &err), HR_ERR_MISMATCH);
    o.flags = 0; /* without it the old work is dropped */
    made_ok(hr_join(&o, NULL, &err), &err);
    assert_int_equal(unlink(output), 0);
    o.flags = HR_JOIN_RESUME;
    made_ok(hr_join(&o, NULL, &err), &err);
    assert_non_null(strstr(note, "anew"));
    assert_whole(output);
    hr_dataset_close(many);
    free(output);
}

static void join__second_writer__is_busy(void **state) {
    (void)state;
    char *a = strdup(made_path("busy-a.hrd")), *output = strdup(made_path("busy.hrd"));
    const char *const parts[] = {a};
    const hr_field field = {.name = "y", .dtype = HR_INT64};
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    made_write_part(a, &all, 0, 100);
    made_ok(hr_writer_open(output, &field, 1, NULL, &w, &err), &err);
    o.parts = parts;
    o.num_parts = 1;
    o.output = output;
    refused(&o, HR_ERR_BUSY, WORDS("another writer", "busy.hrd"));
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    free(a);
    free(output);
}

static void join__budget_too_small__is_refused_with_a_figure(void **state) {
    (void)state;
    char *a = strdup(made_path("small-a.hrd")), *output = strdup(made_path("small.hrd"));
    const char *const parts[] = {a};
    hr_join_options o = HR_JOIN_OPTIONS_INIT;
    made_write_part(a, &all, 0, 100);
    o.parts = parts;
    o.num_parts = 1;
    o.output = output;
    o.budget_bytes = UINT64_C(2) << 20;
    refused(&o, HR_ERR_BUDGET, WORDS("copying chunks", "MiB"));
    free(a);
    free(output);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join__parts_of_all_sizes__are_one_file_with_their_frames),
        cmocka_unit_test(join__read_by_format_alone__is_whole),
        cmocka_unit_test(join__parts_without_a_short_chunk__are_one_segment),
        cmocka_unit_test(loader__over_a_joined_file__gives_every_sample),
        cmocka_unit_test(loader__over_a_joined_file__has_the_order_of_the_parts),
        cmocka_unit_test(join__chunks_larger_than_its_memory__are_copied_in_pieces),
        cmocka_unit_test(join__more_chunks_than_an_index_page__is_whole),
        cmocka_unit_test(join__no_samples_at_all__is_an_empty_data_set),
        cmocka_unit_test(join__parts_that_do_not_fit__are_refused_in_words),
        cmocka_unit_test(join__options_that_cannot_be__are_refused),
        cmocka_unit_test(join__output_that_exists__is_replaced_only_when_asked),
        cmocka_unit_test(join__attributes_that_differ__are_named_or_those_of_the_first),
        cmocka_unit_test(provenance__of_parts__lists_their_sources_or_themselves),
        cmocka_unit_test(join__part_with_a_damaged_frame__names_part_chunk_and_field),
        cmocka_unit_test(join__stopped__goes_on_to_the_same_frames),
        cmocka_unit_test(resume__of_other_parts__is_refused_and_with_nothing_there_begins),
        cmocka_unit_test(join__second_writer__is_busy),
        cmocka_unit_test(join__budget_too_small__is_refused_with_a_figure),
    };
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return rc;
}
