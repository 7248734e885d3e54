/*
 * What a writer's parts take from its budget, and how many threads and row buffers fit.
 */
#ifndef HEADRACE_WRITER_MEMORY_H
#define HEADRACE_WRITER_MEMORY_H

#include "chunk_builder.h"

#define HR__DECODER_BYTES (UINT64_C(256) << 10) /* of zstd */

/* The field has label figures, which need memory and room in the footer: only the first few
 * integer fields with one element per sample, whatever the budget. */
bool hr__labels_wanted(const struct hr__schema *schema, uint32_t field);

/* Most bytes of a field's statistics over num_samples samples. */
uint64_t hr__statistics_bytes(const struct hr__schema *schema, uint32_t field,
                              uint64_t num_samples);

/* New, empty statistics for every field that has any; NULL for the others. */
hr_status hr__statistics_make_all(const struct hr__schema *schema, struct hr__statistics **out,
                                  hr_error *err);

/* Most bytes of the statistics of all fields over any number of samples. */
uint64_t hr__writer_memory_totals(const struct hr__chunk_plan *plan);

struct hr__writer_memory {
    uint32_t num_threads;
    uint32_t num_rows;    /* row buffers */
    uint64_t fixed_bytes; /* index, totals, trial, what others hold */
    uint64_t thread_bytes;
    uint64_t rows_bytes; /* of one row buffer */
};

/* As many of max_threads threads as fit, with two row buffers more than threads if possible.
 * held_bytes: taken by others. False: not even one. */
bool hr__writer_memory_plan(const struct hr__chunk_plan *plan, int32_t level, uint32_t max_threads,
                            uint64_t held_bytes, uint64_t budget_bytes,
                            struct hr__writer_memory *out);
/* Most bytes that values of variable length may take in a chunk, so that the threads and row
 * buffers planned still fit the budget. */
uint64_t hr__writer_memory_values(const struct hr__chunk_plan *plan,
                                  const struct hr__writer_memory *m, uint64_t budget_bytes);
/* What the threads and row buffers planned take, and all else. */
uint64_t hr__writer_memory_needed(const struct hr__writer_memory *m);
/* The smallest budget that works. */
uint64_t hr__writer_memory_smallest(const struct hr__writer_memory *m);

#endif
