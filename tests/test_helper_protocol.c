/*
 * Messages of the source helper: round trip, every truncation, every flipped bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bytes.h"
#include "helper_protocol.h"

#include <stdlib.h>
#include <string.h>

#define NUM_EXAMPLES 25

static void fill_examples(struct hr__helper_message m[NUM_EXAMPLES]) {
    memset(m, 0, NUM_EXAMPLES * sizeof *m);
    m[0] = (struct hr__helper_message){.type = HR__HELPER_LIST,
                                       .flags = HR__HELPER_FOLLOW_EXTERNAL | HR__HELPER_DENSE |
                                                HR__HELPER_GO_ON,
                                       .path = "a.h5",
                                       .member = ""};
    m[1] = (struct hr__helper_message){.type = HR__HELPER_OPEN,
                                       .array = 7,
                                       .memory_bytes = UINT64_C(1) << 33,
                                       .slot_bytes = 1 << 20,
                                       .cache_bytes = 4096,
                                       .path = "/data/a.h5",
                                       .member = "x/train"};
    m[2] = (struct hr__helper_message){
        .type = HR__HELPER_READ, .array = 4095, .slot = 1, .first = 7, .n = 9};
    m[3] = (struct hr__helper_message){.type = HR__HELPER_HELLO, .text = "HDF5 1.10.8"};
    m[4] = (struct hr__helper_message){.type = HR__HELPER_FIELD};
    m[4].field = (struct hr__helper_field){.dtype = HR_FLOAT32,
                                           .rank = 2,
                                           .flags = HR__HELPER_CHUNKED,
                                           .shape = {28, 3},
                                           .num_samples = 1000,
                                           .sample_bytes = 28 * 3 * 4,
                                           .granule_samples = 64,
                                           .chunk_bytes = 21504,
                                           .chunk_row_bytes = 21504,
                                           .member = "x/train",
                                           .name = "train"};
    m[5] = m[4];
    m[5].type = HR__HELPER_OPENED;
    m[5].field.flags = HR__HELPER_SPARSE | HR__HELPER_BY_COLUMNS;
    m[5].field.rank = 1;
    m[5].field.shape[1] = 0;
    m[5].field.sample_bytes = 28 * 4;
    m[6] = (struct hr__helper_message){.type = HR__HELPER_LIST_END, .count = 3};
    m[7] = (struct hr__helper_message){
        .type = HR__HELPER_ROWS, .array = 1, .slot = 0, .first = 0, .n = 9};
    m[8] = (struct hr__helper_message){
        .type = HR__HELPER_ERROR, .status = HR_ERR_UNSUPPORTED, .text = "it holds times"};
    m[9] = (struct hr__helper_message){.type = HR__HELPER_ATTRIBUTES, .text = "{\"unit\":\"K\"}"};
    m[10] = (struct hr__helper_message){.type = HR__HELPER_NOTE, .text = "/x: something"};
    m[11] = (struct hr__helper_message){.type = HR__HELPER_CREATE,
                                        .flags = HR__HELPER_ZIP,
                                        .level = 4,
                                        .count = 2,
                                        .slot_bytes = 1 << 20,
                                        .path = "a.h5.partial"};
    m[12] = m[4];
    m[12].type = HR__HELPER_ARRAY;
    m[13] = (struct hr__helper_message){.type = HR__HELPER_WRITE, .slot = 1, .first = 7, .n = 9};
    m[14] = (struct hr__helper_message){.type = HR__HELPER_ATTRIBUTE,
                                        .flags = HR__HELPER_SCALAR,
                                        .dtype = HR_FLOAT64,
                                        .count = 1,
                                        .member = "",
                                        .text = "title"};
    m[15] = (struct hr__helper_message){.type = HR__HELPER_FINISH};
    m[16] = (struct hr__helper_message){.type = HR__HELPER_DONE, .slot = 1, .first = 7, .n = 9};
    m[17] = (struct hr__helper_message){.type = HR__HELPER_BEGIN_VALUES, .flags = HR__HELPER_TEXT};
    m[17].field = (struct hr__helper_field){.dtype = HR_UINT8,
                                            .num_samples = 1000,
                                            .sample_bytes = 1,
                                            .granule_samples = 1,
                                            .member = "text",
                                            .name = ""};
    m[18] = (struct hr__helper_message){.type = HR__HELPER_VALUES, .slot = 1, .first = 7, .n = 9};
    m[19] = m[4];
    m[19].field.record =
        (struct hr__helper_record){.path = "x", .rank = 1, .bytes = 60, .at = 8, .steps = {0, 24}};
    m[20] = m[1];
    m[20].flags = HR__HELPER_RECORDS;
    m[21] = m[4];
    m[21].field = (struct hr__helper_field){.dtype = HR_VAR_UTF8,
                                            .flags = HR__HELPER_CHUNKED | HR__HELPER_VARIABLE,
                                            .num_samples = 1000,
                                            .granule_samples = 64,
                                            .chunk_bytes = 1024,
                                            .chunk_row_bytes = 1024,
                                            .member = "x/names",
                                            .name = "names"};
    m[22] = m[21];
    m[22].field.dtype = HR_FLOAT32;
    m[22].field.flags |= HR__HELPER_SPARSE | HR__HELPER_BY_COLUMNS;
    m[22].field.rank = 1;
    m[22].field.shape[0] = 30000;
    m[23] = (struct hr__helper_message){.type = HR__HELPER_CLOSE, .array = 4095};
    m[24] = (struct hr__helper_message){.type = HR__HELPER_REFUSED,
                                        .status = HR_ERR_UNSUPPORTED,
                                        .member = "meta/version",
                                        .text = "/meta/version: it has no axis of samples"};
}

/* Decodes from memory of exactly that size, so that a sanitizer sees every byte too far. */
static hr_status decode(const uint8_t *buf, size_t n_bytes, uint8_t **copy,
                        struct hr__helper_message *out, hr_error *err) {
    *copy = malloc(n_bytes > 0 ? n_bytes : 1);
    assert_non_null(*copy);
    memcpy(*copy, buf, n_bytes);
    return hr__helper_decode(*copy, n_bytes, out, err);
}

