/*
 * The rows of one chunk, one column for each field, and the sizes that follow from a schema.
 * Rows are a caller's: they are checked before they are taken (rows_check.h).
 *
 * Of a variable-length field the column holds where each value ends within the field, behind it
 * where each lies among the values. The values of all such fields lie one after the other as they
 * came, in memory that is as large as the chunk may become: so no field can take what another
 * needs, and nothing grows.
 */
#ifndef HEADRACE_CHUNK_BUILDER_H
#define HEADRACE_CHUNK_BUILDER_H

#include "budget.h"
#include "value_ends.h"

#include "headrace/writer.h"

/* Sizes of a full chunk of a schema; the same for every chunk of a writer. */
struct hr__chunk_plan {
    const struct hr__schema *schema;
    uint64_t *column_off;     /* num_fields: where a field's column begins in a row buffer */
    uint64_t values_off;      /* where the values of variable length begin */
    uint64_t values_bytes;    /* most that they take in a chunk */
    uint64_t decoded_bytes;   /* of a row buffer */
    uint64_t stored_bytes;    /* most that a chunk takes on disk, and one frame more to encode in */
    uint64_t max_frame_bytes; /* decoded, of the largest frame; at least 1 */
    uint32_t max_frames;
};

/* values_bytes: most that values of variable length may take in a chunk; counts only where there
 * are any. HR_ERR_INVALID: a chunk would be larger than the format allows. */
hr_status hr__chunk_plan_make(const struct hr__schema *schema, uint64_t values_bytes,
                              struct hr__chunk_plan *out, hr_error *err);
void hr__chunk_plan_free(struct hr__chunk_plan *plan); /* a zeroed plan is fine */

/* Decoded bytes of the frame that begins at `done` of a block of block_bytes. */
uint64_t hr__chunk_plan_frame_bytes(uint64_t sample_bytes, uint64_t block_bytes, uint64_t done);

/* Where rows come from that the thread which encodes them fetches itself, so that they pass through
 * its caches only once. Only of fields of fixed size. */
struct hr__row_source {
    void *user;
    /* Samples first .. first + n - 1 into the columns, one for each field. `thread` is the number
     * of the thread that calls; calls with different numbers come side by side. Blocks. */
    hr_status (*fetch)(void *user, uint32_t thread, uint64_t first, uint32_t n,
                       void *const *columns, hr_error *err);
};

/* A row buffer. */
struct hr__chunk_rows {
    uint8_t *bytes; /* plan.decoded_bytes */
    uint64_t number;
    uint64_t first_sample;
    uint32_t num_samples;
    uint32_t num_counted;                /* of these, the first so many are in the totals already */
    const struct hr__row_source *source; /* still to be fetched from; NULL: the rows are there */
    uint64_t values_bytes;               /* so far, of all variable-length fields */
    struct hr__chunk_rows *next;
};

/* Copies rows skip .. of the columns until the chunk is full or n are taken: *took. HR_ERR_BUDGET:
 * the values of variable length would not fit. */
hr_status hr__chunk_rows_add(const struct hr__chunk_plan *plan, struct hr__chunk_rows *rows,
                             const void *const *columns, uint64_t skip, uint64_t n, uint64_t *took,
                             hr_error *err);

/* Fetches and checks rows->num_samples rows; `columns` is room for one pointer for each field. */
hr_status hr__chunk_rows_fetch(const struct hr__chunk_plan *plan, struct hr__chunk_rows *rows,
                               uint32_t thread, void **columns, hr_error *err);

/* Of a variable-length field: where its values end, and where they lie from plan->values_off on. */
static inline uint64_t *hr__rows_ends(const struct hr__chunk_plan *plan,
                                      const struct hr__chunk_rows *rows, uint32_t field) {
    return (uint64_t *)(void *)(rows->bytes + plan->column_off[field]);
}
static inline uint64_t *hr__rows_places(const struct hr__chunk_plan *plan,
                                        const struct hr__chunk_rows *rows, uint32_t field) {
    return hr__rows_ends(plan, rows, field) + plan->schema->samples_per_chunk;
}

#endif
