/*
 * Values of variable length: what is appended is what is read, whatever the amounts, sizes and
 * codecs; what cannot be stored is refused; damage is seen.
 */
#include "dataset.h"
#include "fault_disk.h"
#include "memory_file.h"
#include "varlen_rows.h"
#include "verify.h"
#include "writer_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TARGET "t.hrd"
#define BUDGET ((uint64_t)64 << 20)

static void assert_ok(hr_status st, const hr_error *err) {
    if (st != HR_OK)
        fail_msg("%s: %s", hr_status_name(st), err->message);
}

static hr_writer_options options(void) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    o.budget_bytes = BUDGET;
    o.num_threads = 2;
    return o;
}

static hr_writer *open_writer(struct fault_disk *d, const hr_field *fields, uint32_t num_fields,
                              const hr_writer_options *o) {
    hr_error err = {0};
    hr_writer *w = NULL;
    assert_ok(hr__writer_open_in(fault_disk_folder(d), TARGET, fields, num_fields, o, &w, &err),
              &err);
    return w;
}

static hr_dataset *open_made(struct fault_disk *d) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    o.budget_bytes = BUDGET;
    assert_ok(hr__dataset_open_in(fault_disk_folder(d), TARGET, &o, &ds, &err), &err);
    return ds;
}

static void assert_whole(struct fault_disk *d) {
    hr_verify_options o = HR_VERIFY_OPTIONS_INIT;
    hr_error err = {0};
    o.budget_bytes = BUDGET;
    assert_ok(hr__verify_in(fault_disk_folder(d), TARGET, &o, &err), &err);
}

static struct fault_disk *write_rows(uint64_t n, uint64_t step, const hr_writer_options *o) {
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    hr_writer *w = open_writer(d, varlen_fields, VARLEN_NUM_FIELDS, o);
    assert_ok(varlen_append(w, 0, n, step, &err), &err);
    assert_int_equal(hr_writer_num_samples(w), n);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    return d;
}

static uint32_t round_trip(uint64_t n, uint64_t step, const hr_writer_options *o) {
    hr_error err = {0};
    struct fault_disk *d = write_rows(n, step, o);
    hr_dataset *ds = open_made(d);
    const uint32_t samples_per_chunk = ds->footer.schema.samples_per_chunk;
    assert_ok(varlen_read(ds, n, n / 3 + 1, &err), &err);
    hr_dataset_close(ds);
    assert_whole(d);
    fault_disk_free(d);
    return samples_per_chunk;
}

static void values__in_any_amounts__come_back_and_chunks_do_not_depend_on_them(void **state) {
    (void)state;
    hr_writer_options o = options();
    o.chunk_bytes = 8192;
    const uint32_t first = round_trip(3000, 1, &o);
    assert_in_range(first, 20, 100); /* 218 bytes a sample, by varlen_length() */
    assert_int_equal(round_trip(3000, 7, &o), first);
    assert_int_equal(round_trip(3000, 3000, &o), first);
    for (uint64_t n = 0; n < 4; n++)
        (void)round_trip(n, 1, &o);
}

static void values__by_every_codec_and_filter__come_back(void **state) {
    (void)state;
    for (int32_t codec = HR_CODEC_RAW; codec <= HR_CODEC_ZSTD; codec++)
        for (int32_t filter = HR_FILTER_AUTO; filter <= HR_FILTER_DELTA_BIT_SHUFFLE; filter++) {
            hr_writer_options o = options();
            if (codec == HR_CODEC_RAW && filter > HR_FILTER_NONE)
                continue;
            o.codec = codec;
            o.filter = filter;
            o.samples_per_chunk = 300;
            assert_int_equal(round_trip(1000, 333, &o), 300);
        }
}

/* One field of bytes: samples of these lengths, filled by their number. */
static struct fault_disk *write_lengths(const uint64_t *lengths, uint64_t n,
                                        const hr_writer_options *o) {
    struct fault_disk *d = fault_disk_new();
    const hr_field field = {.name = "b", .dtype = HR_VAR_BYTES};
    hr_error err = {0};
    hr_writer *w = open_writer(d, &field, 1, o);
    for (uint64_t i = 0; i < n; i++) {
        const int64_t offsets[] = {0, (int64_t)lengths[i]};
        uint8_t *values = malloc(lengths[i] + 1);
        memset(values, (int)i + 1, lengths[i]);
        const hr_varlen_column column = {offsets, values, lengths[i]};
        const void *columns[] = {&column};
        assert_ok(hr_writer_append(w, 1, columns, &err), &err);
        free(values);
    }
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    return d;
}