static void assert_text_equal(const char *a, const char *b) {
    assert_true((a == NULL) == (b == NULL));
    if (a != NULL)
        assert_string_equal(a, b);
}

static void protocol__every_message__round_trips(void **state) {
    (void)state;
    struct hr__helper_message m[NUM_EXAMPLES];
    fill_examples(m);
    for (size_t i = 0; i < NUM_EXAMPLES; i++) {
        uint8_t buf[HR__HELPER_MESSAGE_BYTES], *copy;
        struct hr__helper_message out;
        size_t n = hr__helper_encode(&m[i], buf, sizeof buf);
        assert_true(n > 0);
        assert_int_equal(decode(buf, n, &copy, &out, NULL), HR_OK);
        assert_int_equal(out.type, m[i].type);
        assert_int_equal(out.flags, m[i].flags);
        assert_int_equal(out.array, m[i].array);
        assert_int_equal(out.memory_bytes, m[i].memory_bytes);
        assert_int_equal(out.slot, m[i].slot);
        assert_int_equal(out.count, m[i].count);
        assert_int_equal(out.level, m[i].level);
        assert_int_equal(out.dtype, m[i].dtype);
        assert_int_equal(out.status, m[i].status);
        assert_int_equal(out.first, m[i].first);
        assert_int_equal(out.n, m[i].n);
        assert_int_equal(out.slot_bytes, m[i].slot_bytes);
        assert_int_equal(out.cache_bytes, m[i].cache_bytes);
        assert_text_equal(out.path, m[i].path);
        assert_text_equal(out.member, m[i].member);
        assert_text_equal(out.text, m[i].text);
        assert_text_equal(out.field.member, m[i].field.member);
        assert_text_equal(out.field.name, m[i].field.name);
        assert_memory_equal(out.field.shape, m[i].field.shape, sizeof out.field.shape);
        assert_int_equal(out.field.chunk_row_bytes, m[i].field.chunk_row_bytes);
        assert_string_equal(out.field.record.path != NULL ? out.field.record.path : "",
                            m[i].field.record.path != NULL ? m[i].field.record.path : "");
        assert_int_equal(out.field.record.rank, m[i].field.record.rank);
        assert_int_equal(out.field.record.bytes, m[i].field.record.bytes);
        assert_int_equal(out.field.record.at, m[i].field.record.at);
        assert_memory_equal(out.field.record.steps, m[i].field.record.steps,
                            sizeof out.field.record.steps);
        free(copy);
    }
}

