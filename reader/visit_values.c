/*
 * Values of variable length of one chunk into the batches: where they end, room for each in its
 * batch, then the frames that hold wanted ones, decoded once each.
 */
#include "visit.h"

#include "batch_values.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "utf8.h"
#include "value_ends.h"

#include <string.h>

static hr_status ends_decode(struct hr__visit *v, uint32_t field, hr_error *err) {
    const struct hr__schema_field *f = &v->w->loader->ds->footer.schema.fields[field];
    struct hr__visit_frames frames = hr__visit_frames_of(v, field, HR__PART_ENDS);
    struct hr__frame frame;
    uint8_t *dst = (uint8_t *)v->w->ends;
    const uint64_t begin = frames.off;
    while (hr__visit_frames_next(&frames, &frame)) {
        const hr_status st = hr__visit_frame_plain(v, &frame, dst, err);
        if (st != HR_OK)
            return st;
        dst += frame.decoded_bytes;
    }
    hr__visit_count_wanted(v, frames.off - begin);
    return hr__value_ends_check(&v->view, field, v->w->ends, hr__value_unit_bytes(f), err);
}

static const struct hr__slot *slot_of(const struct hr_loader *l, const uint8_t *base) {
    return &l->slots[(size_t)(base - l->ring) / l->config.slot_bytes];
}

static uint64_t sample_of(const struct hr__visit *v, const struct hr__row_target *t) {
    const struct hr__footer *f = &v->w->loader->ds->footer;
    uint64_t first_sample;
    uint32_t num_samples;
    hr__segment_chunk(f->segments, f->num_segments, f->schema.samples_per_chunk, v->r->item.chunk,
                      &first_sample, &num_samples);
    return first_sample + t->sample;
}

static hr_status no_room(const struct hr__visit *v, uint32_t i, const struct hr__row_target *t,
                         hr_error *err) {
    const struct hr_loader *l = v->w->loader;
    const struct hr__loader_config *c = &l->config;
    const struct hr__slot *slot = slot_of(l, t->slot);
    return hr__error_set(
        err, HR_ERR_BUDGET,
        "%s: batch %llu of epoch %llu: the values of field %s of its %u samples have more than the "
        "%llu bytes that max_value_bytes allows (%llu with that of sample %llu); give a larger "
        "max_value_bytes (--max-bytes), or a smaller batch",
        hr__dataset_name(l->ds), (unsigned long long)slot->batch,
        (unsigned long long)v->r->item.epoch->epoch, c->ds->footer.schema.fields[c->fields[i]].name,
        slot->num_samples, (unsigned long long)c->value_capacities[i],
        (unsigned long long)hr__values_taken(t->slot + c->field_offs[i]),
        (unsigned long long)sample_of(v, t));
}

static hr_status too_long(const struct hr__visit *v, uint32_t i, const struct hr__row_target *t,
                          uint64_t n_bytes, hr_error *err) {
    const struct hr__loader_config *c = &v->w->loader->config;
    const struct hr__schema_field *f = &c->ds->footer.schema.fields[c->fields[i]];
    return hr__error_set(
        err, HR_ERR_DATA,
        "%s: the value of field %s of sample %llu has %llu elements, and the field is padded to "
        "%llu; pad to more, or cut longer values off (HR_PAD_TRUNCATE, --truncate)",
        hr__dataset_name(c->ds), f->name, (unsigned long long)sample_of(v, t),
        (unsigned long long)(n_bytes / hr__value_unit_bytes(f)),
        (unsigned long long)c->pads[i].length);
}

/* w->value_rows of a padded field, with the zeros behind each value and its mask. */
static hr_status pad_rows(struct hr__visit *v, uint32_t i, hr_error *err) {
    struct hr__worker *w = v->w;
    const struct hr__loader_config *c = &w->loader->config;
    const struct hr__pad_column *pad = &c->pads[i];
    const uint64_t unit = pad->row_bytes / pad->length;
    memset(w->value_rows, 0, v->view.header.num_samples * sizeof(*w->value_rows));
    for (uint32_t k = 0; k < w->num_targets; k++) {
        const struct hr__row_target *t = &w->targets[k];
        const uint64_t n_bytes = w->ends[t->sample] - hr__value_start(w->ends, t->sample);
        const uint64_t kept = hr__min_u64(n_bytes, pad->row_bytes);
        uint8_t *row = t->slot + c->field_offs[i] + t->row * pad->row_bytes;
        uint8_t *mask = t->slot + c->field_offs[i + 1] + t->row * pad->length;
        if (n_bytes > pad->row_bytes && !pad->truncate)
            return too_long(v, i, t, n_bytes, err);
        memset(row + kept, 0, pad->row_bytes - kept);
        memset(mask, 1, kept / unit);
        memset(mask + kept / unit, 0, pad->length - kept / unit);
        w->value_rows[t->sample] = row;
    }
    return HR_OK;
}

/* w->value_rows: where the value of each sample of the chunk goes, where each takes its own room.
 */
