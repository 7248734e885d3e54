/*
 * One chunk at a time, for random access and verification: its header, then any frame of it.
 *
 * Invariant: memory is the scratch of hr__chunk_fetch_init() plus, for a chunk whose header does
 * not fit it, that header; a frame is read only when it is asked for.
 */
#ifndef HEADRACE_CHUNK_FETCH_H
#define HEADRACE_CHUNK_FETCH_H

#include "dataset.h"
#include "frame_codec.h"

/* Enough for the header of an ordinary chunk, and the labels behind it. */
#define HR__CHUNK_HEAD_BYTES ((size_t)64 << 10)

struct hr__chunk_fetch {
    const hr_dataset *ds;
    struct hr__budget *budget;
    struct hr__index_cache index;
    struct hr__frame_decoder decoder;
    uint8_t *head; /* the first bytes of the chunk: header, and frames that came along */
    size_t head_room_bytes, head_bytes;
    uint8_t *stored;   /* HR__MAX_STORED_FRAME_BYTES */
    uint8_t *filtered; /* HR__MAX_FRAME_BYTES: decoded, the filter still on */
    uint64_t chunk;
    struct hr__chunk_at at;
    uint64_t chunk_off;
    struct hr__chunk_view view;
};

/* budget: charged until free. */
hr_status hr__chunk_fetch_init(struct hr__chunk_fetch *f, const hr_dataset *ds,
                               struct hr__budget *budget, hr_error *err);
void hr__chunk_fetch_free(struct hr__chunk_fetch *f); /* a zeroed one is fine */

/* Locate a chunk and read and check its header. Nothing is read again for the chunk at hand. */
hr_status hr__chunk_fetch_open(struct hr__chunk_fetch *f, uint64_t chunk, hr_error *err);

/* Decode a frame into dst (frame->decoded_bytes), filter undone. */
hr_status hr__chunk_fetch_frame(struct hr__chunk_fetch *f, uint32_t field,
                                const struct hr__frame *frame, uint8_t *dst, hr_error *err);

/* The ends of a variable-length field's values in the chunk at hand, one for each sample, checked
 * against its frames of values. */
hr_status hr__chunk_fetch_ends(struct hr__chunk_fetch *f, uint32_t field, uint64_t *ends,
                               hr_error *err);

#endif
