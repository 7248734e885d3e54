/*
 * Values of variable length padded to one length, with their masks.
 */
#define _GNU_SOURCE
#include "dtype.h"
#include "headrace/loader.h"
#include "utf8.h"
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

#define NUM_SAMPLES 1000
#define BUDGET      ((uint64_t)128 << 20)
#define BATCH       48
#define TEXT        0
#define TOKENS      3

static char folder_path[] = "/tmp/hr-pads-XXXXXX";
static char path[256];

static void assert_ok(hr_status st, const hr_error *err) {
    if (st != HR_OK)
        fail_msg("%s: %s", hr_status_name(st), err->message);
}

static int set_up(void **state) {
    (void)state;
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_error err = {0};
    hr_writer *w = NULL;
    if (mkdtemp(folder_path) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/p.hrd", folder_path);
    o.budget_bytes = BUDGET;
    o.samples_per_chunk = 40;
    hr_status st = hr_writer_open(path, varlen_fields, VARLEN_NUM_FIELDS, &o, &w, &err);
    if (st == HR_OK)
        st = varlen_append(w, 0, NUM_SAMPLES, 300, &err);
    if (st == HR_OK)
        st = hr_writer_commit(w, &err);
    hr_writer_close(w);
    return st == HR_OK ? 0 : 1;
}

static int tear_down(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder_path);
}

static hr_dataset *open_made(void) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    o.budget_bytes = BUDGET;
    assert_ok(hr_dataset_open(path, &o, &ds, &err), &err);
    return ds;
}

static hr_loader_options options(bool shuffle, const hr_pad *pads, uint32_t num_pads) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.flags = shuffle ? HR_LOADER_SHUFFLE : 0;
    o.batch_samples = BATCH;
    o.window_visits = shuffle ? 8 : 0;
    o.num_epochs = 1;
    o.budget_bytes = BUDGET;
    o.num_threads = 3;
    o.pads = pads;
    o.num_pads = num_pads;
    return o;
}

static hr_pad pad_of(const char *field, uint64_t length, uint32_t flags) {
    hr_pad p = HR_PAD_INIT;
    p.field = field;
    p.length = length;
    p.flags = flags;
    return p;
}

/* Row r of column `at` and of the mask behind it is the value of the sample. */
static void check_row(const hr_batch *b, uint32_t at, uint32_t r, uint32_t field, uint64_t sample,
                      uint64_t length, uint64_t element_bytes) {
    uint8_t expected[8192] = {0};
    const uint64_t row_bytes = length * element_bytes;
    const uint8_t *row = (const uint8_t *)hr_batch_data(b, at) + r * row_bytes;
    const uint8_t *mask = (const uint8_t *)hr_batch_data(b, at + 1) + r * length;
    uint64_t n = varlen_length(field, sample);
    varlen_fill(field, sample, expected);
    n = n < row_bytes                               ? n
        : varlen_fields[field].dtype == HR_VAR_UTF8 ? hr__utf8_whole(expected, row_bytes)
                                                    : row_bytes;
    memset(expected + n, 0, sizeof expected - n);
    assert_memory_equal(row, expected, row_bytes);
    for (uint64_t k = 0; k < length; k++)
        assert_int_equal(mask[k], k < n / element_bytes);
}

static void check_epoch(hr_dataset *ds, const hr_loader_options *o, uint64_t text_length,
                        uint64_t token_length) {
    uint64_t indices[BATCH], seen = 0;
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_status st;
    assert_ok(hr_loader_open(ds, o, &l, &err), &err);
    while ((st = hr_loader_next(l, -1, &b, &err)) == HR_OK) {
        assert_int_equal(hr_batch_num_fields(b), 6);
        assert_ok(hr_batch_indices(b, indices, &err), &err);
        for (uint32_t r = 0; r < hr_batch_num_samples(b); r++, seen++) {
            int32_t label;
            varlen_fill(1, indices[r], (uint8_t *)&label);
            assert_int_equal(((const int32_t *)hr_batch_data(b, 2))[r], label);
            check_row(b, 0, r, TEXT, indices[r], text_length, 1);
            check_row(b, 4, r, TOKENS, indices[r], token_length, 4);
        }
        assert_non_null(hr_batch_offsets(b, 3));
        assert_null(hr_batch_offsets(b, 0));
        hr_batch_release(b);
    }
    if (st != HR_END_OF_EPOCH)
        assert_ok(st, &err);
    assert_int_equal(seen, NUM_SAMPLES);
    hr_loader_close(l);
}

