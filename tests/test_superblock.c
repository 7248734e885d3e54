/*
 * format/superblock.c
 */
#include "bytes.h"
#include "hash.h"
#include "superblock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HASH_OFF 4088u

static const struct hr__superblock example = {
    .uuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .commit_seq = 7,
    .footer_off = 135168,
    .footer_bytes = 1000,
    .footer_hash = UINT64_C(0x0123456789abcdef),
    .file_bytes = 139264,
    .required = HR__FEATURE_ZSTD | HR__FEATURE_BYTE_SHUFFLE,
};

static void seal(uint8_t *page) {
    hr__put_u64(page + HASH_OFF, hr__hash(page, HASH_OFF));
}

static void encode(uint64_t seq, uint8_t page[HR__PAGE_BYTES]) {
    struct hr__superblock sb = example;
    sb.commit_seq = seq;
    hr__superblock_encode(&sb, page);
}

static hr_status decode(const uint8_t *page) {
    struct hr__superblock out;
    hr_error err = {0};
    hr_status st = hr__superblock_decode(page, &out, &err);
    assert_true(st == HR_OK || (err.status == st && err.message[0] != 0));
    return st;
}

static hr_status choose(const uint8_t *slot0, const uint8_t *slot1, int *slot, hr_error *err) {
    *err = (hr_error){0};
    *slot = -1;
    hr_status st = hr__superblock_choose(slot0, slot1, slot, err);
    assert_true(st == HR_OK || (err->status == st && err->message[0] != 0));
    return st;
}

static void superblock__encoded__decodes_equal(void **state) {
    (void)state;
    uint8_t page[HR__PAGE_BYTES];
    for (uint32_t features = 0; features < 8; features++) {
        struct hr__superblock sb = example, out;
        sb.required = features;
        hr__superblock_encode(&sb, page);
        assert_true(hr__superblock_slot_valid(page));
        assert_int_equal(hr__superblock_decode(page, &out, NULL), HR_OK);
        assert_memory_equal(out.uuid, sb.uuid, 16);
        assert_int_equal(out.commit_seq, sb.commit_seq);
        assert_int_equal(out.footer_off, sb.footer_off);
        assert_int_equal(out.footer_bytes, sb.footer_bytes);
        assert_int_equal(out.footer_hash, sb.footer_hash);
        assert_int_equal(out.file_bytes, sb.file_bytes);
        assert_int_equal(out.required, features);
    }
}

/* Where the format page says each field is. */
static void superblock__encoded__is_laid_out_as_specified(void **state) {
    (void)state;
    uint8_t page[HR__PAGE_BYTES];
    encode(7, page);
    assert_memory_equal(page, "\x89HRD\r\n\x1a\n", 8);
    assert_int_equal(hr__get_u32(page + 8), 1);
    assert_int_equal(hr__get_u32(page + 12), 4096);
    assert_memory_equal(page + 16, example.uuid, 16);
    assert_int_equal(hr__get_u64(page + 32), 7);
    assert_int_equal(hr__get_u64(page + 40), 135168);
    assert_int_equal(hr__get_u64(page + 48), 1000);
    assert_int_equal(hr__get_u64(page + 56), example.footer_hash);
    assert_int_equal(hr__get_u64(page + 64), 139264);
    assert_int_equal(hr__get_u16(page + 72), 18);
    assert_memory_equal(page + 128, "byte-shuffle\nzstd\n", 18);
    assert_true(hr__is_zero(page + 146, HASH_OFF - 146));
}

