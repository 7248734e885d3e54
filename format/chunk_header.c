/*
 * Chunk headers (docs/format.md, 6.1 to 6.3). Input is untrusted: the header's hash is checked
 * first, then every rule, since a hash proves nothing about who computed it.
 */
#include "chunk_header.h"

#include "bytes.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "frame_filter.h"
#include "hash.h"
#include "superblock.h"

#include <string.h>

#define TABLES_OFF 96u
#define HASH_BYTES 8u

static const uint8_t magic[8] = {'H', 'R', 'D', 'C', 'H', 'N', 'K', '\n'};

uint32_t hr__chunk_header_peek(const uint8_t *bytes, size_t n_bytes) {
    if (n_bytes < HR__CHUNK_FIXED_BYTES || memcmp(bytes, magic, sizeof(magic)) != 0)
        return 0;
    return hr__get_u32(bytes + 8);
}

static hr_status bad(hr_error *err, const char *what, uint64_t found, uint64_t expected) {
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "its header is damaged: %s is %llu, expected %llu; run headrace verify, "
                         "and convert anew",
                         what, (unsigned long long)found, (unsigned long long)expected);
}

static void fixed_decode(const uint8_t *p, struct hr__chunk_header *h) {
    h->header_bytes = hr__get_u32(p + 8);
    h->num_samples = hr__get_u32(p + 12);
    memcpy(h->uuid, p + 16, sizeof(h->uuid));
    memcpy(h->job_id, p + 32, sizeof(h->job_id));
    h->commit_seq = hr__get_u64(p + 48);
    h->layout_hash = hr__get_u64(p + 56);
    h->chunk_number = hr__get_u64(p + 64);
    h->chunk_bytes = hr__get_u64(p + 72);
    h->num_blocks = hr__get_u32(p + 80);
    h->num_frames = hr__get_u32(p + 84);
}

/* Sizes and hash: after this the tables are as they were written. */
static hr_status whole(const uint8_t *p, size_t n_bytes, const struct hr__chunk_header *h,
                       hr_error *err) {
    uint64_t size = HR__CHUNK_FIXED_BYTES + HR__BLOCK_ENTRY_BYTES * (uint64_t)h->num_blocks +
                    HR__FRAME_ENTRY_BYTES * (uint64_t)h->num_frames;
    if (h->header_bytes != size)
        return bad(err, "its size", h->header_bytes, size);
    if (size > n_bytes)
        return bad(err, "the room for it", n_bytes, size);
    uint64_t stored = hr__get_u64(p + size - HASH_BYTES), hash = hr__hash(p, size - HASH_BYTES);
    if (stored != hash)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "its header is damaged (hash %016llx, expected %016llx); run headrace "
                             "verify, and convert anew",
                             (unsigned long long)hash, (unsigned long long)stored);
    return HR_OK;
}

static uint32_t blocks_of(const struct hr__schema *s) {
    return s->num_fields + s->num_variable;
}

static hr_status check_fixed(const uint8_t *p, const struct hr__chunk_header *h,
                             const struct hr__chunk_expected *e, hr_error *err) {
    const struct hr__schema *s = e->schema;
    if (e->uuid != NULL && memcmp(h->uuid, e->uuid, sizeof(h->uuid)) != 0)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "it belongs to another data set (its UUID differs); the file was put "
                             "together from others: copy or convert it anew");
    if (h->layout_hash != s->layout_hash)
        return bad(err, "the layout hash", h->layout_hash, s->layout_hash);
    if (h->chunk_number != e->chunk_number)
        return bad(err, "the chunk number", h->chunk_number, e->chunk_number);
    if (h->commit_seq == 0 || h->commit_seq > e->max_commit_seq)
        return bad(err, "the commit number", h->commit_seq, e->max_commit_seq);
    if (h->num_samples == 0 || h->num_samples > s->samples_per_chunk)
        return bad(err, "the number of samples", h->num_samples, s->samples_per_chunk);
    if (e->num_samples != 0 && h->num_samples != e->num_samples)
        return bad(err, "the number of samples", h->num_samples, e->num_samples);
    uint64_t pages = hr__ceil_div(h->chunk_bytes, HR__PAGE_BYTES);
    if (h->chunk_bytes < h->header_bytes || pages >= 1u << 24)
        return bad(err, "the size of the chunk", h->chunk_bytes, h->header_bytes);
    if (e->chunk_pages != 0 && pages != e->chunk_pages)
        return bad(err, "the number of pages", pages, e->chunk_pages);
    if (h->num_blocks != blocks_of(s))
        return bad(err, "the number of blocks", h->num_blocks, blocks_of(s));
    if (!hr__is_zero(p + 88, 8))
        return bad(err, "a reserved field", hr__get_u64(p + 88), 0);
    return HR_OK;
}

