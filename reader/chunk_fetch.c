/*
 * Reading a chunk's header and single frames (docs/format.md, 6). The file is untrusted.
 */
#include "chunk_fetch.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"
#include "frame_filter.h"
#include "value_ends.h"

#include <string.h>

hr_status hr__chunk_fetch_init(struct hr__chunk_fetch *f, const hr_dataset *ds,
                               struct hr__budget *budget, hr_error *err) {
    hr_status st;
    *f = (struct hr__chunk_fetch){.ds = ds, .budget = budget, .chunk = UINT64_MAX};
    HR_TRY(hr__frame_decoder_init(&f->decoder, err));
    f->head_room_bytes = HR__CHUNK_HEAD_BYTES;
    f->head = hr__budget_take_raw(budget, HR__CHUNK_HEAD_BYTES, "a chunk header", &st, err);
    if (f->head != NULL)
        f->stored =
            hr__budget_take_raw(budget, HR__MAX_STORED_FRAME_BYTES, "a stored frame", &st, err);
    if (f->stored != NULL)
        f->filtered = hr__budget_take_raw(budget, HR__MAX_FRAME_BYTES, "a decoded frame", &st, err);
done:
    if (st != HR_OK)
        hr__chunk_fetch_free(f);
    return st;
}

void hr__chunk_fetch_free(struct hr__chunk_fetch *f) {
    if (f->budget != NULL) {
        hr__budget_free(f->budget, f->head, f->head_room_bytes);
        hr__budget_free(f->budget, f->stored, HR__MAX_STORED_FRAME_BYTES);
        hr__budget_free(f->budget, f->filtered, HR__MAX_FRAME_BYTES);
    }
    hr__frame_decoder_free(&f->decoder);
    hr__index_cache_free(&f->index);
    *f = (struct hr__chunk_fetch){0};
}

/* The header may be larger than the room for it, in chunks of very many frames. */
static hr_status head_grow(struct hr__chunk_fetch *f, size_t n_bytes, hr_error *err) {
    hr_status st;
    uint8_t *head = hr__budget_take_raw(f->budget, n_bytes, "a chunk header", &st, err);
    if (head == NULL)
        return st;
    hr__budget_free(f->budget, f->head, f->head_room_bytes);
    f->head = head;
    f->head_room_bytes = n_bytes;
    return HR_OK;
}

static const struct hr__file *file_of(const struct hr__chunk_fetch *f) {
    return &f->ds->files[f->at.file];
}

static hr_status head_read(struct hr__chunk_fetch *f, hr_error *err) {
    hr_status st;
    uint64_t stored_bytes = (uint64_t)f->at.entry.pages * HR__PAGE_BYTES;
    f->chunk_off = f->at.entry.page * HR__PAGE_BYTES;
    f->head_bytes = (size_t)hr__min_u64(f->head_room_bytes, stored_bytes);
    HR_TRY(hr__file_read_exact(file_of(f), f->head, f->head_bytes, f->chunk_off, err));
    uint32_t header_bytes = hr__chunk_header_peek(f->head, f->head_bytes);
    if (header_bytes > f->head_bytes && header_bytes <= stored_bytes) {
        HR_TRY(head_grow(f, header_bytes, err));
        f->head_bytes = header_bytes;
        HR_TRY(hr__file_read_exact(file_of(f), f->head, f->head_bytes, f->chunk_off, err));
    }
    return HR_OK;
done:
    return st;
}

/* Of a chunk that was read whole the padding is there too, and is checked. */
static hr_status head_padding(const struct hr__chunk_fetch *f, hr_error *err) {
    uint64_t end = f->view.header.chunk_bytes;
    if (f->head_bytes <= end || hr__is_zero(f->head + end, (size_t)(f->head_bytes - end)))
        return HR_OK;
    return hr__error_at(err, HR_ERR_CORRUPT, f->chunk_off + end,
                        "the padding after the chunk is not zero; run headrace verify, and convert "
                        "anew");
}

hr_status hr__chunk_fetch_open(struct hr__chunk_fetch *f, uint64_t chunk, hr_error *err) {
    hr_status st;
    if (f->chunk == chunk)
        return HR_OK;
    f->chunk = UINT64_MAX;
    st = hr__dataset_locate(f->ds, chunk, &f->index, &f->at, err);
    if (st != HR_OK)
        return st;
    HR_TRY(head_read(f, err));
    struct hr__chunk_expected expected = hr__dataset_expect(f->ds, chunk, &f->at);
    HR_TRY(hr__chunk_header_decode(f->head, f->head_bytes, &expected, &f->view, err));
    HR_TRY(head_padding(f, err));
    f->chunk = chunk;
done:
    return hr__dataset_blame(f->ds, chunk, UINT32_MAX, st, err);
}

static hr_status stored_bytes(struct hr__chunk_fetch *f, const struct hr__frame *frame,
                              const uint8_t **out, hr_error *err) {
    if (hr__range_within(frame->off, frame->stored_bytes, f->head_bytes)) {
        *out = f->head + frame->off;
        return HR_OK;
    }
    *out = f->stored;
    return hr__file_read_exact(file_of(f), f->stored, frame->stored_bytes,
                               f->chunk_off + frame->off, err);
}

hr_status hr__chunk_fetch_frame(struct hr__chunk_fetch *f, uint32_t field,
                                const struct hr__frame *frame, uint8_t *dst, hr_error *err) {
    hr_status st;
    const uint8_t *stored;
    bool in_place = hr__filter_is_in_place(frame->filter);
    uint8_t *filtered = in_place ? dst : f->filtered;
    HR_TRY(stored_bytes(f, frame, &stored, err));
    HR_TRY(hr__frame_decode(&f->decoder, frame, stored, hr__dataset_features(f->ds, &f->at),
                            filtered, err));
    hr__filter_undo(frame, filtered, dst);
done:
    return hr__dataset_blame(f->ds, f->chunk, field, st, err);
}

hr_status hr__chunk_fetch_ends(struct hr__chunk_fetch *f, uint32_t field, uint64_t *ends,
                               hr_error *err) {
    uint32_t first, count;
    uint64_t off;
    uint8_t *dst = (uint8_t *)ends;
    hr__chunk_view_part(&f->view, field, HR__PART_ENDS, &first, &count, &off);
    for (uint32_t i = 0; i < count; i++) {
        struct hr__frame frame;
        hr__chunk_view_frame(&f->view, first + i, off, &frame);
        const hr_status st = hr__chunk_fetch_frame(f, field, &frame, dst, err);
        if (st != HR_OK)
            return st;
        dst += frame.decoded_bytes;
        off += frame.stored_bytes;
    }
    const hr_status st = hr__value_ends_check(
        &f->view, field, ends, hr__value_unit_bytes(&f->ds->footer.schema.fields[field]), err);
    return hr__dataset_blame(f->ds, f->chunk, field, st, err);
}
