/*
 * The orders that interleaved/1 is compared with, each as the list of samples that an epoch visits.
 *
 * Memory is counted in chunks: what an order may hold at a time. The shuffle buffers hold that many
 * chunks' samples and hand out a random one for each that comes in. A window is that many chunks,
 * read in random order, shuffled, and handed out before the next is filled.
 */
#ifndef HEADRACE_BENCH_VISIT_ORDER_H
#define HEADRACE_BENCH_VISIT_ORDER_H

#include "headrace/status.h"

#include <stdint.h>

enum visit_order_kind {
    VISIT_PERMUTATION, /* of all samples: Fisher and Yates, from a generator of its own */
    VISIT_INTERLEAVED, /* interleaved/1, as the loader has it */
    VISIT_BUFFER,      /* a shuffle buffer fed with chunks in random order */
    VISIT_FILE_BUFFER, /* a shuffle buffer fed in the order of the file */
    VISIT_WINDOWS,     /* whole windows of chunks in random order */
    VISIT_SEQUENTIAL
};

struct visit_data {
    uint32_t num_samples, samples_per_chunk, batch_samples;
};

struct visit_order {
    enum visit_order_kind kind;
    uint32_t memory_chunks; /* without meaning for a permutation and the sequential order */
};

/* Of 0 .. n-1, each as likely as the others to within 2^-21, by a stream of random numbers whose
 * state may begin as anything. */
uint32_t visit_random_below(uint64_t *state, uint32_t n);

/* samples[p] is the sample at position p, for all num_samples of them. Equal arguments give equal
 * lists. HR_ERR_INVALID (data or memory of zero, or what interleaved/1 refuses), HR_ERR_NO_MEMORY.
 */
hr_status visit_order_fill(const struct visit_order *order, const struct visit_data *data,
                           uint64_t seed, uint64_t epoch, uint32_t *samples, hr_error *err);

/* Inflation that interleaved/1 states for this data and window (docs/order.md, 6). */
hr_status visit_stated_inflation(const struct visit_data *data, uint32_t memory_chunks, double *out,
                                 hr_error *err);

#endif
