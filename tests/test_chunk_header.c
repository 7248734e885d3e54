/*
 * format/chunk_header.c. A header that is accepted keeps invariants 1 to 3 of chunk_header.h,
 * whoever made it: they are checked here by an independent walk over its tables.
 */
#include "bytes.h"
#include "chunk_header.h"
#include "dtype.h"
#include "hash.h"
#include "headrace/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_FRAMES  64u
#define MAX_BLOCKS  8u
#define ROOM        (HR__CHUNK_FIXED_BYTES + 24u * (MAX_BLOCKS + MAX_FRAMES))
#define TABLES      96u
#define LARGE_BYTES 2500000u

static const uint8_t uuid[16] = {9, 8, 7};

struct example {
    struct hr__schema schema;
    struct hr__chunk_header header;
    struct hr__chunk_expected expected;
    uint8_t bytes[ROOM];
};

/* Frames of one field, cut as a writer cuts them; every second one is zstd with shuffle. */
static uint32_t cut(const struct hr__schema_field *f, uint32_t samples, struct hr__frame *out) {
    const uint64_t total = samples * f->sample_bytes;
    uint64_t at = 0;
    uint32_t n = 0;
    for (; at < total; n++) {
        const uint64_t in_sample = f->sample_bytes - at % f->sample_bytes;
        uint64_t bytes = hr__frame_samples(f->sample_bytes) * f->sample_bytes;
        if (bytes == 0)
            bytes = in_sample < HR__MAX_FRAME_BYTES ? in_sample : HR__MAX_FRAME_BYTES;
        if (bytes > total - at)
            bytes = total - at;
        out[n] = (struct hr__frame){
            .stored_bytes = (uint32_t)bytes, .decoded_bytes = (uint32_t)bytes, .hash = 1000 + n};
        if (n % 2 == 1 && bytes % 4 == 0) {
            out[n].stored_bytes = (uint32_t)bytes / 2;
            out[n].codec = HR__CODEC_ZSTD;
            out[n].filter = HR__FILTER_BYTE_SHUFFLE;
            out[n].element_bytes = 4;
        }
        at += bytes;
    }
    assert_int_equal(n, hr__block_frames(f->sample_bytes, samples));
    return n;
}

/* Fields of 3,136, 4, 0 and LARGE_BYTES bytes: several frames, one, none, pieces of a sample. */
static void example_make(struct example *x, uint32_t samples) {
    static const uint64_t image[] = {28, 28}, none[] = {0}, large[] = {LARGE_BYTES};
    static const hr_field fields[] = {
        {.name = "x", .dtype = HR_FLOAT32, .rank = 2, .shape = image},
        {.name = "y", .dtype = HR_INT32},
        {.name = "empty", .dtype = HR_INT32, .rank = 1, .shape = none},
        {.name = "large", .dtype = HR_UINT8, .rank = 1, .shape = large},
    };
    struct hr__frame frames[MAX_FRAMES];
    uint32_t per_block[4], n = 0;
    *x = (struct example){.header = {.num_samples = samples, .commit_seq = 3, .num_blocks = 4}};
    assert_int_equal(hr__schema_make(fields, 4, 50, &x->schema, NULL), HR_OK);
    for (uint32_t b = 0; b < 4; b++) {
        per_block[b] = cut(&x->schema.fields[x->schema.block_order[b]], samples, frames + n);
        n += per_block[b];
        assert_true(n <= MAX_FRAMES);
    }
    x->header.num_frames = n;
    x->header.header_bytes = HR__CHUNK_FIXED_BYTES + 24 * (4 + n);
    x->header.chunk_bytes = x->header.header_bytes;
    for (uint32_t i = 0; i < n; i++)
        x->header.chunk_bytes += frames[i].stored_bytes;
    x->header.chunk_number = 17;
    x->header.layout_hash = x->schema.layout_hash;
    memcpy(x->header.uuid, uuid, 16);
    memset(x->header.job_id, 0x5a, 16);
    hr__chunk_header_encode(&x->header, &x->schema, per_block, frames, x->bytes);
    x->expected = (struct hr__chunk_expected){.schema = &x->schema,
                                              .uuid = uuid,
                                              .max_commit_seq = 3,
                                              .chunk_number = 17,
                                              .chunk_pages = (x->header.chunk_bytes + 4095) / 4096,
                                              .num_samples = samples};
}

