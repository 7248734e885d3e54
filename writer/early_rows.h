/*
 * The first rows of a writer that has values of variable length and is not told how many samples a
 * chunk holds: they are kept until their mean size says it (docs/format.md, 2.3). How many are kept
 * depends on the rows alone, never on how many a call brings, so neither does the file.
 */
#ifndef HEADRACE_EARLY_ROWS_H
#define HEADRACE_EARLY_ROWS_H

#include "budget.h"
#include "schema.h"

#include "headrace/writer.h"

struct hr__early_column; /* of one field */

struct hr__early_rows {
    const struct hr__schema *schema;
    struct hr__budget budget;
    uint64_t chunk_bytes;
    struct hr__early_column *columns;
    uint64_t num_samples;
    uint64_t num_bytes;
};

/* budget_bytes: most that may be kept. */
hr_status hr__early_rows_init(struct hr__early_rows *e, const struct hr__schema *schema,
                              uint64_t chunk_bytes, uint64_t budget_bytes, hr_error *err);
void hr__early_rows_free(struct hr__early_rows *e); /* a zeroed one is fine */

/* Keeps rows until there are enough, or all n are taken: *took. */
hr_status hr__early_rows_add(struct hr__early_rows *e, const void *const *columns, uint64_t n,
                             uint64_t *took, hr_error *err);
/* There are enough to choose by. */
bool hr__early_rows_full(const struct hr__early_rows *e);
uint32_t hr__early_rows_samples_per_chunk(const struct hr__early_rows *e);
/* What is kept, as hr_writer_append() takes it: pointers[f] for each field. */
void hr__early_rows_columns(const struct hr__early_rows *e, const void **pointers);
/* Of memory in use. */
uint64_t hr__early_rows_held_bytes(const struct hr__early_rows *e);

#endif
