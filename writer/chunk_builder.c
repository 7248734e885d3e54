/*
 * Rows to columns (docs/format.md, 2.1, 6.3 and 6.4).
 */
#include "chunk_builder.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "frame_codec.h"
#include "rows_check.h"
#include "superblock.h"
#include "value_ends.h"

#include <stdlib.h>
#include <string.h>

#define COLUMN_ALIGN_BYTES 64u
#define MAX_CHUNK_PAGES    ((UINT64_C(1) << 24) - 1)
#define MAX_VALUES_BYTES   (UINT64_C(1) << 35) /* of the format's 64 GiB */

uint64_t hr__chunk_plan_frame_bytes(uint64_t sample_bytes, uint64_t block_bytes, uint64_t done) {
    const uint32_t samples = hr__frame_samples(sample_bytes);
    if (samples > 0)
        return hr__min_u64(samples * sample_bytes, block_bytes - done);
    const uint64_t left_of_sample = sample_bytes - done % sample_bytes;
    return hr__min_u64(HR__MAX_FRAME_BYTES, left_of_sample);
}

/* Most bytes of a chunk's header. */
static uint64_t header_bytes(const struct hr__schema *s, uint64_t max_frames) {
    return HR__CHUNK_FIXED_BYTES +
           (uint64_t)HR__BLOCK_ENTRY_BYTES * (s->num_fields + s->num_variable) +
           HR__FRAME_ENTRY_BYTES * max_frames;
}

/* Ends and places of all values; the values themselves come behind all columns. */
static uint64_t plan_variable(struct hr__chunk_plan *plan) {
    const uint32_t samples = plan->schema->samples_per_chunk;
    plan->decoded_bytes += hr__round_up(UINT64_C(16) * samples, COLUMN_ALIGN_BYTES);
    return hr__block_frames(sizeof(uint64_t), samples) + hr__value_frames_bound(0);
}

static uint64_t plan_fixed(struct hr__chunk_plan *plan, uint64_t sample_bytes) {
    const uint32_t samples = plan->schema->samples_per_chunk;
    const uint64_t block_bytes = sample_bytes * samples;
    plan->decoded_bytes += hr__round_up(block_bytes, COLUMN_ALIGN_BYTES);
    if (block_bytes > 0)
        plan->max_frame_bytes = hr__max_u64(
            plan->max_frame_bytes, hr__chunk_plan_frame_bytes(sample_bytes, block_bytes, 0));
    return hr__block_frames(sample_bytes, samples);
}

/* At most 4,096 fields, and samples of at most 2^34 bytes times 65,536: nothing here overflows. */
static void plan_columns(struct hr__chunk_plan *plan) {
    const struct hr__schema *s = plan->schema;
    uint64_t frames = s->num_variable > 0 ? hr__value_frames_bound(plan->values_bytes) : 0;
    plan->max_frame_bytes = s->num_variable > 0 ? HR__MAX_FRAME_BYTES : 1;
    for (uint32_t f = 0; f < s->num_fields; f++) {
        plan->column_off[f] = plan->decoded_bytes;
        frames += hr__dtype_is_variable(s->fields[f].dtype)
                      ? plan_variable(plan)
                      : plan_fixed(plan, s->fields[f].sample_bytes);
    }
    plan->values_off = plan->decoded_bytes;
    plan->decoded_bytes += hr__round_up(plan->values_bytes, COLUMN_ALIGN_BYTES);
    plan->max_frames = (uint32_t)hr__min_u64(frames, UINT32_MAX);
}

hr_status hr__chunk_plan_make(const struct hr__schema *schema, uint64_t values_bytes,
                              struct hr__chunk_plan *out, hr_error *err) {
    *out = (struct hr__chunk_plan){.schema = schema};
    const size_t n_bytes = schema->num_fields * sizeof *out->column_off;
    const uint64_t fixed_bytes = schema->sample_bytes * schema->samples_per_chunk;
    out->column_off = calloc(schema->num_fields, sizeof *out->column_off);
    if (out->column_off == NULL)
        return hr__error_no_memory(err, n_bytes, "the plan of a chunk");
    if (schema->num_variable > 0)
        out->values_bytes = hr__min_u64(values_bytes, MAX_VALUES_BYTES);
    plan_columns(out);
    /* A frame is never stored larger than it is, so only the frame at work needs its bound. */
    out->stored_bytes = header_bytes(schema, out->max_frames) + fixed_bytes +
                        UINT64_C(8) * schema->num_variable * schema->samples_per_chunk +
                        out->values_bytes + hr__frame_bound((size_t)out->max_frame_bytes);
    out->stored_bytes = hr__round_up(out->stored_bytes, HR__PAGE_BYTES);
    if (out->stored_bytes / HR__PAGE_BYTES > MAX_CHUNK_PAGES || out->max_frames > UINT32_MAX / 48) {
        hr__chunk_plan_free(out);
        return hr__error_set(err, HR_ERR_INVALID,
                             "a chunk of %u samples would take %llu bytes, more than the format's "
                             "64 GiB: use fewer samples per chunk",
                             schema->samples_per_chunk, (unsigned long long)fixed_bytes);
    }
    return HR_OK;
}

