/*
 * One visit: the chunk in memory is checked and its rows go where the order says (docs/format.md,
 * 6; docs/order.md). The chunk's bytes are untrusted. Every frame is decoded into scratch that
 * stays in the cache and scattered from there, or decoded straight into the batch where it is one
 * row or a run of rows. The byte shuffle is undone on the way to the batch, other filters before.
 */
#include "visit.h"

#include "bytes.h"
#include "checked.h"
#include "clock.h"
#include "error.h"
#include "frame_filter.h"
#include "row_place.h"

#include <string.h>

#define SMALL_ROW_BYTES 1024u
#define GROUP_BYTES     (512u << 10) /* half of the scratch; it should stay in the L2 cache */
#define FEW_FOR_FRAME   2u           /* samples: at random, one frame in seven holds none */

struct field_plan {
    uint32_t field;
    uint64_t sample_bytes;
    uint64_t off; /* in a slot */
};

/* All rows of the group go to one batch, one after the other. */
static bool is_run(const struct hr__row_group *g) {
    if (g->num_picks != g->num_samples)
        return false;
    const struct hr__row_target *first = hr__row_pick(g, 0);
    for (uint32_t i = 0; i < g->num_picks; i++) {
        const struct hr__row_target *t = hr__row_pick(g, i);
        if (t->slot != first->slot || t->row != first->row + i || t->sample != g->first_sample + i)
            return false;
    }
    return true;
}

static hr_status decode_to(struct hr__visit *v, const struct hr__frame *frame, uint8_t *dst,
                           hr_error *err) {
    return hr__frame_decode(&v->w->decoder, frame, v->bytes + frame->off,
                            hr__dataset_features(v->w->loader->ds, &v->r->at), dst, err);
}

struct hr__visit_frames hr__visit_frames_of(const struct hr__visit *v, uint32_t field,
                                            uint32_t part) {
    struct hr__visit_frames out = {.v = v};
    hr__chunk_view_part(&v->view, field, part, &out.next, &out.end, &out.off);
    out.end += out.next;
    return out;
}

bool hr__visit_frames_next(struct hr__visit_frames *f, struct hr__frame *out) {
    if (f->next == f->end)
        return false;
    hr__chunk_view_frame(&f->v->view, f->next++, f->off, out);
    f->off += out->stored_bytes;
    return true;
}

void hr__visit_count_wanted(const struct hr__visit *v, uint64_t block_bytes) {
    hr__count(&v->w->counters.wanted_bytes,
              block_bytes * v->w->num_targets / v->view.header.num_samples);
}

hr_status hr__visit_frame_plain(struct hr__visit *v, const struct hr__frame *frame, uint8_t *dst,
                                hr_error *err) {
    uint8_t *filtered = hr__filter_is_in_place(frame->filter) ? dst : v->w->filtered;
    const hr_status st = decode_to(v, frame, filtered, err);
    if (st == HR_OK)
        hr__filter_undo(frame, filtered, dst);
    return st;
}

/* ---- samples that are larger than a frame ---- */

static const struct hr__row_target *find_target(const struct hr__worker *w, uint32_t sample) {
    for (uint32_t i = 0; i < w->num_targets; i++)
        if (w->targets[i].sample == sample)
            return &w->targets[i];
    return NULL;
}

/* A piece of one sample, which begins `at` bytes into the block; of one that goes nowhere, nothing
 * is decoded. */
static hr_status piece_to_row(struct hr__visit *v, const struct field_plan *f,
                              const struct hr__frame *frame, uint64_t at, hr_error *err) {
    const struct hr__row_target *t = find_target(v->w, (uint32_t)(at / f->sample_bytes));
    if (t == NULL)
        return HR_OK;
    uint8_t *piece = t->slot + f->off + t->row * f->sample_bytes + at % f->sample_bytes;
    uint8_t *filtered = hr__filter_is_in_place(frame->filter) ? piece : v->w->decoded;
    hr_status st = decode_to(v, frame, filtered, err);
    if (st == HR_OK)
        hr__filter_undo(frame, filtered, piece);
    return st;
}

static hr_status pieces_to_rows(struct hr__visit *v, const struct field_plan *f, hr_error *err) {
    struct hr__visit_frames frames = hr__visit_frames_of(v, f->field, HR__PART_VALUES);
    struct hr__frame frame;
    uint64_t at = 0, begin = frames.off;
    while (hr__visit_frames_next(&frames, &frame)) {
        hr_status st = piece_to_row(v, f, &frame, at, err);
        if (st != HR_OK)
            return st;
        at += frame.decoded_bytes;
    }
    hr__visit_count_wanted(v, frames.off - begin);
    return HR_OK;
}

