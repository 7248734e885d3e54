/*
 * Rows to columns (docs/format.md, 2.1 and 6.3).
 */
#include "chunk_builder.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "superblock.h"

#include <stdlib.h>
#include <string.h>

#define COLUMN_ALIGN_BYTES 64u
#define MAX_CHUNK_PAGES    ((UINT64_C(1) << 24) - 1)

uint64_t hr__chunk_plan_frame_bytes(uint64_t sample_bytes, uint64_t block_bytes, uint64_t done) {
    const uint32_t samples = hr__frame_samples(sample_bytes);
    if (samples > 0)
        return hr__min_u64(samples * sample_bytes, block_bytes - done);
    const uint64_t left_of_sample = sample_bytes - done % sample_bytes;
    return hr__min_u64(HR__MAX_FRAME_BYTES, left_of_sample);
}

uint64_t hr__chunk_plan_header_bytes(const struct hr__chunk_plan *plan, uint32_t num_samples) {
    uint64_t frames = 0;
    for (uint32_t f = 0; f < plan->schema->num_fields; f++)
        frames += hr__block_frames(plan->schema->fields[f].sample_bytes, num_samples);
    return HR__CHUNK_FIXED_BYTES + (uint64_t)HR__BLOCK_ENTRY_BYTES * plan->schema->num_fields +
           HR__FRAME_ENTRY_BYTES * frames;
}

/* At most 4,096 fields, and samples of at most 2^34 bytes times 65,536: nothing here overflows. */
static void plan_columns(struct hr__chunk_plan *plan) {
    const struct hr__schema *s = plan->schema;
    uint64_t frames = 0;
    plan->max_frame_bytes = 1;
    for (uint32_t f = 0; f < s->num_fields; f++) {
        const uint64_t sample_bytes = s->fields[f].sample_bytes;
        const uint64_t block_bytes = sample_bytes * s->samples_per_chunk;
        plan->column_off[f] = plan->decoded_bytes;
        plan->decoded_bytes += hr__round_up(block_bytes, COLUMN_ALIGN_BYTES);
        frames += hr__block_frames(sample_bytes, s->samples_per_chunk);
        if (block_bytes > 0)
            plan->max_frame_bytes = hr__max_u64(
                plan->max_frame_bytes, hr__chunk_plan_frame_bytes(sample_bytes, block_bytes, 0));
    }
    plan->max_frames = (uint32_t)hr__min_u64(frames, UINT32_MAX);
}

hr_status hr__chunk_plan_make(const struct hr__schema *schema, struct hr__chunk_plan *out,
                              hr_error *err) {
    *out = (struct hr__chunk_plan){.schema = schema};
    const size_t n_bytes = schema->num_fields * sizeof *out->column_off;
    out->column_off = calloc(schema->num_fields, sizeof *out->column_off);
    if (out->column_off == NULL)
        return hr__error_no_memory(err, n_bytes, "the plan of a chunk");
    plan_columns(out);
    /* A frame is never stored larger than it is, so only the frame at work needs its bound. */
    out->stored_bytes = hr__chunk_plan_header_bytes(out, schema->samples_per_chunk) +
                        schema->sample_bytes * schema->samples_per_chunk +
                        hr__frame_bound((size_t)out->max_frame_bytes);
    out->stored_bytes = hr__round_up(out->stored_bytes, HR__PAGE_BYTES);
    if (out->stored_bytes / HR__PAGE_BYTES > MAX_CHUNK_PAGES || out->max_frames > UINT32_MAX / 48) {
        hr__chunk_plan_free(out);
        return hr__error_set(
            err, HR_ERR_INVALID,
            "a chunk of %u samples would take %llu bytes, more than the format's "
            "64 GiB: use fewer samples per chunk",
            schema->samples_per_chunk,
            (unsigned long long)(schema->sample_bytes * schema->samples_per_chunk));
    }
    return HR_OK;
}

void hr__chunk_plan_free(struct hr__chunk_plan *plan) {
    free(plan->column_off);
    *plan = (struct hr__chunk_plan){0};
}

uint64_t hr__chunk_rows_add(const struct hr__chunk_plan *plan, struct hr__chunk_rows *rows,
                            const void *const *columns, uint64_t skip, uint64_t n) {
    const struct hr__schema *s = plan->schema;
    const uint64_t take = hr__min_u64(n, s->samples_per_chunk - rows->num_samples);
    for (uint32_t f = 0; f < s->num_fields; f++) {
        const uint64_t b = s->fields[f].sample_bytes;
        if (b == 0 || take == 0)
            continue;
        uint8_t *column = rows->bytes + plan->column_off[f];
        memcpy(column + rows->num_samples * b, (const uint8_t *)columns[f] + skip * b, take * b);
    }
    rows->num_samples += (uint32_t)take;
    return take;
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

static bool bools_valid(const uint8_t *p, uint64_t n) {
    uint8_t seen = 0;
    for (uint64_t i = 0; i < n; i++)
        seen |= p[i];
    return seen <= 1;
}

static hr_status check_bools(const struct hr__schema_field *field, const uint8_t *p, uint64_t n,
                             uint64_t first_sample, hr_error *err) {
    if (bools_valid(p, n * field->num_elements))
        return HR_OK;
    uint64_t i = 0;
    while (p[i] <= 1)
        i++;
    return hr__error_set(err, HR_ERR_DATA,
                         "field \"%s\", sample %llu: the bool byte is 0x%02x, expected 0 or 1; "
                         "store it as uint8, or mend the source",
                         field->name, (unsigned long long)(first_sample + i / field->num_elements),
                         p[i]);
}

static hr_status check_text(const struct hr__schema_field *field, const uint8_t *p, uint64_t n,
                            uint64_t first_sample, hr_error *err) {
    for (uint64_t i = 0; i < n * field->num_elements; i++)
        if (!hr__utf8_valid(p + i * field->width_bytes, field->width_bytes))
            return hr__error_set(err, HR_ERR_DATA,
                                 "field \"%s\", sample %llu: the text is not well-formed UTF-8; "
                                 "store it as fixed bytes, or mend the source",
                                 field->name,
                                 (unsigned long long)(first_sample + i / field->num_elements));
    return HR_OK;
}

hr_status hr__rows_check(const struct hr__schema *schema, const void *const *columns, uint64_t n,
                         uint64_t first_sample, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t f = 0; f < schema->num_fields && st == HR_OK; f++) {
        const struct hr__schema_field *field = &schema->fields[f];
        if (field->sample_bytes == 0)
            continue;
        if (field->dtype == HR_BOOL)
            st = check_bools(field, columns[f], n, first_sample, err);
        else if (field->dtype == HR_FIXED_UTF8)
            st = check_text(field, columns[f], n, first_sample, err);
    }
    return st;
}