void hr__chunk_plan_free(struct hr__chunk_plan *plan) {
    free(plan->column_off);
    *plan = (struct hr__chunk_plan){0};
}

static uint64_t varlen_bytes(const hr_varlen_column *c, uint64_t first, uint64_t n) {
    return (uint64_t)(c->offsets[first + n] - c->offsets[first]);
}

/* The values of these rows fit the chunk. */
static hr_status check_room(const struct hr__chunk_plan *plan, const struct hr__chunk_rows *rows,
                            const void *const *columns, uint64_t skip, uint64_t n, hr_error *err) {
    const struct hr__schema *s = plan->schema;
    uint64_t needed = rows->values_bytes;
    for (uint32_t f = 0; f < s->num_fields; f++)
        if (hr__dtype_is_variable(s->fields[f].dtype) &&
            !hr__add_u64(needed, varlen_bytes(columns[f], skip, n), &needed))
            needed = UINT64_MAX;
    if (needed <= plan->values_bytes)
        return HR_OK;
    return hr__error_set(
        err, HR_ERR_BUDGET,
        "chunk %llu of %u samples (from sample %llu on) holds %llu bytes of variable length or "
        "more, and the budget has room for %llu in a chunk; write with a larger budget, or make a "
        "file with fewer samples per chunk",
        (unsigned long long)rows->number, s->samples_per_chunk,
        (unsigned long long)rows->first_sample, (unsigned long long)needed,
        (unsigned long long)plan->values_bytes);
}

static void add_fixed(const struct hr__chunk_plan *plan, struct hr__chunk_rows *rows,
                      uint32_t field, const uint8_t *column, uint64_t skip, uint64_t n) {
    const uint64_t b = plan->schema->fields[field].sample_bytes;
    if (b > 0 && n > 0)
        memcpy(rows->bytes + plan->column_off[field] + rows->num_samples * b, column + skip * b,
               n * b);
}

static void add_variable(const struct hr__chunk_plan *plan, struct hr__chunk_rows *rows,
                         uint32_t field, const hr_varlen_column *c, uint64_t skip, uint64_t n) {
    uint64_t *ends = hr__rows_ends(plan, rows, field);
    uint64_t *places = hr__rows_places(plan, rows, field);
    const uint64_t begin = (uint64_t)c->offsets[skip], n_bytes = varlen_bytes(c, skip, n);
    const uint64_t end = hr__value_start(ends, rows->num_samples);
    for (uint64_t i = 0; i < n; i++) {
        places[rows->num_samples + i] =
            rows->values_bytes + ((uint64_t)c->offsets[skip + i] - begin);
        ends[rows->num_samples + i] = end + ((uint64_t)c->offsets[skip + i + 1] - begin);
    }
    if (n_bytes > 0)
        memcpy(rows->bytes + plan->values_off + rows->values_bytes,
               (const uint8_t *)c->values + begin, n_bytes);
    rows->values_bytes += n_bytes;
}

hr_status hr__chunk_rows_add(const struct hr__chunk_plan *plan, struct hr__chunk_rows *rows,
                             const void *const *columns, uint64_t skip, uint64_t n, uint64_t *took,
                             hr_error *err) {
    const struct hr__schema *s = plan->schema;
    const uint64_t take = hr__min_u64(n, s->samples_per_chunk - rows->num_samples);
    *took = 0;
    const hr_status st = check_room(plan, rows, columns, skip, take, err);
    if (st != HR_OK)
        return st;
    for (uint32_t f = 0; f < s->num_fields; f++) {
        if (hr__dtype_is_variable(s->fields[f].dtype))
            add_variable(plan, rows, f, columns[f], skip, take);
        else
            add_fixed(plan, rows, f, columns[f], skip, take);
    }
    rows->num_samples += (uint32_t)take;
    *took = take;
    return HR_OK;
}

hr_status hr__chunk_rows_fetch(const struct hr__chunk_plan *plan, struct hr__chunk_rows *rows,
                               uint32_t thread, void **columns, hr_error *err) {
    const struct hr__row_source *source = rows->source;
    for (uint32_t f = 0; f < plan->schema->num_fields; f++)
        columns[f] = rows->bytes + plan->column_off[f];
    rows->source = NULL;
    const hr_status st =
        source->fetch(source->user, thread, rows->first_sample, rows->num_samples, columns, err);
    if (st != HR_OK)
        return st;
    return hr__rows_check(plan->schema, (const void *const *)columns, rows->num_samples,
                          rows->first_sample, err);
}
