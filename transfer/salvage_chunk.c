/*
 * One chunk of a damaged file: every frame is decoded, which proves it and gives its statistics;
 * meanwhile it is written behind the last chunk that was taken, and becomes the next one if all of
 * it was whole.
 */
#include "dtype.h"
#include "error.h"
#include "frame_filter.h"
#include "salvage_internal.h"
#include "superblock.h"
#include "value_ends.h"
#include "writer_memory.h"

#include <stdlib.h>
#include <string.h>

static hr_status make_statistics(struct hr__salvage *s, hr_error *err) {
    struct hr__salvage_look *look = &s->look;
    struct hr__schema *schema = &s->known.schema;
    hr_status st;
    for (uint32_t f = 0; f < schema->num_fields; f++) {
        look->statistics_bytes += hr__statistics_bytes(schema, f, UINT64_MAX) +
                                  hr__statistics_bytes(schema, f, schema->samples_per_chunk);
        hr__statistics_free(schema->fields[f].statistics);
        schema->fields[f].statistics = NULL;
    }
    st = hr__budget_reserve(&s->budget, look->statistics_bytes, "statistics", err);
    if (st != HR_OK) {
        look->statistics_bytes = 0;
        return st;
    }
    look->statistics = calloc(schema->num_fields, sizeof *look->statistics);
    if (look->statistics == NULL)
        return hr__error_no_memory(err, schema->num_fields * sizeof *look->statistics,
                                   "statistics");
    HR_TRY(hr__statistics_make_all(schema, look->statistics, err));
    for (uint32_t f = 0; f < schema->num_fields; f++) {
        schema->fields[f].statistics = look->statistics[f];
        look->statistics[f] = NULL;
    }
    HR_TRY(hr__statistics_make_all(schema, look->statistics, err));
done:
    return st;
}

static hr_status make_buffer(struct hr__salvage *s, uint8_t **out, hr_error *err) {
    hr_status st = HR_OK;
    *out = hr__budget_take(&s->budget, HR__MAX_FRAME_BYTES, "a decoded frame", &st, err);
    return st;
}

static size_t ends_bytes(const struct hr__salvage *s) {
    return s->known.schema.samples_per_chunk * sizeof(uint64_t);
}

static hr_status make_ends(struct hr__salvage *s, hr_error *err) {
    hr_status st = HR_OK;
    s->look.ends = hr__budget_take(&s->budget, ends_bytes(s), "ends of values", &st, err);
    return st;
}

hr_status hr__salvage_look_init(struct hr__salvage *s, hr_error *err) {
    struct hr__salvage_look *look = &s->look;
    hr_status st;
    HR_TRY(hr__chunk_stream_init(&look->stream, &s->budget, err));
    HR_TRY(hr__frame_decoder_init(&look->decoder, err));
    HR_TRY(make_buffer(s, &look->decoded, err));
    HR_TRY(make_buffer(s, &look->filtered, err));
    HR_TRY(make_statistics(s, err));
    if (s->known.schema.num_variable > 0)
        HR_TRY(make_ends(s, err));
    look->damaged = calloc(s->known.schema.num_fields, sizeof *look->damaged);
    if (look->damaged == NULL)
        st = hr__error_no_memory(err, s->known.schema.num_fields, "fields");
done:
    return st;
}

void hr__salvage_look_free(struct hr__salvage *s) {
    struct hr__salvage_look *look = &s->look;
    hr__chunk_stream_free(&look->stream);
    hr__frame_decoder_free(&look->decoder);
    hr__budget_free(&s->budget, look->decoded, HR__MAX_FRAME_BYTES);
    hr__budget_free(&s->budget, look->filtered, HR__MAX_FRAME_BYTES);
    if (look->ends != NULL)
        hr__budget_free(&s->budget, look->ends, ends_bytes(s));
    for (uint32_t f = 0; look->statistics != NULL && f < s->known.schema.num_fields; f++)
        hr__statistics_free(look->statistics[f]);
    free(look->statistics);
    free(look->damaged);
    hr__budget_release(&s->budget, look->statistics_bytes);
    *look = (struct hr__salvage_look){0};
}

static void mark_damaged(struct hr__salvage_look *look, uint32_t field, const hr_error *why) {
    if (!look->any_damaged)
        look->why = *why;
    look->any_damaged = true;
    if (field != UINT32_MAX)
        look->damaged[field] = true;
}

/* A frame of ends; after the last of them they are checked, and are its statistics. */
static void add_ends(struct hr__salvage *s, uint32_t field, uint32_t n_bytes) {
    struct hr__salvage_look *look = &s->look;
    const struct hr__chunk_view *view = &look->stream.view;
    const uint64_t all_bytes = view->header.num_samples * (uint64_t)sizeof(uint64_t);
    hr_error why = {.status = HR_OK};
    memcpy((uint8_t *)look->ends + look->part_bytes, look->decoded, n_bytes);
    if (look->part_bytes + n_bytes < all_bytes || look->damaged[field])
        return;
    const hr_status st = hr__value_ends_check(
        view, field, look->ends, hr__value_unit_bytes(&s->known.schema.fields[field]), &why);
    if (st != HR_OK)
        mark_damaged(look, field, &why);
    else
        hr__lengths_add(look->statistics[field], look->ends, view->header.num_samples, 0);
}