/* ---- frames of whole samples ---- */

/* Element bytes of the shuffle that is left to the row stores; 0: none is. */
static uint32_t left_shuffled(const struct hr__frame *frame) {
    return frame->filter == HR__FILTER_BYTE_SHUFFLE ? frame->element_bytes : 0;
}

/* How a block's frames are taken: one at a time; or, where rows are small, together, so that their
 * targets need not be sorted by frames, and stores walk through the ring in one direction. Where
 * few samples are wanted, frames that hold none of them are passed over instead. */
static uint32_t frames_together(const struct hr__visit *v, const struct field_plan *f,
                                struct hr__frame *first, uint64_t *block_bytes) {
    struct hr__visit_frames frames = hr__visit_frames_of(v, f->field, HR__PART_VALUES);
    struct hr__frame frame;
    bool alike = true;
    const uint32_t num_frames = frames.end - frames.next;
    const uint64_t begin = frames.off;
    for (uint32_t i = 0; hr__visit_frames_next(&frames, &frame); i++) {
        if (i == 0)
            *first = frame;
        alike = alike && left_shuffled(&frame) == left_shuffled(first);
    }
    *block_bytes = frames.off - begin;
    if (!alike || f->sample_bytes >= SMALL_ROW_BYTES || first->decoded_bytes > GROUP_BYTES ||
        v->w->num_targets <= FEW_FOR_FRAME * num_frames)
        return 1;
    return GROUP_BYTES / first->decoded_bytes;
}

/* Sorts the targets by the group that holds them, from first_sample on, and leaves them in their
 * order within it: scratch[group] is where its picks end. */
static void pick_by_group(struct hr__worker *w, uint32_t first_sample, uint32_t group_samples,
                          uint32_t num_groups) {
    memset(w->scratch, 0, num_groups * sizeof(*w->scratch));
    for (uint32_t i = 0; i < w->num_targets; i++)
        w->scratch[(w->targets[i].sample - first_sample) / group_samples]++;
    for (uint32_t i = 0, sum = 0; i < num_groups; i++) {
        sum += w->scratch[i];
        w->scratch[i] = sum - w->scratch[i];
    }
    for (uint32_t i = 0; i < w->num_targets; i++)
        w->picks[w->scratch[(w->targets[i].sample - first_sample) / group_samples]++] = (uint16_t)i;
}

/* A shuffled frame whose elements end across rows, which writers need not, but may, make: byte by
 * byte. */
static void rows_unshuffle_across(const struct hr__row_group *g) {
    size_t e = g->element_bytes, frame_bytes = g->frame_samples * g->row_bytes;
    size_t total = g->num_samples * g->row_bytes;
    for (uint32_t i = 0; i < g->num_picks; i++) {
        const struct hr__row_target *t = hr__row_pick(g, i);
        size_t at = (t->sample - g->first_sample) * g->row_bytes;
        size_t begin = at / frame_bytes * frame_bytes;
        size_t plane = (total - begin < frame_bytes ? total - begin : frame_bytes) / e;
        uint8_t *row = hr__row_dst(g, t);
        at -= begin;
        for (size_t k = 0; k < g->row_bytes; k++)
            row[k] = g->src[begin + (at + k) % e * plane + (at + k) / e];
    }
}

/* Into scratch, all but the byte shuffle undone. */
static hr_status frame_decode(struct hr__visit *v, const struct hr__frame *frame, uint8_t *dst,
                              hr_error *err) {
    struct hr__worker *w = v->w;
    if (frame->filter == HR__FILTER_NONE || left_shuffled(frame) > 0)
        return decode_to(v, frame, dst, err);
    uint8_t *filtered = hr__filter_is_in_place(frame->filter) ? dst : w->filtered;
    hr_status st = decode_to(v, frame, filtered, err);
    if (st != HR_OK)
        return st;
    int64_t began_ns = w->timed ? hr__now_ns() : 0;
    hr__filter_undo(frame, filtered, dst);
    if (w->timed)
        w->scatter_ns += hr__now_ns() - began_ns;
    return HR_OK;
}

