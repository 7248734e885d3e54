/*
 * format/frame_codec.c: what is encoded comes back, and damage is an error.
 */
#include "frame_codec.h"
#include "frame_filter.h"
#include "hash.h"
#include "headrace/writer.h"
#include "superblock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N   65536u
#define ALL (HR__FEATURE_ZSTD | HR__FEATURES_FILTERS)

struct codec {
    struct hr__frame_encoder encoder;
    struct hr__frame_decoder decoder;
    uint8_t *src, *stored, *decoded, *plain;
    size_t stored_room;
};

static int setup(void **state) {
    struct codec *c = calloc(1, sizeof(*c));
    c->stored_room = hr__frame_bound(N);
    c->src = malloc(N);
    c->stored = malloc(c->stored_room);
    c->decoded = malloc(N);
    c->plain = malloc(N);
    for (uint32_t i = 0; i < N; i++) /* words that count up: the shuffle helps */
        c->src[i] = (uint8_t)((i / 4) >> 8 * (i % 4));
    *state = c;
    return hr__frame_encoder_init(&c->encoder, NULL) != HR_OK ||
           hr__frame_decoder_init(&c->decoder, NULL) != HR_OK;
}

static int teardown(void **state) {
    struct codec *c = *state;
    hr__frame_encoder_free(&c->encoder);
    hr__frame_decoder_free(&c->decoder);
    free(c->src);
    free(c->stored);
    free(c->decoded);
    free(c->plain);
    free(c);
    return 0;
}

static struct hr__frame encode_as(struct codec *c, struct hr__storage storage, uint32_t n) {
    struct hr__frame f = {0};
    storage.level = 1;
    assert_int_equal(
        hr__frame_encode(&c->encoder, &storage, c->src, n, c->stored, c->stored_room, &f, NULL),
        HR_OK);
    return f;
}

/* With the byte shuffle, or without a filter (e is 0). */
static struct hr__frame encode(struct codec *c, uint8_t codec, uint8_t e, uint32_t n) {
    const uint8_t filter = e != 0 ? HR__FILTER_BYTE_SHUFFLE : HR__FILTER_NONE;
    return encode_as(c, (struct hr__storage){codec, filter, .element_bytes = e}, n);
}

/* Decodes from memory of exactly the stored size, so that a sanitizer sees a read past it. */
static hr_status decode(struct codec *c, const struct hr__frame *f, uint32_t features) {
    hr_error err = {0};
    uint8_t *exact = malloc(f->stored_bytes);
    memcpy(exact, c->stored, f->stored_bytes);
    hr_status st = hr__frame_decode(&c->decoder, f, exact, features, c->decoded, &err);
    if (st != HR_OK) {
        assert_int_equal(err.status, st);
        assert_true(err.message[0] != 0);
    }
    free(exact);
    return st;
}

static void comes_back(struct codec *c, const struct hr__storage *how, uint32_t n) {
    struct hr__frame f = encode_as(c, *how, n);
    assert_int_equal(f.decoded_bytes, n);
    assert_true(f.stored_bytes <= n);
    if (f.codec == HR__CODEC_ZSTD) {
        assert_int_equal(f.filter, how->filter);
        assert_int_equal(f.element_bytes, how->element_bytes);
        assert_int_equal(f.distance_bytes, how->distance_bytes);
    }
    assert_int_equal(decode(c, &f, ALL), HR_OK);
    uint8_t *plain = hr__filter_is_in_place(f.filter) ? c->decoded : c->plain;
    hr__filter_undo(&f, c->decoded, plain);
    assert_memory_equal(plain, c->src, n);
}

static void frame__every_codec_and_filter__comes_back(void **state) {
    struct codec *c = *state;
    static const uint32_t sizes[] = {16, 48, 4096, N}, distances[] = {0, 16, 1024, N};
    for (uint8_t filter = 0; hr__filter_name(filter) != NULL; filter++)
        for (uint8_t e = 0; e <= 16; e++)
            for (size_t i = 0; i < 16; i++) {
                const uint32_t n = sizes[i % 4], d = distances[i / 4];
                if (!hr__filter_fits(filter, e, d, n))
                    continue;
                comes_back(c, &(struct hr__storage){HR__CODEC_ZSTD, filter, e, 0, d, NULL}, n);
            }
    struct hr__frame raw = encode(c, HR__CODEC_RAW, 0, N);
    assert_int_equal(raw.stored_bytes, N);
    assert_int_equal(decode(c, &raw, 0), HR_OK);
    assert_memory_equal(c->decoded, c->src, N);
}