/* The values of a frame, which are those from part_bytes on of the field at hand. */
static hr_status add_statistics(struct hr__salvage *s, uint32_t field, uint32_t n_bytes,
                                hr_error *err) {
    struct hr__salvage_look *look = &s->look;
    const struct hr__schema_field *f = &s->known.schema.fields[field];
    const uint64_t first = s->to.sink.num_samples;
    if (look->part == HR__PART_ENDS)
        add_ends(s, field, n_bytes);
    if (look->statistics[field] == NULL || look->any_damaged || hr__dtype_is_variable(f->dtype))
        return HR_OK;
    const uint64_t sample = first + look->part_bytes / f->sample_bytes;
    if (n_bytes >= f->sample_bytes)
        return hr__statistics_add(look->statistics[field], look->decoded, sample,
                                  n_bytes / f->sample_bytes, f->num_elements, err);
    return hr__statistics_add(look->statistics[field], look->decoded, sample, 1,
                              n_bytes / f->width_bytes, err);
}

/* A damaged frame does not end the chunk: all damaged fields are to be named. */
static hr_status visit(void *user, uint32_t field, uint32_t part, const struct hr__frame *frame,
                       const uint8_t *stored, hr_error *err) {
    struct hr__salvage *s = user;
    struct hr__salvage_look *look = &s->look;
    const bool in_place = hr__filter_is_in_place(frame->filter);
    uint8_t *filtered = in_place ? look->decoded : look->filtered;
    hr_error why;
    hr_status st =
        hr__frame_decode(&look->decoder, frame, stored, s->known.features, filtered, &why);
    if (st == HR_OK) {
        hr__filter_undo(frame, filtered, look->decoded);
    } else if (!hr__salvage_is_damage(st)) {
        if (err != NULL)
            *err = why;
        return st;
    } else {
        mark_damaged(look, field, &why);
    }
    if (field != look->field || part != look->part) {
        look->field = field;
        look->part = part;
        look->part_bytes = 0;
    }
    look->features |= frame->codec == HR__CODEC_ZSTD ? HR__FEATURE_ZSTD : 0;
    look->features |= hr__filter_features(frame->filter);
    st = add_statistics(s, field, frame->decoded_bytes, err);
    look->part_bytes += frame->decoded_bytes;
    return st;
}

static void begin(struct hr__salvage *s) {
    struct hr__salvage_look *look = &s->look;
    const uint32_t num_fields = s->known.schema.num_fields;
    for (uint32_t f = 0; f < num_fields; f++)
        if (look->statistics[f] != NULL)
            hr__statistics_reset(look->statistics[f]);
    memset(look->damaged, 0, num_fields * sizeof *look->damaged);
    look->any_damaged = false;
    look->field = UINT32_MAX;
    look->features = 0;
}

static hr_status take_it(struct hr__salvage *s, hr_error *err) {
    const struct hr__chunk_header *h = &s->look.stream.view.header;
    const uint32_t pages =
        (uint32_t)(h->chunk_bytes / HR__PAGE_BYTES + (h->chunk_bytes % HR__PAGE_BYTES != 0));
    uint64_t off;
    s->to.required |= s->look.features;
    s->to.required |= s->known.schema.num_variable > 0 ? HR__FEATURE_VARLEN : 0;
    return hr__new_file_add(&s->to, pages, h->num_samples, s->look.statistics, &off, err);
}

hr_status hr__salvage_chunk(struct hr__salvage *s, const struct hr__chunk_from *from, bool take,
                            bool *whole, hr_error *err) {
    struct hr__salvage_look *look = &s->look;
    const struct hr__frame_visitor visitor = {s, visit};
    const struct hr__chunk_to to = {.file = &s->to.partial.file,
                                    .off = s->to.sink.end_off,
                                    .identity = &s->to.job.identity,
                                    .number = s->to.sink.num_chunks};
    struct hr__chunk_from where = *from;
    hr_error why = {.status = HR_OK};
    bool writing = false;
    where.any_padding = true; /* it holds no value */
    begin(s);
    hr_status st =
        hr__chunk_stream_run(&look->stream, &where, take ? &to : NULL, &visitor, &writing, &why);
    if (st != HR_OK && hr__salvage_is_damage(st) && !writing) {
        mark_damaged(look, look->stream.field, &why);
        st = HR_OK;
    }
    *whole = st == HR_OK && !look->any_damaged;
    if (st != HR_OK && err != NULL)
        *err = why;
    return *whole && take ? take_it(s, err) : st;
}
