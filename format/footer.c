/*
 * Footers (docs/format.md, 7). Input is untrusted; its size was checked against the file before it
 * was read, and everything allocated here is in proportion to it.
 */
#include "footer.h"

#include "bytes.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "hash.h"
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENT_BYTES  24u
#define PAGE_REF_BYTES 16u

static const uint8_t magic[8] = {'H', 'R', 'D', 'F', 'O', 'O', 'T', '\n'};

static uint64_t index_pages_of(uint64_t num_chunks) {
    return hr__ceil_div(num_chunks, HR__INDEX_PAGE_ENTRIES);
}

static void header_encode(const struct hr__footer *f, uint64_t json_bytes, uint8_t *p) {
    memcpy(p, magic, sizeof(magic));
    hr__put_u32(p + 8, HR__FOOTER_HEADER_BYTES);
    hr__put_u32(p + 12, f->schema.samples_per_chunk);
    memcpy(p + 16, f->uuid, sizeof(f->uuid));
    hr__put_u64(p + 32, f->commit_seq);
    hr__put_u64(p + 40, f->num_samples);
    hr__put_u64(p + 48, f->num_chunks);
    hr__put_u64(p + 56, f->schema.layout_hash);
    hr__put_u64(p + 64, f->num_segments);
    hr__put_u64(p + 72, json_bytes);
    hr__put_u64(p + 80, f->dead_bytes);
    hr__put_u32(p + 88, f->max_chunk_pages);
}

hr_status hr__footer_encode(const struct hr__footer *f, uint8_t **out, size_t *n_bytes,
                            hr_error *err) {
    char *json = NULL;
    size_t json_bytes = 0;
    *out = NULL;
    hr_status st = hr__schema_print(&f->schema, &json, &json_bytes, err);
    if (st != HR_OK)
        return st;
    size_t tables = HR__FOOTER_HEADER_BYTES + (size_t)hr__round_up(json_bytes, 8);
    size_t n = tables + SEGMENT_BYTES * (size_t)f->num_segments +
               PAGE_REF_BYTES * (size_t)f->num_index_pages;
    uint8_t *bytes = calloc(1, n);
    if (bytes == NULL) {
        free(json);
        return hr__error_no_memory(err, n, "the footer");
    }
    header_encode(f, json_bytes, bytes);
    memcpy(bytes + HR__FOOTER_HEADER_BYTES, json, json_bytes);
    uint8_t *p = bytes + tables;
    for (uint64_t i = 0; i < f->num_segments; i++, p += SEGMENT_BYTES) {
        hr__put_u64(p, f->segments[i].first_chunk);
        hr__put_u64(p + 8, f->segments[i].num_chunks);
        hr__put_u64(p + 16, f->segments[i].num_samples);
    }
    for (uint64_t i = 0; i < f->num_index_pages; i++, p += PAGE_REF_BYTES) {
        hr__put_u64(p, f->index_pages[i].off);
        hr__put_u64(p + 8, f->index_pages[i].hash);
    }
    free(json);
    *out = bytes;
    *n_bytes = n;
    return HR_OK;
}

static hr_status bad(hr_error *err, const char *what, uint64_t found, uint64_t expected) {
    return hr__error_set(
        err, HR_ERR_CORRUPT,
        "the footer is damaged: %s is %llu, expected %llu; copy the file again, or "
        "convert anew",
        what, (unsigned long long)found, (unsigned long long)expected);
}

static hr_status header_decode(const uint8_t *p, const struct hr__superblock *sb,
                               struct hr__footer *out, hr_error *err) {
    memcpy(out->uuid, p + 16, sizeof(out->uuid));
    out->commit_seq = hr__get_u64(p + 32);
    out->num_samples = hr__get_u64(p + 40);
    out->num_chunks = hr__get_u64(p + 48);
    out->num_segments = hr__get_u64(p + 64);
    out->dead_bytes = hr__get_u64(p + 80);
    out->max_chunk_pages = hr__get_u32(p + 88);
    if (memcmp(p, magic, sizeof(magic)) != 0)
        return bad(err, "its signature", 0, 1);
    if (hr__get_u32(p + 8) != HR__FOOTER_HEADER_BYTES)
        return bad(err, "the size of its header", hr__get_u32(p + 8), HR__FOOTER_HEADER_BYTES);
    uint32_t samples_per_chunk = hr__get_u32(p + 12);
    if (samples_per_chunk == 0 || samples_per_chunk > HR__MAX_SAMPLES_PER_CHUNK)
        return bad(err, "the number of samples per chunk", samples_per_chunk,
                   HR__MAX_SAMPLES_PER_CHUNK);
    if (memcmp(out->uuid, sb->uuid, sizeof(out->uuid)) != 0)
        return bad(err, "its UUID", 0, 1);
    if (out->commit_seq != sb->commit_seq)
        return bad(err, "the commit number", out->commit_seq, sb->commit_seq);
    if (out->num_chunks > HR__MAX_CHUNKS)
        return bad(err, "the number of chunks", out->num_chunks, HR__MAX_CHUNKS);
    if (out->num_segments > out->num_chunks)
        return bad(err, "the number of segments", out->num_segments, out->num_chunks);
    if (out->dead_bytes > sb->file_bytes)
        return bad(err, "the number of dead bytes", out->dead_bytes, sb->file_bytes);
    if (out->max_chunk_pages >= 1u << 24 || (out->max_chunk_pages == 0) != (out->num_chunks == 0))
        return bad(err, "the size of the largest chunk", out->max_chunk_pages, 0);
    if (!hr__is_zero(p + 92, HR__FOOTER_HEADER_BYTES - 92))
        return bad(err, "a reserved field", 1, 0);
    return HR_OK;
}