static const uint8_t *block_entry(const struct hr__chunk_view *v, uint32_t block) {
    return v->bytes + TABLES_OFF + HR__BLOCK_ENTRY_BYTES * (size_t)block;
}

static const uint8_t *frame_entry(const struct hr__chunk_view *v, uint32_t frame) {
    return block_entry(v, v->header.num_blocks) + HR__FRAME_ENTRY_BYTES * (size_t)frame;
}

/* What the frames of one block must be. */
struct block_rule {
    uint64_t sample_bytes;
    uint64_t total_bytes; /* UINT64_MAX: any (values of variable length) */
    bool any_cut;         /* values of variable length: cut between values, not checked here */
};

static hr_status check_frame(const struct hr__frame *f, const uint8_t *p, hr_error *err) {
    if (f->stored_bytes == 0 || f->stored_bytes > HR__MAX_STORED_FRAME_BYTES)
        return bad(err, "the stored size of a frame", f->stored_bytes, HR__MAX_STORED_FRAME_BYTES);
    if (f->decoded_bytes == 0 || f->decoded_bytes > HR__MAX_FRAME_BYTES)
        return bad(err, "the decoded size of a frame", f->decoded_bytes, HR__MAX_FRAME_BYTES);
    if (p[19] != 0)
        return bad(err, "a reserved field of a frame", 1, 0);
    if (f->codec > HR__CODEC_ZSTD || hr__filter_name(f->filter) == NULL)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "a frame has codec %u and filter %u, which this version (%s) does not "
                             "know; use a newer Headrace",
                             f->codec, f->filter, hr_version());
    if (f->codec == HR__CODEC_RAW && f->stored_bytes != f->decoded_bytes)
        return bad(err, "the stored size of a raw frame", f->stored_bytes, f->decoded_bytes);
    if (f->codec == HR__CODEC_RAW && f->filter != HR__FILTER_NONE)
        return bad(err, "the filter of a raw frame", f->filter, HR__FILTER_NONE);
    if (hr__filter_fits(f->filter, f->element_bytes, f->distance_bytes, f->decoded_bytes))
        return HR_OK;
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "its header is malformed: a frame of %u bytes has elements of %u and a "
                         "distance of %u bytes, which its filter (%s) does not allow; run headrace "
                         "verify, and convert anew",
                         f->decoded_bytes, f->element_bytes, f->distance_bytes,
                         hr__filter_name(f->filter));
}

/* The size that frame i of the block must have, given those before; 0: it is the first, and any
 * number of whole samples will do. */
static hr_status check_cut(const struct block_rule *r, uint32_t first_bytes, uint64_t at,
                           const struct hr__frame *f, hr_error *err) {
    uint64_t left = r->total_bytes - at, expected;
    if (r->any_cut)
        return HR_OK;
    if (f->decoded_bytes > left)
        return bad(err, "the decoded size of a frame", f->decoded_bytes, left);
    if (r->sample_bytes > HR__MAX_FRAME_BYTES)
        expected = hr__min_u64(r->sample_bytes - at % r->sample_bytes, HR__MAX_FRAME_BYTES);
    else if (first_bytes == 0)
        expected = f->decoded_bytes - f->decoded_bytes % r->sample_bytes;
    else
        expected = hr__min_u64(first_bytes, left);
    return f->decoded_bytes == expected
               ? HR_OK
               : bad(err, "the cut of a frame", f->decoded_bytes, expected);
}

static hr_status check_block(const struct hr__chunk_view *v, uint32_t first_frame,
                             uint32_t num_frames, const struct block_rule *r, uint64_t *off,
                             hr_error *err) {
    uint64_t at = 0;
    uint32_t first_bytes = 0;
    for (uint32_t i = 0; i < num_frames; i++) {
        struct hr__frame f;
        hr_status st;
        hr__chunk_view_frame(v, first_frame + i, *off, &f);
        HR_TRY(check_frame(&f, frame_entry(v, first_frame + i), err));
        HR_TRY(check_cut(r, first_bytes, at, &f, err));
        first_bytes = first_bytes == 0 ? f.decoded_bytes : first_bytes;
        at += f.decoded_bytes;
        *off += f.stored_bytes; /* 2^32 frames of 2^21 bytes fit 64 bits */
        continue;
    done:
        return st;
    }
    if (!r->any_cut && at != r->total_bytes)
        return bad(err, "the decoded size of a block", at, r->total_bytes);
    return HR_OK;
}

