/*
 * Rows that the writer's threads fetch: the same file as of rows that are appended, and the first
 * failure in order, whatever the threads.
 */
#define _GNU_SOURCE
#include "error.h"
#include "fault_disk.h"
#include "hrd_reader_util.h"
#include "writer_internal.h"
#include "writer_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TARGET     "t.hrd"
#define CHUNK      16u
#define SAMPLES    1003u
#define TRIED      (HR__TRIAL_CHUNKS * CHUNK)
#define TIMEOUT_NS INT64_C(10000000000)

struct rows {
    uint32_t num_threads;
    uint64_t bad_from;     /* from this sample on, fetching fails, the later the sooner */
    _Atomic unsigned busy; /* threads that are fetching, a bit for each */
    _Atomic bool wrong;    /* a thread's number was used twice at a time, or is none */
};

static hr_status fetch(void *user, uint32_t thread, uint64_t first, uint32_t n,
                       void *const *columns, hr_error *err) {
    struct rows *r = user;
    const unsigned bit = 1u << thread;
    if (thread >= r->num_threads || (atomic_fetch_or(&r->busy, bit) & bit) != 0)
        r->wrong = true;
    for (uint32_t f = 0; f < ROWS_NUM_FIELDS; f++)
        rows_fill(&rows_fields[f], f, first, n, columns[f]);
    atomic_fetch_and(&r->busy, ~bit);
    if (first + n <= r->bad_from)
        return HR_OK;
    struct timespec pause = {.tv_nsec = first <= r->bad_from ? 3000000 : 0};
    (void)nanosleep(&pause, NULL);
    return hr__error_set(err, HR_ERR_DATA, "chunk of sample %llu is bad",
                         (unsigned long long)first);
}

static hr_writer *open_writer(struct fault_disk *d, struct rows *r, int32_t codec, uint32_t flags) {
    hr_writer *w = NULL;
    hr_error err = {0};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.num_threads = r->num_threads;
    o.samples_per_chunk = CHUNK;
    o.codec = codec;
    o.filter = codec == HR_CODEC_ZSTD ? HR_FILTER_BYTE_SHUFFLE : HR_FILTER_AUTO;
    o.flags = flags;
    if (hr__writer_open_in(fault_disk_folder(d), TARGET, rows_fields, ROWS_NUM_FIELDS, &o, &w,
                           &err) != HR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(hr__writer_threads(w), r->num_threads);
    return w;
}

static hr_status fetch_all(hr_writer *w, const struct hr__row_source *s, hr_error *err) {
    uint64_t begun = 0;
    const uint64_t before = hr_writer_num_samples(w);
    hr_status st = hr__writer_fetch_first(w, s, SAMPLES - before, err);
    if (st == HR_OK)
        st = hr__writer_fetch_rest(w, s, SAMPLES - hr_writer_num_samples(w), err);
    while (st == HR_OK && (st = hr__writer_fetch_wait(w, TIMEOUT_NS, &begun, err)) == HR_TIMEOUT)
        continue;
    if (st == HR_OK)
        assert_int_equal(begun, SAMPLES);
    return st;
}

static void load(struct fault_disk *d, struct hrd_image *im) {
    hr_error err = {0};
    if (hrd_image_load_path(fault_disk_folder(d), TARGET, im, &err) != HR_OK)
        fail_msg("%s", err.message);
}

static void write_fetched(struct fault_disk *d, uint32_t num_threads, int32_t codec,
                          struct hrd_image *im) {
    struct rows r = {.num_threads = num_threads, .bad_from = UINT64_MAX};
    const struct hr__row_source s = {&r, fetch};
    hr_error err = {0};
    hr_writer *w = open_writer(d, &r, codec, 0);
    if (fetch_all(w, &s, &err) != HR_OK || hr_writer_commit(w, &err) != HR_OK)
        fail_msg("%s", err.message);
    hr_writer_close(w);
    assert_false(r.wrong);
    load(d, im);
}

static void fetch__any_number_of_threads__is_the_file_of_appended_rows(void **state) {
    (void)state;
    struct rows r = {.num_threads = 2};
    struct hrd_image appended, fetched;
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *w = open_writer(d, &r, HR_CODEC_ZSTD, 0);
    assert_int_equal(rows_append(w, rows_fields, ROWS_NUM_FIELDS, 0, SAMPLES, 100, &err), HR_OK);
    assert_int_equal(hr_writer_commit(w, &err), HR_OK);
    hr_writer_close(w);
    load(d, &appended);
    fault_disk_free(d);
    for (uint32_t threads = 1; threads <= 4; threads++) {
        d = fault_disk_new();
        write_fetched(d, threads, HR_CODEC_ZSTD, &fetched);
        assert_int_equal(fetched.payload_hash, appended.payload_hash);
        assert_string_equal(fetched.footer.json, appended.footer.json);
        assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, SAMPLES, fetched.columns));
        hrd_image_free(&fetched);
        fault_disk_free(d);
    }
    hrd_image_free(&appended);
}

