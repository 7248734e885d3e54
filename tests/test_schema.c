/*
 * format/schema.c, format/schema_json.c, format/json_text.c
 */
#include "headrace/writer.h"
#include "json_text.h"
#include "schema.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static hr_status make(const hr_field *fields, uint32_t n, struct hr__schema *out) {
    hr_error err = {0};
    hr_status st = hr__schema_make(fields, n, 100, out, &err);
    assert_true(st == HR_OK || (err.status == st && err.message[0] != 0));
    return st;
}

static hr_status parse_n(const char *json, size_t n, struct hr__schema *out) {
    hr_error err = {0};
    char *exact = malloc(n > 0 ? n : 1); /* a sanitizer sees a read past the text */
    memcpy(exact, json, n);
    hr_status st = hr__schema_parse(exact, n, 100, out, &err);
    assert_true(st == HR_OK || (err.status == st && err.message[0] != 0));
    free(exact);
    return st;
}

static void refused(const char *json) {
    struct hr__schema s;
    if (parse_n(json, strlen(json), &s) != HR_ERR_CORRUPT)
        fail_msg("not refused: %.200s", json);
    assert_null(s.fields);
}

static void accepted(const char *json) {
    struct hr__schema s;
    if (parse_n(json, strlen(json), &s) != HR_OK)
        fail_msg("refused: %.200s", json);
    hr__schema_free(&s);
}

static void invalid(hr_field f) {
    struct hr__schema s;
    assert_int_equal(make(&f, 1, &s), HR_ERR_INVALID);
    assert_null(s.fields);
}

static void valid(hr_field f, uint64_t sample_bytes) {
    struct hr__schema s;
    assert_int_equal(make(&f, 1, &s), HR_OK);
    assert_int_equal(s.fields[0].sample_bytes, sample_bytes);
    hr__schema_free(&s);
}

