/*
 * Samples of all fields of a shuffle: as columns, one for each field, and as records in a temporary
 * file. A record is the sample's place in its bucket (32 bits), then every field, then its original
 * index (64 bits) where that becomes a field. Records are not checked here: places that come from a
 * file are.
 */
#ifndef HEADRACE_SHUFFLE_ROWS_H
#define HEADRACE_SHUFFLE_ROWS_H

#include "inputs.h"

#define HR__PLACE_BYTES 4u
#define HR__INDEX_BYTES 8u /* of a sample's original index, the last field */

struct hr__shuffle_layout {
    uint32_t num_fields; /* of the writer: those of the inputs, and the index */
    bool has_index;
    uint64_t *field_bytes; /* num_fields: of one sample */
    uint64_t sample_bytes; /* of all fields */
    uint64_t record_bytes;
};

/* HR_ERR_UNSUPPORTED: a sample has more than 2^34 bytes. Free it also after a failure. */
hr_status hr__shuffle_layout_make(const struct hr__inputs *in, bool has_index,
                                  struct hr__shuffle_layout *out, hr_error *err);
void hr__shuffle_layout_free(struct hr__shuffle_layout *layout); /* a zeroed one is fine */

/* Room for samples, a column for each field. */
struct hr__shuffle_rows {
    uint64_t n_bytes;
    uint8_t *bytes;
    uint8_t **columns;
};

/* UINT64_MAX: more than there can be. */
uint64_t hr__shuffle_rows_bytes(const struct hr__shuffle_layout *layout, uint64_t num_samples);
hr_status hr__shuffle_rows_make(const struct hr__shuffle_layout *layout, uint64_t num_samples,
                                struct hr__budget *budget, struct hr__shuffle_rows *out,
                                hr_error *err);
void hr__shuffle_rows_free(struct hr__shuffle_rows *rows, struct hr__budget *budget);

/* Memory on huge pages that goes back to the system as soon as it is freed, charged to a budget. */
hr_status hr__shuffle_alloc(struct hr__budget *budget, uint64_t n_bytes, const char *what,
                            uint8_t **out, hr_error *err);
void hr__shuffle_free(struct hr__budget *budget, uint8_t *p, uint64_t n_bytes);

/* Sample i of the inputs' columns goes to a place. */
void hr__shuffle_rows_put(const struct hr__shuffle_layout *layout, struct hr__shuffle_rows *rows,
                          uint64_t place, const void *const *columns, uint64_t i, uint64_t index);

void hr__shuffle_record_make(const struct hr__shuffle_layout *layout, uint8_t *record,
                             uint32_t place, const void *const *columns, uint64_t i,
                             uint64_t index);
uint32_t hr__shuffle_record_place(const uint8_t *record);
/* A record goes to its place, which is one. */
void hr__shuffle_record_take(const struct hr__shuffle_layout *layout, struct hr__shuffle_rows *rows,
                             const uint8_t *record);

#endif