static hr_status segments_decode(const uint8_t *p, struct hr__footer *out, hr_error *err) {
    uint64_t chunk = 0, sample = 0, per_chunk = out->schema.samples_per_chunk;
    out->segments = calloc(out->num_segments + 1, sizeof(*out->segments));
    if (out->segments == NULL)
        return hr__error_no_memory(err, (size_t)out->num_segments * sizeof(*out->segments),
                                   "segments");
    for (uint64_t i = 0; i < out->num_segments; i++, p += SEGMENT_BYTES) {
        struct hr__segment *s = &out->segments[i];
        *s = (struct hr__segment){.first_chunk = hr__get_u64(p),
                                  .num_chunks = hr__get_u64(p + 8),
                                  .first_sample = sample,
                                  .num_samples = hr__get_u64(p + 16)};
        if (s->first_chunk != chunk)
            return bad(err, "the first chunk of a segment", s->first_chunk, chunk);
        if (s->num_chunks == 0 || s->num_chunks > out->num_chunks - chunk)
            return bad(err, "the number of chunks of a segment", s->num_chunks,
                       out->num_chunks - chunk);
        /* 2^40 chunks of 2^16 samples fit. */
        if (s->num_samples <= (s->num_chunks - 1) * per_chunk ||
            s->num_samples > s->num_chunks * per_chunk)
            return bad(err, "the number of samples of a segment", s->num_samples,
                       s->num_chunks * per_chunk);
        chunk += s->num_chunks;
        sample += s->num_samples;
    }
    if (chunk != out->num_chunks)
        return bad(err, "the number of chunks", out->num_chunks, chunk);
    if (sample != out->num_samples)
        return bad(err, "the number of samples", out->num_samples, sample);
    return HR_OK;
}

static hr_status pages_decode(const uint8_t *p, const struct hr__superblock *sb,
                              struct hr__footer *out, hr_error *err) {
    out->index_pages = calloc(out->num_index_pages + 1, sizeof(*out->index_pages));
    if (out->index_pages == NULL)
        return hr__error_no_memory(err, (size_t)out->num_index_pages * PAGE_REF_BYTES, "the index");
    for (uint64_t i = 0; i < out->num_index_pages; i++, p += PAGE_REF_BYTES) {
        uint64_t off = hr__get_u64(p);
        if (off % HR__PAGE_BYTES != 0 || off < HR__DATA_OFF ||
            !hr__range_within(off, hr__index_page_bytes(out->num_chunks, i), sb->file_bytes))
            return bad(err, "the offset of an index page", off, sb->file_bytes);
        out->index_pages[i] = (struct hr__index_page_ref){off, hr__get_u64(p + 8)};
    }
    return HR_OK;
}

/* Header, JSON and both tables fill n_bytes exactly. */
static hr_status check_size(const struct hr__footer *f, uint64_t json_bytes, size_t n_bytes,
                            hr_error *err) {
    if (json_bytes < 2 || json_bytes > HR__MAX_JSON_BYTES)
        return bad(err, "the size of its JSON", json_bytes, HR__MAX_JSON_BYTES);
    uint64_t expected = HR__FOOTER_HEADER_BYTES + hr__round_up(json_bytes, 8) +
                        SEGMENT_BYTES * f->num_segments + PAGE_REF_BYTES * f->num_index_pages;
    return n_bytes == expected ? HR_OK : bad(err, "its size", n_bytes, expected);
}

