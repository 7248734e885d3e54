/*
 * A chunk in pieces (docs/format.md, 6). The source is untrusted.
 */
#include "chunk_stream.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"
#include "superblock.h"

#include <string.h>

#define HEAD_ROOM_BYTES HR__PAGE_BYTES

hr_status hr__chunk_stream_init(struct hr__chunk_stream *s, struct hr__budget *budget,
                                hr_error *err) {
    *s = (struct hr__chunk_stream){.budget = budget};
    hr_status st = HR_OK;
    s->buffer = hr__budget_take_raw(budget, HR__STREAM_BUFFER_BYTES, "copying chunks", &st, err);
    if (s->buffer != NULL)
        s->head = hr__budget_take_raw(budget, HEAD_ROOM_BYTES, "a chunk header", &st, err);
    s->head_room_bytes = s->head != NULL ? HEAD_ROOM_BYTES : 0;
    if (s->head != NULL)
        return HR_OK;
    hr__chunk_stream_free(s);
    return st;
}

void hr__chunk_stream_free(struct hr__chunk_stream *s) {
    if (s->budget != NULL) {
        hr__budget_free(s->budget, s->buffer, HR__STREAM_BUFFER_BYTES);
        hr__budget_free(s->budget, s->head, s->head_room_bytes);
    }
    *s = (struct hr__chunk_stream){0};
}

static hr_status head_grow(struct hr__chunk_stream *s, size_t n_bytes, hr_error *err) {
    hr_status st = HR_OK;
    uint8_t *head = hr__budget_take_raw(s->budget, n_bytes, "a chunk header", &st, err);
    if (head == NULL)
        return st;
    hr__budget_free(s->budget, s->head, s->head_room_bytes);
    s->head = head;
    s->head_room_bytes = n_bytes;
    return HR_OK;
}

hr_status hr__chunk_stream_head(struct hr__chunk_stream *s, const struct hr__chunk_from *from,
                                hr_error *err) {
    size_t n_bytes = HEAD_ROOM_BYTES;
    hr_status st;
    s->field = UINT32_MAX;
    HR_TRY(hr__file_read_exact(from->file, s->head, n_bytes, from->off, err));
    const uint32_t header_bytes = hr__chunk_header_peek(s->head, n_bytes);
    if (header_bytes > n_bytes && header_bytes <= from->room_bytes &&
        hr__chunk_header_size_fits(s->head)) { /* a damaged size is not worth memory */
        if (header_bytes > s->head_room_bytes)
            HR_TRY(head_grow(s, header_bytes, err));
        n_bytes = header_bytes;
        HR_TRY(hr__file_read_exact(from->file, s->head, n_bytes, from->off, err));
    }
    HR_TRY(hr__chunk_header_decode(s->head, n_bytes, &from->expected, &s->view, err));
    if (s->view.header.chunk_bytes > from->room_bytes)
        st = hr__error_at(err, HR_ERR_CORRUPT, from->off,
                          "it has %llu bytes, and there is room for %llu where it is",
                          (unsigned long long)s->view.header.chunk_bytes,
                          (unsigned long long)from->room_bytes);
done:
    return st;
}

/* The frames of a chunk one after the other. */
struct cursor {
    const struct hr__chunk_view *view;
    uint32_t block, in_block, num_in_block; /* num_in_block: frames of the block */
    uint32_t frame, field, part;
    uint64_t off;
};

static struct cursor cursor_begin(const struct hr__chunk_view *view) {
    return (struct cursor){.view = view, .off = view->header.header_bytes};
}

/* False: there is none left. */
static bool cursor_next(struct cursor *c, struct hr__frame *out) {
    if (c->frame == c->view->header.num_frames)
        return false;
    while (c->in_block == c->num_in_block) {
        hr__chunk_view_block_at(c->view, c->block++, &c->field, &c->part, &c->num_in_block);
        c->in_block = 0;
    }
    hr__chunk_view_frame(c->view, c->frame, c->off, out);
    c->in_block++;
    c->frame++;
    c->off += out->stored_bytes;
    return true;
}

static hr_status check_padding(const uint8_t *bytes, size_t n_bytes, hr_error *err) {
    if (hr__is_zero(bytes, n_bytes))
        return HR_OK;
    return hr__error_set(err, HR_ERR_CORRUPT, "the padding after the chunk is not zero");
}

