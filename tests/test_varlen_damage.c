/*
 * Files with values of variable length that are damaged: reading gives an error or what was
 * written, verify sees every bit, and no allocation that fails brings anything down (link-time
 * --wrap).
 */
#define _GNU_SOURCE
#include "dataset.h"
#include "headrace/loader.h"
#include "memory_file.h"
#include "varlen_rows.h"
#include "verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NUM_SAMPLES 60
#define BUDGET      ((uint64_t)64 << 20)
/* Bits between two that are flipped; both are odd, so all bits of a byte have their turn. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE        977
#define LOADER_STRIDE 20011
#else
#define STRIDE        61
#define LOADER_STRIDE 1021
#endif
#define DATA_OFF 131072u

static atomic_long allocations_left = -1; /* negative: none fails */

static bool may_allocate(void) {
    const long left = atomic_load(&allocations_left);
    return left < 0 || (left > 0 && atomic_fetch_sub(&allocations_left, 1) > 0);
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t n);

void *__wrap_malloc(size_t n) {
    return may_allocate() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_aligned_alloc(size_t align, size_t n) {
    return may_allocate() ? __real_aligned_alloc(align, n) : NULL;
}

static char folder_path[] = "/tmp/hr-varlen-XXXXXX";
static char target[256];

static hr_status write_file(uint32_t samples_per_chunk, hr_error *err) {
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    o.flags = HR_WRITER_REPLACE;
    o.budget_bytes = BUDGET;
    o.num_threads = 1;
    o.samples_per_chunk = samples_per_chunk;
    o.codec = HR_CODEC_ZSTD;
    o.filter = HR_FILTER_NONE;
    o.chunk_bytes = 4096;
    hr_status st = hr_writer_open(target, varlen_fields, VARLEN_NUM_FIELDS, &o, &w, err);
    if (st == HR_OK)
        st = varlen_append(w, 0, NUM_SAMPLES, 25, err);
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
    snprintf(target, sizeof target, "%s/t.hrd", folder_path);
    return write_file(25, &err) == HR_OK ? 0 : 1;
}

static int tear_down(void **state) {
    (void)state;
    char partial[300];
    snprintf(partial, sizeof partial, "%s.partial", target);
    unlink(partial);
    unlink(target);
    return rmdir(folder_path);
}

static hr_status read_file(struct memory_file *m, hr_error *err) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_dataset *ds = NULL;
    o.budget_bytes = BUDGET;
    hr_status st = hr__dataset_open_in(&m->folder, "damaged.hrd", &o, &ds, err);
    if (st == HR_OK)
        st = varlen_read(ds, NUM_SAMPLES, NUM_SAMPLES, err);
    hr_dataset_close(ds);
    return st;
}

static hr_status verify_file(struct memory_file *m, hr_error *err) {
    hr_verify_options o = HR_VERIFY_OPTIONS_INIT;
    o.budget_bytes = BUDGET;
    o.num_threads = 1;
    return hr__verify_in(&m->folder, "damaged.hrd", &o, err);
}

