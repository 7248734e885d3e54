/*
 * Salvages on a disk that fails: reads of the damaged file that fail are damage, everything else
 * ends the salvage; the damaged file is never changed, and an output is whole or not there.
 */
#include "fault_disk.h"
#include "hash.h"
#include "hrd_reader_util.h"
#include "salvage_internal.h"
#include "superblock.h"
#include "writer_internal.h"
#include "writer_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAMAGED     "d.hrd"
#define OUTPUT      "o.hrd"
#define NUM_SAMPLES 200

static void write_rows(struct fault_disk *d) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.samples_per_chunk = 32;
    o.num_threads = 1;
    o.codec = HR_CODEC_ZSTD;
    assert_int_equal(hr__writer_open_in(fault_disk_folder(d), DAMAGED, rows_fields, ROWS_NUM_FIELDS,
                                        &o, &w, NULL),
                     HR_OK);
    assert_int_equal(rows_append(w, rows_fields, ROWS_NUM_FIELDS, 0, NUM_SAMPLES, 50, NULL), HR_OK);
    assert_int_equal(hr_writer_commit(w, NULL), HR_OK);
    hr_writer_close(w);
}

static uint64_t file_hash(struct fault_disk *d) {
    const struct hr__folder_ops *folder = fault_disk_folder(d);
    struct hr__file f = {0};
    assert_int_equal(folder->open(folder->ctx, DAMAGED, O_RDWR, &f), 0);
    const int64_t size = f.ops->size(f.ctx);
    uint8_t *bytes = malloc((size_t)size);
    assert_int_equal(f.ops->read(f.ctx, bytes, (size_t)size, 0), size);
    const uint64_t hash = hr__hash(bytes, (size_t)size);
    free(bytes);
    hr__file_close(&f);
    return hash;
}

static struct fault_disk *disk_with(bool footer) {
    const uint8_t zeros[HR__PAGE_BYTES] = {0};
    struct fault_disk *d = fault_disk_new();
    const struct hr__folder_ops *folder = fault_disk_folder(d);
    struct hr__file f = {0};
    write_rows(d);
    if (footer)
        return d;
    assert_int_equal(folder->open(folder->ctx, DAMAGED, O_RDWR, &f), 0);
    assert_int_equal(f.ops->write(f.ctx, zeros, sizeof zeros, 0), 0);
    assert_int_equal(f.ops->write(f.ctx, zeros, sizeof zeros, HR__SLOT1_OFF), 0);
    hr__file_close(&f);
    return d;
}

static hr_status salvage(struct fault_disk *d, hr_salvage_result *result, hr_error *err) {
    hr_salvage_options o = HR_SALVAGE_OPTIONS_INIT;
    o.path = DAMAGED;
    o.output = OUTPUT;
    o.budget_bytes = UINT64_C(64) << 20;
    *result = (hr_salvage_result){.struct_bytes = sizeof *result};
    return hr__salvage_in(fault_disk_folder(d), &o, result, err);
}

/* Samples of the whole data set under the output's name; -1: there is none. */
static int64_t output_samples(struct fault_disk *d) {
    struct hrd_image im;
    hr_error err = {0};
    if (!fault_disk_has(d, OUTPUT))
        return -1;
    if (hrd_image_load_path(fault_disk_folder(d), OUTPUT, &im, &err) != HR_OK)
        fail_msg("the output is not whole: %s", err.message);
    const int64_t n = (int64_t)im.footer.num_samples;
    if (n == NUM_SAMPLES)
        assert_true(rows_equal(rows_fields, ROWS_NUM_FIELDS, im.footer.num_samples, im.columns));
    hrd_image_free(&im);
    return n;
}

static void salvage__each_operation_fails_by_index__nothing_is_wrong(void **state) {
    (void)state;
    bool failed = true;
    uint64_t n = 1;
    for (; failed; n++) {
        struct fault_disk *d = disk_with(true);
        const uint64_t before = file_hash(d);
        hr_salvage_result r;
        hr_error err = {0};
        const uint64_t start = fault_disk_count(d);
        fault_disk_fail(d, n, EIO);
        const hr_status st = salvage(d, &r, &err);
        failed = fault_disk_count(d) - start >= n;
        fault_disk_fail(d, 0, 0);
        const int64_t after = output_samples(d);
        assert_int_equal(file_hash(d), before);
        if (st == HR_OK) {
            assert_int_equal(after, r.num_samples);
            assert_int_equal(r.num_samples + r.lost_samples, NUM_SAMPLES);
        } else {
            assert_int_equal(err.status, st);
            assert_true(strlen(err.message) > 0);
            assert_true(after == -1 || (st == HR_ERR_UNCERTAIN && after == NUM_SAMPLES));
        }
        assert_true(failed || (st == HR_OK && r.lost_samples == 0));
        fault_disk_free(d);
    }
    assert_true(n > 20);
}

/* Without a footer, what is after the last chunk that was found is not known to be lost. */
static void salvage__each_operation_fails_by_pages__nothing_is_wrong(void **state) {
    (void)state;
    bool failed = true;
    uint64_t n = 1;
    for (; failed; n++) {
        struct fault_disk *d = disk_with(false);
        const uint64_t before = file_hash(d);
        hr_salvage_result r;
        hr_error err = {0};
        const uint64_t start = fault_disk_count(d);
        fault_disk_fail(d, n, EIO);
        const hr_status st = salvage(d, &r, &err);
        failed = fault_disk_count(d) - start >= n;
        fault_disk_fail(d, 0, 0);
        const int64_t after = output_samples(d);
        assert_int_equal(file_hash(d), before);
        if (st == HR_OK)
            assert_int_equal(after, r.num_samples);
        else
            assert_true(after == -1 || (st == HR_ERR_UNCERTAIN && after == NUM_SAMPLES));
        assert_true(failed || (st == HR_OK && after == NUM_SAMPLES));
        fault_disk_free(d);
    }
    assert_true(n > 20);
}

static void salvage__disk_is_full__leaves_nothing(void **state) {
    (void)state;
    hr_status st = HR_ERR_NO_SPACE;
    uint32_t num_full = 0;
    for (uint64_t limit = UINT64_C(200) << 10; st != HR_OK; limit += 15000) {
        struct fault_disk *d = disk_with(true);
        hr_salvage_result r;
        hr_error err = {0};
        fault_disk_limit(d, limit);
        st = salvage(d, &r, &err);
        if (st != HR_OK) {
            assert_int_equal(st, HR_ERR_NO_SPACE);
            num_full++;
            assert_int_equal(output_samples(d), -1);
            assert_false(fault_disk_has(d, OUTPUT ".partial"));
        }
        fault_disk_free(d);
    }
    assert_true(num_full > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(salvage__each_operation_fails_by_index__nothing_is_wrong),
        cmocka_unit_test(salvage__each_operation_fails_by_pages__nothing_is_wrong),
        cmocka_unit_test(salvage__disk_is_full__leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
