/*
 * One visit: the chunk in memory is checked and its rows go where the order says (docs/format.md,
 * 6; docs/order.md). The chunk's bytes are untrusted. Every frame is decoded into scratch that
 * stays in the cache and scattered from there, or decoded straight into the batch where it is one
 * row or a run of rows.
 */
#include "loader.h"

#include "bytes.h"
#include "clock.h"
#include "error.h"
#include "headrace/writer.h" /* hr_codec, hr_filter */

/* What is decoded now. */
struct visit {
    struct hr__worker *w;
    struct hr__read *r;
    const uint8_t *bytes;
    struct hr__chunk_view view;
    uint32_t num_samples;
};

struct field_plan {
    uint32_t field;
    uint64_t sample_bytes;
    uint64_t off; /* in a slot */
};

/* q = n / d for any 32-bit n and d > 0, without a division: m = floor((2^64 - 1) / d) + 1. */
__extension__ typedef unsigned __int128 wide;

static uint32_t fast_div(uint32_t n, uint64_t m) {
    return (uint32_t)(((wide)m * n) >> 64);
}

/* Sample r of the chunk goes to row targets.row[r] of targets.slot[r]. Positions outside the
 * epoch's batches (dropped at its end, or delivered before a resume) go nowhere. */
static void aim(struct visit *v) {
    struct hr_loader *l = v->w->loader;
    const struct hr__loader_config *c = &l->config;
    struct hr__item *item = &v->r->item;
    struct hr__epoch *e = item->epoch;
    uint64_t *positions = v->w->positions;
    v->num_samples = hr__order_visit_positions(e->order, item->stream, item->visit, positions);
    uint64_t batch_samples = c->stream_batch_samples;
    uint64_t begin = e->first_batch * batch_samples, end = l->num_batches * batch_samples;
    uint64_t base = UINT64_MAX;
    for (uint32_t i = 0; i < v->num_samples; i++)
        if (positions[i] >= begin && positions[i] < base)
            base = positions[i];
    if (base == UINT64_MAX)
        base = begin;
    uint64_t base_batch = base / batch_samples;
    base = base_batch * batch_samples;
    uint64_t m = batch_samples > 1 ? UINT64_MAX / batch_samples + 1 : 0;
    uint64_t base_slot = (e->first_number + base_batch) % c->num_slots;
    uint32_t stream_row = (item->stream - c->first_stream) * c->stream_batch_samples;
    for (uint32_t i = 0; i < v->num_samples; i++) {
        uint64_t p = positions[i];
        if (p < begin || p >= end) {
            v->w->targets.slot[i] = NULL;
            continue;
        }
        /* A whole epoch in the window may be 2^32 rows and more, where rows are small. */
        uint64_t n = p - base;
        uint64_t q =
            n > UINT32_MAX || batch_samples == 1 ? n / batch_samples : fast_div((uint32_t)n, m);
        uint64_t at = base_slot + q;
        if (at >= c->num_slots)
            at %= c->num_slots;
        v->w->targets.slot[i] = l->by_number[at]->base;
        v->w->targets.row[i] = stream_row + (uint32_t)(n - q * batch_samples);
    }
}

static uint8_t *row_at(const struct visit *v, const struct field_plan *f, uint32_t i) {
    uint8_t *slot = v->w->targets.slot[i];
    if (slot == NULL)
        return NULL;
    return slot + f->off + v->w->targets.row[i] * f->sample_bytes;
}

/* Rows first .. first + count - 1 lie one after the other in one batch. */
static bool is_run(const struct visit *v, uint32_t first, uint32_t count) {
    const struct hr__row_targets *t = &v->w->targets;
    if (t->slot[first] == NULL)
        return false;
    for (uint32_t i = 1; i < count; i++)
        if (t->slot[first + i] != t->slot[first] || t->row[first + i] != t->row[first] + i)
            return false;
    return true;
}

static hr_status decode_to(struct visit *v, const struct hr__frame *frame, uint8_t *dst,
                           hr_error *err) {
    return hr__frame_decode(&v->w->decoder, frame, v->bytes + frame->off,
                            v->w->loader->ds->superblock.required, dst, err);
}

/* A shuffled frame whose elements end across rows, which writers need not, but may, make: byte by
 * byte. */
static void rows_unshuffle_across(const struct visit *v, const struct field_plan *f,
                                  const struct hr__frame *frame, uint32_t first, uint32_t count) {
    size_t e = frame->element_bytes, plane = frame->decoded_bytes / e, at = 0;
    for (uint32_t i = first; i < first + count; i++, at += (size_t)f->sample_bytes) {
        uint8_t *row = row_at(v, f, i);
        for (size_t k = 0; k < f->sample_bytes && row != NULL; k++)
            row[k] = v->w->decoded[(at + k) % e * plane + (at + k) / e];
    }
}

static hr_status frame_to_rows(struct visit *v, const struct field_plan *f,
                               const struct hr__frame *frame, uint32_t first, uint32_t count,
                               hr_error *err) {
    const uint8_t *decoded = v->w->decoded;
    bool plain = frame->filter == HR_FILTER_NONE;
    hr_status st;
    if (plain && frame->codec == HR_CODEC_RAW) {
        st = hr__frame_check(frame, v->bytes + frame->off, err);
        decoded = v->bytes + frame->off;
    } else if (plain && is_run(v, first, count)) {
        return decode_to(v, frame, row_at(v, f, first), err);
    } else {
        st = decode_to(v, frame, v->w->decoded, err);
    }
    if (st != HR_OK)
        return st;
    int64_t began_ns = v->w->timed ? hr__now_ns() : 0;
    if (plain)
        hr__rows_copy(&v->w->targets, first, count, f->off, (size_t)f->sample_bytes, decoded);
    else if (f->sample_bytes % frame->element_bytes != 0)
        rows_unshuffle_across(v, f, frame, first, count);
    else
        hr__rows_unshuffle(&v->w->targets, first, count, f->off, (size_t)f->sample_bytes,
                           frame->element_bytes, decoded);
    if (v->w->timed)
        v->w->scatter_ns += hr__now_ns() - began_ns;
    return HR_OK;
}

