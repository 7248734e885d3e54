/*
 * The division of a shuffle's memory: never more than there is, in either pass, and as little as it
 * says.
 */
#include "shuffle_plan.h"

#include "checked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct hr__shuffle_layout make_layout(uint64_t sample_bytes, uint32_t num_fields) {
    return (struct hr__shuffle_layout){.num_fields = num_fields,
                                       .sample_bytes = sample_bytes,
                                       .record_bytes = sample_bytes + HR__PLACE_BYTES};
}

static void check_first_pass(const struct hr__shuffle_layout *l, const struct hr__shuffle_plan *p,
                             const struct hr__shuffle_memory *m) {
    const uint64_t piece_bytes = p->piece_records * l->record_bytes + HR__BUCKET_PIECE_BYTES;
    assert_true(p->piece_records > 0 && p->num_pieces > 0);
    assert_true(m->reading_bytes + p->num_buckets * HR__BUCKET_BYTES +
                    p->num_pieces * piece_bytes <=
                m->memory_bytes);
    if (p->resident)
        assert_true(p->num_pieces > p->num_buckets); /* there is one to take when all are in use */
    else
        assert_int_equal(p->piece_records, 1);
}

static void check_second_pass(const struct hr__shuffle_layout *l, const struct hr__shuffle_plan *p,
                              const struct hr__shuffle_memory *m) {
    assert_true(p->load_records >= p->piece_records && p->load_records % p->piece_records == 0);
    assert_true(p->num_buckets * HR__BUCKET_BYTES +
                    2 * hr__shuffle_rows_bytes(l, p->bucket_samples) +
                    p->num_threads * p->load_records * l->record_bytes <=
                m->memory_bytes);
}

static void check_plan(const struct hr__shuffle_layout *l, uint64_t num_samples,
                       const struct hr__shuffle_memory *m, const struct hr__shuffle_plan *p) {
    assert_int_equal(p->num_samples, num_samples);
    if (p->in_memory) {
        assert_true(m->reading_bytes + hr__shuffle_rows_bytes(l, num_samples) <= m->memory_bytes);
        assert_int_equal(p->num_buckets, 1);
        assert_int_equal(p->bucket_samples, num_samples);
        return;
    }
    assert_true(p->bucket_samples > 0 && p->bucket_samples <= UINT32_MAX);
    assert_int_equal(p->num_buckets, hr__ceil_div(num_samples, p->bucket_samples));
    assert_int_equal(p->file_bytes, num_samples * l->record_bytes);
    assert_true(p->num_threads >= 1 && p->num_threads <= hr__max_u64(1, m->num_threads / 4));
    check_first_pass(l, p, m);
    check_second_pass(l, p, m);
}

static void plan__whatever_there_is__fits_the_memory(void **state) {
    (void)state;
    const uint64_t sample_bytes[] = {1, 4, 64, 2048, 150528, 3000001, UINT64_C(1) << 34};
    unsigned in_memory = 0, resident = 0, single = 0, refused = 0;
    for (uint32_t k = 0; k < sizeof sample_bytes / sizeof sample_bytes[0]; k++)
        for (uint64_t n = 1; n < UINT64_C(1) << 36; n = n * 5 + 2)
            for (uint64_t memory = 1000; memory < UINT64_C(1) << 34; memory = memory * 3 + 7)
                for (uint32_t threads = 1; threads <= 64; threads *= 8) {
                    const struct hr__shuffle_layout l = make_layout(sample_bytes[k], 1 + k % 3);
                    const struct hr__shuffle_memory m = {memory, memory / 5, threads};
                    struct hr__shuffle_plan p;
                    if (!hr__shuffle_plan_make(&l, n, &m, &p)) {
                        refused++;
                        continue;
                    }
                    check_plan(&l, n, &m, &p);
                    in_memory += p.in_memory;
                    resident += p.resident;
                    single += !p.in_memory && !p.resident;
                }
    assert_true(in_memory > 100 && resident > 100 && single > 100 && refused > 100);
}

static void plan__the_least_memory__is_enough_and_less_is_not(void **state) {
    (void)state;
    struct hr__shuffle_plan p;
    for (uint64_t n = 1; n < UINT64_C(1) << 40; n *= 37)
        for (uint64_t reading = 64; reading < UINT64_C(1) << 24; reading *= 100) {
            const struct hr__shuffle_layout l = make_layout(n % 5000 + 1, 2);
            const uint64_t least = hr__shuffle_plan_least(&l, n, reading);
            struct hr__shuffle_memory m = {least, reading, 1};
            assert_true(hr__shuffle_plan_make(&l, n, &m, &p));
            for (uint64_t more = 1; more < least; more *= 3) {
                m.memory_bytes = least + more;
                assert_true(hr__shuffle_plan_make(&l, n, &m, &p));
            }
            m.memory_bytes = least - 1;
            assert_false(hr__shuffle_plan_make(&l, n, &m, &p));
        }
}

static void plan__more_memory__makes_larger_pieces(void **state) {
    (void)state;
    const struct hr__shuffle_layout l = make_layout(2048, 1);
    const struct hr__shuffle_memory m = {UINT64_C(64) << 20, UINT64_C(8) << 20, 2};
    struct hr__shuffle_plan p;
    /* 10 GiB with 64 MiB: buckets of 25 MiB or so, written in pieces that disks like. */
    assert_true(hr__shuffle_plan_make(&l, (UINT64_C(10) << 30) / 2048, &m, &p));
    assert_true(p.num_buckets < 450 && p.piece_records * 2048 > 100000 && p.resident);
    assert_true(p.load_records * 2048 > 500000);
}

static void plan__figures_that_overflow__are_refused(void **state) {
    (void)state;
    const struct hr__shuffle_layout l = make_layout(UINT64_C(1) << 34, 1);
    const struct hr__shuffle_memory m = {UINT64_C(1) << 40, UINT64_MAX, 1};
    const struct hr__shuffle_memory all = {UINT64_MAX, 0, 1};
    struct hr__shuffle_plan p;
    assert_false(hr__shuffle_plan_make(&l, 1, &m, &p));
    assert_false(hr__shuffle_plan_make(&l, UINT64_C(1) << 40, &all, &p));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan__whatever_there_is__fits_the_memory),
        cmocka_unit_test(plan__the_least_memory__is_enough_and_less_is_not),
        cmocka_unit_test(plan__more_memory__makes_larger_pieces),
        cmocka_unit_test(plan__figures_that_overflow__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