static void fetch__storage_to_be_chosen__is_chosen_by_the_first_chunks(void **state) {
    (void)state;
    struct hrd_image im;
    struct fault_disk *d = fault_disk_new();
    write_fetched(d, 2, HR_CODEC_AUTO, &im);
    assert_int_equal(im.footer.num_samples, SAMPLES);
    assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, SAMPLES, im.columns));
    hrd_image_free(&im);
    fault_disk_free(d);
}

/* Later chunks fail sooner; what is reported is the first, and later calls say the same. */
static void fetch__failures__the_first_in_order_is_reported_and_kept(void **state) {
    (void)state;
    for (uint64_t bad = 0; bad < SAMPLES; bad += 10 * CHUNK) {
        struct rows r = {.num_threads = 4, .bad_from = bad};
        const struct hr__row_source s = {&r, fetch};
        struct fault_disk *d = fault_disk_new();
        hr_error err = {0}, again = {0};
        char expected[64];
        hr_writer *w = open_writer(d, &r, HR_CODEC_AUTO, 0);
        snprintf(expected, sizeof expected, "chunk of sample %llu is bad", (unsigned long long)bad);
        assert_int_equal(fetch_all(w, &s, &err), HR_ERR_DATA);
        assert_string_equal(err.message, expected);
        assert_int_equal(hr_writer_commit(w, &again), HR_ERR_DATA);
        assert_string_equal(again.message, expected);
        hr_writer_close(w);
        assert_false(fault_disk_has(d, TARGET));
        assert_int_equal(fault_disk_has(d, TARGET ".partial"), bad >= TRIED);
        fault_disk_free(d);
    }
}

static void fetch__failed_and_resumed__goes_on_behind_what_was_written(void **state) {
    (void)state;
    struct rows r = {.num_threads = 2, .bad_from = 30 * CHUNK};
    const struct hr__row_source s = {&r, fetch};
    struct fault_disk *d = fault_disk_new();
    struct hrd_image im;
    hr_error err = {0};
    hr_writer *w = open_writer(d, &r, HR_CODEC_ZSTD, 0);
    assert_int_equal(fetch_all(w, &s, &err), HR_ERR_DATA);
    hr_writer_close(w);
    r.bad_from = UINT64_MAX;
    w = open_writer(d, &r, HR_CODEC_ZSTD, HR_WRITER_RESUME);
    assert_int_equal(hr_writer_num_samples(w), 30 * CHUNK);
    if (fetch_all(w, &s, &err) != HR_OK || hr_writer_commit(w, &err) != HR_OK)
        fail_msg("%s", err.message);
    hr_writer_close(w);
    load(d, &im);
    assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, SAMPLES, im.columns));
    hrd_image_free(&im);
    fault_disk_free(d);
}

static void fetch__closed_in_the_middle__comes_back(void **state) {
    (void)state;
    struct rows r = {.num_threads = 4, .bad_from = UINT64_MAX};
    const struct hr__row_source s = {&r, fetch};
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    uint64_t begun = 0;
    hr_writer *w = open_writer(d, &r, HR_CODEC_ZSTD, 0);
    assert_int_equal(hr__writer_fetch_first(w, &s, UINT64_C(1) << 40, &err), HR_OK);
    assert_int_equal(hr__writer_fetch_rest(w, &s, UINT64_C(1) << 40, &err), HR_OK);
    assert_int_equal(hr__writer_fetch_wait(w, 1000000, &begun, &err), HR_TIMEOUT);
    assert_true(begun < UINT64_C(1) << 40);
    hr_writer_close(w);
    assert_int_equal(r.busy, 0);
    fault_disk_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetch__any_number_of_threads__is_the_file_of_appended_rows),
        cmocka_unit_test(fetch__storage_to_be_chosen__is_chosen_by_the_first_chunks),
        cmocka_unit_test(fetch__failures__the_first_in_order_is_reported_and_kept),
        cmocka_unit_test(fetch__failed_and_resumed__goes_on_behind_what_was_written),
        cmocka_unit_test(fetch__closed_in_the_middle__comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