static void loader__of_padded_fields__delivers_values_zeros_and_masks(void **state) {
    (void)state;
    hr_dataset *ds = open_made();
    const hr_pad whole[] = {pad_of("text", 200, 0), pad_of("tokens", 22, 0)};
    const hr_pad cut[] = {pad_of("tokens", 5, HR_PAD_TRUNCATE),
                          pad_of("text", 33, HR_PAD_TRUNCATE)};
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        hr_loader_options o = options(shuffle != 0, whole, 2);
        /* Three columns of two fields each, with the blob as it is between them. */
        const char *const names[] = {"text", "label", "blob", "tokens"};
        o.fields = names;
        o.num_fields = 4;
        check_epoch(ds, &o, 200, 22);
        o.pads = cut;
        check_epoch(ds, &o, 33, 5);
    }
    hr_dataset_close(ds);
}

static void batch__of_padded_fields__describes_them(void **state) {
    (void)state;
    hr_dataset *ds = open_made();
    const char *const names[] = {"tokens", "text"};
    const hr_pad pads[] = {pad_of("text", 200, 0), pad_of("tokens", 30, 0)};
    hr_loader_options o = options(false, pads, 2);
    hr_error err = {0};
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    hr_field f;
    o.fields = names;
    o.num_fields = 2;
    assert_ok(hr_loader_open(ds, &o, &l, &err), &err);
    assert_ok(hr_loader_next(l, -1, &b, &err), &err);
    const struct {
        const char *name;
        hr_dtype dtype;
        uint64_t length;
    } expected[] = {{"tokens", HR_INT32, 30},
                    {"tokens.mask", HR_BOOL, 30},
                    {"text", HR_UINT8, 200},
                    {"text.mask", HR_BOOL, 200}};
    assert_int_equal(hr_batch_num_fields(b), 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_ok(hr_batch_field(b, i, &f, &err), &err);
        assert_string_equal(f.name, expected[i].name);
        assert_int_equal(f.dtype, expected[i].dtype);
        assert_int_equal(f.element_dtype, 0);
        assert_int_equal(f.rank, 1);
        assert_int_equal(f.shape[0], expected[i].length);
        assert_ptr_equal(hr_batch_data_by_name(b, f.name), hr_batch_data(b, i));
    }
    hr_batch_release(b);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void loader__pads_that_cannot_be__are_refused(void **state) {
    (void)state;
    hr_dataset *ds = open_made();
    hr_pad other_size = pad_of("tokens", 900, 0);
    other_size.struct_bytes += 8;
    const struct {
        hr_pad pads[2];
        uint32_t num_pads;
        hr_status st;
        const char *says;
    } bad[] = {
        {{pad_of("text", 0, 0)}, 1, HR_ERR_INVALID, "expected 1 to 2^32"},
        {{pad_of("text", 10, 2)}, 1, HR_ERR_INVALID, "unknown flags"},
        {{pad_of("label", 10, 0)}, 1, HR_ERR_INVALID, "need no padding"},
        {{pad_of(NULL, 10, 0)}, 1, HR_ERR_INVALID, "name one"},
        {{pad_of("none", 10, 0)},
         1,
         HR_ERR_INVALID,
         "field none is to be padded, and is none of those"},
        {{pad_of("text", 900, 0), pad_of("text", 900, 0)}, 2, HR_ERR_INVALID, "padded twice"},
        {{pad_of("tokens", 10, 0)}, 1, HR_ERR_INVALID, "its longest value has 22"},
        {{pad_of("text", 900, 0), other_size},
         2,
         HR_ERR_INVALID,
         "entry 1 of the array of hr_pad has"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hr_loader_options o = options(false, bad[i].pads, bad[i].num_pads);
        hr_error err = {0};
        hr_loader *l = NULL;
        assert_int_equal(hr_loader_open(ds, &o, &l, &err), bad[i].st);
        assert_non_null(strstr(err.message, bad[i].says));
    }
    hr_dataset_close(ds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader__of_padded_fields__delivers_values_zeros_and_masks),
        cmocka_unit_test(batch__of_padded_fields__describes_them),
        cmocka_unit_test(loader__pads_that_cannot_be__are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