static hr_status take_room(struct hr__visit *v, uint32_t i, hr_error *err) {
    struct hr__worker *w = v->w;
    const struct hr__loader_config *c = &w->loader->config;
    memset(w->value_rows, 0, v->view.header.num_samples * sizeof(*w->value_rows));
    for (uint32_t k = 0; k < w->num_targets; k++) {
        const struct hr__row_target *t = &w->targets[k];
        const uint64_t n_bytes = w->ends[t->sample] - hr__value_start(w->ends, t->sample);
        uint8_t *row = hr__values_take(t->slot + c->field_offs[i], c->slot_samples,
                                       c->value_capacities[i], t->row, n_bytes);
        if (row == NULL)
            return no_room(v, i, t, err);
        w->value_rows[t->sample] = row;
    }
    return HR_OK;
}

/* The values that reach into a frame, which begins at `at`: from *next on, which moves on. */
struct reach {
    uint64_t at, end;
    uint32_t first, last; /* one beyond */
    bool wanted;
};

static struct reach reach_of(const struct hr__worker *w, uint64_t at, uint64_t end,
                             uint32_t num_samples, uint32_t *next) {
    while (*next < num_samples && w->ends[*next] <= at)
        (*next)++;
    struct reach r = {at, end, *next, *next, false};
    while (r.last < num_samples && hr__value_start(w->ends, r.last) < end)
        r.wanted |= w->value_rows[r.last++] != NULL;
    return r;
}

/* At most the first most_bytes of each. */
static void frame_to_rows(const struct hr__worker *w, const struct reach *r, uint64_t most_bytes) {
    for (uint32_t i = r->first; i < r->last; i++) {
        const uint64_t start = hr__value_start(w->ends, i);
        const uint64_t kept_end = start + hr__min_u64(w->ends[i] - start, most_bytes);
        const uint64_t from = hr__max_u64(start, r->at), to = hr__min_u64(kept_end, r->end);
        if (w->value_rows[i] != NULL && from < to)
            memcpy(w->value_rows[i] + (from - start), w->decoded + (from - r->at), to - from);
    }
}

static hr_status values_decode(struct hr__visit *v, uint32_t field, uint64_t most_bytes,
                               hr_error *err) {
    struct hr__worker *w = v->w;
    struct hr__visit_frames frames = hr__visit_frames_of(v, field, HR__PART_VALUES);
    struct hr__frame frame;
    const uint64_t begin = frames.off;
    uint64_t at = 0;
    uint32_t next = 0;
    while (hr__visit_frames_next(&frames, &frame)) {
        const struct reach r =
            reach_of(w, at, at + frame.decoded_bytes, v->view.header.num_samples, &next);
        at = r.end;
        if (!r.wanted)
            continue;
        const hr_status st = hr__visit_frame_plain(v, &frame, w->decoded, err);
        if (st != HR_OK)
            return st;
        frame_to_rows(w, &r, most_bytes);
    }
    hr__visit_count_wanted(v, frames.off - begin);
    return HR_OK;
}

/* Texts that were cut off end with a whole character. */
static void end_texts(const struct hr__visit *v, uint32_t i) {
    const struct hr__worker *w = v->w;
    const struct hr__loader_config *c = &w->loader->config;
    const struct hr__pad_column *pad = &c->pads[i];
    for (uint32_t k = 0; k < w->num_targets; k++) {
        const struct hr__row_target *t = &w->targets[k];
        if (w->ends[t->sample] - hr__value_start(w->ends, t->sample) <= pad->row_bytes)
            continue;
        uint8_t *row = t->slot + c->field_offs[i] + t->row * pad->row_bytes;
        uint8_t *mask = t->slot + c->field_offs[i + 1] + t->row * pad->length;
        const size_t kept = hr__utf8_whole(row, (size_t)pad->row_bytes);
        memset(row + kept, 0, (size_t)pad->row_bytes - kept);
        memset(mask + kept, 0, (size_t)pad->row_bytes - kept);
    }
}

hr_status hr__visit_values(struct hr__visit *v, uint32_t i, hr_error *err) {
    const struct hr_loader *l = v->w->loader;
    const uint32_t field = l->config.fields[i];
    const hr_dtype dtype = l->config.ds->footer.schema.fields[field].dtype;
    const struct hr__pad_column *pad = &l->config.pads[i];
    const bool padded = pad->kind == HR__PAD_VALUES;
    hr_status st = ends_decode(v, field, err);
    if (st == HR_OK)
        st = padded ? pad_rows(v, i, err) : take_room(v, i, err);
    if (st == HR_ERR_BUDGET || st == HR_ERR_DATA) /* no damage of a chunk */
        return st;
    if (st == HR_OK)
        st = values_decode(v, field, padded ? pad->row_bytes : UINT64_MAX, err);
    if (st == HR_OK && padded && pad->truncate && dtype == HR_VAR_UTF8)
        end_texts(v, i);
    return hr__dataset_blame(l->ds, v->r->item.chunk, field, st, err);
}
