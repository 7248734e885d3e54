/*
 * Where finished chunks go, in ascending order: each gets its place in the file, its index entry,
 * and its share of the statistics.
 *
 * Invariants:
 *  1. one thread at a time is in hr__chunk_sink_take(), with the chunks in ascending order, so that
 *     the statistics do not depend on the number of threads;
 *  2. end_off is a multiple of a page, and everything before it is spoken for.
 */
#ifndef HEADRACE_CHUNK_SINK_H
#define HEADRACE_CHUNK_SINK_H

#include "index_builder.h"

#include <stdatomic.h>

struct hr__chunk_sink {
    const struct hr__file *file;
    const struct hr__schema *schema; /* its statistics are the totals */
    struct hr__index_builder index;
    uint64_t end_off;
    uint64_t num_chunks;
    uint64_t num_samples;
    uint32_t max_chunk_pages;
    _Atomic uint64_t stored_bytes; /* end_off, for other threads to read */
};

/* statistics: num_fields, of this chunk. *off: where its pages go. */
hr_status hr__chunk_sink_take(struct hr__chunk_sink *sink, uint32_t pages, uint32_t num_samples,
                              struct hr__statistics *const *statistics, uint64_t *off,
                              hr_error *err);

/* Ends the file where the chunks end. */
hr_status hr__chunk_sink_cut(const struct hr__chunk_sink *sink, hr_error *err);

#endif
