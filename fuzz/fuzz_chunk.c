/*
 * Chunks from any bytes: the header and every frame, with the layout hash, the hash of the header
 * and those of the frames made right. Input: one byte that picks a schema, then the chunk.
 */
#include "bytes.h"
#include "chunk_schemas.h"
#include "dtype.h"
#include "frame_codec.h"
#include "frame_filter.h"
#include "hash.h"
#include "superblock.h"
#include "value_ends.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TABLES_OFF 96u

/* False: its tables do not fit the bytes that are there. */
static bool fix_hashes(uint8_t *chunk, size_t size, uint64_t layout_hash) {
    uint64_t blocks = size >= HR__CHUNK_FIXED_BYTES ? hr__get_u32(chunk + 80) : 0;
    uint64_t frames = size >= HR__CHUNK_FIXED_BYTES ? hr__get_u32(chunk + 84) : 0;
    uint64_t header = HR__CHUNK_FIXED_BYTES + 24 * (blocks + frames), off = header;
    if (header > size)
        return false;
    hr__put_u64(chunk + 56, layout_hash);
    uint8_t *p = chunk + TABLES_OFF + 24 * blocks;
    for (uint64_t i = 0; i < frames; i++, p += HR__FRAME_ENTRY_BYTES) {
        uint64_t stored = hr__get_u32(p);
        if (stored > size - off)
            break;
        hr__put_u64(p + 8, hr__hash(chunk + off, (size_t)stored));
        off += stored;
    }
    hr__put_u64(chunk + header - 8, hr__hash(chunk, (size_t)header - 8));
    return true;
}

/* Exactly as much room as a frame needs, so that a sanitizer sees a byte beyond it. */
static void decode_frame(struct hr__frame_decoder *d, const struct hr__frame *f,
                         const uint8_t *chunk) {
    hr_error err = {.status = HR_OK};
    uint8_t *decoded = malloc(f->decoded_bytes), *plain = malloc(f->decoded_bytes);
    if (decoded == NULL || plain == NULL)
        abort();
    uint32_t all = HR__FEATURE_ZSTD | HR__FEATURES_FILTERS;
    hr_status st = hr__frame_decode(d, f, chunk + f->off, all, decoded, &err);
    if (st == HR_OK)
        hr__filter_undo(f, decoded, hr__filter_is_in_place(f->filter) ? decoded : plain);
    else if (st != HR_OK && (st != HR_ERR_CORRUPT || err.status != st || err.message[0] == '\0'))
        abort();
    free(decoded);
    free(plain);
}

/* The invariants of chunk_header.h, block by block. */
static void check_blocks(const struct hr__chunk_view *v, const struct hr__schema *s, size_t size) {
    struct hr__frame_decoder decoder;
    uint64_t end = v->header.header_bytes;
    if (hr__frame_decoder_init(&decoder, NULL) != HR_OK)
        abort();
    for (uint32_t b = 0; b < s->num_fields; b++) {
        uint32_t field = s->block_order[b], first, n;
        bool variable = hr__dtype_is_variable(s->fields[field].dtype);
        uint64_t off, decoded = 0;
        hr__chunk_view_block(v, field, &first, &n, &off);
        if ((!variable && off != end) || off < end)
            abort();
        for (uint32_t i = 0; i < n; i++) {
            struct hr__frame f;
            hr__chunk_view_frame(v, first + i, off, &f);
            if (f.stored_bytes == 0 || f.decoded_bytes == 0 ||
                f.decoded_bytes > HR__MAX_FRAME_BYTES || f.off + f.stored_bytes < f.off)
                abort();
            if (f.off + f.stored_bytes <= size)
                decode_frame(&decoder, &f, v->bytes);
            off += f.stored_bytes;
            decoded += f.decoded_bytes;
        }
        if (!variable && decoded != v->header.num_samples * s->fields[field].sample_bytes)
            abort();
        end = off;
    }
    if (end != v->header.chunk_bytes)
        abort();
    hr__frame_decoder_free(&decoder);
}