static void frame__compression_does_not_help__is_raw(void **state) {
    struct codec *c = *state;
    uint32_t x = 1;
    for (uint32_t i = 0; i < N; i++) {
        x = x * 1664525u + 1013904223u;
        c->src[i] = (uint8_t)(x >> 24);
    }
    struct hr__frame f = encode(c, HR__CODEC_ZSTD, 4, N);
    assert_int_equal(f.codec, HR__CODEC_RAW);
    assert_int_equal(f.filter, HR__FILTER_NONE);
    assert_int_equal(f.element_bytes, 0);
    assert_int_equal(f.stored_bytes, N);
    assert_memory_equal(c->stored, c->src, N);
}

static void frame__size_no_multiple_of_the_element__is_not_shuffled(void **state) {
    struct codec *c = *state;
    memset(c->src, 5, N);
    struct hr__frame f = encode(c, HR__CODEC_ZSTD, 8, 1001);
    assert_int_equal(f.codec, HR__CODEC_ZSTD);
    assert_int_equal(f.filter, HR__FILTER_NONE);
    assert_int_equal(f.element_bytes, 0);
}

static void frame__any_bit_flipped__is_corrupt(void **state) {
    struct codec *c = *state;
    struct hr__frame f = encode(c, HR__CODEC_ZSTD, 4, 512);
    for (uint32_t bit = 0; bit < f.stored_bytes * 8; bit++) {
        c->stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(decode(c, &f, ALL), HR_ERR_CORRUPT);
        c->stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(decode(c, &f, ALL), HR_OK);
}

/* With the hash made right again the codec stands alone: an error, or decoded_bytes bytes. */
static void frame__flipped_with_the_right_hash__never_overruns(void **state) {
    struct codec *c = *state;
    struct hr__frame f = encode(c, HR__CODEC_ZSTD, 4, 512);
    for (uint32_t bit = 0; bit < f.stored_bytes * 8; bit++) {
        c->stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
        f.hash = hr__hash(c->stored, f.stored_bytes);
        hr_status st = decode(c, &f, ALL);
        assert_true(st == HR_OK || st == HR_ERR_CORRUPT);
        c->stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void frame__other_decoded_size__is_corrupt(void **state) {
    struct codec *c = *state;
    struct hr__frame f = encode(c, HR__CODEC_ZSTD, 0, 4096);
    f.decoded_bytes = 4095;
    assert_int_equal(decode(c, &f, ALL), HR_ERR_CORRUPT);
    f.decoded_bytes = 4097;
    assert_int_equal(decode(c, &f, ALL), HR_ERR_CORRUPT);
}

static void frame__every_truncation_with_the_right_hash__is_corrupt(void **state) {
    struct codec *c = *state;
    struct hr__frame f = encode(c, HR__CODEC_ZSTD, 0, 512);
    for (f.stored_bytes--; f.stored_bytes > 0; f.stored_bytes--) {
        f.hash = hr__hash(c->stored, f.stored_bytes);
        assert_int_equal(decode(c, &f, ALL), HR_ERR_CORRUPT);
    }
}

/* A byte, a skippable frame, or a second frame behind the first would be data nobody reads. */
static void frame__something_behind_the_zstd_frame__is_corrupt(void **state) {
    struct codec *c = *state;
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
    struct hr__frame f = encode(c, HR__CODEC_ZSTD, 0, 4096), longer = f;
    c->stored[f.stored_bytes] = 0;
    longer.stored_bytes = f.stored_bytes + 1;
    longer.hash = hr__hash(c->stored, longer.stored_bytes);
    assert_int_equal(decode(c, &longer, ALL), HR_ERR_CORRUPT);
    memcpy(c->stored + f.stored_bytes, skippable, sizeof(skippable));
    longer.stored_bytes = f.stored_bytes + (uint32_t)sizeof(skippable);
    longer.hash = hr__hash(c->stored, longer.stored_bytes);
    assert_int_equal(decode(c, &longer, ALL), HR_ERR_CORRUPT);
}

/* Frames of zstd 0.7: one raw block of 4 bytes. A program that follows RFC 8878 cannot read it. */
static void frame__older_than_rfc_8878__is_corrupt(void **state) {
    struct codec *c = *state;
    static const uint8_t old[] = {0x27, 0xb5, 0x2f, 0xfd, 0x20, 4,    0x40, 0,
                                  4,    'd',  'a',  't',  'a',  0xc0, 0,    0};
    memcpy(c->stored, old, sizeof(old));
    struct hr__frame f = {.codec = HR__CODEC_ZSTD, .stored_bytes = sizeof(old), .decoded_bytes = 4};
    f.hash = hr__hash(c->stored, f.stored_bytes);
    assert_int_equal(decode(c, &f, ALL), HR_ERR_CORRUPT);
}

static void frame__feature_not_listed__is_corrupt(void **state) {
    struct codec *c = *state;
    for (uint32_t i = 0; i < N; i++)
        c->src[i] = (uint8_t)((i / 4) >> 8 * (i % 4));
    struct hr__frame f = encode(c, HR__CODEC_ZSTD, 4, 4096);
    assert_int_equal(f.filter, HR__FILTER_BYTE_SHUFFLE);
    assert_int_equal(decode(c, &f, ALL), HR_OK);
    assert_int_equal(decode(c, &f, HR__FEATURE_ZSTD), HR_ERR_CORRUPT);
    assert_int_equal(decode(c, &f, HR__FEATURE_BYTE_SHUFFLE), HR_ERR_CORRUPT);
    assert_int_equal(decode(c, &f, 0), HR_ERR_CORRUPT);
    for (uint8_t filter = HR__FILTER_BIT_SHUFFLE; hr__filter_name(filter) != NULL; filter++) {
        struct hr__storage how = {HR__CODEC_ZSTD, filter, .element_bytes = 4};
        how.distance_bytes = hr__filter_has_delta(filter) ? 4 : 0;
        f = encode_as(c, how, 4096);
        assert_int_equal(f.filter, filter);
        for (uint32_t features = 0; features <= ALL; features++) {
            const bool listed = (hr__filter_features(filter) & ~features) == 0 &&
                                (features & HR__FEATURE_ZSTD) != 0;
            assert_int_equal(decode(c, &f, features), listed ? HR_OK : HR_ERR_CORRUPT);
        }
    }
}

/* Names and features are the format's: no number may mean something else. */
static void filter__names_and_features__are_those_of_the_format(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t features;
    } format[] = {{"none", 0},
                  {"byte-shuffle", HR__FEATURE_BYTE_SHUFFLE},
                  {"bit-shuffle", HR__FEATURE_BIT_SHUFFLE},
                  {"delta", HR__FEATURE_DELTA},
                  {"delta+byte-shuffle", HR__FEATURE_DELTA | HR__FEATURE_BYTE_SHUFFLE},
                  {"delta+bit-shuffle", HR__FEATURE_DELTA | HR__FEATURE_BIT_SHUFFLE}};
    uint8_t number = 99;
    for (uint8_t i = 0; i < 6; i++) {
        assert_string_equal(hr__filter_name(i), format[i].name);
        assert_true(hr__filter_from_name(format[i].name, &number));
        assert_int_equal(number, i);
        assert_int_equal(hr__filter_features(i), format[i].features);
    }
    assert_null(hr__filter_name(6));
    assert_null(hr__filter_name(UINT32_MAX));
    assert_false(hr__filter_from_name("delta+", &number));
    assert_false(hr__filter_from_name("", &number));
}

/* Of numbers of four bytes: one byte is noise, one takes 16 values, one 4, one none. */
static void fill_unlike_planes(uint8_t *p) {
    uint32_t x = 1;
    for (uint32_t i = 0; i < N; i += 4) {
        x = x * 1664525u + 1013904223u;
        p[i] = (uint8_t)(x >> 24);
        p[i + 1] = (uint8_t)(x >> 16 & 15);
        p[i + 2] = (uint8_t)(x >> 12 & 3);
        p[i + 3] = 0;
    }
}

/* 14 bits of 32, which one table for the whole frame does not find. */
static void frame__planes_unlike_each_other__each_is_as_small_as_alone(void **state) {
    struct codec *c = *state;
    static const uint8_t filters[] = {HR__FILTER_BYTE_SHUFFLE, HR__FILTER_BIT_SHUFFLE};
    fill_unlike_planes(c->src);
    for (size_t i = 0; i < 2; i++) {
        const struct hr__storage how = {HR__CODEC_ZSTD, filters[i], .element_bytes = 4};
        const struct hr__frame f = encode_as(c, how, N);
        assert_int_equal(f.codec, HR__CODEC_ZSTD);
        assert_true(f.stored_bytes < N / 32 * 14 * 105 / 100);
        comes_back(c, &how, N);
    }
}

/* Planes end where pieces do, and pieces are long enough for tables of their own. */
static void pieces__are_whole_planes_of_some_length(void **state) {
    (void)state;
    static const struct {
        struct hr__storage how;
        uint32_t n_bytes, expected;
    } cases[] = {
        {{.filter = HR__FILTER_BYTE_SHUFFLE, .element_bytes = 4}, 65536, 16384},
        {{.filter = HR__FILTER_DELTA_BYTE_SHUFFLE, .element_bytes = 8}, 65536, 8192},
        {{.filter = HR__FILTER_BYTE_SHUFFLE, .element_bytes = 8}, 4096, 2048},
        {{.filter = HR__FILTER_BYTE_SHUFFLE, .element_bytes = 2}, 2048, 2048},
        {{.filter = HR__FILTER_BYTE_SHUFFLE, .element_bytes = 4}, 4, 4},
        {{.filter = HR__FILTER_BIT_SHUFFLE, .element_bytes = 1}, 65536, 8192},
        {{.filter = HR__FILTER_DELTA_BIT_SHUFFLE, .element_bytes = 4}, 65536, 8192},
        {{.filter = HR__FILTER_BIT_SHUFFLE, .element_bytes = 8}, 12000, 44 * 187},
        {{.filter = HR__FILTER_BIT_SHUFFLE, .element_bytes = 8}, 56, 56},
        {{.filter = HR__FILTER_DELTA, .element_bytes = 4}, 65536, 65536},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(hr__filter_piece_bytes(&cases[i].how, cases[i].n_bytes),
                         cases[i].expected);
}

static void frame__no_room__is_refused(void **state) {
    struct codec *c = *state;
    struct hr__storage storage = {.codec = HR__CODEC_ZSTD, .level = 1};
    struct hr__frame f;
    assert_int_equal(hr__frame_encode(&c->encoder, &storage, c->src, N, c->stored,
                                      hr__frame_bound(N) - 1, &f, NULL),
                     HR_ERR_INVALID);
    assert_int_equal(hr__frame_encode(&c->encoder, &storage, c->src, HR__MAX_FRAME_BYTES + 1,
                                      c->stored, SIZE_MAX, &f, NULL),
                     HR_ERR_INVALID);
}

/* The published test vectors of XXH3-64, seed 0: the hash is part of the format. */
static void hash__known_inputs__known_values(void **state) {
    (void)state;
    assert_int_equal(hr__hash("", 0), UINT64_C(0x2d06800538d394c2));
    assert_int_equal(hr__hash("abc", 3), UINT64_C(0x78af5f94892f3950));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame__every_codec_and_filter__comes_back),
        cmocka_unit_test(frame__any_bit_flipped__is_corrupt),
        cmocka_unit_test(frame__planes_unlike_each_other__each_is_as_small_as_alone),
        cmocka_unit_test(pieces__are_whole_planes_of_some_length),
        cmocka_unit_test(frame__flipped_with_the_right_hash__never_overruns),
        cmocka_unit_test(frame__other_decoded_size__is_corrupt),
        cmocka_unit_test(frame__every_truncation_with_the_right_hash__is_corrupt),
        cmocka_unit_test(frame__something_behind_the_zstd_frame__is_corrupt),
        cmocka_unit_test(frame__older_than_rfc_8878__is_corrupt),
        cmocka_unit_test(frame__feature_not_listed__is_corrupt),
        cmocka_unit_test(frame__compression_does_not_help__is_raw),
        cmocka_unit_test(frame__size_no_multiple_of_the_element__is_not_shuffled),
        cmocka_unit_test(filter__names_and_features__are_those_of_the_format),
        cmocka_unit_test(frame__no_room__is_refused),
        cmocka_unit_test(hash__known_inputs__known_values),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