static void example_free(struct example *x) {
    hr__schema_free(&x->schema);
}

static void seal(uint8_t *bytes, uint32_t header_bytes) {
    hr__put_u64(bytes + header_bytes - 8, hr__hash(bytes, header_bytes - 8));
}

/* From memory of exactly n bytes. */
static hr_status decode_n(const struct example *x, size_t n, struct hr__chunk_view *view) {
    hr_error err = {0};
    uint8_t *exact = malloc(n > 0 ? n : 1);
    memcpy(exact, x->bytes, n);
    hr_status st = hr__chunk_header_decode(exact, n, &x->expected, view, &err);
    assert_true(st == HR_OK || (err.status == st && err.message[0] != 0));
    view->bytes = x->bytes;
    free(exact);
    return st;
}

static hr_status decode(const struct example *x) {
    struct hr__chunk_view view;
    return decode_n(x, x->header.header_bytes, &view);
}

/* Invariants 1 to 3, from the bytes alone. */
static void check_invariants(const struct example *x) {
    const uint8_t *p = x->bytes, *block = p + TABLES;
    const uint32_t num_blocks = hr__get_u32(p + 80), num_frames = hr__get_u32(p + 84);
    const uint64_t samples = hr__get_u32(p + 12), chunk_bytes = hr__get_u64(p + 72);
    const uint8_t *frame = block + 24 * num_blocks, *end = frame + 24 * num_frames;
    uint64_t off = hr__get_u32(p + 8);
    assert_int_equal(off, HR__CHUNK_FIXED_BYTES + 24 * (num_blocks + num_frames));
    assert_int_equal(num_blocks, x->schema.num_fields);
    assert_in_range(samples, 1, x->schema.samples_per_chunk);
    for (uint32_t b = 0; b < num_blocks; b++, block += 24) {
        const struct hr__schema_field *f = &x->schema.fields[x->schema.block_order[b]];
        uint64_t decoded = 0;
        uint32_t first = 0;
        assert_int_equal(hr__get_u32(block), x->schema.block_order[b]);
        assert_int_equal(hr__get_u32(block + 4), 0);
        assert_int_equal(hr__get_u64(block + 16), off);
        const uint32_t n = hr__get_u32(block + 8);
        for (uint32_t i = 0; i < n; i++, frame += 24) {
            const uint32_t stored = hr__get_u32(frame), bytes = hr__get_u32(frame + 4);
            assert_true(frame < end);
            assert_in_range(stored, 1, 1u << 21);
            assert_in_range(bytes, 1, 1u << 20);
            first = i == 0 ? bytes : first;
            if (f->sample_bytes <= 1u << 20) {
                assert_int_equal(bytes % f->sample_bytes, 0);
                assert_true(bytes == first || (i == n - 1 && bytes < first));
            } else {
                const uint64_t left = f->sample_bytes - decoded % f->sample_bytes;
                assert_int_equal(bytes, left < 1u << 20 ? left : 1u << 20);
            }
            const uint32_t distance = hr__get_u32(frame + 20);
            assert_true(frame[16] <= 1 && frame[17] <= 5 && (frame[16] == 1 || frame[17] == 0));
            assert_true(frame[16] != 0 || stored == bytes);
            assert_true(frame[17] == 0 ? frame[18] == 0 : bytes % frame[18] == 0);
            assert_true(frame[17] < 3 ? distance == 0 : distance > 0 && distance <= 1u << 20);
            assert_true(frame[17] < 3 || distance % frame[18] == 0);
            decoded += bytes;
            off += stored;
        }
        assert_int_equal(decoded, samples * f->sample_bytes);
    }
    assert_ptr_equal(frame, end);
    assert_int_equal(off, chunk_bytes);
}

