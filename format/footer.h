/*
 * Footers (docs/format.md, 7). Input is untrusted.
 */
#ifndef HEADRACE_FOOTER_H
#define HEADRACE_FOOTER_H

#include "chunk_index.h"
#include "schema.h"
#include "superblock.h"

#define HR__FOOTER_HEADER_BYTES 128u
#define HR__MAX_CHUNKS          (UINT64_C(1) << 40)

struct hr__index_page_ref {
    uint64_t off;
    uint64_t hash;
};

struct hr__footer {
    uint8_t uuid[16];
    uint64_t commit_seq;
    uint64_t num_samples;
    uint64_t num_chunks;
    uint64_t dead_bytes;
    uint32_t max_chunk_pages;
    uint64_t num_segments;
    struct hr__segment *segments;
    uint64_t num_index_pages;
    struct hr__index_page_ref *index_pages;
    struct hr__schema schema;
    char *json; /* the schema's text, ends with a zero; filled by decode */
};

/* Whole footer as malloc'ed bytes. */
hr_status hr__footer_encode(const struct hr__footer *f, uint8_t **out, size_t *n_bytes,
                            hr_error *err);
/* bytes: as long as sb says; hash, header, JSON, layout hash, segments and index table are checked.
 */
hr_status hr__footer_decode(const uint8_t *bytes, size_t n_bytes, const struct hr__superblock *sb,
                            struct hr__footer *out, hr_error *err);
/* What the header of one says, of HR__FOOTER_HEADER_BYTES, where no superblock tells that it is
 * one. The JSON text lies behind it. */
struct hr__footer_head {
    uint8_t uuid[16];
    uint64_t commit_seq, layout_hash, json_bytes;
    uint32_t samples_per_chunk;
};
/* False: it is none, or its figures cannot be. */
bool hr__footer_head_decode(const uint8_t *header, struct hr__footer_head *out);

/* Most bytes that decoding takes beside `bytes` themselves: in proportion to them, but for the tree
 * of the JSON text. */
uint64_t hr__footer_decode_bytes(const uint8_t *bytes, size_t n_bytes);
void hr__footer_free(struct hr__footer *f); /* a zeroed footer is fine */

#endif
