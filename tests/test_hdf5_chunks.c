/*
 * Cutting arrays into chunks: every byte belongs to one, in the order of the array.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hdf5_chunks.h"

static struct hr__helper_field field_of(hr_dtype dtype, uint64_t num_samples, uint32_t rank,
                                        const uint64_t *shape) {
    struct hr__helper_field f = {.dtype = dtype, .rank = rank, .num_samples = num_samples};
    f.granule_samples = 1;
    f.sample_bytes = hr_dtype_bytes(dtype);
    for (uint32_t i = 0; i < rank; i++) {
        f.shape[i] = shape[i];
        f.sample_bytes *= shape[i];
    }
    assert_true(hr__helper_field_valid(&f));
    return f;
}

/* Where the element at this place lies in the array. */
static uint64_t byte_of(const struct hr__chunks *c, const uint64_t *at, uint64_t element_bytes) {
    uint64_t index = 0;
    for (uint32_t i = 0; i < c->rank; i++)
        index = index * c->dims[i] + at[i];
    return index * element_bytes;
}

static void check(const struct hr__helper_field *f) {
    struct hr__chunks c;
    uint64_t off = 0, total = f->num_samples * f->sample_bytes;
    hr__chunks_make(f, &c);
    for (uint64_t i = 0; i < c.count; i++) {
        struct hr__chunk_run run;
        hr__chunks_run(&c, i, &run);
        assert_int_equal(byte_of(&c, run.at, hr_dtype_bytes(f->dtype)), off);
        assert_int_equal(run.n_bytes, run.entries * c.step_bytes);
        assert_true(run.entries > 0 && run.entries <= c.each && run.n_bytes <= c.chunk_bytes);
        assert_int_equal(hr__chunks_bytes(&c, 0, i), off);
        assert_int_equal(hr__chunks_bytes(&c, i, 1), run.n_bytes);
        off += run.n_bytes;
    }
    assert_int_equal(off, total);
    assert_int_equal(hr__chunks_bytes(&c, 0, c.count + 1), 0);
    assert_true(c.chunk_bytes <= HR__CHUNK_TARGET_BYTES || c.each == 1);
}

static void chunks__of_any_shape__cover_the_array(void **state) {
    (void)state;
    const uint64_t sizes[] = {1, 2, 3, 7, 90, 300, 5000};
    for (size_t a = 0; a < 7; a++)
        for (size_t b = 0; b < 7; b++)
            for (uint32_t rank = 0; rank < 3; rank++) {
                const uint64_t shape[] = {sizes[b], sizes[a]};
                struct hr__helper_field f = field_of(HR_FLOAT64, 3, rank, shape);
                check(&f);
                f = field_of(HR_UINT8, 1001, rank, shape);
                check(&f);
            }
}

static void chunks__of_a_large_sample__are_about_equal_parts_of_it(void **state) {
    (void)state;
    const uint64_t shape[] = {300, 90};
    struct hr__helper_field f = field_of(HR_FLOAT64, 10, 2, shape);
    struct hr__chunks c;
    hr__chunks_make(&f, &c);
    assert_true(c.cut == 1 && c.each == 150 && c.count == 20);
}

static void chunks__of_an_array_without_bytes__are_none(void **state) {
    (void)state;
    const uint64_t shape[] = {4, 0};
    struct hr__helper_field f = field_of(HR_INT16, 10, 2, shape);
    struct hr__chunks c;
    hr__chunks_make(&f, &c);
    assert_true(c.count == 0 && c.chunk_bytes == 0 && c.rank == 3);
    f = field_of(HR_INT16, 0, 0, shape);
    hr__chunks_make(&f, &c);
    assert_int_equal(c.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks__of_any_shape__cover_the_array),
        cmocka_unit_test(chunks__of_a_large_sample__are_about_equal_parts_of_it),
        cmocka_unit_test(chunks__of_an_array_without_bytes__are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