/* The frames of ends, decoded one after the other; false: one of them is not there, or damaged. */
static bool decode_ends(const struct hr__chunk_view *v, uint32_t field, size_t size,
                        uint64_t *ends) {
    const uint32_t all = HR__FEATURE_ZSTD | HR__FEATURES_FILTERS;
    struct hr__frame_decoder decoder;
    uint8_t *to = (uint8_t *)ends, *filtered = malloc(HR__MAX_FRAME_BYTES);
    uint32_t first, n;
    uint64_t off;
    bool whole = true;
    if (filtered == NULL || hr__frame_decoder_init(&decoder, NULL) != HR_OK)
        abort();
    hr__chunk_view_part(v, field, HR__PART_ENDS, &first, &n, &off);
    for (uint32_t i = 0; i < n && whole; i++) {
        struct hr__frame f;
        hr__chunk_view_frame(v, first + i, off, &f);
        uint8_t *decoded = hr__filter_is_in_place(f.filter) ? to : filtered;
        whole = f.off + f.stored_bytes <= size &&
                hr__frame_decode(&decoder, &f, v->bytes + f.off, all, decoded, NULL) == HR_OK;
        if (whole)
            hr__filter_undo(&f, decoded, to);
        to += f.decoded_bytes;
        off += f.stored_bytes;
    }
    hr__frame_decoder_free(&decoder);
    free(filtered);
    return whole;
}

/* Ends that are good ascend, and their frames of values hold as many bytes. */
static void check_ends(const struct hr__chunk_view *v, uint32_t field, const uint64_t *ends) {
    uint32_t first, n;
    uint64_t off, decoded = 0;
    hr_error err = {.status = HR_OK};
    const hr_status st = hr__value_ends_check(v, field, ends, 1, &err);
    if (st != HR_OK && (st != HR_ERR_CORRUPT || err.message[0] == '\0'))
        abort();
    if (st != HR_OK)
        return;
    for (uint32_t i = 0; i < v->header.num_samples; i++)
        if (ends[i] < hr__value_start(ends, i))
            abort();
    hr__chunk_view_part(v, field, HR__PART_VALUES, &first, &n, &off);
    for (uint32_t i = 0; i < n; i++) {
        struct hr__frame f;
        hr__chunk_view_frame(v, first + i, off, &f);
        decoded += f.decoded_bytes;
    }
    if (decoded != ends[v->header.num_samples - 1])
        abort();
}

static void check_variable(const struct hr__chunk_view *v, const struct hr__schema *s,
                           size_t size) {
    for (uint32_t field = 0; field < s->num_fields; field++) {
        if (!hr__dtype_is_variable(s->fields[field].dtype))
            continue;
        uint64_t *ends = calloc(s->samples_per_chunk, sizeof(*ends));
        if (ends == NULL)
            abort();
        if (decode_ends(v, field, size, ends))
            check_ends(v, field, ends);
        free(ends);
    }
}

static void run(uint8_t *chunk, size_t size, const struct hr__schema *s) {
    struct hr__chunk_view v;
    hr_error err = {.status = HR_OK};
    uint64_t number = fix_hashes(chunk, size, s->layout_hash) ? hr__get_u64(chunk + 64) : 0;
    struct hr__chunk_expected expected = {
        .schema = s, .max_commit_seq = 1000, .chunk_number = number};
    hr_status st = hr__chunk_header_decode(chunk, size, &expected, &v, &err);
    if (st == HR_OK) {
        check_blocks(&v, s, size);
        check_variable(&v, s, size);
    } else if (err.status != st || err.message[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr__schema s;
    uint8_t *chunk = size > 1 ? malloc(size - 1) : NULL;
    if (chunk == NULL)
        return 0;
    memcpy(chunk, data + 1, size - 1);
    chunk_schema_make(data[0] % NUM_CHUNK_SCHEMAS, &s);
    run(chunk, size - 1, &s);
    hr__schema_free(&s);
    free(chunk);
    return 0;
}