static void values__around_the_size_of_a_frame__come_back(void **state) {
    (void)state;
    const uint64_t mib = 1 << 20;
    const uint64_t lengths[] = {0, 65536,   1, 65535,       0,           mib, mib + 1,
                                0, 2 * mib, 3, 3 * mib - 1, 65536 - 100, 101, 0};
    const uint64_t n = sizeof lengths / sizeof lengths[0];
    hr_writer_options o = options();
    o.samples_per_chunk = 9;
    struct fault_disk *d = write_lengths(lengths, n, &o);
    hr_dataset *ds = open_made(d);
    int64_t offsets[sizeof lengths / sizeof lengths[0] + 1];
    uint64_t total = 0;
    hr_error err = {0};
    uint8_t *values = malloc(16 * mib);
    assert_ok(hr_dataset_read_values(ds, 0, 0, n, offsets, values, 16 * mib, &total, &err), &err);
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(offsets[i + 1] - offsets[i], lengths[i]);
        for (int64_t k = offsets[i]; k < offsets[i + 1]; k++)
            if (values[k] != i + 1)
                fail_msg("byte %lld of value %llu is %u", (long long)(k - offsets[i]),
                         (unsigned long long)i, values[k]);
    }
    assert_int_equal(total, offsets[n]);
    free(values);
    hr_dataset_close(ds);
    assert_whole(d);
    fault_disk_free(d);
}

static void values__that_are_all_empty__have_no_frame(void **state) {
    (void)state;
    const uint64_t lengths[5] = {0};
    hr_writer_options o = options();
    struct fault_disk *d = write_lengths(lengths, 5, &o);
    hr_dataset *ds = open_made(d);
    int64_t offsets[6] = {1, 1, 1, 1, 1, 1};
    uint64_t total = 1;
    hr_error err = {0};
    assert_ok(hr_dataset_read_values(ds, 0, 0, 5, offsets, NULL, 0, &total, &err), &err);
    for (int i = 0; i < 6; i++)
        assert_int_equal(offsets[i], 0);
    assert_int_equal(total, 0);
    assert_int_equal(ds->footer.schema.samples_per_chunk, 65536);
    hr_dataset_close(ds);
    fault_disk_free(d);
}

static void lengths__of_all_samples__are_in_the_statistics(void **state) {
    (void)state;
    const uint64_t lengths[] = {4, 0, 10, 0, 6};
    hr_writer_options o = options();
    o.samples_per_chunk = 2;
    struct fault_disk *d = write_lengths(lengths, 5, &o);
    hr_dataset *ds = open_made(d);
    hr_length_statistics s = {.struct_bytes = sizeof s};
    hr_statistics none = {.struct_bytes = sizeof none};
    hr_dataset_info info = {.struct_bytes = sizeof info};
    hr_error err = {0};
    assert_ok(hr_dataset_length_statistics(ds, 0, &s, &err), &err);
    assert_int_equal(s.valid, 1);
    assert_int_equal(s.num_values, 5);
    assert_int_equal(s.num_empty, 2);
    assert_int_equal(s.total_bytes, 20);
    assert_int_equal(s.min_bytes, 0);
    assert_int_equal(s.max_bytes, 10);
    assert_true(s.mean_bytes == 4.0);
    assert_true(s.std_bytes > 3.794 && s.std_bytes < 3.795); /* sqrt(72 / 5) */
    assert_ok(hr_dataset_statistics(ds, 0, &none, &err), &err);
    assert_int_equal(none.valid, 0);
    assert_ok(hr_dataset_describe(ds, &info, &err), &err);
    assert_int_equal(info.decoded_bytes, 20);
    hr_dataset_close(ds);
    fault_disk_free(d);
}

