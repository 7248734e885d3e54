/*
 * Resuming: an interrupted job goes on where it was, and no other job's file is taken for it.
 */
#include "fault_disk.h"
#include "hrd_reader_util.h"
#include "job_record.h"
#include "writer_internal.h"
#include "writer_rows.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TARGET "t.hrd"
#define ALL    1000

static hr_writer_options options(uint32_t flags) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.flags = flags;
    o.samples_per_chunk = 10;
    o.num_threads = 2;
    return o;
}

static void assert_ok(hr_status st, const hr_error *err) {
    if (st != HR_OK)
        fail_msg("%s: %s", hr_status_name(st), err->message);
}

static hr_writer *open_writer(struct fault_disk *d, const hr_writer_options *o) {
    hr_error err = {0};
    hr_writer *w = NULL;
    assert_ok(
        hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields, ROWS_NUM_FIELDS, o, &w, &err),
        &err);
    return w;
}

static void append(hr_writer *w, uint64_t to) {
    hr_error err = {0};
    const uint64_t have = hr_writer_num_samples(w);
    assert_ok(rows_append(w, rows_fields, ROWS_NUM_FIELDS, have, to - have, 33, &err), &err);
}

/* A job that stops, uncommitted, after n samples. */
static void interrupt_after(struct fault_disk *d, uint64_t n, const hr_writer_options *o) {
    hr_writer *w = open_writer(d, o);
    append(w, n);
    hr_writer_close(w);
}

static void finish(struct fault_disk *d, hr_writer *w, struct hrd_image *im) {
    hr_error err = {0};
    append(w, ALL);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    assert_ok(hrd_image_load_path(fault_disk_folder(d), TARGET, im, &err), &err);
    assert_int_equal(im->footer.num_samples, ALL);
    assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, ALL, im->columns));
}

static void resume__after_any_number_of_chunks__gives_the_uninterrupted_file(void **state) {
    (void)state;
    hr_writer_options o = options(0);
    o.codec = HR_CODEC_ZSTD;
    o.filter = HR_FILTER_BYTE_SHUFFLE;
    struct hrd_image whole, resumed;
    struct fault_disk *d = fault_disk_new();
    finish(d, open_writer(d, &o), &whole);
    fault_disk_free(d);
    for (uint64_t n = 0; n < ALL; n += 97) {
        d = fault_disk_new();
        o.flags = 0;
        interrupt_after(d, n, &o);
        o.flags = HR_WRITER_RESUME;
        hr_writer *w = open_writer(d, &o);
        hr_writer_info info = {.struct_bytes = sizeof info};
        assert_int_equal(hr_writer_describe(w, &info, NULL), HR_OK);
        assert_int_equal(info.resumed_samples, n / 10 * 10);
        assert_int_equal(hr_writer_num_samples(w), n / 10 * 10);
        finish(d, w, &resumed);
        assert_int_equal(resumed.payload_hash, whole.payload_hash);
        assert_int_equal(resumed.superblock.file_bytes, whole.superblock.file_bytes);
        assert_string_equal(resumed.footer.json, whole.footer.json);
        hrd_image_free(&resumed);
        fault_disk_free(d);
    }
    hrd_image_free(&whole);
}

/* The distances of the first run are gone on with, and its frames are decoded. */
static void resume__filtered_in_every_way__goes_on_as_before(void **state) {
    (void)state;
    for (int32_t filter = HR_FILTER_NONE; filter <= HR_FILTER_DELTA_BIT_SHUFFLE; filter++) {
        struct fault_disk *d = fault_disk_new();
        struct hrd_image im;
        hr_writer_options o = options(0);
        o.codec = HR_CODEC_ZSTD;
        o.filter = filter;
        interrupt_after(d, 123, &o);
        o.flags = HR_WRITER_RESUME;
        hr_writer *w = open_writer(d, &o);
        assert_int_equal(hr_writer_num_samples(w), 120);
        finish(d, w, &im);
        hrd_image_free(&im);
        fault_disk_free(d);
    }
}

