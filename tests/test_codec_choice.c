/*
 * The rules of writer/codec_choice.h, on figures that are made up.
 */
#include "codec_choice.h"
#include "schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DISK HR__DEFAULT_DISK_BYTES_PER_S

/* Of 1,000,000 bytes; decode_gb_per_s of one core. */
static struct hr__candidate raw(double decode_gb_per_s) {
    return (struct hr__candidate){.codec = HR__CODEC_RAW,
                                  .decoded_bytes = 1000000,
                                  .stored_bytes = 1000000,
                                  .decode_ns = (int64_t)(1e6 / decode_gb_per_s)};
}

static struct hr__candidate zstd(int32_t level, uint8_t filter, uint64_t stored_bytes,
                                 double decode_gb_per_s) {
    return (struct hr__candidate){.codec = HR__CODEC_ZSTD,
                                  .filter = filter,
                                  .level = level,
                                  .decoded_bytes = 1000000,
                                  .stored_bytes = stored_bytes,
                                  .decode_ns = (int64_t)(1e6 / decode_gb_per_s)};
}

static void assert_chosen(const struct hr__candidate *c, uint32_t n, hr_optimize goal,
                          uint64_t disk_bytes_per_s, uint32_t expected) {
    const ptrdiff_t got = hr__candidate_choose(c, n, goal, disk_bytes_per_s) - c;
    if (got != (ptrdiff_t)expected)
        fail_msg("goal %d: candidate %d, expected %u", (int)goal, (int)got, expected);
}

static void deliver__slowest_of_three__counts(void **state) {
    (void)state;
    const struct hr__candidate read = raw(20), decode = zstd(1, 0, 100000, 0.5),
                               neither = zstd(1, 0, 1000, 10);
    assert_float_equal(hr__candidate_deliver_ns(&read, DISK), 1.0, 1e-9);
    assert_float_equal(hr__candidate_deliver_ns(&read, DISK / 2), 2.0, 1e-9);
    assert_float_equal(hr__candidate_deliver_ns(&decode, DISK), 0.5, 1e-9);
    assert_float_equal(hr__candidate_deliver_ns(&neither, DISK), 0.25, 1e-9);
}

static void speed__fast_disk__takes_what_decodes_faster(void **state) {
    (void)state;
    /* 1.0, 0.6 and 0.5 ns at 1 GB/s; at 10 GB/s the slow decoder of the small one is in the way. */
    const struct hr__candidate c[] = {raw(20), zstd(1, 0, 600000, 1), zstd(3, 1, 200000, 0.5)};
    assert_chosen(c, 3, HR_OPTIMIZE_SPEED, DISK, 2);
    assert_chosen(c, 3, HR_OPTIMIZE_SPEED, DISK * 2, 1);
    assert_chosen(c, 3, HR_OPTIMIZE_SPEED, DISK * 10, 1);
    assert_chosen(c, 1, HR_OPTIMIZE_SPEED, DISK * 10, 0);
    assert_chosen(c, 3, HR_OPTIMIZE_SPEED, DISK / 100, 2);
}

static void speed__equally_fast__smallest_then_simplest(void **state) {
    (void)state;
    /* All at the floor; 4 % smaller wins, 2 % smaller does not. */
    const struct hr__candidate smaller[] = {zstd(1, 0, 100000, 3), zstd(3, 0, 96000, 3)};
    const struct hr__candidate hardly[] = {zstd(3, 0, 98000, 3), zstd(1, 0, 100000, 3),
                                           zstd(-5, 1, 98500, 3), zstd(-1, 0, 100000, 3)};
    assert_chosen(smaller, 2, HR_OPTIMIZE_SPEED, DISK, 1);
    assert_chosen(hardly, 4, HR_OPTIMIZE_SPEED, DISK, 3);
    assert_chosen(hardly, 3, HR_OPTIMIZE_SPEED, DISK, 1);
}

/* Each is 4 % slower than the one before and 6 % smaller: steps must not add up. */
static void speed__chain_of_margins__stays_within_one_of_the_fastest(void **state) {
    (void)state;
    const struct hr__candidate c[] = {zstd(1, 0, 200000, 0.50), zstd(2, 0, 188000, 0.48),
                                      zstd(3, 0, 176000, 0.46), zstd(4, 0, 165000, 0.44)};
    assert_chosen(c, 4, HR_OPTIMIZE_SPEED, DISK, 1);
}