/* The blocks in the format's order: fixed-size fields by block_order, then the variable ones. */
static hr_status read_tables(struct hr__chunk_view *v, hr_error *err) {
    const struct hr__chunk_header *h = &v->header;
    const struct hr__schema *s = v->schema;
    uint64_t off = h->header_bytes, frame = 0;
    uint32_t block = 0;
    for (uint32_t i = 0; i < s->num_fields; i++) {
        const struct hr__schema_field *f = &s->fields[s->block_order[i]];
        const bool variable = hr__dtype_is_variable(f->dtype);
        for (uint32_t part = hr__last_part(f);; part--) {
            const uint8_t *p = block_entry(v, block);
            uint32_t num_frames = hr__get_u32(p + 8);
            if (block % v->mark_blocks == 0)
                v->marks[block / v->mark_blocks] = (uint32_t)frame;
            block++;
            struct block_rule rule = {.sample_bytes = variable ? 8 : f->sample_bytes,
                                      .any_cut = variable && part == 0};
            rule.total_bytes = h->num_samples * rule.sample_bytes;
            if (hr__get_u32(p) != s->block_order[i] || hr__get_u32(p + 4) != part)
                return bad(err, "the field of a block", hr__get_u32(p), s->block_order[i]);
            if (hr__get_u32(p + 12) != 0)
                return bad(err, "a reserved field of a block", hr__get_u32(p + 12), 0);
            if (hr__get_u64(p + 16) != off)
                return bad(err, "the offset of a block", hr__get_u64(p + 16), off);
            if (num_frames > h->num_frames - frame)
                return bad(err, "the number of frames", num_frames, h->num_frames - frame);
            hr_status st = check_block(v, (uint32_t)frame, num_frames, &rule, &off, err);
            if (st != HR_OK)
                return st;
            frame += num_frames;
            if (part == 0)
                break;
        }
    }
    if (frame != h->num_frames)
        return bad(err, "the number of frames", h->num_frames, frame);
    if (off != h->chunk_bytes)
        return bad(err, "the end of the last frame", off, h->chunk_bytes);
    return HR_OK;
}

uint64_t hr__chunk_header_number(const uint8_t *bytes) {
    struct hr__chunk_header h;
    fixed_decode(bytes, &h);
    return h.chunk_number;
}

bool hr__chunk_header_size_fits(const uint8_t *bytes) {
    struct hr__chunk_header h;
    fixed_decode(bytes, &h);
    return h.header_bytes == HR__CHUNK_FIXED_BYTES +
                                 HR__BLOCK_ENTRY_BYTES * (uint64_t)h.num_blocks +
                                 HR__FRAME_ENTRY_BYTES * (uint64_t)h.num_frames;
}

hr_status hr__chunk_header_decode(const uint8_t *bytes, size_t n_bytes,
                                  const struct hr__chunk_expected *expected,
                                  struct hr__chunk_view *out, hr_error *err) {
    hr_status st;
    *out = (struct hr__chunk_view){.bytes = bytes};
    if (n_bytes < HR__CHUNK_FIXED_BYTES || memcmp(bytes, magic, sizeof(magic)) != 0)
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "there is no chunk where the index says; run headrace verify, and "
                             "convert anew");
    fixed_decode(bytes, &out->header);
    HR_TRY(whole(bytes, n_bytes, &out->header, err));
    HR_TRY(check_fixed(bytes, &out->header, expected, err));
    out->schema = expected->schema;
    out->mark_blocks = out->header.num_blocks / HR__NUM_BLOCK_MARKS + 1;
    HR_TRY(read_tables(out, err));
done:
    return st;
}

void hr__chunk_view_block(const struct hr__chunk_view *v, uint32_t field, uint32_t *first_frame,
                          uint32_t *num_frames, uint64_t *off) {
    hr__chunk_view_part(v, field, HR__PART_VALUES, first_frame, num_frames, off);
}

void hr__chunk_view_part(const struct hr__chunk_view *v, uint32_t field, uint32_t part,
                         uint32_t *first_frame, uint32_t *num_frames, uint64_t *off) {
    const struct hr__schema_field *f = &v->schema->fields[field];
    const uint32_t block = f->first_block + hr__last_part(f) - part;
    const uint32_t mark = block / v->mark_blocks;
    const uint8_t *p = block_entry(v, mark * v->mark_blocks), *end = block_entry(v, block);
    *first_frame = v->marks[mark];
    for (; p < end; p += HR__BLOCK_ENTRY_BYTES)
        *first_frame += hr__get_u32(p + 8);
    *num_frames = hr__get_u32(end + 8);
    *off = hr__get_u64(end + 16);
}

void hr__chunk_view_frame(const struct hr__chunk_view *v, uint32_t f, uint64_t off,
                          struct hr__frame *out) {
    const uint8_t *p = frame_entry(v, f);
    *out = (struct hr__frame){.off = off,
                              .stored_bytes = hr__get_u32(p),
                              .decoded_bytes = hr__get_u32(p + 4),
                              .hash = hr__get_u64(p + 8),
                              .codec = p[16],
                              .filter = p[17],
                              .element_bytes = p[18],
                              .distance_bytes = hr__get_u32(p + 20)};
}

