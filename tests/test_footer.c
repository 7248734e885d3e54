/*
 * format/footer.c
 */
#include "bytes.h"
#include "footer.h"
#include "hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_BYTES (UINT64_C(4096) * 2000)

struct example {
    uint8_t *bytes;
    size_t n_bytes;
    struct hr__superblock sb;
};

static void seal(struct example *x) {
    x->sb.footer_bytes = x->n_bytes;
    x->sb.footer_hash = hr__hash(x->bytes, x->n_bytes);
}

/* Two segments of 25 and 30 samples in chunks of 10; index pages at 200 and on. */
static void example_named(struct example *x, uint64_t num_chunks, const char *name) {
    const hr_field field = {.name = name, .dtype = HR_INT32};
    struct hr__segment segments[2] = {{0, 3, 0, 25},
                                      {3, num_chunks - 3, 25, (num_chunks - 3) * 10}};
    struct hr__index_page_ref pages[4] = {
        {200 * 4096, 11}, {220 * 4096, 12}, {240 * 4096, 13}, {0, 0}};
    struct hr__footer f = {.uuid = {7, 7},
                           .commit_seq = 5,
                           .num_chunks = num_chunks,
                           .num_samples = 25 + (num_chunks - 3) * 10,
                           .dead_bytes = 8192,
                           .max_chunk_pages = 3,
                           .num_segments = 2,
                           .segments = segments,
                           .num_index_pages = (num_chunks + 8191) / 8192,
                           .index_pages = pages};
    assert_int_equal(hr__schema_make(&field, 1, 10, &f.schema, NULL), HR_OK);
    f.schema.fields[0].statistics = hr__statistics_new(HR_INT32, true);
    *x = (struct example){.sb = {.uuid = {7, 7}, .commit_seq = 5, .file_bytes = FILE_BYTES}};
    assert_int_equal(hr__footer_encode(&f, &x->bytes, &x->n_bytes, NULL), HR_OK);
    hr__schema_free(&f.schema);
    seal(x);
}

static void example_make(struct example *x, uint64_t num_chunks) {
    example_named(x, num_chunks, "label");
}

/* From memory of exactly n bytes. */
static hr_status decode_n(const struct example *x, size_t n, struct hr__footer *out) {
    hr_error err = {0};
    uint8_t *exact = malloc(n > 0 ? n : 1);
    memcpy(exact, x->bytes, n);
    hr_status st = hr__footer_decode(exact, n, &x->sb, out, &err);
    assert_true(st == HR_OK || (err.status == st && err.message[0] != 0));
    assert_true(st == HR_OK || (out->segments == NULL && out->json == NULL));
    free(exact);
    return st;
}

static hr_status decode(const struct example *x) {
    struct hr__footer out;
    hr_status st = decode_n(x, x->n_bytes, &out);
    hr__footer_free(&out);
    return st;
}

static void footer__encoded__decodes_equal(void **state) {
    (void)state;
    struct example x;
    struct hr__footer f;
    example_make(&x, 8193);
    assert_int_equal(x.n_bytes % 8, 0);
    assert_int_equal(decode_n(&x, x.n_bytes, &f), HR_OK);
    assert_int_equal(f.commit_seq, 5);
    assert_int_equal(f.num_chunks, 8193);
    assert_int_equal(f.num_samples, 25 + 81900);
    assert_int_equal(f.dead_bytes, 8192);
    assert_int_equal(f.max_chunk_pages, 3);
    assert_int_equal(f.num_segments, 2);
    assert_int_equal(f.segments[1].first_chunk, 3);
    assert_int_equal(f.segments[1].first_sample, 25);
    assert_int_equal(f.num_index_pages, 2);
    assert_int_equal(f.index_pages[1].off, 220 * 4096);
    assert_int_equal(f.index_pages[1].hash, 12);
    assert_int_equal(f.schema.num_fields, 1);
    assert_string_equal(f.schema.fields[0].name, "label");
    assert_memory_equal(f.json, x.bytes + 128, strlen(f.json));
    hr__footer_free(&f);
    free(x.bytes);
}

static void footer__no_samples__decodes(void **state) {
    (void)state;
    static const hr_field field = {.name = "label", .dtype = HR_INT32};
    struct example x = {.sb = {.commit_seq = 1, .file_bytes = FILE_BYTES}};
    struct hr__footer f = {.commit_seq = 1}, out;
    assert_int_equal(hr__schema_make(&field, 1, 10, &f.schema, NULL), HR_OK);
    assert_int_equal(hr__footer_encode(&f, &x.bytes, &x.n_bytes, NULL), HR_OK);
    seal(&x);
    assert_int_equal(decode_n(&x, x.n_bytes, &out), HR_OK);
    assert_int_equal(out.num_samples, 0);
    hr__footer_free(&out);
    hr__put_u32(x.bytes + 88, 1); /* a largest chunk without chunks */
    seal(&x);
    assert_int_equal(decode(&x), HR_ERR_CORRUPT);
    hr__schema_free(&f.schema);
    free(x.bytes);
}