hr_status hr__chunk_check_frames(const struct hr__chunk_view *view, size_t n_bytes, uint32_t *field,
                                 hr_error *err) {
    struct cursor c = cursor_begin(view);
    struct hr__frame frame;
    while (cursor_next(&c, &frame)) {
        const hr_status st = hr__frame_check(&frame, view->bytes + frame.off, err);
        *field = c.field;
        if (st != HR_OK)
            return st;
    }
    *field = UINT32_MAX;
    const uint64_t end = view->header.chunk_bytes;
    return check_padding(view->bytes + end, n_bytes - (size_t)end, err);
}

/* The bytes base .. base + fill of the chunk are in the buffer. */
struct piece {
    uint64_t base;
    size_t fill;
};

static hr_status write_piece(const struct hr__chunk_stream *s, const struct hr__chunk_to *to,
                             struct piece *p, bool *writing, hr_error *err) {
    hr_status st = HR_OK;
    if (to != NULL) {
        *writing = true;
        st = hr__file_write_all(to->file, s->buffer, p->fill, to->off + p->base, err);
        *writing = st != HR_OK;
    }
    p->base += p->fill;
    p->fill = 0;
    return st;
}

/* The header comes first in the buffer, unless the largest frame would not fit behind it. */
static hr_status begin_piece(struct hr__chunk_stream *s, const struct hr__chunk_to *to,
                             struct piece *p, bool *writing, hr_error *err) {
    const size_t header_bytes = s->view.header.header_bytes;
    if (to != NULL)
        hr__chunk_header_assign(s->head, to->identity->uuid, to->identity->job_id,
                                to->identity->commit_seq, to->number);
    *p = (struct piece){.fill = header_bytes};
    if (header_bytes <= HR__STREAM_BUFFER_BYTES - HR__PAGE_BYTES - HR__MAX_STORED_FRAME_BYTES) {
        memcpy(s->buffer, s->head, header_bytes);
        return HR_OK;
    }
    *p = (struct piece){.base = header_bytes};
    if (to == NULL)
        return HR_OK;
    *writing = true;
    const hr_status st = hr__file_write_all(to->file, s->head, header_bytes, to->off, err);
    *writing = st != HR_OK;
    return st;
}

static hr_status look_at(struct hr__chunk_stream *s, const struct hr__frame_visitor *visitor,
                         const struct cursor *c, const struct hr__frame *frame,
                         const uint8_t *stored, hr_error *err) {
    const hr_status st = visitor != NULL
                             ? visitor->visit(visitor->user, c->field, c->part, frame, stored, err)
                             : hr__frame_check(frame, stored, err);
    if (st != HR_OK)
        s->field = c->field;
    return st;
}

/* The next frames from c on, one or as many as make a piece: read, looked at, c moved behind them;
 * at the end the padding. */
static hr_status fill_piece(struct hr__chunk_stream *s, const struct hr__chunk_from *from,
                            const struct hr__frame_visitor *visitor, struct cursor *c,
                            struct piece *p, hr_error *err) {
    struct cursor ahead = *c;
    struct hr__frame frame;
    const uint64_t begin = c->off;
    struct cursor end = *c;
    hr_status st;
    while (cursor_next(&ahead, &frame) &&
           (end.off == begin || ahead.off - begin <= HR__STREAM_PIECE_BYTES))
        end = ahead;
    const bool last = end.frame == s->view.header.num_frames;
    const uint64_t stop = last ? hr__round_up(end.off, HR__PAGE_BYTES) : end.off;
    uint8_t *at = s->buffer + p->fill;
    HR_TRY(hr__file_read_exact(from->file, at, (size_t)(stop - begin), from->off + begin, err));
    while (c->frame < end.frame && cursor_next(c, &frame))
        HR_TRY(look_at(s, visitor, c, &frame, at + (frame.off - begin), err));
    p->fill += (size_t)(stop - begin);
    if (last && from->any_padding)
        memset(at + (end.off - begin), 0, (size_t)(stop - end.off));
    else if (last)
        st = check_padding(at + (end.off - begin), (size_t)(stop - end.off), err);
done:
    return st;
}

hr_status hr__chunk_stream_run(struct hr__chunk_stream *s, const struct hr__chunk_from *from,
                               const struct hr__chunk_to *to,
                               const struct hr__frame_visitor *visitor, bool *writing,
                               hr_error *err) {
    struct piece p;
    hr_status st;
    *writing = false;
    HR_TRY(hr__chunk_stream_head(s, from, err));
    struct cursor c = cursor_begin(&s->view);
    HR_TRY(begin_piece(s, to, &p, writing, err));
    do {
        HR_TRY(fill_piece(s, from, visitor, &c, &p, err));
        HR_TRY(write_piece(s, to, &p, writing, err));
    } while (c.frame < s->view.header.num_frames);
done:
    return st;
}
