/*
 * The memory of a writer: nothing large is allocated that is not counted here.
 */
#include "writer_memory.h"

#include "checked.h"
#include "chunk_encoder.h"
#include "dtype.h"
#include "error.h"
#include "index_builder.h"
#include "superblock.h"

/* Fields with label figures beyond those of one byte: their distinct values may take 1.5 MB of the
 * footer's 16 MiB each. */
#define MAX_WIDE_LABEL_FIELDS 8u
#define STATISTICS_BYTES      512u
#define LABEL_BYTES           32u /* of one distinct value, with what a growing set leaves unused */
#define MAX_LABELS            65536u

static bool has_labels(const struct hr__schema_field *f) {
    return hr__dtype_is_integer(f->dtype) && f->num_elements == 1;
}

bool hr__labels_wanted(const struct hr__schema *schema, uint32_t field) {
    const struct hr__schema_field *f = &schema->fields[field];
    if (!has_labels(f))
        return false;
    if (f->sample_bytes == 1)
        return true;
    uint32_t before = 0;
    for (uint32_t i = 0; i < field; i++)
        before += has_labels(&schema->fields[i]) && schema->fields[i].sample_bytes > 1;
    return before < MAX_WIDE_LABEL_FIELDS;
}

uint64_t hr__statistics_bytes(const struct hr__schema *schema, uint32_t field,
                              uint64_t num_samples) {
    const struct hr__schema_field *f = &schema->fields[field];
    if (hr__dtype_is_variable(f->dtype))
        return STATISTICS_BYTES;
    if (!hr__statistics_wanted(f->dtype))
        return 0;
    if (!hr__labels_wanted(schema, field))
        return STATISTICS_BYTES;
    const uint64_t distinct = hr__min_u64(num_samples, f->sample_bytes == 1 ? 256 : MAX_LABELS);
    return STATISTICS_BYTES + LABEL_BYTES * distinct;
}

hr_status hr__statistics_make_all(const struct hr__schema *schema, struct hr__statistics **out,
                                  hr_error *err) {
    for (uint32_t f = 0; f < schema->num_fields; f++) {
        const hr_dtype dtype = schema->fields[f].dtype;
        out[f] = NULL;
        if (!hr__dtype_is_variable(dtype) && !hr__statistics_wanted(dtype))
            continue;
        out[f] = hr__dtype_is_variable(dtype)
                     ? hr__lengths_new()
                     : hr__statistics_new(dtype, hr__labels_wanted(schema, f));
        if (out[f] == NULL)
            return hr__error_no_memory(err, STATISTICS_BYTES, "statistics");
    }
    return HR_OK;
}

uint64_t hr__writer_memory_smallest(const struct hr__writer_memory *m) {
    return m->fixed_bytes + m->thread_bytes + m->rows_bytes;
}

uint64_t hr__writer_memory_needed(const struct hr__writer_memory *m) {
    return m->fixed_bytes + m->num_threads * m->thread_bytes + m->num_rows * m->rows_bytes;
}

uint64_t hr__writer_memory_totals(const struct hr__chunk_plan *plan) {
    uint64_t n = 0;
    for (uint32_t f = 0; f < plan->schema->num_fields; f++)
        n += hr__statistics_bytes(plan->schema, f, UINT64_MAX);
    return n;
}

static uint64_t fixed_bytes(const struct hr__chunk_plan *plan) {
    return hr__writer_memory_totals(plan) + HR__INDEX_BUILDER_BYTES + 2 * plan->max_frame_bytes +
           HR__DECODER_BYTES;
}

/* The most row buffers, from t + 2 down to 1 for one thread and to t for more, that fit. */
static bool fits(struct hr__writer_memory *m, uint32_t t, uint64_t budget_bytes) {
    for (uint32_t r = t + 2; r >= t; r--) {
        m->num_threads = t;
        m->num_rows = r;
        if (hr__writer_memory_needed(m) <= budget_bytes)
            return true;
    }
    return false;
}

bool hr__writer_memory_plan(const struct hr__chunk_plan *plan, int32_t level, uint32_t max_threads,
                            uint64_t held_bytes, uint64_t budget_bytes,
                            struct hr__writer_memory *out) {
    *out = (struct hr__writer_memory){
        .fixed_bytes = fixed_bytes(plan) + held_bytes,
        .thread_bytes = hr__chunk_encoder_bytes(plan, level),
        .rows_bytes = hr__max_u64(plan->decoded_bytes, 64),
    };
    for (uint32_t t = max_threads; t >= 1; t--)
        if (fits(out, t, budget_bytes))
            return true;
    return false;
}

uint64_t hr__writer_memory_values(const struct hr__chunk_plan *plan,
                                  const struct hr__writer_memory *m, uint64_t budget_bytes) {
    const uint64_t num = (uint64_t)m->num_threads + m->num_rows;
    uint64_t left = budget_bytes - hr__writer_memory_needed(m);
    left -= hr__min_u64(left, num * HR__PAGE_BYTES); /* sizes are rounded up */
    /* An encoder's table of frames and header grow with the values, by less than a 256th. */
    return plan->values_bytes + left / num / 256 * 255;
}