static void file__with_a_flipped_bit__is_an_error_or_right_and_verify_sees_it(void **state) {
    (void)state;
    struct memory_file m;
    hr_error err = {0};
    memory_file_load(&m, target, 0);
    assert_int_equal(read_file(&m, &err), HR_OK);
    assert_int_equal(verify_file(&m, &err), HR_OK);
    uint64_t refused = 0;
    for (uint64_t bit = 0; bit < 8 * m.n_bytes; bit += STRIDE) {
        const uint64_t byte = bit / 8;
        if (byte >= 69632 && byte < 131072) /* zeros that nothing needs: sparsely */
            bit += 8 * 4096;
        m.bytes[byte] ^= (uint8_t)(1u << bit % 8);
        const hr_status st = read_file(&m, &err);
        if (st == HR_ERR_DATA)
            fail_msg("bit %llu: %s", (unsigned long long)bit, err.message);
        refused += st != HR_OK;
        const hr_status seen = verify_file(&m, &err);
        if (seen == HR_OK && (byte < 69632 || byte >= 131072))
            fail_msg("verify does not see bit %llu", (unsigned long long)bit);
        m.bytes[byte] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(refused > 0);
    assert_int_equal(read_file(&m, &err), HR_OK);
    memory_file_free(&m);
}

static hr_loader *open_loader(hr_dataset *ds, hr_status *st, hr_error *err) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_pad pad = HR_PAD_INIT;
    hr_loader *l = NULL;
    pad.field = "tokens";
    pad.length = 22;
    o.flags = HR_LOADER_SHUFFLE;
    o.batch_samples = 16;
    o.num_epochs = 1;
    o.num_threads = 1;
    o.budget_bytes = BUDGET;
    o.max_value_bytes = 200000;
    o.pads = &pad;
    o.num_pads = 1;
    *st = hr_loader_open(ds, &o, &l, err);
    return l;
}

/* Rows of the batch that are not those of their samples. */
static bool batch_right(const hr_batch *b) {
    uint64_t indices[16];
    uint8_t expected[8192];
    bool right = hr_batch_indices(b, indices, NULL) == HR_OK;
    for (uint32_t r = 0; r < hr_batch_num_samples(b) && right; r++) {
        for (uint32_t f = 0; f < VARLEN_NUM_FIELDS && right; f++) {
            const int64_t *offsets = hr_batch_offsets(b, f);
            const uint64_t n = varlen_length(f, indices[r]);
            const uint8_t *row = (const uint8_t *)hr_batch_data(b, f) +
                                 (offsets != NULL ? (uint64_t)offsets[r] : r * (f == 3 ? 88u : 4u));
            varlen_fill(f, indices[r], expected);
            right = (offsets == NULL || (uint64_t)(offsets[r + 1] - offsets[r]) == n) &&
                    memcmp(row, expected, n) == 0;
        }
    }
    return right;
}

/* HR_ERR_DATA: what came is not what was written. */
static hr_status run_loader(struct memory_file *m, hr_error *err) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_dataset *ds = NULL;
    hr_loader *l = NULL;
    hr_batch *b = NULL;
    o.budget_bytes = BUDGET;
    hr_status st = hr__dataset_open_in(&m->folder, "damaged.hrd", &o, &ds, err);
    if (st == HR_OK)
        l = open_loader(ds, &st, err);
    while (st == HR_OK && (st = hr_loader_next(l, -1, &b, err)) == HR_OK) {
        st = batch_right(b) ? HR_OK : HR_ERR_DATA;
        hr_batch_release(b);
    }
    hr_loader_close(l);
    hr_dataset_close(ds);
    return st == HR_END_OF_EPOCH ? HR_OK : st;
}