/* Decodes the next frames, as many as hold the group's samples, into scratch. */
static hr_status group_decode(struct hr__visit *v, struct hr__visit_frames *frames,
                              struct hr__row_group *g, hr_error *err) {
    size_t done = 0, total = g->num_samples * g->row_bytes;
    struct hr__frame frame;
    g->src = v->w->decoded;
    while (done < total && hr__visit_frames_next(frames, &frame)) {
        hr_status st = frame_decode(v, &frame, v->w->decoded + done, err);
        if (st != HR_OK)
            return st;
        done += frame.decoded_bytes;
    }
    return HR_OK;
}

/* From g->src into the batches, the byte shuffle undone on the way. */
static void group_place(struct hr__worker *w, const struct hr__row_group *g) {
    const struct hr__row_store *store = w->loader->row_store;
    int64_t began_ns = w->timed ? hr__now_ns() : 0;
    if (g->element_bytes == 0)
        store->copy(g);
    else if (g->row_bytes % g->element_bytes != 0)
        rows_unshuffle_across(g);
    else
        store->unshuffle(g);
    if (w->timed)
        w->scatter_ns += hr__now_ns() - began_ns;
}

/* One frame of a group of its own, where it need not go through scratch; false: it must. */
static bool frame_directly(struct hr__visit *v, const struct hr__frame *frame,
                           struct hr__row_group *g, hr_status *st, hr_error *err) {
    if (frame->filter != HR__FILTER_NONE)
        return false;
    if (is_run(g)) {
        *st = decode_to(v, frame, hr__row_dst(g, hr__row_pick(g, 0)), err);
        return true;
    }
    if (frame->codec != HR__CODEC_RAW)
        return false;
    *st = hr__frame_check(frame, v->bytes + frame->off, err);
    g->src = v->bytes + frame->off;
    if (*st == HR_OK)
        group_place(v->w, g);
    return true;
}

/* Passes over the frames of samples that no row is wanted of. */
static void frames_pass(struct hr__visit_frames *frames, size_t n_bytes) {
    struct hr__frame frame;
    for (size_t done = 0; done < n_bytes && hr__visit_frames_next(frames, &frame);)
        done += frame.decoded_bytes;
}

static hr_status group_to_rows(struct hr__visit *v, struct hr__visit_frames *frames,
                               struct hr__row_group *g, hr_error *err) {
    hr_status st = HR_OK;
    if (g->num_picks == 0) {
        frames_pass(frames, g->num_samples * g->row_bytes);
        return HR_OK;
    }
    if (g->num_samples <= g->frame_samples) {
        struct hr__visit_frames peek = *frames;
        struct hr__frame frame;
        if (hr__visit_frames_next(&peek, &frame) && frame_directly(v, &frame, g, &st, err)) {
            *frames = peek;
            return st;
        }
    }
    st = group_decode(v, frames, g, err);
    if (st != HR_OK)
        return st;
    group_place(v->w, g);
    return HR_OK;
}

static hr_status frames_to_rows(struct hr__visit *v, const struct field_plan *f, hr_error *err) {
    struct hr__worker *w = v->w;
    struct hr__frame first = {0};
    uint64_t block_bytes;
    const uint32_t together = frames_together(v, f, &first, &block_bytes);
    struct hr__row_group g = {.targets = w->targets,
                              .num_picks = w->num_targets,
                              .frame_samples = (uint32_t)(first.decoded_bytes / f->sample_bytes),
                              .field_off = f->off,
                              .row_bytes = (size_t)f->sample_bytes};
    g.first_sample = v->first_sample / g.frame_samples * g.frame_samples;
    const uint32_t group_samples = g.frame_samples * together;
    const uint32_t end = (uint32_t)hr__min_u64(hr__round_up(v->end_sample, g.frame_samples),
                                               v->view.header.num_samples);
    uint32_t left = end - g.first_sample;
    const uint32_t num_groups = (left + group_samples - 1) / group_samples;
    struct hr__visit_frames frames = hr__visit_frames_of(v, f->field, HR__PART_VALUES);
    frames_pass(&frames, g.first_sample * g.row_bytes);
    if (num_groups > 1)
        pick_by_group(w, g.first_sample, group_samples, num_groups);
    for (uint32_t i = 0, picked = 0; i < num_groups; i++) {
        struct hr__visit_frames peek = frames;
        struct hr__frame frame;
        if (hr__visit_frames_next(&peek, &frame))
            g.element_bytes = left_shuffled(&frame);
        g.num_samples = left < group_samples ? left : group_samples;
        if (num_groups > 1) {
            g.picks = w->picks + picked;
            g.num_picks = w->scratch[i] - picked;
            picked = w->scratch[i];
        }
        hr_status st = group_to_rows(v, &frames, &g, err);
        if (st != HR_OK)
            return st;
        g.first_sample += g.num_samples;
        left -= g.num_samples;
    }
    hr__visit_count_wanted(v, block_bytes);
    return HR_OK;
}