static void writer__values_that_cannot_be__are_refused_and_it_goes_on(void **state) {
    (void)state;
    const hr_field fields[] = {{.name = "t", .dtype = HR_VAR_UTF8},
                               {.name = "s", .dtype = HR_VAR_BYTES, .element_dtype = HR_INT32}};
    struct fault_disk *d = fault_disk_new();
    hr_writer_options o = options();
    hr_writer *w = open_writer(d, fields, 2, &o);
    const int64_t whole[] = {0, 4}, half[] = {0, 3}, falling[] = {4, 0}, beyond[] = {0, 9};
    const hr_varlen_column good = {whole, "abcd", 4};
    const struct {
        hr_varlen_column text, sequence;
        hr_status st;
        const char *says;
    } bad[] = {
        {{whole, "ab\xff\xfe", 4}, good, HR_ERR_DATA, "UTF-8"},
        {good, {half, "abc", 3}, HR_ERR_DATA, "no multiple of the 4"},
        {{falling, "abcd", 4}, good, HR_ERR_INVALID, "ascend"},
        {{beyond, "abcd", 4}, good, HR_ERR_INVALID, "ascend"},
        {{NULL, "abcd", 4}, good, HR_ERR_INVALID, "offsets"},
        {{whole, NULL, 4}, good, HR_ERR_INVALID, "values"},
    };
    hr_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const void *columns[] = {&bad[i].text, &bad[i].sequence};
        assert_int_equal(hr_writer_append(w, 1, columns, &err), bad[i].st);
        assert_non_null(strstr(err.message, bad[i].says));
    }
    const void *columns[] = {&good, &good};
    assert_ok(hr_writer_append(w, 1, columns, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    fault_disk_free(d);
}

static void writer__element_types_that_cannot_be__are_refused(void **state) {
    (void)state;
    const hr_field bad[] = {{.name = "x", .dtype = HR_VAR_UTF8, .element_dtype = HR_INT32},
                            {.name = "x", .dtype = HR_INT32, .element_dtype = HR_INT32},
                            {.name = "x", .dtype = HR_VAR_BYTES, .element_dtype = HR_VAR_BYTES},
                            {.name = "x", .dtype = HR_VAR_BYTES, .element_dtype = HR_BOOL}};
    struct fault_disk *d = fault_disk_new();
    hr_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hr_writer *w = NULL;
        assert_int_equal(
            hr__writer_open_in(fault_disk_folder(d), TARGET, &bad[i], 1, NULL, &w, &err),
            HR_ERR_INVALID);
        assert_non_null(strstr(err.message, "element_dtype"));
    }
    fault_disk_free(d);
}

/* Tiny values choose large chunks; then come large ones. */
static void writer__values_that_outgrow_the_budget__says_what_to_do(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    const hr_field field = {.name = "b", .dtype = HR_VAR_BYTES};
    hr_writer_options o = options();
    o.budget_bytes = (uint64_t)16 << 20;
    hr_writer *w = open_writer(d, &field, 1, &o);
    const uint64_t n = 70000, large = 1 << 20;
    int64_t *offsets = malloc((n + 1) * sizeof *offsets);
    uint8_t *values = calloc(1, large);
    for (uint64_t i = 0; i <= n; i++)
        offsets[i] = (int64_t)i;
    hr_varlen_column column = {offsets, values, large};
    const void *columns[] = {&column};
    hr_error err = {0};
    assert_ok(hr_writer_append(w, n, columns, &err), &err);
    offsets[0] = 0;
    offsets[1] = (int64_t)large;
    hr_status st = HR_OK;
    for (int i = 0; i < 64 && st == HR_OK; i++)
        st = hr_writer_append(w, 1, columns, &err);
    assert_int_equal(st, HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, "fewer samples per chunk"));
    assert_int_equal(hr_writer_append(w, 1, columns, &err), HR_ERR_BUDGET);
    hr_writer_close(w);
    free(offsets);
    free(values);
    fault_disk_free(d);
}