struct watched {
    uint64_t told; /* samples, last */
    uint32_t calls, stop_at;
};

static int watch(void *user, uint64_t done_samples) {
    struct watched *w = user;
    assert_int_equal(done_samples, w->told + 10); /* samples of a chunk */
    w->told = done_samples;
    return ++w->calls == w->stop_at;
}

static void resume__stopped_at_any_chunk__keeps_all_of_them(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    struct watched watched;
    hr_writer *w = NULL;
    hr_error err = {0};
    hr_writer_options o = options(0);
    o.codec = HR_CODEC_ZSTD;
    o.filter = HR_FILTER_NONE;
    interrupt_after(d, 500, &o);
    o.flags = HR_WRITER_RESUME;
    o.user = &watched;
    o.on_resume = watch;
    for (uint32_t stop_at = 1; stop_at <= 50; stop_at += 7) {
        watched = (struct watched){.stop_at = stop_at};
        assert_int_equal(hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields,
                                            ROWS_NUM_FIELDS, &o, &w, &err),
                         HR_ERR_CANCELLED);
        assert_null(w);
        assert_int_equal(watched.calls, stop_at);
        assert_non_null(strstr(err.message, TARGET));
    }
    watched = (struct watched){0};
    w = open_writer(d, &o);
    assert_int_equal(watched.told, 500);
    finish(d, w, &im);
    hrd_image_free(&im);
    fault_disk_free(d);
}

/* Somebody else made the target, so that what is complete has not got its name. */
static void resume__stopped_while_it_reads_a_complete_file__leaves_it_complete(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    const struct hr__folder_ops *folder = fault_disk_folder(d);
    struct watched watched = {.stop_at = 3};
    struct hrd_image im;
    hr_error err = {0};
    hr_writer_options o = options(0);
    hr_writer *w = open_writer(d, &o), *other = NULL;
    append(w, ALL);
    assert_ok(hr__writer_open_in(folder, "o.hrd", rows_fields, ROWS_NUM_FIELDS, &o, &other, &err),
              &err);
    assert_ok(hr_writer_commit(other, &err), &err);
    hr_writer_close(other);
    assert_int_equal(folder->rename(folder->ctx, "o.hrd", TARGET, false), 0);
    assert_int_equal(hr_writer_commit(w, &err), HR_ERR_EXISTS);
    hr_writer_close(w);
    assert_int_equal(folder->rename(folder->ctx, TARGET, "o.hrd", false), 0);
    o.flags = HR_WRITER_RESUME;
    o.user = &watched;
    o.on_resume = watch;
    assert_int_equal(hr__writer_open_in(folder, TARGET, rows_fields, ROWS_NUM_FIELDS, &o, &w, &err),
                     HR_ERR_CANCELLED);
    assert_ok(hrd_image_load_path(folder, TARGET ".partial", &im, &err), &err);
    assert_int_equal(im.footer.num_samples, ALL);
    hrd_image_free(&im);
    watched = (struct watched){0};
    w = open_writer(d, &o);
    finish(d, w, &im);
    hrd_image_free(&im);
    fault_disk_free(d);
}

/* JSON is laid out differently in both places. */
static void remove_blanks(char *text) {
    char *to = text;
    for (; *text != 0; text++)
        if (*text != ' ' && *text != '\n')
            *to++ = *text;
    *to = 0;
}

/* The JSON of the job record, which was written when the choice was made. */
static void read_job_json(struct fault_disk *d, char text[65536]) {
    const struct hr__folder_ops *folder = fault_disk_folder(d);
    struct hr__file f = {0};
    assert_int_equal(folder->open(folder->ctx, TARGET, O_RDONLY, &f), 0);
    int64_t n = f.ops->read(f.ctx, text, 65535, HR__JOB_OFF + HR__JOB_HEADER_BYTES);
    assert_true(n > 0);
    text[n] = 0;
    remove_blanks(text);
    hr__file_close(&f);
}

