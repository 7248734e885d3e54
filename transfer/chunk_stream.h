/*
 * One chunk from one file to another, or only looked at: read in large pieces, every frame handed
 * out or checked, the header given to its new data set, the frames written as they are.
 *
 * Invariants:
 *  1. memory is HR__STREAM_BUFFER_BYTES and, for a chunk that does not fit it, that chunk's header,
 *     whose size was checked against the room that the chunk has in its file;
 *  2. nothing is written of a frame before it was checked or handed out.
 */
#ifndef HEADRACE_CHUNK_STREAM_H
#define HEADRACE_CHUNK_STREAM_H

#include "budget.h"
#include "chunk_encoder.h"
#include "file.h"

#define HR__STREAM_BUFFER_BYTES (UINT32_C(4) << 20)
/* What is read, checked and written at a time, but for what is one frame or one chunk: it stays in
 * a core's cache meanwhile, which takes a third of the time that 4 MiB take. */
#define HR__STREAM_PIECE_BYTES (UINT32_C(512) << 10)

struct hr__chunk_stream {
    struct hr__budget *budget;
    uint8_t *buffer; /* HR__STREAM_BUFFER_BYTES */
    uint8_t *head;
    size_t head_room_bytes;
    struct hr__chunk_view view; /* of the chunk at hand, once its header was found good */
    uint32_t field;             /* that a failure is about; UINT32_MAX: none */
};

/* Where a chunk is. */
struct hr__chunk_from {
    const struct hr__file *file;
    uint64_t off;
    uint64_t room_bytes; /* it cannot be larger */
    bool any_padding;    /* zeros are written for it, whatever it is */
    struct hr__chunk_expected expected;
};

/* Where it goes, and whose it is there. */
struct hr__chunk_to {
    const struct hr__file *file;
    uint64_t off;
    const struct hr__chunk_identity *identity;
    uint64_t number;
};

/* Looks at a frame, whose hash it checks. A failure ends the chunk. */
struct hr__frame_visitor {
    void *user;
    hr_status (*visit)(void *user, uint32_t field, uint32_t part, const struct hr__frame *frame,
                       const uint8_t *stored, hr_error *err);
};

hr_status hr__chunk_stream_init(struct hr__chunk_stream *s, struct hr__budget *budget,
                                hr_error *err);
void hr__chunk_stream_free(struct hr__chunk_stream *s); /* a zeroed one is fine */

/* Reads and checks the header only: s->view. */
hr_status hr__chunk_stream_head(struct hr__chunk_stream *s, const struct hr__chunk_from *from,
                                hr_error *err);

/* The whole chunk. to: NULL, nothing is written. visitor: NULL, hashes are checked. HR_ERR_CORRUPT
 * or HR_ERR_IO of the source or the target, which *writing tells apart. */
hr_status hr__chunk_stream_run(struct hr__chunk_stream *s, const struct hr__chunk_from *from,
                               const struct hr__chunk_to *to,
                               const struct hr__frame_visitor *visitor, bool *writing,
                               hr_error *err);

/* The hashes of all frames of a chunk that is in memory, and the zeros of its n_bytes behind the
 * last. *field: that a failure is about, or UINT32_MAX. */
hr_status hr__chunk_check_frames(const struct hr__chunk_view *view, size_t n_bytes, uint32_t *field,
                                 hr_error *err);

#endif