static void slot__any_bit_flipped__is_invalid(void **state) {
    (void)state;
    uint8_t page[HR__PAGE_BYTES], other[HR__PAGE_BYTES];
    encode(7, page);
    encode(7, other);
    for (uint32_t bit = 0; bit < HR__PAGE_BYTES * 8; bit++) {
        int slot;
        hr_error err;
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(hr__superblock_slot_valid(page));
        assert_int_equal(choose(page, other, &slot, &err), HR_OK);
        assert_int_equal(slot, 1);
        assert_int_equal(choose(other, page, &slot, &err), HR_OK);
        assert_int_equal(slot, 0);
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* What a write that stopped half-way leaves: the rest as it was before (zeros). */
static void slot__every_truncation__is_invalid(void **state) {
    (void)state;
    uint8_t whole[HR__PAGE_BYTES], torn[HR__PAGE_BYTES] = {0};
    encode(7, whole);
    for (uint32_t n = 0; n < HR__PAGE_BYTES; n++) {
        assert_false(hr__superblock_slot_valid(torn));
        torn[n] = whole[n];
    }
    assert_true(hr__superblock_slot_valid(torn));
}

static void choose__two_valid__the_newer_decides(void **state) {
    (void)state;
    uint8_t a[HR__PAGE_BYTES], b[HR__PAGE_BYTES];
    int slot;
    hr_error err;
    encode(7, a);
    encode(8, b);
    assert_int_equal(choose(a, b, &slot, &err), HR_OK);
    assert_int_equal(slot, 1);
    assert_int_equal(choose(b, a, &slot, &err), HR_OK);
    assert_int_equal(slot, 0);
    assert_int_equal(choose(a, a, &slot, &err), HR_OK);
    assert_int_equal(slot, 0);
}

static void choose__contradiction__is_corrupt(void **state) {
    (void)state;
    uint8_t a[HR__PAGE_BYTES], b[HR__PAGE_BYTES];
    int slot;
    hr_error err;
    encode(7, a);
    encode(8, b);
    b[16] ^= 1;
    seal(b);
    assert_int_equal(choose(a, b, &slot, &err), HR_ERR_CORRUPT);
    encode(7, b);
    b[56] ^= 1; /* the same commit, another footer */
    seal(b);
    assert_int_equal(choose(a, b, &slot, &err), HR_ERR_CORRUPT);
}

static void choose__none_valid__says_why(void **state) {
    (void)state;
    static const uint8_t zeros[HR__PAGE_BYTES];
    uint8_t text[HR__PAGE_BYTES], damaged[HR__PAGE_BYTES];
    int slot;
    hr_error err;
    memset(text, 'x', sizeof(text));
    encode(7, damaged);
    damaged[100] = 1;
    assert_int_equal(choose(zeros, zeros, &slot, &err), HR_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "unfinished"));
    assert_int_equal(choose(text, text, &slot, &err), HR_ERR_NOT_DATASET);
    assert_non_null(strstr(err.message, "not a Headrace file"));
    assert_int_equal(choose(text, zeros, &slot, &err), HR_ERR_NOT_DATASET);
    assert_non_null(strstr(err.message, "not a Headrace file"));
    assert_int_equal(choose(damaged, zeros, &slot, &err), HR_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "damaged"));
    assert_int_equal(choose(text, damaged, &slot, &err), HR_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "damaged"));
}

static void decode_with_u64(uint32_t off, uint64_t value, hr_status expected) {
    uint8_t page[HR__PAGE_BYTES];
    encode(7, page);
    hr__put_u64(page + off, value);
    seal(page);
    assert_int_equal(decode(page), expected);
}

static void decode__ranges__are_checked(void **state) {
    (void)state;
    decode_with_u64(32, 0, HR_ERR_CORRUPT);
    decode_with_u64(32, UINT64_MAX, HR_OK);
    decode_with_u64(40, 135168 + 1, HR_ERR_CORRUPT);
    decode_with_u64(40, 131072 - 4096, HR_ERR_CORRUPT);
    decode_with_u64(40, 131072, HR_OK);
    decode_with_u64(40, 139264, HR_ERR_CORRUPT);
    decode_with_u64(40, UINT64_MAX - 4095, HR_ERR_CORRUPT);
    decode_with_u64(48, 127, HR_ERR_CORRUPT);
    decode_with_u64(48, 128, HR_OK);
    decode_with_u64(48, 4096, HR_OK);
    decode_with_u64(48, 4097, HR_ERR_CORRUPT);
    decode_with_u64(48, UINT64_MAX, HR_ERR_CORRUPT);
    decode_with_u64(64, 139264 + 512, HR_ERR_CORRUPT);
    decode_with_u64(64, 135168, HR_ERR_CORRUPT);
    decode_with_u64(64, 0, HR_ERR_CORRUPT);
    decode_with_u64(64, UINT64_C(1) << 63, HR_OK); /* the caller knows the file */
}

static void decode__largest_footer__is_the_limit(void **state) {
    (void)state;
    uint8_t page[HR__PAGE_BYTES];
    encode(7, page);
    hr__put_u64(page + 64, UINT64_C(1) << 40);
    hr__put_u64(page + 48, UINT64_C(1) << 32);
    seal(page);
    assert_int_equal(decode(page), HR_OK);
    hr__put_u64(page + 48, (UINT64_C(1) << 32) + 1);
    seal(page);
    assert_int_equal(decode(page), HR_ERR_CORRUPT);
}