static void header__encoded__decodes_equal(void **state) {
    (void)state;
    static const uint32_t counts[] = {1, 2, 17};
    for (size_t k = 0; k < 3; k++) {
        struct example x;
        struct hr__chunk_view v;
        example_make(&x, counts[k]);
        check_invariants(&x);
        assert_int_equal(hr__chunk_header_peek(x.bytes, HR__CHUNK_FIXED_BYTES),
                         x.header.header_bytes);
        assert_int_equal(decode_n(&x, x.header.header_bytes, &v), HR_OK);
        assert_memory_equal(&v.header, &x.header, sizeof(v.header));
        uint32_t first, n;
        uint64_t off;
        struct hr__frame f;
        hr__chunk_view_block(&v, 0, &first, &n, &off);
        assert_int_equal(n, hr__block_frames(3136, counts[k]));
        hr__chunk_view_frame(&v, first, off, &f);
        assert_int_equal(f.off, off);
        assert_int_equal(f.decoded_bytes, 3136 * (counts[k] < 20 ? counts[k] : 20));
        hr__chunk_view_block(&v, 2, &first, &n, &off);
        assert_int_equal(n, 0);
        example_free(&x);
    }
}

static void header__assigned_to_another_data_set__is_all_else_the_same(void **state) {
    (void)state;
    static const uint8_t other[16] = {1, 2, 3}, job[16] = {4, 5, 6};
    struct example x;
    struct hr__chunk_view view;
    example_make(&x, 7);
    uint8_t before[ROOM];
    memcpy(before, x.bytes, sizeof before);
    hr__chunk_header_assign(x.bytes, other, job, 2, 99);
    assert_int_equal(decode_n(&x, x.header.header_bytes, &view), HR_ERR_CORRUPT);
    x.expected.uuid = other;
    x.expected.max_commit_seq = 2;
    x.expected.chunk_number = 99;
    assert_int_equal(decode_n(&x, x.header.header_bytes, &view), HR_OK);
    assert_memory_equal(view.header.job_id, job, sizeof job);
    assert_int_equal(view.header.commit_seq, 2);
    assert_memory_equal(x.bytes, before, 16);
    assert_memory_equal(x.bytes + 56, before + 56, 8);
    assert_memory_equal(x.bytes + 72, before + 72, x.header.header_bytes - 8 - 72);
    example_free(&x);
}

static void blocks__one_by_one__are_those_of_the_schema(void **state) {
    (void)state;
    struct example x;
    example_make(&x, 7);
    struct hr__chunk_view view;
    assert_int_equal(decode_n(&x, x.header.header_bytes, &view), HR_OK);
    uint32_t in_all = 0;
    for (uint32_t b = 0; b < 4; b++) {
        uint32_t field, part, n, first, expected;
        uint64_t off;
        hr__chunk_view_block_at(&view, b, &field, &part, &n);
        hr__chunk_view_block(&view, field, &first, &expected, &off);
        assert_int_equal(field, x.schema.block_order[b]);
        assert_int_equal(part, HR__PART_VALUES);
        assert_int_equal(n, expected);
        assert_int_equal(first, in_all);
        in_all += n;
    }
    assert_int_equal(in_all, x.header.num_frames);
    example_free(&x);
}

#define WIDE_FIELDS 4000u

/* Of 1 and 8 bytes, and of variable length, so that blocks are in another order than fields. */
static void make_wide_schema(struct hr__schema *out) {
    static char names[WIDE_FIELDS][8];
    static hr_field fields[WIDE_FIELDS];
    static const hr_dtype dtypes[] = {HR_FLOAT64, HR_VAR_BYTES, HR_UINT8};
    for (uint32_t i = 0; i < WIDE_FIELDS; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%u", i);
        fields[i] = (hr_field){.name = names[i], .dtype = dtypes[i % 3]};
    }
    assert_int_equal(hr__schema_make(fields, WIDE_FIELDS, 50, out, NULL), HR_OK);
}