static hr_status field_to_rows(struct hr__visit *v, const struct field_plan *f, hr_error *err) {
    hr_status st = f->sample_bytes > HR__MAX_FRAME_BYTES ? pieces_to_rows(v, f, err)
                                                         : frames_to_rows(v, f, err);
    return hr__dataset_blame(v->w->loader->ds, v->r->item.chunk, f->field, st, err);
}

static struct field_plan plan_field(const struct hr__loader_config *c, uint32_t i) {
    uint32_t field = c->fields[i];
    return (struct field_plan){field, c->row_bytes[i], c->field_offs[i]};
}

/* Where the last frame wanted ends, from the start of the chunk. */
static uint64_t wanted_bytes(const struct hr__visit *v) {
    const struct hr__loader_config *c = &v->w->loader->config;
    uint64_t end = v->view.header.header_bytes;
    for (uint32_t i = 0; i < c->num_fields; i++) {
        const uint32_t field = c->fields[i];
        for (uint32_t part = hr__last_part(&c->ds->footer.schema.fields[field]);; part--) {
            struct hr__visit_frames frames = hr__visit_frames_of(v, field, part);
            struct hr__frame frame;
            const bool some = frames.next < frames.end;
            while (hr__visit_frames_next(&frames, &frame))
                continue;
            end = some ? hr__max_u64(end, frames.off) : end;
            if (part == 0)
                break;
        }
    }
    return end;
}

static hr_status header_check(struct hr__visit *v, hr_error *err) {
    hr_dataset *ds = v->w->loader->ds;
    uint32_t header_bytes = hr__chunk_header_peek(v->bytes, (size_t)v->r->n_bytes);
    uint64_t stored_bytes = (uint64_t)v->r->at.entry.pages * HR__PAGE_BYTES;
    hr_status st = HR_OK;
    if (header_bytes > v->r->n_bytes && header_bytes <= stored_bytes)
        st = hr__read_extend(v->w, v->r, header_bytes, err);
    if (st != HR_OK)
        return st;
    struct hr__chunk_expected expected = hr__dataset_expect(ds, v->r->item.chunk, &v->r->at);
    st = hr__chunk_header_decode(v->bytes, (size_t)v->r->n_bytes, &expected, &v->view, err);
    if (st != HR_OK)
        return hr__dataset_blame(ds, v->r->item.chunk, UINT32_MAX, st, err);
    return hr__read_extend(v->w, v->r, wanted_bytes(v), err);
}

/* Padding that came along is checked: a flipped bit there is damage too. */
static hr_status padding_check(struct hr__visit *v, hr_error *err) {
    uint64_t end = v->view.header.chunk_bytes;
    if (v->r->n_bytes <= end || hr__is_zero(v->bytes + end, (size_t)(v->r->n_bytes - end)))
        return HR_OK;
    hr_status st = hr__error_at(err, HR_ERR_CORRUPT, v->r->at.entry.page * HR__PAGE_BYTES + end,
                                "the padding after the chunk is not zero; run headrace verify, "
                                "and convert anew");
    return hr__dataset_blame(v->w->loader->ds, v->r->item.chunk, UINT32_MAX, st, err);
}

hr_status hr__visit_decode(struct hr__worker *w, struct hr__read *r, hr_error *err) {
    struct hr__visit v = {.w = w, .r = r, .bytes = r->buf + r->skip};
    const struct hr__loader_config *c = &w->loader->config;
    hr_status st;
    HR_TRY(header_check(&v, err));
    HR_TRY(padding_check(&v, err));
    hr__visit_aim(w, r);
    v.end_sample = v.view.header.num_samples;
    if (c->subset != NULL) { /* places ascend */
        v.first_sample = w->places[0];
        v.end_sample = w->places[r->piece.num_samples - 1] + 1u;
    }
    for (uint32_t i = 0; i < c->num_fields; i++) {
        struct field_plan f = plan_field(c, i);
        if (c->value_capacities[i] > 0 || c->pads[i].kind == HR__PAD_VALUES)
            HR_TRY(hr__visit_values(&v, i, err)); /* and the mask behind it */
        else if (c->pads[i].kind == HR__PAD_NONE && f.sample_bytes > 0)
            HR_TRY(field_to_rows(&v, &f, err));
    }
done:
    return st;
}