/* A piece of one sample, which begins `at` bytes into it. */
static hr_status piece_to_row(struct visit *v, const struct field_plan *f,
                              const struct hr__frame *frame, uint32_t i, uint64_t at,
                              hr_error *err) {
    uint8_t *row = row_at(v, f, i);
    if (row != NULL && frame->filter == HR_FILTER_NONE)
        return decode_to(v, frame, row + at, err);
    hr_status st = decode_to(v, frame, v->w->decoded, err);
    if (st == HR_OK && row != NULL)
        hr__byte_unshuffle(v->w->decoded, frame->decoded_bytes, frame->element_bytes, row + at);
    return st;
}

static hr_status field_to_rows(struct visit *v, const struct field_plan *f, hr_error *err) {
    uint32_t first_frame, num_frames;
    uint64_t off, at = 0;
    hr__chunk_view_block(&v->view, &v->w->loader->ds->footer.schema, f->field, &first_frame,
                         &num_frames, &off);
    uint64_t begin = off;
    for (uint32_t i = 0; i < num_frames; i++) {
        struct hr__frame frame;
        hr_status st;
        hr__chunk_view_frame(&v->view, first_frame + i, off, &frame);
        off += frame.stored_bytes;
        uint32_t sample = (uint32_t)(at / f->sample_bytes);
        if (f->sample_bytes > HR__MAX_FRAME_BYTES)
            st = piece_to_row(v, f, &frame, sample, at % f->sample_bytes, err);
        else
            st = frame_to_rows(v, f, &frame, sample,
                               (uint32_t)(frame.decoded_bytes / f->sample_bytes), err);
        if (st != HR_OK)
            return hr__dataset_blame(v->w->loader->ds, v->r->item.chunk, f->field, st, err);
        at += frame.decoded_bytes;
    }
    hr__count(&v->w->counters.wanted_bytes, off - begin);
    return HR_OK;
}

static struct field_plan plan_field(const struct hr__loader_config *c, uint32_t i) {
    uint32_t field = c->fields[i];
    return (struct field_plan){field, c->ds->footer.schema.fields[field].sample_bytes,
                               c->field_offs[i]};
}

/* Where the last frame wanted ends, from the start of the chunk. */
static uint64_t wanted_bytes(const struct visit *v) {
    const struct hr__loader_config *c = &v->w->loader->config;
    uint64_t end = v->view.header.header_bytes;
    for (uint32_t i = 0; i < c->num_fields; i++) {
        uint32_t first, count;
        uint64_t off;
        hr__chunk_view_block(&v->view, &c->ds->footer.schema, c->fields[i], &first, &count, &off);
        for (uint32_t k = 0; k < count; k++) {
            struct hr__frame frame;
            hr__chunk_view_frame(&v->view, first + k, off, &frame);
            off += frame.stored_bytes;
        }
        end = count > 0 && off > end ? off : end;
    }
    return end;
}

static hr_status header_check(struct visit *v, hr_error *err) {
    hr_dataset *ds = v->w->loader->ds;
    uint32_t header_bytes = hr__chunk_header_peek(v->bytes, (size_t)v->r->n_bytes);
    uint64_t stored_bytes = (uint64_t)v->r->entry.pages * HR__PAGE_BYTES;
    hr_status st = HR_OK;
    if (header_bytes > v->r->n_bytes && header_bytes <= stored_bytes)
        st = hr__read_extend(v->w, v->r, header_bytes, err);
    if (st != HR_OK)
        return st;
    struct hr__chunk_expected expected = hr__dataset_expect(ds, v->r->item.chunk, v->r->entry);
    st = hr__chunk_header_decode(v->bytes, (size_t)v->r->n_bytes, &expected, &v->view, err);
    if (st != HR_OK)
        return hr__dataset_blame(ds, v->r->item.chunk, UINT32_MAX, st, err);
    return hr__read_extend(v->w, v->r, wanted_bytes(v), err);
}

/* Padding that came along is checked: a flipped bit there is damage too. */
static hr_status padding_check(struct visit *v, hr_error *err) {
    uint64_t end = v->view.header.chunk_bytes;
    if (v->r->n_bytes <= end || hr__is_zero(v->bytes + end, (size_t)(v->r->n_bytes - end)))
        return HR_OK;
    hr_status st = hr__error_at(err, HR_ERR_CORRUPT, v->r->entry.page * HR__PAGE_BYTES + end,
                                "the padding after the chunk is not zero; run headrace verify, "
                                "and convert anew");
    return hr__dataset_blame(v->w->loader->ds, v->r->item.chunk, UINT32_MAX, st, err);
}

hr_status hr__visit_decode(struct hr__worker *w, struct hr__read *r, hr_error *err) {
    struct visit v = {.w = w, .r = r, .bytes = r->buf + r->skip};
    const struct hr__loader_config *c = &w->loader->config;
    hr_status st;
    HR_TRY(header_check(&v, err));
    HR_TRY(padding_check(&v, err));
    aim(&v);
    for (uint32_t i = 0; i < c->num_fields; i++) {
        struct field_plan f = plan_field(c, i);
        if (f.sample_bytes > 0)
            HR_TRY(field_to_rows(&v, &f, err));
    }
done:
    return st;
}