/* What was measured of the candidates is told in the same digits, so nothing was tried again. */
static void assert_choice_kept(const char *footer_json, const char *job_json) {
    const char *begin = strstr(footer_json, "\"candidates\"");
    assert_non_null(begin);
    const size_t n = strcspn(begin, "]");
    char measured[8192];
    assert_true(n < sizeof measured);
    memcpy(measured, begin, n);
    measured[n] = 0;
    remove_blanks(measured);
    assert_non_null(strstr(measured, "decode_gb_per_s"));
    assert_non_null(strstr(job_json, measured));
}

static void keeps_the_choice(int32_t goal) {
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_writer_options o = options(0);
    o.optimize = goal;
    interrupt_after(d, 500, &o);
    o.flags = HR_WRITER_RESUME;
    hr_writer *w = open_writer(d, &o);
    hr_writer_info info = {.struct_bytes = sizeof info};
    assert_int_equal(hr_writer_describe(w, &info, NULL), HR_OK);
    assert_int_equal(info.codecs_chosen, 1);
    assert_int_equal(info.resumed_samples, 500);
    assert_true(info.trial_ratio > 0.0);
    finish(d, w, &im);
    static char job_json[65536];
    read_job_json(d, job_json);
    assert_choice_kept(im.footer.json, job_json);
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void resume__with_choice_by_trial__keeps_the_choice(void **state) {
    (void)state;
    for (int32_t goal = HR_OPTIMIZE_SPEED; goal <= HR_OPTIMIZE_SIZE; goal++)
        keeps_the_choice(goal);
}

static void resume__over_an_index_page__goes_on_after_it(void **state) {
    (void)state;
    const hr_field field = {.name = "x", .dtype = HR_INT16};
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_error err = {0};
    hr_writer *w = NULL;
    hr_writer_options o = options(0);
    o.samples_per_chunk = 1;
    o.codec = HR_CODEC_RAW;
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, &o, &w, &err), &err);
    assert_ok(rows_append(w, &field, 1, 0, 8300, 1000, &err), &err);
    hr_writer_close(w);
    o.flags = HR_WRITER_RESUME;
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, &field, 1, &o, &w, &err), &err);
    assert_int_equal(hr_writer_num_samples(w), 8300);
    assert_ok(rows_append(w, &field, 1, 8300, 100, 1000, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    assert_ok(hrd_image_load_path(fault_disk_folder(d), TARGET, &im, &err), &err);
    assert_true(rows_equal(&field, 1, 8400, im.columns));
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void resume__with_nothing_there__begins_anew(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_writer_options o = options(HR_WRITER_RESUME);
    hr_writer *w = open_writer(d, &o);
    assert_int_equal(hr_writer_num_samples(w), 0);
    finish(d, w, &im);
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void resume__without_the_flag__begins_anew(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_writer_options o = options(0);
    interrupt_after(d, 500, &o);
    hr_writer *w = open_writer(d, &o);
    assert_int_equal(hr_writer_num_samples(w), 0);
    finish(d, w, &im);
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void refused(struct fault_disk *d, const hr_field *fields, uint32_t num_fields,
                    const hr_writer_options *o, const char *what) {
    hr_error err = {0};
    hr_writer *w = NULL;
    const hr_status st =
        hr__writer_open_in(fault_disk_folder(d), TARGET, fields, num_fields, o, &w, &err);
    if (st != HR_ERR_MISMATCH || strstr(err.message, what) == NULL)
        fail_msg("%s: %s, expected \"%s\"", hr_status_name(st), err.message, what);
    assert_null(w);
}

static void resume__of_very_many_sources__knows_those_that_are_not_listed(void **state) {
    (void)state;
    const uint32_t many = 150000;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_writer_options o = options(0);
    hr_source_fingerprint *sources = calloc(many, sizeof *sources);
    assert_non_null(sources);
    for (uint32_t i = 0; i < many; i++)
        sources[i] = (hr_source_fingerprint){
            "a/path/of/some/sixty/bytes/as/they/are/in/larger/folders.npy", i, i};
    o.num_sources = many;
    o.sources = sources;
    interrupt_after(d, 500, &o);
    o.flags = HR_WRITER_RESUME;
    sources[many - 1].mtime_ns++;
    refused(d, rows_fields, ROWS_NUM_FIELDS, &o, "sources");
    sources[many - 1].mtime_ns--;
    hr_writer *w = open_writer(d, &o);
    assert_int_equal(hr_writer_num_samples(w), 500);
    finish(d, w, &im);
    const char *provenance = im.footer.schema.provenance_json;
    assert_non_null(strstr(provenance, "\"sources_left_out\":1"));
    assert_non_null(strstr(provenance, "\"size_bytes\":30000"));
    assert_null(strstr(provenance, "\"hash\""));
    hrd_image_free(&im);
    fault_disk_free(d);
    free(sources);
}

static void resume__of_another_job__is_refused_with_what_differs(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_source_fingerprint source = {"x.npy", 10, 20};
    hr_writer_options o = options(0);
    o.num_sources = 1;
    o.sources = &source;
    interrupt_after(d, 500, &o);
    o.flags = HR_WRITER_RESUME;
    hr_writer_options other = o;
    other.codec = HR_CODEC_RAW;
    refused(d, rows_fields, ROWS_NUM_FIELDS, &other, "options");
    other = o;
    other.level = 1;
    refused(d, rows_fields, ROWS_NUM_FIELDS, &other, "options");
    other = o;
    other.optimize = HR_OPTIMIZE_SIZE;
    refused(d, rows_fields, ROWS_NUM_FIELDS, &other, "\"optimize\":\"size\"");
    other = o;
    other.disk_bytes_per_s = 500000000;
    refused(d, rows_fields, ROWS_NUM_FIELDS, &other, "options");
    other = o;
    other.samples_per_chunk = 11;
    refused(d, rows_fields, ROWS_NUM_FIELDS, &other, "samples per chunk");
    other = o;
    other.attributes_json = "{\"a\": 1}";
    refused(d, rows_fields, ROWS_NUM_FIELDS, &other, "attributes");
    other = o;
    other.provenance_json = "{\"shuffle\": {\"seed\": \"7\"}}";
    refused(d, rows_fields, ROWS_NUM_FIELDS, &other, "now it is {\"shuffle\":{\"seed\":\"7\"}");
    source.mtime_ns = 21;
    refused(d, rows_fields, ROWS_NUM_FIELDS, &o, "sources");
    source.mtime_ns = 20;
    refused(d, rows_fields, 2, &o, "fields");
    hr_field fields[3] = {rows_fields[0], rows_fields[1], rows_fields[2]};
    fields[1].name = "class";
    refused(d, fields, 3, &o, "name");
    fields[1] = rows_fields[1];
    fields[1].dtype = HR_UINT32;
    refused(d, fields, 3, &o, "dtype");
    fields[1] = rows_fields[1];
    fields[1].attributes_json = "{\"unit\": 1}";
    refused(d, fields, 3, &o, "attributes");
    /* The refusals have left it alone. */
    hr_writer *w = open_writer(d, &o);
    assert_int_equal(hr_writer_num_samples(w), 500);
    finish(d, w, &im);
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void resume__by_another_program_of_the_same_provenance__goes_on(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_writer_options o = options(0);
    o.provenance_json = "{\"program\": \"old\", \"shuffle\": {\"seed\": \"7\"}}";
    interrupt_after(d, 500, &o);
    o.provenance_json = "{\"shuffle\": {\"seed\": \"7\"}, \"program\": \"new\"}";
    o.flags = HR_WRITER_RESUME;
    hr_writer *w = open_writer(d, &o);
    assert_int_equal(hr_writer_num_samples(w), 500);
    finish(d, w, &im);
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void damage(struct fault_disk *d, uint64_t off) {
    struct hr__file f;
    uint8_t byte = 0;
    const struct hr__folder_ops *folder = fault_disk_folder(d);
    assert_int_equal(folder->open(folder->ctx, TARGET ".partial", O_RDWR, &f), 0);
    assert_int_equal(f.ops->read(f.ctx, &byte, 1, off), 1);
    byte ^= 0x10;
    assert_int_equal(f.ops->write(f.ctx, &byte, 1, off), 0);
    hr__file_close(&f);
}

static void resume__with_a_damaged_chunk__keeps_the_ones_before(void **state) {
    (void)state;
    /* Header, table and payload of the fourth chunk, and the padding behind it. */
    const uint64_t places[] = {0, 70, 110, 1000, 4095};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct fault_disk *d = fault_disk_new();
        struct hrd_image im;
        hr_writer_options o = options(0);
        interrupt_after(d, 500, &o);
        damage(d, HR__DATA_OFF + 3 * HR__PAGE_BYTES + places[i]);
        o.flags = HR_WRITER_RESUME;
        hr_writer *w = open_writer(d, &o);
        assert_int_equal(hr_writer_num_samples(w), 30);
        finish(d, w, &im);
        hrd_image_free(&im);
        fault_disk_free(d);
    }
}

static void resume__with_a_damaged_record__is_refused(void **state) {
    (void)state;
    const uint64_t places[] = {HR__JOB_OFF + 20, HR__JOB_OFF + 100};
    for (size_t i = 0; i < 2; i++) {
        struct fault_disk *d = fault_disk_new();
        hr_writer_options o = options(0);
        interrupt_after(d, 500, &o);
        damage(d, places[i]);
        o.flags = HR_WRITER_RESUME;
        refused(d, rows_fields, ROWS_NUM_FIELDS, &o, "damaged");
        fault_disk_free(d);
    }
}

/* A text that does not fit between the superblocks lies where chunks begin otherwise. */
static void resume__with_a_long_job_record__finds_the_chunks_behind_it(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_writer_options o = options(0);
    char *attributes = malloc(100100);
    memcpy(attributes, "{\"a\": \"", 7);
    memset(attributes + 7, 'x', 100000);
    memcpy(attributes + 100007, "\"}", 3);
    o.attributes_json = attributes;
    interrupt_after(d, 500, &o);
    o.flags = HR_WRITER_RESUME;
    hr_writer *w = open_writer(d, &o);
    assert_int_equal(hr_writer_num_samples(w), 500);
    finish(d, w, &im);
    hrd_image_free(&im);
    free(attributes);
    fault_disk_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resume__after_any_number_of_chunks__gives_the_uninterrupted_file),
        cmocka_unit_test(resume__filtered_in_every_way__goes_on_as_before),
        cmocka_unit_test(resume__stopped_at_any_chunk__keeps_all_of_them),
        cmocka_unit_test(resume__stopped_while_it_reads_a_complete_file__leaves_it_complete),
        cmocka_unit_test(resume__with_choice_by_trial__keeps_the_choice),
        cmocka_unit_test(resume__over_an_index_page__goes_on_after_it),
        cmocka_unit_test(resume__with_nothing_there__begins_anew),
        cmocka_unit_test(resume__without_the_flag__begins_anew),
        cmocka_unit_test(resume__of_very_many_sources__knows_those_that_are_not_listed),
        cmocka_unit_test(resume__of_another_job__is_refused_with_what_differs),
        cmocka_unit_test(resume__by_another_program_of_the_same_provenance__goes_on),
        cmocka_unit_test(resume__with_a_damaged_chunk__keeps_the_ones_before),
        cmocka_unit_test(resume__with_a_damaged_record__is_refused),
        cmocka_unit_test(resume__with_a_long_job_record__finds_the_chunks_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