static hr_status json_keep(const uint8_t *p, uint64_t json_bytes, struct hr__footer *out,
                           hr_error *err) {
    out->json = malloc((size_t)json_bytes + 1);
    if (out->json == NULL)
        return hr__error_no_memory(err, (size_t)json_bytes, "the schema");
    memcpy(out->json, p, (size_t)json_bytes);
    out->json[json_bytes] = 0;
    return HR_OK;
}

static hr_status check_variable(const struct hr__schema *s, const struct hr__superblock *sb,
                                hr_error *err) {
    for (uint32_t i = 0; i < s->num_fields; i++)
        if (hr__dtype_is_variable(s->fields[i].dtype) && (sb->required & HR__FEATURE_VARLEN) == 0)
            return hr__error_set(err, HR_ERR_CORRUPT,
                                 "field %s has values of variable length, and the superblock does "
                                 "not list the feature varlen; copy the file again",
                                 s->fields[i].name);
    return HR_OK;
}

bool hr__footer_head_decode(const uint8_t *header, struct hr__footer_head *out) {
    *out = (struct hr__footer_head){.commit_seq = hr__get_u64(header + 32),
                                    .layout_hash = hr__get_u64(header + 56),
                                    .json_bytes = hr__get_u64(header + 72),
                                    .samples_per_chunk = hr__get_u32(header + 12)};
    memcpy(out->uuid, header + 16, sizeof out->uuid);
    return memcmp(header, magic, sizeof magic) == 0 &&
           hr__get_u32(header + 8) == HR__FOOTER_HEADER_BYTES && out->samples_per_chunk > 0 &&
           out->samples_per_chunk <= HR__MAX_SAMPLES_PER_CHUNK && out->json_bytes >= 2 &&
           out->json_bytes <= HR__MAX_JSON_BYTES;
}

hr_status hr__footer_decode(const uint8_t *bytes, size_t n_bytes, const struct hr__superblock *sb,
                            struct hr__footer *out, hr_error *err) {
    hr_status st;
    *out = (struct hr__footer){0};
    uint64_t hash = hr__hash(bytes, n_bytes);
    if (n_bytes < HR__FOOTER_HEADER_BYTES || hash != sb->footer_hash)
        return hr__error_at(err, HR_ERR_CORRUPT, sb->footer_off,
                            "the footer at offset %llu is damaged (hash %016llx, expected "
                            "%016llx); copy the file again, or convert anew",
                            (unsigned long long)sb->footer_off, (unsigned long long)hash,
                            (unsigned long long)sb->footer_hash);
    HR_TRY(header_decode(bytes, sb, out, err));
    uint64_t json_bytes = hr__get_u64(bytes + 72), layout_hash = hr__get_u64(bytes + 56);
    out->num_index_pages = index_pages_of(out->num_chunks);
    HR_TRY(check_size(out, json_bytes, n_bytes, err));
    const uint8_t *json = bytes + HR__FOOTER_HEADER_BYTES;
    const uint8_t *tables = json + hr__round_up(json_bytes, 8);
    if (!hr__is_zero(json + json_bytes, (size_t)(tables - json - (ptrdiff_t)json_bytes)))
        HR_TRY(bad(err, "the padding of its JSON", 1, 0));
    HR_TRY(hr__schema_parse((const char *)json, (size_t)json_bytes, hr__get_u32(bytes + 12),
                            &out->schema, err));
    if (out->schema.layout_hash != layout_hash)
        HR_TRY(bad(err, "the layout hash", layout_hash, out->schema.layout_hash));
    HR_TRY(check_variable(&out->schema, sb, err));
    HR_TRY(segments_decode(tables, out, err));
    HR_TRY(pages_decode(tables + SEGMENT_BYTES * out->num_segments, sb, out, err));
    HR_TRY(json_keep(json, json_bytes, out, err));
    return HR_OK;
done:
    hr__footer_free(out);
    return st;
}

uint64_t hr__footer_decode_bytes(const uint8_t *bytes, size_t n_bytes) {
    if (n_bytes < HR__FOOTER_HEADER_BYTES)
        return 0;
    uint64_t json_bytes = hr__min_u64(hr__get_u64(bytes + 72), n_bytes - HR__FOOTER_HEADER_BYTES);
    const char *json = (const char *)bytes + HR__FOOTER_HEADER_BYTES;
    return n_bytes + hr__json_parse_bytes(json, (size_t)json_bytes);
}

void hr__footer_free(struct hr__footer *f) {
    hr__schema_free(&f->schema);
    free(f->segments);
    free(f->index_pages);
    free(f->json);
    *f = (struct hr__footer){0};
}