static void make__names__by_the_rules(void **state) {
    (void)state;
    char longest[257];
    memset(longest, 'n', 256);
    longest[256] = 0;
    invalid((hr_field){.name = longest, .dtype = HR_INT8});
    longest[255] = 0;
    valid((hr_field){.name = longest, .dtype = HR_INT8}, 1);
    static const char *const bad[] = {"",      "/x",       "x/",   "a\nb",        "a\x7f",
                                      "a\x01", "\xc0\x80", "\xff", "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        invalid((hr_field){.name = bad[i], .dtype = HR_INT8});
    invalid((hr_field){.name = NULL, .dtype = HR_INT8});
    valid((hr_field){.name = "group/\xc3\xbc", .dtype = HR_INT8}, 1);
}

static void make__types_and_shapes__by_the_rules(void **state) {
    (void)state;
    static const uint64_t image[] = {28, 28}, empty[] = {UINT64_C(1) << 40, 0, 7};
    static const uint64_t large_empty[] = {UINT64_C(1) << 40, UINT64_C(1) << 40, 0};
    static const uint64_t wide[] = {(UINT64_C(1) << 48) + 1}, huge[] = {UINT64_C(1) << 34};
    static const uint64_t wide_empty[] = {(UINT64_C(1) << 48) + 1, 0};
    static const uint64_t overflow[] = {UINT64_C(1) << 32, UINT64_C(1) << 32};
    uint64_t ones[33];
    for (int i = 0; i < 33; i++)
        ones[i] = 1;
    valid((hr_field){.name = "x", .dtype = HR_FLOAT32, .rank = 2, .shape = image}, 3136);
    valid((hr_field){.name = "x", .dtype = HR_FLOAT32, .rank = 3, .shape = empty}, 0);
    valid((hr_field){.name = "x", .dtype = HR_FLOAT32, .rank = 3, .shape = large_empty}, 0);
    valid((hr_field){.name = "x", .dtype = HR_UINT8, .rank = 1, .shape = huge}, 1ull << 34);
    invalid((hr_field){.name = "x", .dtype = HR_UINT16, .rank = 1, .shape = huge});
    invalid((hr_field){.name = "x", .dtype = HR_UINT8, .rank = 1, .shape = wide});
    invalid((hr_field){.name = "x", .dtype = HR_UINT8, .rank = 2, .shape = overflow});
    invalid((hr_field){.name = "x", .dtype = HR_UINT8, .rank = 2, .shape = wide_empty});
    valid((hr_field){.name = "x", .dtype = HR_COMPLEX128, .rank = 32, .shape = ones}, 16);
    invalid((hr_field){.name = "x", .dtype = HR_COMPLEX128, .rank = 33, .shape = ones});
    invalid((hr_field){.name = "x", .dtype = (hr_dtype)0});
    invalid((hr_field){.name = "x", .dtype = (hr_dtype)20});
    valid((hr_field){.name = "x", .dtype = HR_INT8, .reserved = {0}}, 1);
    invalid((hr_field){.name = "x", .dtype = HR_INT8, .reserved = {0, 0, 1}});
    invalid((hr_field){.name = "x", .dtype = HR_INT8, .reserved32 = 1});
    invalid((hr_field){.name = "x", .dtype = HR_INT8, .element_dtype = HR_INT8});
    invalid((hr_field){.name = "x", .dtype = HR_VAR_BYTES, .element_dtype = (hr_dtype)20});
    valid((hr_field){.name = "x", .dtype = HR_VAR_BYTES, .element_dtype = HR_COMPLEX128}, 0);
    valid((hr_field){.name = "x", .dtype = HR_FIXED_BYTES, .width_bytes = 12}, 12);
    valid((hr_field){.name = "x", .dtype = HR_FIXED_UTF8, .width_bytes = 0}, 0);
    valid((hr_field){.name = "x", .dtype = HR_FIXED_BYTES, .width_bytes = INT32_MAX}, INT32_MAX);
    invalid((hr_field){.name = "x", .dtype = HR_FIXED_BYTES, .width_bytes = 0x80000000u});
    valid((hr_field){.name = "x", .dtype = HR_VAR_UTF8}, 0);
    invalid((hr_field){.name = "x", .dtype = HR_VAR_UTF8, .rank = 2, .shape = image});
}

static void make__no_shape__is_refused(void **state) {
    (void)state;
    invalid((hr_field){.name = "x", .dtype = HR_INT64, .rank = 3});
}

static void make__numbers_of_fields__by_the_rules(void **state) {
    (void)state;
    struct hr__schema s;
    const hr_field same[2] = {{.name = "x", .dtype = HR_INT8}, {.name = "x", .dtype = HR_INT16}};
    assert_int_equal(make(same, 2, &s), HR_ERR_INVALID);
    assert_int_equal(make(same, 0, &s), HR_ERR_INVALID);
    static hr_field many[4097];
    static char names[4097][8];
    for (int i = 0; i < 4097; i++) {
        snprintf(names[i], sizeof(names[i]), "f%d", i);
        many[i] = (hr_field){.name = names[i], .dtype = HR_INT8};
    }
    assert_int_equal(make(many, 4097, &s), HR_ERR_INVALID);
    assert_int_equal(make(many, 4096, &s), HR_OK);
    hr__schema_free(&s);
    assert_int_equal(hr__schema_make(same, 1, 0, &s, NULL), HR_ERR_INVALID);
    assert_int_equal(hr__schema_make(same, 1, 65537, &s, NULL), HR_ERR_INVALID);
    static const uint64_t half[] = {UINT64_C(1) << 33}, more[] = {(UINT64_C(1) << 33) + 1};
    const hr_field large[2] = {{.name = "x", .dtype = HR_INT8, .rank = 1, .shape = half},
                               {.name = "y", .dtype = HR_INT8, .rank = 1, .shape = more}};
    assert_int_equal(make(large, 2, &s), HR_ERR_INVALID);
}

static void make__block_order__smallest_first_variable_last(void **state) {
    (void)state;
    static const uint64_t n[] = {100};
    const hr_field fields[] = {
        {.name = "text", .dtype = HR_VAR_UTF8},
        {.name = "image", .dtype = HR_UINT8, .rank = 1, .shape = n},
        {.name = "b", .dtype = HR_INT32},
        {.name = "label", .dtype = HR_INT8},
        {.name = "a", .dtype = HR_FLOAT32},
    };
    static const uint32_t expected[] = {3, 2, 4, 1, 0};
    struct hr__schema s;
    assert_int_equal(make(fields, 5, &s), HR_OK);
    assert_memory_equal(s.block_order, expected, sizeof(expected));
    hr__schema_free(&s);
}

/* The byte string of section 2.4, written out by hand and hashed apart from this library. */
static void make__layout_hash__is_the_specified_one(void **state) {
    (void)state;
    static const uint64_t shape[] = {2, 3};
    const hr_field f = {.name = "x", .dtype = HR_FLOAT32, .rank = 2, .shape = shape};
    struct hr__schema s, t;
    assert_int_equal(make(&f, 1, &s), HR_OK);
    assert_int_equal(s.layout_hash, UINT64_C(0xd46735348c53a9f5));
    assert_int_equal(hr__schema_make(&f, 1, 101, &t, NULL), HR_OK);
    assert_true(s.layout_hash != t.layout_hash);
    hr__schema_free(&s);
    hr__schema_free(&t);
}

static void print__everything__parses_back_equal(void **state) {
    (void)state;
    static const uint64_t shape[] = {0, UINT64_C(1) << 48};
    const hr_field fields[] = {
        {.name = "y",
         .dtype = HR_INT64,
         .attributes_json = "{\"unit\": \"\xc2\xb5m\", \"k\": [1, "
                            "0.1, null, {\"deep\": true}]}"},
        {.name = "t\"\\", .dtype = HR_FIXED_UTF8, .width_bytes = 48},
        {.name = "e", .dtype = HR_BFLOAT16, .rank = 2, .shape = shape},
    };
    struct hr__schema s, t;
    assert_int_equal(make(fields, 3, &s), HR_OK);
    s.fields[0].storage = (struct hr__storage){.codec = HR__CODEC_ZSTD,
                                               .filter = HR__FILTER_DELTA_BYTE_SHUFFLE,
                                               .element_bytes = 8,
                                               .distance_bytes = 48,
                                               .level = -5};
    s.fields[0].statistics = hr__statistics_new(HR_INT64, true);
    const int64_t values[] = {-4, -4, INT64_MAX, INT64_MIN, 9007199254740993};
    assert_int_equal(hr__statistics_add(s.fields[0].statistics, values, 0, 5, 1, NULL), HR_OK);
    char *first = NULL, *second = NULL;
    size_t n = 0, m = 0;
    assert_int_equal(hr__schema_print(&s, &first, &n, NULL), HR_OK);
    assert_int_equal(strlen(first), n);
    assert_int_equal(parse_n(first, n, &t), HR_OK);
    assert_int_equal(t.layout_hash, s.layout_hash);
    assert_int_equal(t.fields[0].storage.level, -5);
    assert_int_equal(t.fields[0].storage.filter, HR__FILTER_DELTA_BYTE_SHUFFLE);
    assert_int_equal(t.fields[0].storage.element_bytes, 8);
    assert_int_equal(t.fields[0].storage.distance_bytes, 48);
    assert_int_equal(t.fields[1].width_bytes, 48);
    assert_int_equal(t.fields[2].shape[1], UINT64_C(1) << 48);
    hr_statistics stats = {.struct_bytes = sizeof(stats)};
    hr__statistics_get(t.fields[0].statistics, &stats);
    assert_int_equal(stats.min_int, INT64_MIN);
    assert_int_equal(stats.max_int, INT64_MAX);
    assert_int_equal(stats.num_distinct, 4);
    assert_int_equal(stats.longest_run_samples, 2);
    assert_int_equal(hr__schema_print(&t, &second, &m, NULL), HR_OK);
    assert_string_equal(first, second);
    free(first);
    free(second);
    hr__schema_free(&s);
    hr__schema_free(&t);
}

/* Values of which no two are next to each other. */
static void give_labels(struct hr__schema_field *f, uint32_t distinct) {
    f->statistics = hr__statistics_new(HR_INT64, true);
    for (uint32_t i = 0; i < distinct; i++) {
        const int64_t value = (int64_t)i * INT64_C(70000000000000) - INT64_MAX;
        assert_int_equal(hr__statistics_add(f->statistics, &value, i, 1, 1, NULL), HR_OK);
    }
}

static void print__labels_of_too_many_values__are_left_out(void **state) {
    (void)state;
    static const hr_field fields[] = {{.name = "many", .dtype = HR_INT64},
                                      {.name = "few", .dtype = HR_INT64},
                                      {.name = "most", .dtype = HR_INT64},
                                      {.name = "more", .dtype = HR_INT64}};
    static const uint32_t distinct[] = {16000, 300, 65536, 16001};
    static const bool kept[] = {true, true, false, false};
    struct hr__schema s, again;
    char *text;
    size_t n;
    assert_int_equal(hr__schema_make(fields, 4, 100, &s, NULL), HR_OK);
    for (uint32_t i = 0; i < 4; i++)
        give_labels(&s.fields[i], distinct[i]);
    assert_int_equal(hr__schema_print(&s, &text, &n, NULL), HR_OK);
    assert_true(n < 2u << 20);
    assert_int_equal(hr__schema_parse(text, n, 100, &again, NULL), HR_OK);
    for (uint32_t i = 0; i < 4; i++) {
        hr_statistics figures = {.struct_bytes = sizeof figures};
        hr__statistics_get(again.fields[i].statistics, &figures);
        assert_int_equal(figures.num_values, distinct[i]);
        assert_int_equal(figures.num_distinct, kept[i] ? distinct[i] : 0);
    }
    free(text);
    hr__schema_free(&again);
    hr__schema_free(&s);
}

static void print_job__has_options_and_sources_no_statistics(void **state) {
    (void)state;
    const hr_field f = {.name = "y", .dtype = HR_INT64};
    struct hr__schema s, t;
    char *json = NULL, *member = NULL;
    size_t n = 0;
    assert_int_equal(make(&f, 1, &s), HR_OK);
    s.fields[0].statistics = hr__statistics_new(HR_INT64, true);
    assert_int_equal(hr__schema_print_job(&s, "{\"b\": 1, \"a\": [2.5]}", "[{\"path\": \"x\"}]",
                                          &json, &n, NULL),
                     HR_OK);
    assert_int_equal(parse_n(json, n, &t), HR_OK);
    assert_null(t.fields[0].statistics);
    assert_int_equal(hr__json_member(json, n, "options", &member, NULL), HR_OK);
    assert_string_equal(member, "{\"a\":[2.5],\"b\":1}");
    free(member);
    assert_int_equal(hr__json_member(json, n, "missing", &member, NULL), HR_OK);
    assert_string_equal(member, "null");
    free(member);
    free(json);
    hr__schema_free(&s);
    hr__schema_free(&t);
}

/* {"k": ... {} ...} of so many levels. */
static char *nested(int levels) {
    char *text = calloc(1, (size_t)levels * 7 + 3), *p = text;
    for (int i = 1; i < levels; i++)
        p += sprintf(p, "{\"k\":");
    p += sprintf(p, "{}");
    memset(p, '}', (size_t)levels - 1);
    return text;
}

/* Attributes lie three levels deep in the schema: what is written must be readable. */
static void print__attributes_too_deep__are_refused(void **state) {
    (void)state;
    for (int levels = 59; levels <= 64; levels++) {
        char *attributes = nested(levels), *json = NULL;
        hr_field f = {.name = "x", .dtype = HR_INT8, .attributes_json = attributes};
        struct hr__schema s, t;
        size_t n = 0;
        assert_int_equal(make(&f, 1, &s), HR_OK);
        hr_status st = hr__schema_print(&s, &json, &n, NULL);
        assert_int_equal(st, levels <= 61 ? HR_OK : HR_ERR_INVALID);
        if (st == HR_OK) {
            assert_int_equal(parse_n(json, n, &t), HR_OK);
            hr__schema_free(&t);
        }
        free(json);
        free(attributes);
        hr__schema_free(&s);
    }
    char *deeper = nested(65);
    invalid((hr_field){.name = "x", .dtype = HR_INT8, .attributes_json = deeper});
    free(deeper);
    invalid((hr_field){.name = "x", .dtype = HR_INT8, .attributes_json = "[1]"});
    invalid((hr_field){.name = "x", .dtype = HR_INT8, .attributes_json = "{"});
}

/* Brackets inside a text, behind an escaped quotation mark, are no levels. */
static void print__brackets_in_a_text__are_no_levels(void **state) {
    (void)state;
    char attributes[128] = "{\"a\": \"\\\"";
    memset(attributes + strlen(attributes), '[', 80);
    strcat(attributes, "\"}");
    hr_field f = {.name = "x", .dtype = HR_INT8, .attributes_json = attributes};
    struct hr__schema s;
    char *json = NULL;
    size_t n = 0;
    assert_int_equal(make(&f, 1, &s), HR_OK);
    assert_int_equal(hr__schema_print(&s, &json, &n, NULL), HR_OK);
    free(json);
    hr__schema_free(&s);
}

#define FIELD(more) "{\"fields\": [{\"name\": \"x\", \"dtype\": \"int8\", \"shape\": []" more "}]}"

static void parse__rules__are_checked(void **state) {
    (void)state;
    accepted(FIELD(""));
    accepted(FIELD(", \"unknown\": {\"a\": 1}"));
    accepted("{\"fields\": [{\"name\": \"x\", \"dtype\": \"int8\", \"shape\": [\"3\", 2]}]}");
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "1",
        "{}",
        "{} {}",
        "{\"fields\": []}",
        "{\"fields\": {}}",
        "{\"fields\": [1]}",
        "{\"fields\": [{\"dtype\": \"int8\", \"shape\": []}]}",
        "{\"fields\": [{\"name\": \"x\", \"shape\": []}]}",
        "{\"fields\": [{\"name\": \"x\", \"dtype\": \"int8\"}]}",
        "{\"fields\": [{\"name\": \"x\", \"dtype\": \"int7\", \"shape\": []}]}",
        "{\"fields\": [{\"name\": \"x\", \"dtype\": \"int8\", \"shape\": 3}]}",
        "{\"fields\": [{\"name\": \"x\", \"dtype\": \"int8\", \"shape\": [-1]}]}",
        "{\"fields\": [{\"name\": \"x\", \"dtype\": \"int8\", \"shape\": [1.5]}]}",
        "{\"fields\": [{\"name\": \"x\", \"dtype\": \"int8\", \"shape\": [\" 1\"]}]}",
        "{\"fields\": [{\"name\": \"x\", \"dtype\": \"int8\", \"shape\": [\"\"]}]}",
        "{\"fields\": [{\"name\": \"x\", \"dtype\": \"int8\", \"shape\": "
        "[\"18446744073709551616\"]}]}",
        "{\"fields\": [{\"name\": \"x\", \"dtype\": \"fixed_bytes\", \"shape\": []}]}",
        "{\"fields\": [{\"name\": \"a\\u0000b\", \"dtype\": \"int8\", \"shape\": []}]}",
        "{\"fields\": [{\"name\": \"x\", \"name\": \"x\", \"dtype\": \"int8\", \"shape\": []}]}",
        FIELD(", \"attributes\": 3"),
        FIELD(", \"attributes\": {\"a\": 1, \"a\": 1}"),
        FIELD(", \"attributes\": {\"a\": \"\xff\"}"),
        FIELD(", \"storage\": {}"),
        FIELD(", \"storage\": 3"),
        FIELD(", \"storage\": {\"codec\": \"zstd\", \"filter\": \"byte-shuffle\"}"),
        FIELD(", \"storage\": {\"codec\": \"zstd\", \"filter\": \"byte-shuffle\", "
              "\"element_bytes\": 3}"),
        FIELD(", \"storage\": {\"codec\": \"zstd\", \"filter\": \"byte-shuffle\", "
              "\"element_bytes\": 258}"),
        FIELD(", \"storage\": {\"codec\": \"zstd\", \"filter\": \"delta\", \"element_bytes\": 4}"),
        FIELD(", \"storage\": {\"codec\": \"zstd\", \"filter\": \"delta\", \"element_bytes\": 4, "
              "\"distance_bytes\": 6}"),
        FIELD(", \"storage\": {\"codec\": \"zstd\", \"filter\": \"delta\", \"element_bytes\": 4, "
              "\"distance_bytes\": 4294967300}"),
        FIELD(", \"storage\": {\"codec\": \"zstd\", \"filter\": \"delta\", \"element_bytes\": 4, "
              "\"distance_bytes\": -4}"),
        FIELD(", \"storage\": {\"codec\": \"zstd\", \"filter\": \"bit-shuffle\", "
              "\"element_bytes\": 4, \"distance_bytes\": 4}"),
        FIELD(", \"storage\": {\"codec\": \"zstd\", \"filter\": \"none\", \"level\": "
              "4294967297}"),
        FIELD(", \"statistics\": {}"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(bad[i]);
}

static void parse__every_truncation__is_refused(void **state) {
    (void)state;
    const char *json = FIELD(", \"attributes\": {\"a\": [1, \"\\u00e9\"]}");
    struct hr__schema s;
    for (size_t n = 0; n < strlen(json); n++)
        assert_int_equal(parse_n(json, n, &s), HR_ERR_CORRUPT);
}

static void parse__deep_or_large__is_refused(void **state) {
    (void)state;
    size_t n = 20u << 20;
    char *text = malloc(n + 1);
    memset(text, '[', n);
    text[n] = 0;
    struct hr__schema s;
    assert_int_equal(parse_n(text, 1u << 20, &s), HR_ERR_CORRUPT);
    memset(text, ' ', n);
    memcpy(text, FIELD(""), strlen(FIELD("")));
    assert_int_equal(parse_n(text, HR__MAX_JSON_BYTES + 1, &s), HR_ERR_CORRUPT);
    assert_int_equal(parse_n(text, HR__MAX_JSON_BYTES, &s), HR_OK);
    hr__schema_free(&s);
    free(text);
    for (int levels = 62; levels <= 68; levels++) {
        char *deep = nested(levels), wrapped[1024];
        snprintf(wrapped, sizeof(wrapped), FIELD(", \"unknown\": %s"), deep);
        if (levels + 3 <= 64)
            accepted(wrapped);
        else
            refused(wrapped);
        free(deep);
    }
    accepted(FIELD(", \"unknown\": \"\\\\\\\"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{"
                   "{{{{{{{{{{{{{{{{{{{{{{{{{\""));
}

#define LABELS(ranges, distinct)                                                                   \
    FIELD(", \"statistics\": {\"values\": 9, \"zeros\": 0, \"nan\": 0, \"inf\": 0, \"finite\": 0," \
          "\"labels\": {\"runs\": 2, \"longest_run\": 5, \"first_run\": [1, 4], \"last_run\": "    \
          "[2, 5], \"distinct\": " distinct ", \"overflow\": false, \"ranges\": [" ranges "]}}")

static void parse__label_ranges__ascend_without_overlap(void **state) {
    (void)state;
    accepted(LABELS("[-3, -2], [0, 1], [5, 5]", "5"));
    accepted(LABELS("", "0"));
    refused(LABELS("[-3, -2], [0, 1], [5, 5]", "6"));
    refused(LABELS("[0, 1], [-3, -2]", "4"));
    refused(LABELS("[0, 5], [5, 6]", "7"));
    refused(LABELS("[3, 1]", "2"));
    refused(LABELS("[0, 65536]", "65536"));
    refused(LABELS("[0, 1], [2]", "2"));
    refused(LABELS("[0, 65535], [70000, 70000]", "65536"));
}

/* Each range of a repeated list would take 65,536 insertions: hours for a text of 16 MiB. */
static void parse__repeated_label_ranges__are_refused_at_once(void **state) {
    (void)state;
    const char *head = LABELS("[0, 65535]", "65536");
    const char *split = strstr(head, "[0, 65535]");
    const size_t repeats = 1u << 20, n = strlen(head) + repeats * 11;
    char *text = malloc(n + 1), *p = text;
    memcpy(p, head, (size_t)(split - head));
    p += split - head;
    for (size_t i = 0; i < repeats; i++, p += 11)
        memcpy(p, "[0, 65535],", 11);
    strcpy(p, split);
    refused(text);
    free(text);
}

static void parse_lengths(const char *lengths, bool possible) {
    char text[400];
    snprintf(text, sizeof text,
             "{\"fields\": [{\"name\": \"t\", \"dtype\": \"bytes\", \"shape\": [], "
             "\"lengths\": {%s}}]}",
             lengths);
    (possible ? accepted : refused)(text);
}

static void parse__lengths_that_cannot_be__are_refused(void **state) {
    (void)state;
#define LENGTHS(values, empty, total, min, max, mean, m2)                                          \
    "\"values\": " #values ", \"empty\": " #empty ", \"total_bytes\": " #total ", \"min\": " #min  \
    ", \"max\": " #max ", \"mean\": " #mean ", \"m2\": " #m2
    parse_lengths("\"values\": 0, \"empty\": 0, \"total_bytes\": 0", true);
    parse_lengths(LENGTHS(5, 2, 20, 0, 10, 4.0, 72.0), true);
    parse_lengths(LENGTHS(3, 0, 30, 10, 10, 10.000000001, 0.0), true);
    static const char *const bad[] = {
        LENGTHS(5, 6, 20, 0, 10, 4.0, 72.0),   LENGTHS(5, 2, 20, 11, 10, 10.5, 72.0),
        LENGTHS(5, 2, 9, 0, 10, 4.0, 72.0),    LENGTHS(5, 2, 20, 0, 10, 10.1, 72.0),
        LENGTHS(5, 2, 20, 1, 10, 0.5, 72.0),   LENGTHS(5, 2, 20, 0, 10, 4.0, -1.0),
        LENGTHS(5, 2, 20, 0, 10, "NaN", 72.0), LENGTHS(5, 2, 20, 0, 10, "Infinity", 72.0),
        LENGTHS(5, 2, 20, 0, 10, 4.0, "NaN"),  LENGTHS(5, 2, 20, 0, 10, 4.0, "Infinity"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        parse_lengths(bad[i], false);
#undef LENGTHS
}

static void json_numbers__both_forms__are_read(void **state) {
    (void)state;
    static const double reals[] = {0.1, -0.0, 1e308, 5e-324, 1.0 / 3, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
        json_t *o = json_object(), *back = NULL;
        char *text = NULL;
        size_t n = 0;
        double v = 0;
        json_object_set_new(o, "v", hr__json_real(reals[i]));
        assert_int_equal(hr__json_print(o, &text, &n, NULL), HR_OK);
        assert_int_equal(hr__json_parse(text, n, &back, NULL), HR_OK);
        assert_true(hr__json_get_real(json_object_get(back, "v"), &v));
        assert_memory_equal(&v, &reals[i], sizeof(v));
        free(text);
        json_decref(o);
        json_decref(back);
    }
    json_t *nan = hr__json_real(NAN);
    double v = 0;
    assert_true(hr__json_get_real(nan, &v) && isnan(v));
    json_decref(nan);
    static const uint64_t unsigned_ones[] = {0, UINT64_C(1) << 53, (UINT64_C(1) << 53) + 1,
                                             UINT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        json_t *j = hr__json_u64(unsigned_ones[i]);
        uint64_t u = 1;
        assert_int_equal(json_is_string(j), i >= 2);
        assert_true(hr__json_get_u64(j, &u));
        assert_int_equal(u, unsigned_ones[i]);
        json_decref(j);
    }
    static const int64_t signed_ones[] = {INT64_MIN, -(INT64_C(1) << 53) - 1, -1, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        json_t *j = hr__json_i64(signed_ones[i]);
        int64_t s = 1;
        assert_true(hr__json_get_i64(j, &s));
        assert_int_equal(s, signed_ones[i]);
        json_decref(j);
    }
}

static void samples_per_chunk__sizes__are_clamped(void **state) {
    (void)state;
    assert_int_equal(hr__samples_per_chunk(0, 262144), 65536);
    assert_int_equal(hr__samples_per_chunk(1, 262144), 65536);
    assert_int_equal(hr__samples_per_chunk(784, 262144), 334);
    assert_int_equal(hr__samples_per_chunk(262145, 262144), 1);
    assert_int_equal(hr__samples_per_chunk(UINT64_C(1) << 34, 262144), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(make__names__by_the_rules),
        cmocka_unit_test(make__types_and_shapes__by_the_rules),
        cmocka_unit_test(make__no_shape__is_refused),
        cmocka_unit_test(make__numbers_of_fields__by_the_rules),
        cmocka_unit_test(make__block_order__smallest_first_variable_last),
        cmocka_unit_test(make__layout_hash__is_the_specified_one),
        cmocka_unit_test(print__everything__parses_back_equal),
        cmocka_unit_test(print__labels_of_too_many_values__are_left_out),
        cmocka_unit_test(print_job__has_options_and_sources_no_statistics),
        cmocka_unit_test(print__attributes_too_deep__are_refused),
        cmocka_unit_test(print__brackets_in_a_text__are_no_levels),
        cmocka_unit_test(parse__rules__are_checked),
        cmocka_unit_test(parse__every_truncation__is_refused),
        cmocka_unit_test(parse__deep_or_large__is_refused),
        cmocka_unit_test(parse__label_ranges__ascend_without_overlap),
        cmocka_unit_test(parse__repeated_label_ranges__are_refused_at_once),
        cmocka_unit_test(parse__lengths_that_cannot_be__are_refused),
        cmocka_unit_test(json_numbers__both_forms__are_read),
        cmocka_unit_test(samples_per_chunk__sizes__are_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
