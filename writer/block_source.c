/*
 * Frames of a row buffer. Values of variable length lie in the order in which rows came, those of
 * all fields in turn, so a frame of them is gathered value by value.
 */
#include "block_source.h"

#include "checked.h"
#include "dtype.h"

#include <string.h>

struct hr__block_source hr__block_source_of(const struct hr__chunk_plan *plan,
                                            const struct hr__chunk_rows *rows, uint32_t field,
                                            uint32_t part) {
    struct hr__block_source b = {.plan = plan, .rows = rows, .field = field, .part = part};
    const struct hr__schema_field *f = &plan->schema->fields[field];
    b.sample_bytes = part == HR__PART_ENDS ? sizeof(uint64_t) : f->sample_bytes;
    b.block_bytes = part == HR__PART_ENDS ? sizeof(uint64_t) * rows->num_samples
                                          : hr__rows_field_bytes(plan, rows, field);
    return b;
}

/* The bytes of the values from done_bytes on, as far as the frame reaches. */
static void gather(struct hr__block_source *b, uint32_t n_bytes, uint8_t *to) {
    const uint64_t *ends = hr__rows_ends(b->plan, b->rows, b->field);
    const uint64_t *places = hr__rows_places(b->plan, b->rows, b->field);
    const uint8_t *values = b->rows->bytes + b->plan->values_off;
    const uint64_t end = b->done_bytes + n_bytes;
    for (uint64_t at = b->done_bytes; at < end;) {
        if (ends[b->value] <= at) { /* empty, or done by the frame before */
            b->value++;
            continue;
        }
        const uint64_t inside = at - hr__value_start(ends, b->value);
        const uint64_t n = hr__min_u64(ends[b->value], end) - at;
        memcpy(to, values + places[b->value] + inside, n);
        to += n;
        at += n;
    }
}

uint32_t hr__block_source_next(struct hr__block_source *b, uint8_t *gathered, const uint8_t **src) {
    uint64_t n = 0;
    if (b->sample_bytes > 0) {
        *src = b->rows->bytes + b->plan->column_off[b->field] + b->done_bytes;
        if (b->done_bytes < b->block_bytes)
            n = hr__chunk_plan_frame_bytes(b->sample_bytes, b->block_bytes, b->done_bytes);
    } else if (b->block_bytes > 0) {
        const uint64_t *ends = hr__rows_ends(b->plan, b->rows, b->field);
        n = hr__value_cut_next(&b->cut, ends, b->rows->num_samples);
        gather(b, (uint32_t)n, gathered);
        *src = gathered;
    }
    b->done_bytes += n;
    return (uint32_t)n;
}

uint64_t hr__rows_field_bytes(const struct hr__chunk_plan *plan, const struct hr__chunk_rows *rows,
                              uint32_t field) {
    const struct hr__schema_field *f = &plan->schema->fields[field];
    if (!hr__dtype_is_variable(f->dtype))
        return f->sample_bytes * rows->num_samples;
    return hr__value_start(hr__rows_ends(plan, rows, field), rows->num_samples);
}

uint64_t hr__rows_frames(const struct hr__chunk_plan *plan, const struct hr__chunk_rows *rows) {
    const struct hr__schema *s = plan->schema;
    uint64_t frames = 0;
    for (uint32_t f = 0; f < s->num_fields; f++) {
        if (!hr__dtype_is_variable(s->fields[f].dtype)) {
            frames += hr__block_frames(s->fields[f].sample_bytes, rows->num_samples);
            continue;
        }
        frames += hr__block_frames(sizeof(uint64_t), rows->num_samples) +
                  hr__value_frames(hr__rows_ends(plan, rows, f), rows->num_samples);
    }
    return frames;
}
