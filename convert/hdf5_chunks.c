/*
 * Cutting an array. Figures were checked: all bytes together fit 63 bits.
 */
#include "hdf5_chunks.h"

#include "checked.h"

#include <string.h>

void hr__chunks_make(const struct hr__helper_field *f, struct hr__chunks *out) {
    struct hr__chunks c = {.rank = f->rank + 1};
    c.dims[0] = f->num_samples;
    memcpy(&c.dims[1], f->shape, f->rank * sizeof c.dims[0]);
    *out = c;
    if (f->num_samples == 0 || f->sample_bytes == 0)
        return;
    /* The first axis of which one entry is no larger than wanted; else the last one. */
    c.step_bytes = f->sample_bytes;
    while (c.step_bytes > HR__CHUNK_TARGET_BYTES && c.cut + 1 < c.rank)
        c.step_bytes /= c.dims[++c.cut];
    c.each = hr__max_u64(HR__CHUNK_TARGET_BYTES / c.step_bytes, 1);
    c.each = hr__min_u64(c.each, c.dims[c.cut]);
    if (c.cut > 0) /* parts of a sample that are about equal, so that little is padding */
        c.each = hr__ceil_div(c.dims[c.cut], hr__ceil_div(c.dims[c.cut], c.each));
    c.chunk_bytes = c.each * c.step_bytes;
    c.per_outer = hr__ceil_div(c.dims[c.cut], c.each);
    c.count = c.per_outer;
    for (uint32_t i = 0; i < c.cut; i++)
        c.count *= c.dims[i];
    *out = c;
}

void hr__chunks_run(const struct hr__chunks *c, uint64_t i, struct hr__chunk_run *out) {
    uint64_t outer = i / c->per_outer;
    *out = (struct hr__chunk_run){.n_bytes = 0};
    out->at[c->cut] = i % c->per_outer * c->each;
    out->entries = hr__min_u64(c->each, c->dims[c->cut] - out->at[c->cut]);
    out->n_bytes = out->entries * c->step_bytes;
    for (uint32_t axis = c->cut; axis > 0; axis--) {
        out->at[axis - 1] = outer % c->dims[axis - 1];
        outer /= c->dims[axis - 1];
    }
}

/* Where chunk i begins. */
static uint64_t offset_of(const struct hr__chunks *c, uint64_t i) {
    uint64_t outer = i / c->per_outer, along = i % c->per_outer * c->each;
    return (outer * c->dims[c->cut] + along) * c->step_bytes;
}

uint64_t hr__chunks_bytes(const struct hr__chunks *c, uint64_t first, uint64_t n) {
    if (c->count == 0 || !hr__range_within(first, n, c->count))
        return 0;
    return offset_of(c, first + n) - offset_of(c, first);
}