static void footer__any_bit_flipped__is_corrupt(void **state) {
    (void)state;
    struct example x;
    example_make(&x, 8);
    for (size_t bit = 0; bit < x.n_bytes * 8; bit++) {
        x.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(decode(&x), HR_ERR_CORRUPT);
        x.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(decode(&x), HR_OK);
    free(x.bytes);
}

static void footer__every_truncation__is_corrupt(void **state) {
    (void)state;
    struct example x;
    struct hr__footer out;
    example_make(&x, 8);
    for (size_t n = 0; n < x.n_bytes; n++) {
        assert_int_equal(decode_n(&x, n, &out), HR_ERR_CORRUPT);
        x.sb.footer_hash = hr__hash(x.bytes, n); /* and with a hash that says it is whole */
        assert_int_equal(decode_n(&x, n, &out), HR_ERR_CORRUPT);
        seal(&x);
    }
    free(x.bytes);
}

/* Figures that agree with each other, whatever was flipped under a right hash. */
static void check_accepted(const struct hr__footer *f) {
    uint64_t chunks = 0, samples = 0, s = f->schema.samples_per_chunk;
    for (uint64_t i = 0; i < f->num_segments; i++) {
        const struct hr__segment *g = &f->segments[i];
        assert_int_equal(g->first_chunk, chunks);
        assert_int_equal(g->first_sample, samples);
        assert_true(g->num_chunks > 0 && g->num_samples <= g->num_chunks * s &&
                    g->num_samples > (g->num_chunks - 1) * s);
        chunks += g->num_chunks;
        samples += g->num_samples;
    }
    assert_int_equal(chunks, f->num_chunks);
    assert_int_equal(samples, f->num_samples);
    assert_int_equal(f->num_index_pages, (chunks + 8191) / 8192);
    for (uint64_t i = 0; i < f->num_index_pages; i++) {
        assert_int_equal(f->index_pages[i].off % 4096, 0);
        assert_true(f->index_pages[i].off >= 131072 && f->index_pages[i].off < FILE_BYTES);
    }
}

static void footer__flipped_with_the_right_hash__is_consistent(void **state) {
    (void)state;
    struct example x;
    struct hr__footer out;
    uint32_t accepted = 0;
    example_make(&x, 8);
    for (size_t bit = 0; bit < x.n_bytes * 8; bit++) {
        x.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        seal(&x);
        hr_status st = decode_n(&x, x.n_bytes, &out);
        if (st == HR_OK) {
            check_accepted(&out);
            hr__footer_free(&out);
            accepted++;
        } else {
            assert_int_equal(st, HR_ERR_CORRUPT);
        }
        x.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(accepted > 0);
    free(x.bytes);
}

static void with_u64(uint64_t off_from_end, uint32_t off, uint64_t value, hr_status expected) {
    struct example x;
    example_make(&x, 8193);
    hr__put_u64(x.bytes + (off_from_end > 0 ? x.n_bytes - off_from_end : off), value);
    seal(&x);
    hr_status st = decode(&x);
    if (st != expected)
        fail_msg("%llu at %u, -%u: %s", (unsigned long long)value, off, (unsigned)off_from_end,
                 hr_status_name(st));
    free(x.bytes);
}

static void footer__violated_rules__are_corrupt(void **state) {
    (void)state;
    with_u64(0, 0, 0, HR_ERR_CORRUPT);
    with_u64(0, 8, 129, HR_ERR_CORRUPT);
    with_u64(0, 8, 128 | UINT64_C(11) << 32, HR_ERR_CORRUPT); /* another S */
    with_u64(0, 8, 128, HR_ERR_CORRUPT);
    with_u64(0, 8, 128 | UINT64_C(65537) << 32, HR_ERR_CORRUPT);
    with_u64(0, 16, 1, HR_ERR_CORRUPT);
    with_u64(0, 32, 4, HR_ERR_CORRUPT);
    with_u64(0, 40, 81926, HR_ERR_CORRUPT);
    with_u64(0, 48, 8192, HR_ERR_CORRUPT);
    with_u64(0, 48, UINT64_MAX, HR_ERR_CORRUPT);
    with_u64(0, 56, 1, HR_ERR_CORRUPT);
    with_u64(0, 64, 3, HR_ERR_CORRUPT);
    with_u64(0, 64, UINT64_MAX / 24, HR_ERR_CORRUPT);
    with_u64(0, 72, 1, HR_ERR_CORRUPT);
    with_u64(0, 72, UINT64_MAX, HR_ERR_CORRUPT);
    with_u64(0, 80, FILE_BYTES, HR_OK);
    with_u64(0, 80, FILE_BYTES + 1, HR_ERR_CORRUPT);
    with_u64(0, 88, 0, HR_ERR_CORRUPT);
    with_u64(0, 88, 1u << 24, HR_ERR_CORRUPT);
    with_u64(0, 88, (1u << 24) - 1, HR_OK);
    with_u64(0, 88, UINT64_C(1) << 32 | 3, HR_ERR_CORRUPT); /* reserved */
    with_u64(0, 120, 1, HR_ERR_CORRUPT);
    with_u64(32, 0, 131072, HR_OK); /* first index page */
    with_u64(32, 0, 131072 - 4096, HR_ERR_CORRUPT);
    with_u64(32, 0, 131072 + 8, HR_ERR_CORRUPT);
    with_u64(32, 0, FILE_BYTES - 65536, HR_OK);
    with_u64(32, 0, FILE_BYTES - 61440, HR_ERR_CORRUPT);
    with_u64(16, 0, FILE_BYTES - 4096, HR_OK); /* second: one entry */
    with_u64(16, 0, FILE_BYTES, HR_ERR_CORRUPT);
    with_u64(80, 0, 1, HR_ERR_CORRUPT); /* segments: the first does not begin with 0, */
    with_u64(56, 0, 4, HR_ERR_CORRUPT); /* a gap, */
    with_u64(72, 0, 0, HR_ERR_CORRUPT); /* no chunks, */
    with_u64(64, 0, 20, HR_ERR_CORRUPT);
    with_u64(64, 0, 31, HR_ERR_CORRUPT);
    with_u64(48, 0, UINT64_MAX, HR_ERR_CORRUPT);
}

/* 3 chunks of 10 hold 21 to 30 samples; the total is made to agree. */
static void footer__segment_with_an_empty_chunk__is_corrupt(void **state) {
    (void)state;
    for (uint64_t samples = 20; samples <= 31; samples++) {
        struct example x;
        example_make(&x, 8193);
        hr__put_u64(x.bytes + x.n_bytes - 64, samples);
        hr__put_u64(x.bytes + 40, 81900 + samples);
        seal(&x);
        assert_int_equal(decode(&x), samples > 20 && samples < 31 ? HR_OK : HR_ERR_CORRUPT);
        free(x.bytes);
    }
}

static void footer__variable_length_without_the_feature__is_corrupt(void **state) {
    (void)state;
    static const hr_field field = {.name = "text", .dtype = HR_VAR_UTF8};
    struct example x = {.sb = {.commit_seq = 1, .file_bytes = FILE_BYTES}};
    struct hr__footer f = {.commit_seq = 1};
    assert_int_equal(hr__schema_make(&field, 1, 10, &f.schema, NULL), HR_OK);
    assert_int_equal(hr__footer_encode(&f, &x.bytes, &x.n_bytes, NULL), HR_OK);
    seal(&x);
    x.sb.required = HR__FEATURE_ZSTD | HR__FEATURE_BYTE_SHUFFLE;
    assert_int_equal(decode(&x), HR_ERR_CORRUPT);
    x.sb.required = HR__FEATURE_VARLEN;
    assert_int_equal(decode(&x), HR_OK);
    hr__schema_free(&f.schema);
    free(x.bytes);
}

static void footer__padding_behind_the_json__is_checked(void **state) {
    (void)state;
    uint32_t padded = 0;
    for (const char *name = "abcdefgh"; *name != 0; name++) { /* a byte shorter each time */
        struct example x;
        example_named(&x, 8, name);
        const uint64_t json_bytes = hr__get_u64(x.bytes + 72);
        for (uint64_t i = json_bytes; i % 8 != 0; i++, padded++) {
            x.bytes[128 + i] = ' ';
            seal(&x);
            assert_int_equal(decode(&x), HR_ERR_CORRUPT);
            x.bytes[128 + i] = 0;
        }
        seal(&x);
        assert_int_equal(decode(&x), HR_OK);
        free(x.bytes);
    }
    assert_int_equal(padded, 28);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(footer__encoded__decodes_equal),
        cmocka_unit_test(footer__no_samples__decodes),
        cmocka_unit_test(footer__any_bit_flipped__is_corrupt),
        cmocka_unit_test(footer__every_truncation__is_corrupt),
        cmocka_unit_test(footer__flipped_with_the_right_hash__is_consistent),
        cmocka_unit_test(footer__violated_rules__are_corrupt),
        cmocka_unit_test(footer__segment_with_an_empty_chunk__is_corrupt),
        cmocka_unit_test(footer__variable_length_without_the_feature__is_corrupt),
        cmocka_unit_test(footer__padding_behind_the_json__is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