static void blocks__of_thousands_of_fields__are_found_by_field(void **state) {
    (void)state;
    enum { NUM_BLOCKS = WIDE_FIELDS + WIDE_FIELDS / 3, BYTES = 24 * (NUM_BLOCKS * 4) };
    static struct hr__frame frames[NUM_BLOCKS * 3];
    static uint32_t per_block[NUM_BLOCKS];
    struct hr__schema schema;
    struct hr__chunk_header header = {.num_samples = 50, .commit_seq = 1, .num_blocks = NUM_BLOCKS};
    struct hr__chunk_view view;
    uint32_t b = 0, n = 0;
    make_wide_schema(&schema);
    for (uint32_t i = 0; i < WIDE_FIELDS; i++) {
        const struct hr__schema_field *f = &schema.fields[schema.block_order[i]];
        const bool variable = hr__dtype_is_variable(f->dtype);
        for (uint32_t part = hr__last_part(f);; part--) {
            const uint32_t bytes = variable ? 50 * 8 : (uint32_t)f->sample_bytes * 50;
            per_block[b] = variable && part == HR__PART_VALUES ? i % 4 : 1;
            for (uint32_t k = 0; k < per_block[b]; k++)
                frames[n++] = (struct hr__frame){.stored_bytes = bytes, .decoded_bytes = bytes};
            header.chunk_bytes += (uint64_t)per_block[b++] * bytes;
            if (part == 0)
                break;
        }
    }
    assert_int_equal(b, NUM_BLOCKS);
    header.num_frames = n;
    header.header_bytes = HR__CHUNK_FIXED_BYTES + 24 * (NUM_BLOCKS + n);
    header.chunk_bytes += header.header_bytes;
    header.layout_hash = schema.layout_hash;
    uint8_t *bytes = malloc(HR__CHUNK_FIXED_BYTES + BYTES);
    assert_true(header.header_bytes <= HR__CHUNK_FIXED_BYTES + BYTES);
    hr__chunk_header_encode(&header, &schema, per_block, frames, bytes);
    const struct hr__chunk_expected expected = {.schema = &schema, .max_commit_seq = 1};
    assert_int_equal(hr__chunk_header_decode(bytes, header.header_bytes, &expected, &view, NULL),
                     HR_OK);
    uint64_t off = header.header_bytes;
    for (uint32_t i = 0, first = 0; i < NUM_BLOCKS; first += per_block[i++]) {
        uint32_t field, part, in_table, found_first, found;
        uint64_t found_off;
        hr__chunk_view_block_at(&view, i, &field, &part, &in_table);
        hr__chunk_view_part(&view, field, part, &found_first, &found, &found_off);
        assert_int_equal(found, per_block[i]);
        assert_int_equal(found_first, first);
        assert_int_equal(found_off, off);
        for (uint32_t k = 0; k < found; k++)
            off += frames[first + k].stored_bytes;
    }
    free(bytes);
    hr__schema_free(&schema);
}