static void loader__of_a_file_with_a_flipped_bit__is_an_error_or_right(void **state) {
    (void)state;
    struct memory_file m;
    hr_error err = {0};
    memory_file_load(&m, target, 0);
    assert_int_equal(run_loader(&m, &err), HR_OK);
    uint64_t refused = 0;
    for (uint64_t bit = 8 * DATA_OFF; bit < 8 * m.n_bytes; bit += LOADER_STRIDE) {
        m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const hr_status st = run_loader(&m, &err);
        if (st == HR_ERR_DATA)
            fail_msg("bit %llu: a batch is not what was written", (unsigned long long)bit);
        refused += st != HR_OK;
        m.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(refused > 0);
    memory_file_free(&m);
}

static void loader__every_allocation_fails__is_no_memory(void **state) {
    (void)state;
    struct memory_file m;
    memory_file_load(&m, target, 0);
    hr_status st = HR_ERR_NO_MEMORY;
    long n = 0;
    for (; st != HR_OK; n++) {
        hr_error err = {0};
        atomic_store(&allocations_left, n);
        st = run_loader(&m, &err);
        atomic_store(&allocations_left, -1);
        if (st != HR_OK)
            assert_int_equal(st, HR_ERR_NO_MEMORY);
    }
    assert_true(n > 10);
    memory_file_free(&m);
}

static void file__truncated_anywhere__is_an_error(void **state) {
    (void)state;
    struct memory_file m;
    hr_error err = {0};
    memory_file_load(&m, target, 0);
    const uint64_t whole = m.n_bytes;
    for (uint64_t n = 0; n < whole; n += 509) {
        m.n_bytes = n;
        assert_int_equal(read_file(&m, &err), HR_ERR_CORRUPT);
    }
    memory_file_free(&m);
}

static void reader__every_allocation_fails__is_no_memory(void **state) {
    (void)state;
    struct memory_file m;
    memory_file_load(&m, target, 0);
    hr_status st = HR_ERR_NO_MEMORY;
    long n = 0;
    for (; st != HR_OK; n++) {
        int64_t offsets[NUM_SAMPLES + 1];
        const uint64_t indices[] = {40, 3, 40};
        uint64_t needed;
        hr_open_options o = HR_OPEN_OPTIONS_INIT;
        hr_error err = {0};
        hr_dataset *ds = NULL;
        o.budget_bytes = BUDGET;
        atomic_store(&allocations_left, n);
        st = hr__dataset_open_in(&m.folder, "t.hrd", &o, &ds, &err);
        if (st == HR_OK)
            st = hr_dataset_read_values(ds, 0, 0, NUM_SAMPLES, offsets, NULL, 0, &needed, &err);
        if (st == HR_OK)
            st = hr_dataset_gather_values(ds, 2, indices, 3, offsets, NULL, 0, &needed, &err);
        hr_dataset_close(ds);
        if (st == HR_OK)
            st = verify_file(&m, &err);
        atomic_store(&allocations_left, -1);
        if (st != HR_OK)
            assert_int_equal(st, HR_ERR_NO_MEMORY);
    }
    assert_true(n > 10);
    memory_file_free(&m);
}

/* With samples per chunk given, and chosen by the first rows. */
static void writer__every_allocation_fails__is_no_memory(void **state) {
    (void)state;
    for (uint32_t samples = 0; samples <= 25; samples += 25) {
        hr_status st = HR_ERR_NO_MEMORY;
        long n = 0;
        for (; st != HR_OK; n++) {
            hr_writer_options o = HR_WRITER_OPTIONS_INIT;
            hr_writer *w = NULL;
            hr_error err = {0};
            const int64_t offsets[] = {0, 4, 4};
            const hr_varlen_column column = {offsets, "abcd", 4};
            const int32_t labels[] = {1, 2};
            const void *columns[] = {&column, labels, &column, &column};
            o.flags = HR_WRITER_REPLACE;
            o.budget_bytes = BUDGET;
            o.num_threads = 1;
            o.samples_per_chunk = samples;
            atomic_store(&allocations_left, n);
            st = hr_writer_open(target, varlen_fields, VARLEN_NUM_FIELDS, &o, &w, &err);
            if (st == HR_OK)
                st = hr_writer_append(w, 2, columns, &err);
            if (st == HR_OK)
                st = hr_writer_commit(w, &err);
            hr_writer_close(w);
            atomic_store(&allocations_left, -1);
            if (st != HR_OK)
                assert_int_equal(st, HR_ERR_NO_MEMORY);
        }
        assert_true(n > 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file__with_a_flipped_bit__is_an_error_or_right_and_verify_sees_it),
        cmocka_unit_test(loader__of_a_file_with_a_flipped_bit__is_an_error_or_right),
        cmocka_unit_test(loader__every_allocation_fails__is_no_memory),
        cmocka_unit_test(file__truncated_anywhere__is_an_error),
        cmocka_unit_test(reader__every_allocation_fails__is_no_memory),
        cmocka_unit_test(writer__every_allocation_fails__is_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