static void protocol__every_truncation__is_refused(void **state) {
    (void)state;
    struct hr__helper_message m[NUM_EXAMPLES];
    fill_examples(m);
    for (size_t i = 0; i < NUM_EXAMPLES; i++) {
        uint8_t buf[HR__HELPER_MESSAGE_BYTES + 1] = {0}, *copy;
        struct hr__helper_message out;
        size_t n = hr__helper_encode(&m[i], buf, HR__HELPER_MESSAGE_BYTES);
        for (size_t cut = 0; cut <= n + 1; cut++) {
            if (cut == n)
                continue;
            hr_error err = {.status = HR_OK};
            assert_int_equal(decode(buf, cut, &copy, &out, &err), HR_ERR_HELPER);
            assert_true(err.message[0] != '\0');
            free(copy);
        }
    }
}

/* The head's size made to fit, so that the cut is met inside the body. */
static void protocol__every_truncated_body__is_refused(void **state) {
    (void)state;
    struct hr__helper_message m[NUM_EXAMPLES];
    fill_examples(m);
    for (size_t i = 0; i < NUM_EXAMPLES; i++) {
        uint8_t buf[HR__HELPER_MESSAGE_BYTES], *copy;
        struct hr__helper_message out;
        size_t n = hr__helper_encode(&m[i], buf, sizeof buf);
        for (size_t body = 0; body < n - 16; body++) {
            buf[8] = (uint8_t)body;
            buf[9] = (uint8_t)(body >> 8);
            assert_int_equal(decode(buf, 16 + body, &copy, &out, NULL), HR_ERR_HELPER);
            free(copy);
        }
    }
}