static void decode__version__decides(void **state) {
    (void)state;
    uint8_t page[HR__PAGE_BYTES];
    encode(7, page);
    hr__put_u32(page + 8, 0);
    seal(page);
    assert_int_equal(decode(page), HR_ERR_CORRUPT);
    hr__put_u32(page + 8, 2);
    seal(page);
    assert_int_equal(decode(page), HR_ERR_UNSUPPORTED);
}

static void decode__any_reserved_byte__is_corrupt(void **state) {
    (void)state;
    uint8_t page[HR__PAGE_BYTES];
    for (uint32_t off = 76; off < HASH_OFF; off++) {
        const bool listed = off >= 128 && off < 146; /* the names that are there */
        if (listed)
            continue;
        encode(7, page);
        page[off] = 1;
        seal(page);
        assert_int_equal(decode(page), HR_ERR_CORRUPT);
    }
}

/* names in an area; used: as written in the superblock. */
static hr_status decode_names(bool required, const char *names, uint16_t used, hr_error *err) {
    uint8_t page[HR__PAGE_BYTES];
    struct hr__superblock sb = example, out;
    sb.required = 0;
    hr__superblock_encode(&sb, page);
    memcpy(page + (required ? 128 : 1152), names, strlen(names));
    hr__put_u16(page + (required ? 72 : 74), used);
    seal(page);
    return hr__superblock_decode(page, &out, err);
}

static void features(bool required, const char *names, hr_status expected) {
    hr_error err = {0};
    hr_status st = decode_names(required, names, (uint16_t)strlen(names), &err);
    if (st != expected)
        fail_msg("%s: %s, not %s", names, hr_status_name(st), hr_status_name(expected));
}

static void features__unknown__required_is_named_optional_is_ignored(void **state) {
    (void)state;
    const char *names = "future-thing\nzstd\n";
    hr_error err = {0};
    assert_int_equal(decode_names(true, names, (uint16_t)strlen(names), &err), HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "\"future-thing\""));
    features(false, names, HR_OK);
}

static void features__malformed_area__is_corrupt(void **state) {
    (void)state;
    static const char *const bad[] = {
        "zstd",
        "\n",
        "zstd\n\n",
        "\nzstd\n",
        "zstd\nbyte-shuffle\n",
        "zstd\nzstd\n",
        "Zstd\n",
        "z std\n",
        "z_std\n",
        "zstd\nzst\n",
        "a234567890123456789012345678901234567890123456789012345678901234\n",
    };
    for (int required = 0; required < 2; required++) {
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
            features(required, bad[i], HR_ERR_CORRUPT);
        hr_error err;
        assert_int_equal(decode_names(required, "zstd\n", 1025, &err), HR_ERR_CORRUPT);
        assert_int_equal(decode_names(required, "zstd\n", 4, &err), HR_ERR_CORRUPT);
        assert_int_equal(decode_names(required, "zstd\n", 6, &err), HR_ERR_CORRUPT);
        features(required, "", HR_OK);
        features(required, "byte-shuffle\nvarlen\nzstd\n", HR_OK);
        features(required, "bit-shuffle\nbyte-shuffle\ndelta\nvarlen\nzstd\n", HR_OK);
    }
    features(false, "zst\nzstd\n", HR_OK);
    features(false, "a23456789012345678901234567890123456789012345678901234567890123\n", HR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(superblock__encoded__decodes_equal),
        cmocka_unit_test(superblock__encoded__is_laid_out_as_specified),
        cmocka_unit_test(slot__any_bit_flipped__is_invalid),
        cmocka_unit_test(slot__every_truncation__is_invalid),
        cmocka_unit_test(choose__two_valid__the_newer_decides),
        cmocka_unit_test(choose__contradiction__is_corrupt),
        cmocka_unit_test(choose__none_valid__says_why),
        cmocka_unit_test(decode__ranges__are_checked),
        cmocka_unit_test(decode__largest_footer__is_the_limit),
        cmocka_unit_test(decode__version__decides),
        cmocka_unit_test(decode__any_reserved_byte__is_corrupt),
        cmocka_unit_test(features__unknown__required_is_named_optional_is_ignored),
        cmocka_unit_test(features__malformed_area__is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
