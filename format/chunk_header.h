/*
 * Chunk headers with block and frame tables (docs/format.md, 6.1 to 6.3). Input is untrusted.
 *
 * Invariants after hr__chunk_header_decode() has returned HR_OK:
 *  1. blocks are those of the schema, in the format's order;
 *  2. frames lie without gaps from header_bytes to chunk_bytes, and every size is in range;
 *  3. the decoded bytes of a block are num_samples x sample_bytes of its field, and every frame but
 *     the last holds frame_samples samples (or is a piece of one sample); of values of variable
 *     length nothing is known before their ends are (value_ends.h).
 */
#ifndef HEADRACE_CHUNK_HEADER_H
#define HEADRACE_CHUNK_HEADER_H

#include "schema.h"

#define HR__CHUNK_FIXED_BYTES      104u
#define HR__BLOCK_ENTRY_BYTES      24u
#define HR__FRAME_ENTRY_BYTES      24u
#define HR__MAX_FRAME_BYTES        (UINT32_C(1) << 20)
#define HR__MAX_STORED_FRAME_BYTES (UINT32_C(1) << 21)
#define HR__FRAME_TARGET_BYTES     65536u

/* The two blocks of a variable-length field; others have values only. */
enum hr__part_of_field { HR__PART_VALUES = 0, HR__PART_ENDS = 1 };

struct hr__chunk_header {
    uint32_t header_bytes;
    uint32_t num_samples;
    uint8_t uuid[16];
    uint8_t job_id[16];
    uint64_t commit_seq;
    uint64_t layout_hash;
    uint64_t chunk_number;
    uint64_t chunk_bytes;
    uint32_t num_blocks;
    uint32_t num_frames;
};

struct hr__frame {
    uint64_t off; /* from the start of the chunk */
    uint64_t hash;
    uint32_t stored_bytes;
    uint32_t decoded_bytes;
    uint8_t codec;
    uint8_t filter;
    uint8_t element_bytes;
    uint32_t distance_bytes;
};

#define HR__NUM_BLOCK_MARKS 64u

/* A decoded view: points into the chunk's bytes, allocates nothing. The entry of a block does not
 * say where its frames begin in their table, so marks shorten the way there. */
struct hr__chunk_view {
    struct hr__chunk_header header;
    const uint8_t *bytes; /* of the chunk, at least header_bytes */
    const struct hr__schema *schema;
    uint32_t mark_blocks;                /* from one mark to the next */
    uint32_t marks[HR__NUM_BLOCK_MARKS]; /* frames before every mark_blocks-th block */
};

/* What the chunk must be. */
struct hr__chunk_expected {
    const struct hr__schema *schema;
    const uint8_t *uuid; /* NULL: any */
    uint64_t max_commit_seq;
    uint64_t chunk_number;
    uint64_t chunk_pages; /* 0: any */
    uint32_t num_samples; /* 0: any from 1 to S */
};

/* Bytes of the header; only the first HR__CHUNK_FIXED_BYTES need be there. 0: no chunk header. */
uint32_t hr__chunk_header_peek(const uint8_t *bytes, size_t n_bytes);

/* What HR__CHUNK_FIXED_BYTES of a header that is there say of themselves, before they are checked:
 * the chunk's number, and whether the header's size is that of its tables. */
uint64_t hr__chunk_header_number(const uint8_t *bytes);
bool hr__chunk_header_size_fits(const uint8_t *bytes);

/* bytes: the header whole (n_bytes >= its header_bytes, else HR_ERR_CORRUPT). */
hr_status hr__chunk_header_decode(const uint8_t *bytes, size_t n_bytes,
                                  const struct hr__chunk_expected *expected,
                                  struct hr__chunk_view *out, hr_error *err);

/* The block of a field's values: its first frame and number of frames. */
void hr__chunk_view_block(const struct hr__chunk_view *v, uint32_t field, uint32_t *first_frame,
                          uint32_t *num_frames, uint64_t *off);
/* The same of either part. */
void hr__chunk_view_part(const struct hr__chunk_view *v, uint32_t field, uint32_t part,
                         uint32_t *first_frame, uint32_t *num_frames, uint64_t *off);
/* Frame f (0 .. num_frames - 1). off is given by the caller: that of the block, then advanced by
 * stored_bytes from frame to frame. */
void hr__chunk_view_frame(const struct hr__chunk_view *v, uint32_t f, uint64_t off,
                          struct hr__frame *out);

/* The part of a field that comes first in a chunk; those below it follow. */
uint32_t hr__last_part(const struct hr__schema_field *f);
/* Samples in every frame of a block but the last, for a field of sample_bytes (0 where a frame is a
 * piece of one sample), as a writer chooses it. */
uint32_t hr__frame_samples(uint64_t sample_bytes);
/* Frames of a block of num_samples, as a writer cuts them. */
uint64_t hr__block_frames(uint64_t sample_bytes, uint32_t num_samples);

/* Writes the header; frames in block order, their hash and sizes set (off is computed). out has
 * room for header->header_bytes; block offsets and hash are filled in. frames_per_block: in block
 * order. */
void hr__chunk_header_encode(const struct hr__chunk_header *header, const struct hr__schema *schema,
                             const uint32_t *frames_per_block, const struct hr__frame *frames,
                             uint8_t *out);

/* Block b (0 .. num_blocks - 1): its field, part, and number of frames. */
void hr__chunk_view_block_at(const struct hr__chunk_view *v, uint32_t b, uint32_t *field,
                             uint32_t *part, uint32_t *num_frames);

/* Whose chunk it is from now on, in a header that was checked: all else of it stays. */
void hr__chunk_header_assign(uint8_t *bytes, const uint8_t uuid[16], const uint8_t job_id[16],
                             uint64_t commit_seq, uint64_t chunk_number);

#endif