static void header__any_bit_flipped__is_corrupt(void **state) {
    (void)state;
    struct example x;
    example_make(&x, 2);
    for (uint32_t bit = 0; bit < x.header.header_bytes * 8; bit++) {
        x.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(decode(&x), HR_ERR_CORRUPT);
        x.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(decode(&x), HR_OK);
    example_free(&x);
}

static void header__every_truncation__is_corrupt(void **state) {
    (void)state;
    struct example x;
    struct hr__chunk_view v;
    example_make(&x, 2);
    for (size_t n = 0; n < x.header.header_bytes; n++) {
        assert_int_equal(decode_n(&x, n, &v), HR_ERR_CORRUPT);
        if (n < HR__CHUNK_FIXED_BYTES)
            assert_int_equal(hr__chunk_header_peek(x.bytes, n), 0);
    }
    example_free(&x);
}

/* Each bit flipped, the hash made right: refused, unless the bit means nothing to the rules (job
 * id, hash of a frame, a smaller commit number). */
static void header__flipped_with_the_right_hash__keeps_the_invariants(void **state) {
    (void)state;
    struct example x;
    example_make(&x, 2);
    const uint32_t hashed = x.header.header_bytes - 8, frames = TABLES + 24 * 4;
    for (uint32_t bit = 0; bit < hashed * 8; bit++) {
        const uint32_t off = bit / 8;
        x.bytes[off] ^= (uint8_t)(1u << bit % 8);
        seal(x.bytes, x.header.header_bytes);
        hr_status st = decode(&x);
        const bool free_bits =
            (off >= 32 && off < 56) ||
            (off >= frames && (off - frames) % 24 >= 8 && (off - frames) % 24 < 16);
        const bool element = off >= frames && (off - frames) % 24 == 18;
        if (st == HR_OK)
            check_invariants(&x);
        else
            assert_true(st == HR_ERR_CORRUPT || st == HR_ERR_UNSUPPORTED);
        if (st == HR_OK && !free_bits && !element && off < frames)
            fail_msg("bit %u of byte %u was accepted", bit % 8, off);
        x.bytes[off] ^= (uint8_t)(1u << bit % 8);
    }
    example_free(&x);
}

static uint32_t random_next(uint32_t *x) {
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

/* Values that sit on an edge are as likely as any others. */
static void mutate(struct example *x, uint32_t *seed) {
    static const uint32_t edges[] = {0, 1, 2, 4, 24, 104, 4096, 1u << 20, 1u << 21, UINT32_MAX};
    for (uint32_t n = 1 + random_next(seed) % 3; n > 0; n--) {
        uint32_t at = random_next(seed) % (x->header.header_bytes - 8);
        const uint32_t kind = random_next(seed) % 4;
        if (kind == 0) {
            x->bytes[at] = (uint8_t)random_next(seed);
        } else {
            at &= ~3u;
            uint32_t v = hr__get_u32(x->bytes + at), edge = edges[random_next(seed) % 10];
            hr__put_u32(x->bytes + at, kind == 1 ? edge : kind == 2 ? v + 1 : v - edge);
        }
    }
}

static void header__mutated_with_the_right_hash__keeps_the_invariants(void **state) {
    (void)state;
    struct example x;
    uint8_t whole[ROOM];
    uint32_t seed = 1, accepted = 0;
    example_make(&x, 17);
    memcpy(whole, x.bytes, ROOM);
    for (uint32_t round = 0; round < 200000; round++) {
        memcpy(x.bytes, whole, ROOM);
        mutate(&x, &seed);
        seal(x.bytes, x.header.header_bytes);
        hr_status st = decode(&x);
        if (st == HR_OK) {
            check_invariants(&x);
            accepted++;
        } else {
            assert_true(st == HR_ERR_CORRUPT || st == HR_ERR_UNSUPPORTED);
        }
    }
    assert_in_range(accepted, 1, 199999);
    example_free(&x);
}

static void with_u32(uint32_t off, uint32_t value, hr_status expected) {
    struct example x;
    example_make(&x, 2);
    hr__put_u32(x.bytes + off, value);
    seal(x.bytes, x.header.header_bytes);
    hr_status st = decode(&x);
    if (st != expected)
        fail_msg("%u at %u: %s", value, off, hr_status_name(st));
    example_free(&x);
}

/* Filter, element bytes and distance of a zstd frame of 8 bytes. */
static void with_filter(uint8_t filter, uint8_t element, uint32_t distance, hr_status expected) {
    struct example x;
    example_make(&x, 2);
    uint8_t *frame = x.bytes + TABLES + 24 * 4;
    frame[16] = HR__CODEC_ZSTD;
    frame[17] = filter;
    frame[18] = element;
    hr__put_u32(frame + 20, distance);
    seal(x.bytes, x.header.header_bytes);
    const hr_status st = decode(&x);
    if (st != expected)
        fail_msg("filter %u of %u, distance %u: %s", filter, element, distance, hr_status_name(st));
    example_free(&x);
}

/* The table of the format page; the frame's 8 bytes are no multiple of 16. */
static void header__filter_parameters__are_those_of_the_filter(void **state) {
    (void)state;
    static const uint32_t elements[] = {0, 0xe, 0xf, 0xf, 0xe, 0xf}; /* bit k: 2^k bytes */
    for (uint8_t filter = 0; filter <= 5; filter++)
        for (uint32_t e = 0; e <= UINT8_MAX; e++) {
            const uint32_t distance = filter < 3 ? 0 : e == 0 ? 1 : e;
            bool good = filter == 0 && e == 0;
            for (uint32_t k = 0; k < 4; k++)
                good = good || (e == 1u << k && (elements[filter] >> k & 1) != 0);
            with_filter(filter, (uint8_t)e, distance, good ? HR_OK : HR_ERR_CORRUPT);
        }
    for (uint8_t filter = 3; filter <= 5; filter++) {
        with_filter(filter, 4, 0, HR_ERR_CORRUPT);
        with_filter(filter, 4, 6, HR_ERR_CORRUPT);
        with_filter(filter, 4, 1u << 20, HR_OK);
        with_filter(filter, 4, (1u << 20) + 4, HR_ERR_CORRUPT);
        with_filter(filter, 4, UINT32_MAX - 3, HR_ERR_CORRUPT);
    }
    for (uint8_t filter = 0; filter <= 2; filter++)
        with_filter(filter, filter == 0 ? 0 : 4, 4, HR_ERR_CORRUPT);
    with_filter(6, 4, 0, HR_ERR_UNSUPPORTED);
    with_filter(UINT8_MAX, 4, 4, HR_ERR_UNSUPPORTED);
}

static void header__violated_rules__are_named(void **state) {
    (void)state;
    const uint32_t frame = TABLES + 24 * 4; /* of y: 8 bytes, raw */
    with_u32(8, 0, HR_ERR_CORRUPT);
    with_u32(12, 0, HR_ERR_CORRUPT);
    with_u32(12, 51, HR_ERR_CORRUPT);
    with_u32(48, 0, HR_ERR_CORRUPT);
    with_u32(48, 4, HR_ERR_CORRUPT);
    with_u32(48, 1, HR_OK);
    with_u32(56, 1, HR_ERR_CORRUPT);
    with_u32(64, 16, HR_ERR_CORRUPT);
    with_u32(80, 5, HR_ERR_CORRUPT);
    with_u32(84, 0, HR_ERR_CORRUPT);
    with_u32(88, 1, HR_ERR_CORRUPT);
    with_u32(TABLES, 1, HR_ERR_CORRUPT);
    with_u32(TABLES + 4, 1, HR_ERR_CORRUPT);
    with_u32(TABLES + 8, 1, HR_ERR_CORRUPT); /* a frame for a field without bytes */
    with_u32(TABLES + 12, 1, HR_ERR_CORRUPT);
    with_u32(frame, 0, HR_ERR_CORRUPT);
    with_u32(frame + 4, 0, HR_ERR_CORRUPT);
    with_u32(frame + 16, 2, HR_ERR_UNSUPPORTED);     /* codec */
    with_u32(frame + 16, 0x601, HR_ERR_UNSUPPORTED); /* filter */
    with_u32(frame + 16, 0x100, HR_ERR_CORRUPT);     /* a filter without a codec */
    with_u32(frame + 16, 0x10000, HR_ERR_CORRUPT);   /* a parameter without a filter */
    with_u32(frame + 16, 0x40101, HR_OK);            /* 8 bytes, shuffled by 4 */
    with_u32(frame + 16, 0x30101, HR_ERR_CORRUPT);   /* no element of 3 bytes */
    with_u32(frame + 16, 0x100101, HR_ERR_CORRUPT);  /* 8 is no multiple of 16 */
    with_u32(frame + 16, 0x1000001, HR_ERR_CORRUPT); /* reserved */
    with_u32(frame + 20, 1, HR_ERR_CORRUPT);
}

/* Tables that agree with each other but not with the fields: 2 samples of y are 8 bytes, not 4. */
static void header__block_too_short__is_corrupt(void **state) {
    (void)state;
    struct example x;
    example_make(&x, 2);
    uint8_t *block = x.bytes + TABLES, *frame = block + 24 * 4;
    hr__put_u32(frame, 4);
    hr__put_u32(frame + 4, 4);
    for (uint32_t b = 2; b < 4; b++)
        hr__put_u64(block + 24 * b + 16, hr__get_u64(block + 24 * b + 16) - 4);
    hr__put_u64(x.bytes + 72, x.header.chunk_bytes - 4);
    seal(x.bytes, x.header.header_bytes);
    x.expected.chunk_pages = 0;
    assert_int_equal(decode(&x), HR_ERR_CORRUPT);
    example_free(&x);
}

/* One frame more in the table than the blocks have, or one fewer. */
static void header__frames_that_no_block_has__are_corrupt(void **state) {
    (void)state;
    struct example x;
    example_make(&x, 2);
    x.header.header_bytes += 24;
    hr__put_u32(x.bytes + 8, x.header.header_bytes);
    hr__put_u32(x.bytes + 84, x.header.num_frames + 1);
    hr__put_u64(x.bytes + 72, x.header.chunk_bytes + 24);
    for (uint32_t b = 0; b < 4; b++) {
        uint8_t *off = x.bytes + TABLES + 24 * b + 16;
        hr__put_u64(off, hr__get_u64(off) + 24);
    }
    memset(x.bytes + x.header.header_bytes - 32, 0, 24);
    seal(x.bytes, x.header.header_bytes);
    x.expected.chunk_pages = 0;
    assert_int_equal(decode(&x), HR_ERR_CORRUPT);
    example_free(&x);
    example_make(&x, 2);
    uint8_t *count = x.bytes + TABLES + 24 * 3 + 8; /* of the last block */
    hr__put_u32(count, hr__get_u32(count) + 1);
    seal(x.bytes, x.header.header_bytes);
    assert_int_equal(decode(&x), HR_ERR_CORRUPT);
    example_free(&x);
}

static void header__not_what_is_expected__is_corrupt(void **state) {
    (void)state;
    struct example x;
    static const uint8_t other[16] = {1};
    example_make(&x, 2);
    x.expected.uuid = other;
    assert_int_equal(decode(&x), HR_ERR_CORRUPT);
    x.expected.uuid = NULL;
    assert_int_equal(decode(&x), HR_OK);
    x.expected.num_samples = 3;
    assert_int_equal(decode(&x), HR_ERR_CORRUPT);
    x.expected.num_samples = 0;
    assert_int_equal(decode(&x), HR_OK);
    x.expected.chunk_pages++;
    assert_int_equal(decode(&x), HR_ERR_CORRUPT);
    x.expected.chunk_pages = 0;
    assert_int_equal(decode(&x), HR_OK);
    x.expected.max_commit_seq = 2;
    assert_int_equal(decode(&x), HR_ERR_CORRUPT);
    example_free(&x);
}

static void frame_samples__sizes__as_specified(void **state) {
    (void)state;
    assert_int_equal(hr__frame_samples(0), 0);
    assert_int_equal(hr__frame_samples(1), 65536);
    assert_int_equal(hr__frame_samples(784), 83);
    assert_int_equal(hr__frame_samples(65537), 1);
    assert_int_equal(hr__frame_samples(1u << 20), 1);
    assert_int_equal(hr__frame_samples((1u << 20) + 1), 0);
    assert_int_equal(hr__block_frames(784, 83), 1);
    assert_int_equal(hr__block_frames(784, 84), 2);
    assert_int_equal(hr__block_frames((1u << 20) + 1, 3), 6);
    assert_int_equal(hr__block_frames(1u << 21, 3), 6);
    assert_int_equal(hr__block_frames(0, 3), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header__encoded__decodes_equal),
        cmocka_unit_test(header__assigned_to_another_data_set__is_all_else_the_same),
        cmocka_unit_test(blocks__one_by_one__are_those_of_the_schema),
        cmocka_unit_test(blocks__of_thousands_of_fields__are_found_by_field),
        cmocka_unit_test(header__any_bit_flipped__is_corrupt),
        cmocka_unit_test(header__every_truncation__is_corrupt),
        cmocka_unit_test(header__flipped_with_the_right_hash__keeps_the_invariants),
        cmocka_unit_test(header__mutated_with_the_right_hash__keeps_the_invariants),
        cmocka_unit_test(header__violated_rules__are_named),
        cmocka_unit_test(header__filter_parameters__are_those_of_the_filter),
        cmocka_unit_test(header__block_too_short__is_corrupt),
        cmocka_unit_test(header__frames_that_no_block_has__are_corrupt),
        cmocka_unit_test(header__not_what_is_expected__is_corrupt),
        cmocka_unit_test(frame_samples__sizes__as_specified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