static void protocol__every_flipped_bit__is_refused_or_means_what_it_says(void **state) {
    (void)state;
    struct hr__helper_message m[NUM_EXAMPLES];
    fill_examples(m);
    for (size_t i = 0; i < NUM_EXAMPLES; i++) {
        uint8_t buf[HR__HELPER_MESSAGE_BYTES], again[HR__HELPER_MESSAGE_BYTES], *copy;
        struct hr__helper_message out;
        size_t n = hr__helper_encode(&m[i], buf, sizeof buf);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (decode(buf, n, &copy, &out, NULL) == HR_OK) {
                assert_true(bit / 8 >= 6); /* never with a damaged magic or version */
                assert_int_equal(hr__helper_encode(&out, again, sizeof again), n);
                assert_memory_equal(again, buf, n);
            }
            free(copy);
            buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void protocol__other_version__is_named(void **state) {
    (void)state;
    struct hr__helper_message m = {.type = HR__HELPER_LIST_END}, out;
    uint8_t buf[64];
    hr_error err = {.status = HR_OK};
    size_t n = hr__helper_encode(&m, buf, sizeof buf);
    buf[4] = HR__HELPER_VERSION + 1;
    assert_int_equal(hr__helper_decode(buf, n, &out, &err), HR_ERR_HELPER);
    assert_non_null(strstr(err.message, "version 3, expected 2"));
}

static void protocol__too_little_room__encodes_nothing(void **state) {
    (void)state;
    struct hr__helper_message m[NUM_EXAMPLES];
    fill_examples(m);
    for (size_t i = 0; i < NUM_EXAMPLES; i++) {
        uint8_t buf[HR__HELPER_MESSAGE_BYTES];
        size_t n = hr__helper_encode(&m[i], buf, sizeof buf);
        for (size_t room = 0; room < n; room++) {
            uint8_t *small = malloc(room > 0 ? room : 1);
            assert_non_null(small);
            assert_int_equal(hr__helper_encode(&m[i], small, room), 0);
            free(small);
        }
    }
}

static void protocol__text_at_and_above_the_limit__fits_and_does_not(void **state) {
    (void)state;
    char text[HR__HELPER_PATH_BYTES + 2];
    uint8_t buf[HR__HELPER_MESSAGE_BYTES];
    memset(text, 'a', sizeof text);
    text[HR__HELPER_PATH_BYTES] = '\0';
    struct hr__helper_message m = {.type = HR__HELPER_HELLO, .text = text};
    assert_true(hr__helper_encode(&m, buf, sizeof buf) > HR__HELPER_PATH_BYTES);
    text[HR__HELPER_PATH_BYTES] = 'a';
    text[HR__HELPER_PATH_BYTES + 1] = '\0';
    assert_int_equal(hr__helper_encode(&m, buf, sizeof buf), 0);
}

static void protocol__number_of_an_array_above_the_limit__is_refused(void **state) {
    (void)state;
    uint8_t buf[64];
    struct hr__helper_message out,
        m = {.type = HR__HELPER_CLOSE, .array = HR__HELPER_MAX_ARRAYS - 1};
    const size_t n = hr__helper_encode(&m, buf, sizeof buf);
    assert_int_equal(hr__helper_decode(buf, n, &out, NULL), HR_OK);
    m.array++;
    assert_int_equal(hr__helper_encode(&m, buf, sizeof buf), 0);
    hr__put_u32(buf + 16, m.array);
    assert_int_equal(hr__helper_decode(buf, n, &out, NULL), HR_ERR_HELPER);
}

static void field__figures_that_disagree__are_invalid(void **state) {
    (void)state;
    struct hr__helper_message m[NUM_EXAMPLES];
    fill_examples(m);
    struct hr__helper_field f = m[4].field;
    assert_true(hr__helper_field_valid(&f));
    f.sample_bytes++;
    assert_false(hr__helper_field_valid(&f));
    f = m[4].field;
    f.granule_samples = 0;
    assert_false(hr__helper_field_valid(&f));
    f = m[4].field;
    f.num_samples = UINT64_MAX / f.sample_bytes + 1;
    assert_false(hr__helper_field_valid(&f));
    f = m[4].field;
    f.shape[0] = UINT64_C(1) << 63;
    assert_false(hr__helper_field_valid(&f));
    f = m[4].field;
    f.width_bytes = 4;
    assert_false(hr__helper_field_valid(&f));
    f.dtype = HR_VAR_UTF8;
    assert_false(hr__helper_field_valid(&f));
}

static void protocol__values_that_are_no_elements__are_not_encoded(void **state) {
    (void)state;
    struct hr__helper_message m[NUM_EXAMPLES];
    uint8_t buf[HR__HELPER_MESSAGE_BYTES];
    fill_examples(m);
    struct hr__helper_message v = m[17];
    v.field.dtype = HR_INT32;
    v.field.sample_bytes = 4;
    assert_int_equal(hr__helper_encode(&v, buf, sizeof buf), 0); /* a text of numbers */
    v.flags = 0;
    assert_true(hr__helper_encode(&v, buf, sizeof buf) > 0);
    v.field.flags = HR__HELPER_CHUNKED;
    assert_int_equal(hr__helper_encode(&v, buf, sizeof buf), 0);
    v.field.flags = 0;
    v.field.rank = 1;
    v.field.shape[0] = 1;
    assert_int_equal(hr__helper_encode(&v, buf, sizeof buf), 0);
    v = m[17];
    v.flags = 0;
    v.field.dtype = HR_FIXED_BYTES;
    v.field.width_bytes = 1;
    assert_int_equal(hr__helper_encode(&v, buf, sizeof buf), 0);
}

static void record__figures_that_disagree__are_invalid(void **state) {
    (void)state;
    struct hr__helper_message m[NUM_EXAMPLES];
    fill_examples(m);
    const struct hr__helper_field good =
        m[19].field; /* float32 (28, 3): records of 28, steps of 24 */
    static const struct {
        uint32_t rank;
        uint64_t bytes, at, step;
        bool valid;
    } cases[] = {{1, 60, 8, 24, true},
                 {1, 60, 9, 24, false}, /* leaves the record */
                 {1, 60, UINT64_MAX, 24, false},
                 {1, 60, 8, 3, false}, /* values lie on each other */
                 {1, 60, 8, 4, true},
                 {1, 60, 8, UINT64_MAX / 2, false},
                 {2, 60, 56, 0, true},
                 {2, 60, 57, 0, false},
                 {3, 60, 8, 24, false},
                 {1, 0, 0, 4, false},
                 {1, UINT64_C(1) << 31, 8, 24, false},
                 {1, UINT64_MAX, 8, 24, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hr__helper_field f = good;
        f.record = (struct hr__helper_record){.path = "x",
                                              .rank = cases[i].rank,
                                              .bytes = cases[i].bytes,
                                              .at = cases[i].at,
                                              .steps = {0, cases[i].step}};
        if (hr__helper_field_valid(&f) != cases[i].valid)
            fail_msg("case %zu", i);
    }
    struct hr__helper_field f = good;
    f.num_samples = UINT64_C(1) << 54; /* so many of the field are fine, but not of the records */
    assert_false(hr__helper_field_valid(&f));
    f.record.path = "";
    assert_true(hr__helper_field_valid(&f));
    f = good;
    f.shape[1] = 0;
    f.sample_bytes = 0;
    assert_false(hr__helper_field_valid(&f));
}

static void record__as_a_field__is_fixed_bytes(void **state) {
    (void)state;
    struct hr__helper_message m[NUM_EXAMPLES];
    fill_examples(m);
    const struct hr__helper_field records = hr__helper_field_of_records(&m[19].field);
    assert_int_equal(records.dtype, HR_FIXED_BYTES);
    assert_int_equal(records.width_bytes, 60);
    assert_int_equal(records.rank, 1);
    assert_int_equal(records.sample_bytes, 28 * 60);
    assert_string_equal(records.member, "x");
    assert_true(hr__helper_field_valid(&records));
    assert_int_equal(hr__helper_record_member_bytes(&m[19].field), 12);
}

static void field__of_variable_length__has_elements_and_no_size(void **state) {
    (void)state;
    const struct hr__helper_field good = {
        .dtype = HR_INT32, .flags = HR__HELPER_VARIABLE, .num_samples = 3, .granule_samples = 1};
    const hr_dtype none[] = {(hr_dtype)0, HR_BOOL, HR_FIXED_BYTES, HR_FIXED_UTF8};
    struct hr__helper_field f = good;
    assert_true(hr__helper_field_valid(&f));
    assert_int_equal(hr__helper_unit_bytes(&f), 4);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        f.dtype = none[i];
        assert_false(hr__helper_field_valid(&f));
    }
    f.dtype = HR_VAR_BYTES;
    assert_true(hr__helper_field_valid(&f));
    assert_int_equal(hr__helper_unit_bytes(&f), 1);
    f = good;
    f.sample_bytes = 4;
    assert_false(hr__helper_field_valid(&f));
    f = good;
    f.rank = 1;
    assert_false(hr__helper_field_valid(&f));
    f = good;
    f.num_samples = UINT64_MAX;
    assert_false(hr__helper_field_valid(&f));
}

static void field__empty_samples_of_huge_other_axes__are_valid(void **state) {
    (void)state;
    struct hr__helper_field f = {.dtype = HR_INT8,
                                 .rank = 2,
                                 .shape = {UINT64_MAX, 0},
                                 .num_samples = UINT64_MAX,
                                 .granule_samples = 1};
    assert_true(hr__helper_field_valid(&f));
    f.sample_bytes = 1;
    assert_false(hr__helper_field_valid(&f));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protocol__every_message__round_trips),
        cmocka_unit_test(protocol__every_truncation__is_refused),
        cmocka_unit_test(protocol__number_of_an_array_above_the_limit__is_refused),
        cmocka_unit_test(protocol__every_truncated_body__is_refused),
        cmocka_unit_test(protocol__every_flipped_bit__is_refused_or_means_what_it_says),
        cmocka_unit_test(protocol__other_version__is_named),
        cmocka_unit_test(protocol__too_little_room__encodes_nothing),
        cmocka_unit_test(protocol__text_at_and_above_the_limit__fits_and_does_not),
        cmocka_unit_test(field__figures_that_disagree__are_invalid),
        cmocka_unit_test(protocol__values_that_are_no_elements__are_not_encoded),
        cmocka_unit_test(record__figures_that_disagree__are_invalid),
        cmocka_unit_test(record__as_a_field__is_fixed_bytes),
        cmocka_unit_test(field__of_variable_length__has_elements_and_no_size),
        cmocka_unit_test(field__empty_samples_of_huge_other_axes__are_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
