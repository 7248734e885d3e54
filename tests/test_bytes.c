/*
 * Little-endian integers and runs of zeros (base/bytes.h).
 */
#include "bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t stored[9] = {0xff, 0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0x88};

static void get__unaligned__is_little_endian(void **state) {
    (void)state;
    assert_int_equal(hr__get_u16(stored + 1), 0x8201);
    assert_int_equal(hr__get_u32(stored + 1), 0x84038201u);
    assert_true(hr__get_u64(stored + 1) == UINT64_C(0x8807860584038201));
}

static void put__unaligned__writes_its_bytes_only(void **state) {
    (void)state;
    uint8_t out[11];
    static const size_t width[] = {2, 4, 8};
    for (size_t i = 0; i < 3; i++) {
        memset(out, 0xee, sizeof(out));
        if (width[i] == 2)
            hr__put_u16(out + 1, 0x8201);
        else if (width[i] == 4)
            hr__put_u32(out + 1, 0x84038201u);
        else
            hr__put_u64(out + 1, UINT64_C(0x8807860584038201));
        assert_memory_equal(out + 1, stored + 1, width[i]);
        assert_int_equal(out[0], 0xee);
        assert_int_equal(out[1 + width[i]], 0xee);
    }
}

static void put__extremes__come_back(void **state) {
    (void)state;
    uint8_t p[8];
    hr__put_u16(p, UINT16_MAX);
    assert_int_equal(hr__get_u16(p), UINT16_MAX);
    hr__put_u32(p, UINT32_MAX);
    assert_true(hr__get_u32(p) == UINT32_MAX);
    hr__put_u64(p, UINT64_MAX);
    assert_true(hr__get_u64(p) == UINT64_MAX);
    hr__put_u64(p, 0);
    assert_true(hr__get_u64(p) == 0);
}

static void is_zero__a_bit_anywhere__is_seen(void **state) {
    (void)state;
    uint8_t p[67] = {0};
    assert_true(hr__is_zero(p, 0));
    for (size_t n = 1; n <= sizeof(p); n++) {
        assert_true(hr__is_zero(p, n));
        for (size_t i = 0; i < n; i++) {
            p[i] = (uint8_t)(1u << i % 8);
            assert_false(hr__is_zero(p, n));
            p[i] = 0;
        }
    }
}

static void is_zero__a_bit_behind_the_end__does_not_count(void **state) {
    (void)state;
    uint8_t p[3] = {0, 0, 1};
    assert_true(hr__is_zero(p, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get__unaligned__is_little_endian),
        cmocka_unit_test(put__unaligned__writes_its_bytes_only),
        cmocka_unit_test(put__extremes__come_back),
        cmocka_unit_test(is_zero__a_bit_anywhere__is_seen),
        cmocka_unit_test(is_zero__a_bit_behind_the_end__does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
