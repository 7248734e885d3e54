/*
 * Samples as columns and as records.
 */
#include "shuffle_rows.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"
#include "io_queue.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

#define COLUMN_ALIGN_BYTES 64u

hr_status hr__shuffle_layout_make(const struct hr__inputs *in, bool has_index,
                                  struct hr__shuffle_layout *out, hr_error *err) {
    *out = (struct hr__shuffle_layout){.num_fields = in->num_fields + has_index,
                                       .has_index = has_index};
    out->field_bytes = calloc(out->num_fields, sizeof *out->field_bytes);
    if (out->field_bytes == NULL)
        return hr__error_no_memory(err, out->num_fields * sizeof *out->field_bytes,
                                   "the fields to shuffle");
    for (uint32_t f = 0; f < in->num_fields; f++)
        out->field_bytes[f] = in->fields[f].source->info.sample_bytes;
    if (has_index)
        out->field_bytes[in->num_fields] = HR__INDEX_BYTES;
    for (uint32_t f = 0; f < out->num_fields; f++)
        if (!hr__add_u64(out->sample_bytes, out->field_bytes[f], &out->sample_bytes) ||
            out->sample_bytes > HR__MAX_SAMPLE_BYTES)
            return hr__error_set(
                err, HR_ERR_UNSUPPORTED,
                "one sample has more than 16 GiB; is its first axis that of samples?");
    out->record_bytes = HR__PLACE_BYTES + out->sample_bytes;
    return HR_OK;
}

void hr__shuffle_layout_free(struct hr__shuffle_layout *layout) {
    free(layout->field_bytes);
    *layout = (struct hr__shuffle_layout){0};
}

uint64_t hr__shuffle_rows_bytes(const struct hr__shuffle_layout *layout, uint64_t num_samples) {
    uint64_t n_bytes;
    const uint64_t padding = (uint64_t)layout->num_fields * COLUMN_ALIGN_BYTES;
    if (!hr__mul_u64(layout->sample_bytes, num_samples, &n_bytes) ||
        !hr__add_u64(n_bytes, padding, &n_bytes))
        return UINT64_MAX;
    return n_bytes;
}

hr_status hr__shuffle_alloc(struct hr__budget *budget, uint64_t n_bytes, const char *what,
                            uint8_t **out, hr_error *err) {
    *out = NULL;
    hr_status st = hr__budget_reserve(budget, n_bytes, what, err);
    if (st != HR_OK)
        return st;
    *out = hr__read_buffers_alloc((size_t)n_bytes);
    if (*out != NULL)
        return HR_OK;
    hr__budget_release(budget, n_bytes);
    return hr__error_no_memory(err, (size_t)n_bytes, what);
}

void hr__shuffle_free(struct hr__budget *budget, uint8_t *p, uint64_t n_bytes) {
    if (p == NULL)
        return;
    hr__read_buffers_free(p, (size_t)n_bytes);
    hr__budget_release(budget, n_bytes);
}

hr_status hr__shuffle_rows_make(const struct hr__shuffle_layout *layout, uint64_t num_samples,
                                struct hr__budget *budget, struct hr__shuffle_rows *out,
                                hr_error *err) {
    *out = (struct hr__shuffle_rows){.n_bytes = hr__shuffle_rows_bytes(layout, num_samples)};
    out->columns = calloc(layout->num_fields, sizeof *out->columns);
    if (out->columns == NULL)
        return hr__error_no_memory(err, layout->num_fields * sizeof *out->columns,
                                   "the columns of a shuffle");
    hr_status st = hr__shuffle_alloc(budget, out->n_bytes, "samples to shuffle", &out->bytes, err);
    if (st != HR_OK) {
        hr__shuffle_rows_free(out, budget);
        return st;
    }
    uint8_t *next = out->bytes;
    for (uint32_t f = 0; f < layout->num_fields; f++) {
        out->columns[f] = next;
        next += hr__round_up(layout->field_bytes[f] * num_samples, COLUMN_ALIGN_BYTES);
    }
    return HR_OK;
}

void hr__shuffle_rows_free(struct hr__shuffle_rows *rows, struct hr__budget *budget) {
    hr__shuffle_free(budget, rows->bytes, rows->n_bytes);
    free(rows->columns);
    *rows = (struct hr__shuffle_rows){0};
}

/* Labels and scalars are most fields, and a call for each would cost more than they do. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, uint64_t n_bytes) {
    switch (n_bytes) {
    case 1:
        *to = *from;
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    default:
        memcpy(to, from, n_bytes);
    }
}

/* Fields that the inputs have. */
static uint32_t input_fields(const struct hr__shuffle_layout *layout) {
    return layout->num_fields - layout->has_index;
}

void hr__shuffle_rows_put(const struct hr__shuffle_layout *layout, struct hr__shuffle_rows *rows,
                          uint64_t place, const void *const *columns, uint64_t i, uint64_t index) {
    const uint32_t n = input_fields(layout);
    for (uint32_t f = 0; f < n; f++) {
        const uint64_t b = layout->field_bytes[f];
        copy_bytes(rows->columns[f] + place * b, (const uint8_t *)columns[f] + i * b, b);
    }
    if (layout->has_index)
        hr__put_u64(rows->columns[n] + place * HR__INDEX_BYTES, index);
}

void hr__shuffle_record_make(const struct hr__shuffle_layout *layout, uint8_t *record,
                             uint32_t place, const void *const *columns, uint64_t i,
                             uint64_t index) {
    const uint32_t n = input_fields(layout);
    hr__put_u32(record, place);
    record += HR__PLACE_BYTES;
    for (uint32_t f = 0; f < n; f++) {
        const uint64_t b = layout->field_bytes[f];
        copy_bytes(record, (const uint8_t *)columns[f] + i * b, b);
        record += b;
    }
    if (layout->has_index)
        hr__put_u64(record, index);
}

uint32_t hr__shuffle_record_place(const uint8_t *record) {
    return hr__get_u32(record);
}

void hr__shuffle_record_take(const struct hr__shuffle_layout *layout, struct hr__shuffle_rows *rows,
                             const uint8_t *record) {
    const uint64_t place = hr__get_u32(record);
    record += HR__PLACE_BYTES;
    for (uint32_t f = 0; f < layout->num_fields; f++) {
        const uint64_t b = layout->field_bytes[f];
        copy_bytes(rows->columns[f] + place * b, record, b);
        record += b;
    }
}