uint32_t hr__last_part(const struct hr__schema_field *f) {
    return hr__dtype_is_variable(f->dtype) ? HR__PART_ENDS : HR__PART_VALUES;
}

uint32_t hr__frame_samples(uint64_t sample_bytes) {
    if (sample_bytes == 0 || sample_bytes > HR__MAX_FRAME_BYTES)
        return 0;
    return (uint32_t)hr__max_u64(1, HR__FRAME_TARGET_BYTES / sample_bytes);
}

uint64_t hr__block_frames(uint64_t sample_bytes, uint32_t num_samples) {
    if (sample_bytes == 0)
        return 0;
    if (sample_bytes > HR__MAX_FRAME_BYTES)
        return num_samples * hr__ceil_div(sample_bytes, HR__MAX_FRAME_BYTES);
    return hr__ceil_div(num_samples, hr__frame_samples(sample_bytes));
}

static void frame_encode(const struct hr__frame *f, uint8_t *p) {
    memset(p, 0, HR__FRAME_ENTRY_BYTES);
    hr__put_u32(p, f->stored_bytes);
    hr__put_u32(p + 4, f->decoded_bytes);
    hr__put_u64(p + 8, f->hash);
    p[16] = f->codec;
    p[17] = f->filter;
    p[18] = f->element_bytes;
    hr__put_u32(p + 20, f->distance_bytes);
}

static uint8_t *block_encode(uint8_t *block, uint32_t field, uint32_t part, uint32_t num_frames,
                             uint64_t off) {
    memset(block, 0, HR__BLOCK_ENTRY_BYTES);
    hr__put_u32(block, field);
    hr__put_u32(block + 4, part);
    hr__put_u32(block + 8, num_frames);
    hr__put_u64(block + 16, off);
    return block + HR__BLOCK_ENTRY_BYTES;
}

void hr__chunk_header_encode(const struct hr__chunk_header *h, const struct hr__schema *schema,
                             const uint32_t *frames_per_block, const struct hr__frame *frames,
                             uint8_t *out) {
    memset(out, 0, HR__CHUNK_FIXED_BYTES);
    memcpy(out, magic, sizeof(magic));
    hr__put_u32(out + 8, h->header_bytes);
    hr__put_u32(out + 12, h->num_samples);
    memcpy(out + 16, h->uuid, sizeof(h->uuid));
    memcpy(out + 32, h->job_id, sizeof(h->job_id));
    hr__put_u64(out + 48, h->commit_seq);
    hr__put_u64(out + 56, h->layout_hash);
    hr__put_u64(out + 64, h->chunk_number);
    hr__put_u64(out + 72, h->chunk_bytes);
    hr__put_u32(out + 80, h->num_blocks);
    hr__put_u32(out + 84, h->num_frames);
    uint8_t *block = out + TABLES_OFF;
    uint8_t *entry = block + HR__BLOCK_ENTRY_BYTES * (size_t)h->num_blocks;
    uint64_t off = h->header_bytes;
    for (uint32_t i = 0; i < schema->num_fields; i++) {
        const uint32_t field = schema->block_order[i];
        for (uint32_t part = hr__last_part(&schema->fields[field]);; part--) {
            const uint32_t num_frames = *frames_per_block++;
            block = block_encode(block, field, part, num_frames, off);
            for (uint32_t k = 0; k < num_frames; k++, frames++) {
                frame_encode(frames, entry);
                entry += HR__FRAME_ENTRY_BYTES;
                off += frames->stored_bytes;
            }
            if (part == 0)
                break;
        }
    }
    hr__put_u64(entry, hr__hash(out, (size_t)(entry - out)));
}

void hr__chunk_view_block_at(const struct hr__chunk_view *v, uint32_t b, uint32_t *field,
                             uint32_t *part, uint32_t *num_frames) {
    const uint8_t *p = block_entry(v, b);
    *field = hr__get_u32(p);
    *part = hr__get_u32(p + 4);
    *num_frames = hr__get_u32(p + 8);
}

void hr__chunk_header_assign(uint8_t *bytes, const uint8_t uuid[16], const uint8_t job_id[16],
                             uint64_t commit_seq, uint64_t chunk_number) {
    const size_t hash_off = hr__get_u32(bytes + 8) - HASH_BYTES;
    memcpy(bytes + 16, uuid, 16);
    memcpy(bytes + 32, job_id, 16);
    hr__put_u64(bytes + 48, commit_seq);
    hr__put_u64(bytes + 64, chunk_number);
    hr__put_u64(bytes + hash_off, hr__hash(bytes, hash_off));
}
