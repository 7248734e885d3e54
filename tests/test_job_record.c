/*
 * format/job_record.c
 */
#include "bytes.h"
#include "hash.h"
#include "job_record.h"
#include "superblock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct hr__job_record example = {
    .samples_per_chunk = 334,
    .uuid = {1, 2, 3},
    .job_id = {4, 5, 6},
    .commit_seq = 1,
    .layout_hash = UINT64_C(0x1122334455667788),
    .json_off = HR__JOB_OFF + HR__JOB_HEADER_BYTES,
    .json_bytes = 500,
    .json_hash = UINT64_C(0x8877665544332211),
};

static hr_status decode_at(const uint8_t *bytes, uint64_t off) {
    struct hr__job_record out;
    hr_error err = {0};
    hr_status st = hr__job_record_decode(bytes, off, &out, &err);
    assert_true(st == HR_OK || (err.status == st && err.message[0] != 0));
    return st;
}

static hr_status decode_as(struct hr__job_record job, uint64_t off) {
    uint8_t bytes[HR__JOB_HEADER_BYTES];
    hr__job_record_encode(&job, bytes);
    return decode_at(bytes, off);
}

static void job_record__encoded__decodes_equal(void **state) {
    (void)state;
    uint8_t bytes[HR__JOB_HEADER_BYTES];
    struct hr__job_record out;
    hr__job_record_encode(&example, bytes);
    assert_int_equal(hr__job_record_decode(bytes, HR__JOB_OFF, &out, NULL), HR_OK);
    assert_int_equal(out.samples_per_chunk, 334);
    assert_memory_equal(out.uuid, example.uuid, 16);
    assert_memory_equal(out.job_id, example.job_id, 16);
    assert_int_equal(out.commit_seq, 1);
    assert_int_equal(out.layout_hash, example.layout_hash);
    assert_int_equal(out.json_off, example.json_off);
    assert_int_equal(out.json_bytes, 500);
    assert_int_equal(out.json_hash, example.json_hash);
    assert_memory_equal(bytes, "HRDJOB\r\n", 8);
    assert_int_equal(hr__get_u32(bytes + 8), 1);
    assert_int_equal(hr__get_u64(bytes + 80), example.json_hash);
}

static void job_record__any_bit_flipped__is_corrupt(void **state) {
    (void)state;
    uint8_t bytes[HR__JOB_HEADER_BYTES];
    hr__job_record_encode(&example, bytes);
    for (uint32_t bit = 0; bit < HR__JOB_HEADER_BYTES * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(decode_at(bytes, HR__JOB_OFF), HR_ERR_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(decode_at(bytes, HR__JOB_OFF), HR_OK);
}

static void job_record__every_truncation__is_corrupt(void **state) {
    (void)state;
    uint8_t whole[HR__JOB_HEADER_BYTES], torn[HR__JOB_HEADER_BYTES] = {0};
    hr__job_record_encode(&example, whole);
    for (uint32_t n = 0; n < HR__JOB_HEADER_BYTES; n++) {
        assert_int_equal(decode_at(torn, HR__JOB_OFF), HR_ERR_CORRUPT);
        torn[n] = whole[n];
    }
}

static void job_record__ranges__are_checked(void **state) {
    (void)state;
    struct hr__job_record j = example;
    j.samples_per_chunk = 0;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_ERR_CORRUPT);
    j.samples_per_chunk = 65536;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_OK);
    j.samples_per_chunk = 65537;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_ERR_CORRUPT);
    j = example;
    j.commit_seq = 0;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_ERR_CORRUPT);
    j = example;
    j.json_bytes = 1;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_ERR_CORRUPT);
    j.json_bytes = 2;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_OK);
    j.json_off = HR__DATA_OFF;
    j.json_bytes = 16u << 20;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_OK);
    j.json_bytes++;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_ERR_CORRUPT);
}

static void job_record__json_in_the_wrong_place__is_corrupt(void **state) {
    (void)state;
    struct hr__job_record j = example;
    j.json_off = HR__DATA_OFF;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_ERR_CORRUPT);
    j.json_off = 0;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_ERR_CORRUPT);
    j.json_off = UINT64_MAX;
    assert_int_equal(decode_as(j, HR__JOB_OFF), HR_ERR_CORRUPT);
    assert_int_equal(decode_as(example, 262144), HR_ERR_CORRUPT); /* of another record */
    j.json_off = 262144 + HR__JOB_HEADER_BYTES;
    j.json_bytes = 1u << 20; /* of an append: behind the record, however large */
    assert_int_equal(decode_as(j, 262144), HR_OK);
}

static void job_record__other_version__is_corrupt(void **state) {
    (void)state;
    uint8_t bytes[HR__JOB_HEADER_BYTES];
    hr__job_record_encode(&example, bytes);
    for (uint32_t version = 0; version <= 2; version++) {
        hr__put_u32(bytes + 8, version);
        hr__put_u64(bytes + 88, hr__hash(bytes, 88));
        assert_int_equal(decode_at(bytes, HR__JOB_OFF), version == 1 ? HR_OK : HR_ERR_CORRUPT);
    }
}

static void job_places__sizes__as_specified(void **state) {
    (void)state;
    assert_int_equal(hr__job_json_off(4096, 61344), 4192);
    assert_int_equal(hr__job_json_off(4096, 61345), 131072);
    assert_int_equal(hr__job_json_off(262144, 61345), 262240);
    assert_int_equal(hr__job_first_chunk_off(4096, 500), 131072);
    assert_int_equal(hr__job_first_chunk_off(4096, 61344), 131072);
    assert_int_equal(hr__job_first_chunk_off(4096, 61440), 131072 + 61440);
    assert_int_equal(hr__job_first_chunk_off(4096, 61441), 131072 + 65536);
    assert_int_equal(hr__job_first_chunk_off(262144, 4000), 266240);
    assert_int_equal(hr__job_first_chunk_off(262144, 4001), 270336);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_record__encoded__decodes_equal),
        cmocka_unit_test(job_record__any_bit_flipped__is_corrupt),
        cmocka_unit_test(job_record__every_truncation__is_corrupt),
        cmocka_unit_test(job_record__ranges__are_checked),
        cmocka_unit_test(job_record__json_in_the_wrong_place__is_corrupt),
        cmocka_unit_test(job_record__other_version__is_corrupt),
        cmocka_unit_test(job_places__sizes__as_specified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