static void writer__interrupted__resumes_with_the_samples_per_chunk_it_chose(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    hr_writer_options o = options();
    hr_error err = {0};
    o.chunk_bytes = 8192;
    hr_writer *w = open_writer(d, varlen_fields, VARLEN_NUM_FIELDS, &o);
    assert_ok(varlen_append(w, 0, 2000, 100, &err), &err);
    hr_writer_close(w);
    o.flags = HR_WRITER_RESUME;
    w = open_writer(d, varlen_fields, VARLEN_NUM_FIELDS, &o);
    const uint64_t kept = hr_writer_num_samples(w);
    assert_in_range(kept, 1, 2000);
    assert_ok(varlen_append(w, kept, 3000 - kept, 100, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    hr_dataset *ds = open_made(d);
    hr_length_statistics s = {.struct_bytes = sizeof s};
    uint64_t total = 0;
    for (uint64_t i = 0; i < 3000; i++)
        total += varlen_length(0, i);
    assert_ok(varlen_read(ds, 3000, 1000, &err), &err);
    assert_ok(hr_dataset_length_statistics(ds, 0, &s, &err), &err);
    assert_int_equal(s.total_bytes, total);
    assert_int_equal(s.num_values, 3000);
    hr_dataset_close(ds);
    assert_whole(d);
    fault_disk_free(d);
}

static void writer__that_kept_only_early_rows__resumes_from_nothing(void **state) {
    (void)state;
    struct fault_disk *d = fault_disk_new();
    hr_writer_options o = options();
    hr_error err = {0};
    o.flags = HR_WRITER_RESUME;
    hr_writer *w = open_writer(d, varlen_fields, VARLEN_NUM_FIELDS, &o);
    assert_ok(varlen_append(w, 0, 10, 10, &err), &err);
    hr_writer_close(w);
    w = open_writer(d, varlen_fields, VARLEN_NUM_FIELDS, &o);
    assert_int_equal(hr_writer_num_samples(w), 0);
    assert_ok(varlen_append(w, 0, 50, 10, &err), &err);
    assert_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    hr_dataset *ds = open_made(d);
    assert_ok(varlen_read(ds, 50, 20, &err), &err);
    hr_dataset_close(ds);
    fault_disk_free(d);
}

/* Appends n values of so many bytes. */
static hr_status append_large(hr_writer *w, uint32_t n, uint32_t n_bytes, hr_error *err) {
    int64_t *offsets = calloc(n + 1, sizeof *offsets);
    uint8_t *values = malloc((size_t)n * n_bytes);
    assert_true(offsets != NULL && values != NULL);
    memset(values, 7, (size_t)n * n_bytes);
    for (uint32_t i = 0; i < n; i++)
        offsets[i + 1] = offsets[i] + n_bytes;
    const hr_varlen_column column = {offsets, values, (uint64_t)n * n_bytes};
    const void *columns[] = {&column};
    const hr_status st = hr_writer_append(w, n, columns, err);
    free(values);
    free(offsets);
    return st;
}

/* Whether samples per chunk are given, or chosen by the first rows. */
static void resume_large(uint32_t samples_per_chunk) {
    static const hr_field large = {.name = "v", .dtype = HR_VAR_BYTES};
    struct fault_disk *d = fault_disk_new();
    hr_writer_options o = options();
    hr_error err = {0};
    o.flags = HR_WRITER_RESUME;
    o.codec = HR_CODEC_RAW;
    o.num_threads = 1;
    o.chunk_bytes = 4 << 20;
    o.samples_per_chunk = samples_per_chunk;
    o.budget_bytes = 256 << 20;
    hr_writer *w = open_writer(d, &large, 1, &o);
    assert_ok(append_large(w, 48, 1 << 20, &err), &err);
    hr_writer_close(w);
    for (uint32_t i = 0; i < 20; i++) { /* each with a little more */
        o.budget_bytes = (24 << 20) + i * (1 << 20);
        const hr_status st =
            hr__writer_open_in(fault_disk_folder(d), TARGET, &large, 1, &o, &w, &err);
        assert_true(st == HR_ERR_BUDGET || hr_writer_num_samples(w) >= 4);
        hr_writer_close(w);
    }
    o.budget_bytes = 256 << 20;
    w = open_writer(d, &large, 1, &o);
    assert_true(hr_writer_num_samples(w) >= 4);
    hr_writer_close(w);
    fault_disk_free(d);
}

static void writer__resumed_with_less_memory__keeps_what_is_there(void **state) {
    (void)state;
    resume_large(4);
    resume_large(0);
}

static void writer__every_operation_fails__leaves_no_target_that_is_not_whole(void **state) {
    (void)state;
    hr_writer_options o = options();
    o.chunk_bytes = 4096;
    bool done = false;
    uint32_t num_failed = 0;
    for (uint64_t nth = 1; !done; nth++) {
        struct fault_disk *d = fault_disk_new();
        hr_error err = {0};
        hr_writer *w = NULL;
        fault_disk_fail(d, nth, EIO);
        hr_status st = hr__writer_open_in(fault_disk_folder(d), TARGET, varlen_fields,
                                          VARLEN_NUM_FIELDS, &o, &w, &err);
        if (st == HR_OK)
            st = varlen_append(w, 0, 300, 100, &err);
        if (st == HR_OK)
            st = hr_writer_commit(w, &err);
        hr_writer_close(w);
        done = st == HR_OK;
        if (done) {
            assert_true(fault_disk_has(d, TARGET));
        } else {
            assert_int_equal(err.status, st);
            num_failed++;
        }
        if (fault_disk_has(d, TARGET)) {
            fault_disk_fail(d, 0, 0);
            hr_dataset *ds = open_made(d);
            assert_ok(varlen_read(ds, 300, 300, &err), &err);
            hr_dataset_close(ds);
        }
        fault_disk_free(d);
    }
    assert_true(num_failed > 10);
}

static void reader__calls_that_cannot_be__say_why(void **state) {
    (void)state;
    hr_writer_options o = options();
    struct fault_disk *d = write_rows(20, 20, &o);
    hr_dataset *ds = open_made(d);
    int64_t offsets[21];
    uint64_t needed = 0;
    uint8_t values[64];
    hr_error err = {0};
    assert_int_equal(hr_dataset_read_values(ds, 0, 0, 20, offsets, values, 1, &needed, &err),
                     HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "room for 1"));
    assert_int_equal(needed, offsets[20]);
    assert_true(needed > 1);
    assert_int_equal(hr_dataset_read_values(ds, 1, 0, 1, offsets, values, 64, &needed, &err),
                     HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "hr_dataset_read()"));
    assert_int_equal(hr_dataset_read(ds, 0, 0, 1, values, 64, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "hr_dataset_read_values()"));
    assert_int_equal(hr_dataset_read_values(ds, 9, 0, 1, offsets, values, 64, &needed, &err),
                     HR_ERR_INVALID);
    assert_int_equal(hr_dataset_read_values(ds, 0, 15, 6, offsets, values, 64, &needed, &err),
                     HR_ERR_INVALID);
    assert_int_equal(hr_dataset_read_values(ds, 0, 0, 1, NULL, values, 64, &needed, &err),
                     HR_ERR_INVALID);
    const uint64_t index = 20;
    assert_int_equal(hr_dataset_gather_values(ds, 0, &index, 1, offsets, NULL, 0, &needed, &err),
                     HR_ERR_INVALID);
    hr_dataset_close(ds);
    fault_disk_free(d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values__in_any_amounts__come_back_and_chunks_do_not_depend_on_them),
        cmocka_unit_test(values__by_every_codec_and_filter__come_back),
        cmocka_unit_test(values__around_the_size_of_a_frame__come_back),
        cmocka_unit_test(values__that_are_all_empty__have_no_frame),
        cmocka_unit_test(lengths__of_all_samples__are_in_the_statistics),
        cmocka_unit_test(writer__values_that_cannot_be__are_refused_and_it_goes_on),
        cmocka_unit_test(writer__element_types_that_cannot_be__are_refused),
        cmocka_unit_test(writer__values_that_outgrow_the_budget__says_what_to_do),
        cmocka_unit_test(writer__interrupted__resumes_with_the_samples_per_chunk_it_chose),
        cmocka_unit_test(writer__that_kept_only_early_rows__resumes_from_nothing),
        cmocka_unit_test(writer__resumed_with_less_memory__keeps_what_is_there),
        cmocka_unit_test(writer__every_operation_fails__leaves_no_target_that_is_not_whole),
        cmocka_unit_test(reader__calls_that_cannot_be__say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