static void choice__noise_in_times__changes_nothing(void **state) {
    (void)state;
    for (int i = -4; i <= 4; i++) {
        const double noise = 1.0 + i / 200.0;
        const struct hr__candidate c[] = {raw(20 * noise), zstd(1, 0, 500000, 2.2 * noise),
                                          zstd(3, 1, 488000, 2.0 / noise)};
        assert_chosen(c, 3, HR_OPTIMIZE_SPEED, DISK, 1);
        assert_chosen(c, 3, HR_OPTIMIZE_SIZE, DISK, 2);
    }
}

static void balanced__less_size_for_less_speed__by_their_product(void **state) {
    (void)state;
    /* 0.25 x 0.20, 0.40 x 0.10, 1.00 x 0.08. */
    const struct hr__candidate c[] = {raw(20), zstd(-1, 0, 200000, 1), zstd(3, 0, 100000, 0.625),
                                      zstd(9, 1, 80000, 0.25)};
    assert_chosen(c, 4, HR_OPTIMIZE_SPEED, DISK, 1);
    assert_chosen(c, 4, HR_OPTIMIZE_BALANCED, DISK, 2);
    assert_chosen(c, 4, HR_OPTIMIZE_SIZE, DISK, 3);
    /* Equal products: the faster one. */
    const struct hr__candidate equal[] = {zstd(1, 0, 100000, 0.5), zstd(2, 0, 200000, 1)};
    assert_chosen(equal, 2, HR_OPTIMIZE_BALANCED, DISK, 1);
}

static void size__within_one_percent__fastest_then_simplest(void **state) {
    (void)state;
    const struct hr__candidate c[] = {zstd(19, 0, 100000, 1), zstd(9, 0, 100900, 1),
                                      zstd(6, 0, 102000, 1)};
    assert_chosen(c, 3, HR_OPTIMIZE_SIZE, DISK, 1);
    const struct hr__candidate faster[] = {zstd(9, 1, 100000, 0.4), zstd(19, 0, 100500, 0.6)};
    assert_chosen(faster, 2, HR_OPTIMIZE_SIZE, DISK, 1);
}

static void choice__equal_in_both__decodes_faster_by_more_than_noise(void **state) {
    (void)state;
    /* The disk is the limit of both, so that only machines with fewer cores see a difference. */
    const struct hr__candidate clear[] = {zstd(1, 0, 900000, 0.8), zstd(1, 1, 890000, 2)};
    const struct hr__candidate noise[] = {zstd(1, 0, 900000, 1.7), zstd(1, 1, 890000, 2)};
    for (int goal = HR_OPTIMIZE_SPEED; goal <= HR_OPTIMIZE_BALANCED; goal++) {
        assert_chosen(clear, 2, (hr_optimize)goal, DISK, 1);
        assert_chosen(noise, 2, (hr_optimize)goal, DISK, 0);
    }
}

static void choice__incompressible__is_raw_for_every_goal(void **state) {
    (void)state;
    const struct hr__candidate c[] = {zstd(19, 1, 1000000, 5), zstd(-5, 0, 1000000, 21), raw(1)};
    for (int goal = HR_OPTIMIZE_SPEED; goal <= HR_OPTIMIZE_SIZE; goal++)
        assert_chosen(c, 3, (hr_optimize)goal, DISK, 2);
}

static void choice__not_tried__is_not_chosen_unless_nothing_was(void **state) {
    (void)state;
    struct hr__candidate c[] = {zstd(19, 0, 1, 1), zstd(9, 0, 500000, 1), raw(20)};
    c[0].decoded_bytes = 0;
    for (int goal = HR_OPTIMIZE_SPEED; goal <= HR_OPTIMIZE_SIZE; goal++)
        assert_chosen(c, 3, (hr_optimize)goal, DISK, 1);
    c[1].decoded_bytes = c[2].decoded_bytes = 0;
    for (int goal = HR_OPTIMIZE_SPEED; goal <= HR_OPTIMIZE_SIZE; goal++)
        assert_chosen(c, 3, (hr_optimize)goal, DISK, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deliver__slowest_of_three__counts),
        cmocka_unit_test(speed__fast_disk__takes_what_decodes_faster),
        cmocka_unit_test(speed__equally_fast__smallest_then_simplest),
        cmocka_unit_test(speed__chain_of_margins__stays_within_one_of_the_fastest),
        cmocka_unit_test(choice__noise_in_times__changes_nothing),
        cmocka_unit_test(balanced__less_size_for_less_speed__by_their_product),
        cmocka_unit_test(size__within_one_percent__fastest_then_simplest),
        cmocka_unit_test(choice__equal_in_both__decodes_faster_by_more_than_noise),
        cmocka_unit_test(choice__incompressible__is_raw_for_every_goal),
        cmocka_unit_test(choice__not_tried__is_not_chosen_unless_nothing_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
