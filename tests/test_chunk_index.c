/*
 * format/chunk_index.c
 */
#include "chunk_index.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FILE_BYTES (UINT64_C(4096) * 1000)

static hr_status decode(uint64_t page, uint32_t pages, uint64_t file_bytes, uint32_t max_pages) {
    hr_error err = {0};
    struct hr__index_entry out, in = {page, pages};
    hr_status st =
        hr__index_entry_decode(hr__index_entry_encode(in), file_bytes, max_pages, &out, &err);
    assert_true(st == HR_OK || (err.status == st && err.message[0] != 0));
    if (st == HR_OK) {
        assert_int_equal(out.page, page);
        assert_int_equal(out.pages, pages);
    }
    return st;
}

static void entry__ranges__are_checked(void **state) {
    (void)state;
    assert_int_equal(decode(32, 1, FILE_BYTES, 64), HR_OK);
    assert_int_equal(decode(31, 1, FILE_BYTES, 64), HR_ERR_CORRUPT);
    assert_int_equal(decode(0, 1, FILE_BYTES, 64), HR_ERR_CORRUPT);
    assert_int_equal(decode(32, 0, FILE_BYTES, 64), HR_ERR_CORRUPT);
    assert_int_equal(decode(32, 64, FILE_BYTES, 64), HR_OK);
    assert_int_equal(decode(32, 65, FILE_BYTES, 64), HR_ERR_CORRUPT);
    assert_int_equal(decode(999, 1, FILE_BYTES, 64), HR_OK);
    assert_int_equal(decode(999, 2, FILE_BYTES, 64), HR_ERR_CORRUPT);
    assert_int_equal(decode(1000, 1, FILE_BYTES, 64), HR_ERR_CORRUPT);
    const uint64_t last = (UINT64_C(1) << 40) - 1;
    assert_int_equal(decode(last, 1, FILE_BYTES, 64), HR_ERR_CORRUPT);
    assert_int_equal(decode(last, 1, UINT64_C(1) << 52, 64), HR_OK);
    assert_int_equal(decode(32, (1u << 24) - 1, UINT64_C(1) << 52, (1u << 24) - 1), HR_OK);
}

static void entry__bits__are_where_specified(void **state) {
    (void)state;
    struct hr__index_entry e = {0x123456789a, 0xbcdef1};
    assert_int_equal(hr__index_entry_encode(e), UINT64_C(0xbcdef1123456789a));
}

static void page_bytes__entries__in_whole_pages(void **state) {
    (void)state;
    assert_int_equal(hr__index_page_bytes(1, 0), 4096);
    assert_int_equal(hr__index_page_bytes(512, 0), 4096);
    assert_int_equal(hr__index_page_bytes(513, 0), 8192);
    assert_int_equal(hr__index_page_bytes(8192, 0), 65536);
    assert_int_equal(hr__index_page_bytes(8193, 0), 65536);
    assert_int_equal(hr__index_page_bytes(8193, 1), 4096);
    assert_int_equal(hr__index_page_bytes(UINT64_C(1) << 40, (1u << 27) - 1), 65536);
}

/* Segments of 25, 10, 1 and 30 samples in chunks of 10: sample by sample, chunk by chunk. */
static void segments__every_sample__is_where_counting_finds_it(void **state) {
    (void)state;
    static const uint64_t samples[] = {25, 10, 1, 30};
    struct hr__segment segments[4];
    uint64_t chunk = 0, sample = 0;
    for (int i = 0; i < 4; i++) {
        segments[i] = (struct hr__segment){chunk, (samples[i] + 9) / 10, sample, samples[i]};
        chunk += segments[i].num_chunks;
        sample += samples[i];
    }
    chunk = sample = 0;
    for (int i = 0; i < 4; i++)
        for (uint64_t left = samples[i]; left > 0; chunk++) {
            const uint32_t in_chunk = left < 10 ? (uint32_t)left : 10;
            uint64_t first;
            uint32_t n;
            hr__segment_chunk(segments, 4, 10, chunk, &first, &n);
            assert_int_equal(first, sample);
            assert_int_equal(n, in_chunk);
            for (uint32_t k = 0; k < in_chunk; k++, sample++) {
                uint64_t found;
                uint32_t place;
                hr__segment_locate(segments, 4, 10, sample, &found, &place);
                assert_int_equal(found, chunk);
                assert_int_equal(place, k);
            }
            left -= in_chunk;
        }
    assert_int_equal(sample, 66);
}

static void segments__largest_data_set__does_not_overflow(void **state) {
    (void)state;
    const uint64_t chunks = UINT64_C(1) << 40, samples = chunks * 65536;
    const struct hr__segment s = {0, chunks, 0, samples};
    uint64_t chunk, first;
    uint32_t place, n;
    hr__segment_locate(&s, 1, 65536, samples - 1, &chunk, &place);
    assert_int_equal(chunk, chunks - 1);
    assert_int_equal(place, 65535);
    hr__segment_chunk(&s, 1, 65536, chunks - 1, &first, &n);
    assert_int_equal(first, samples - 65536);
    assert_int_equal(n, 65536);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entry__ranges__are_checked),
        cmocka_unit_test(entry__bits__are_where_specified),
        cmocka_unit_test(page_bytes__entries__in_whole_pages),
        cmocka_unit_test(segments__every_sample__is_where_counting_finds_it),
        cmocka_unit_test(segments__largest_data_set__does_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
