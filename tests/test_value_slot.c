/*
 * Slots of values: what is put is what is taken; ends that cannot be are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "value_slot.h"

#include <stdlib.h>
#include <string.h>

/* A slot of exactly this size, so that a sanitizer sees every byte too far. */
static uint8_t *make_slot(uint64_t n_bytes) {
    uint8_t *slot = calloc(1, n_bytes > 0 ? n_bytes : 1);
    assert_non_null(slot);
    return slot;
}

static void slot__values__come_back(void **state) {
    (void)state;
    const uint8_t bytes[] = "abcdefgh";
    const int64_t offsets[] = {3, 5, 5, 9, 11}; /* of bytes: from the first on */
    uint64_t ends[4];
    const uint64_t n_bytes = hr__value_slot_bytes(4, 8);
    uint8_t *slot = make_slot(n_bytes);
    hr__value_slot_put(offsets, 4, bytes, slot);
    assert_int_equal(hr__value_slot_take(slot, n_bytes, 4, 1, ends, NULL), HR_OK);
    assert_memory_equal(ends, ((const uint64_t[]){2, 2, 6, 8}), sizeof ends);
    assert_memory_equal(hr__value_slot_values(slot, 4), bytes, 8);
    assert_int_equal(hr__value_slot_take(slot, n_bytes, 4, 2, ends, NULL), HR_OK);
    assert_int_equal(hr__value_slot_take(slot, n_bytes, 4, 4, ends, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__value_slot_take(slot, n_bytes - 1, 4, 1, ends, NULL), HR_ERR_INVALID);
    free(slot);
}

static void slot__as_many_as_fit__one_at_least(void **state) {
    (void)state;
    static int64_t many[HR__SLOT_MAX_VALUES + 3];
    const int64_t offsets[] = {100, 110, 110, 130, 1000};
    assert_int_equal(hr__value_slot_fits(offsets, 0, 100), 0);
    assert_int_equal(hr__value_slot_fits(offsets, 4, 10), 1);
    assert_int_equal(hr__value_slot_fits(offsets, 4, 25), 1);
    assert_int_equal(hr__value_slot_fits(offsets, 4, 26), 2);
    assert_int_equal(hr__value_slot_fits(offsets, 4, 54), 3);
    assert_int_equal(hr__value_slot_fits(offsets, 4, 932), 4);
    assert_int_equal(hr__value_slot_fits(many, HR__SLOT_MAX_VALUES + 2, UINT64_C(1) << 30),
                     HR__SLOT_MAX_VALUES);
    assert_int_equal(hr__value_slot_bytes(1, UINT64_MAX - 3), UINT64_MAX);
}

static void slot__too_many_or_no_values__are_refused(void **state) {
    (void)state;
    static uint64_t ends[HR__SLOT_MAX_VALUES];
    const uint64_t room = (HR__SLOT_MAX_VALUES + 1) * UINT64_C(8);
    uint8_t *slot = make_slot(room);
    assert_int_equal(hr__value_slot_take(slot, room, 0, 1, ends, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__value_slot_take(slot, room, HR__SLOT_MAX_VALUES, 1, ends, NULL), HR_OK);
    assert_int_equal(hr__value_slot_take(slot, room, HR__SLOT_MAX_VALUES + 1, 1, ends, NULL),
                     HR_ERR_INVALID);
    assert_int_equal(hr__value_slot_take(slot, 31, 4, 1, ends, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__value_slot_take(slot, room, UINT64_MAX / 4, 1, ends, NULL),
                     HR_ERR_INVALID);
    free(slot);
}

static void slot__every_flipped_bit_of_an_end__is_refused_or_within(void **state) {
    (void)state;
    const int64_t offsets[] = {0, 4, 8, 16};
    const uint8_t bytes[16] = {0};
    const uint64_t n_bytes = hr__value_slot_bytes(3, 16);
    uint8_t *slot = make_slot(n_bytes);
    uint64_t ends[3];
    hr__value_slot_put(offsets, 3, bytes, slot);
    for (uint32_t bit = 0; bit < 3 * 64; bit++) {
        slot[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (hr__value_slot_take(slot, n_bytes, 3, 4, ends, NULL) == HR_OK)
            assert_true(ends[0] <= ends[1] && ends[1] <= ends[2] && ends[2] <= 16);
        slot[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(slot);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slot__values__come_back),
        cmocka_unit_test(slot__as_many_as_fit__one_at_least),
        cmocka_unit_test(slot__too_many_or_no_values__are_refused),
        cmocka_unit_test(slot__every_flipped_bit_of_an_end__is_refused_or_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
