/*
 * Inputs that the writer's threads read for themselves: a range of samples in a plain file costs no
 * more in small pieces, and goes straight to where it is encoded.
 *
 * Each thread has readers of its own, and announces what will be read next, so that the disk works
 * while the threads encode.
 */
#ifndef HEADRACE_INPUT_FETCH_H
#define HEADRACE_INPUT_FETCH_H

#include "chunk_builder.h"
#include "inputs.h"

#include <stdatomic.h>

struct hr__input_fetch {
    struct hr__row_source rows; /* for the writer */
    const struct hr__inputs *in;
    uint64_t first_sample, num_samples; /* of the inputs */
    uint64_t step_samples;              /* that are announced at once */
    _Atomic uint64_t announced;
    uint32_t num_threads;
    struct hr__source_reader **readers; /* of the fields, for each thread */
};

/* Every input is of the kind, and the descriptors for so many threads leave most of those that the
 * process may have. */
bool hr__input_fetch_fits(const struct hr__inputs *in, uint32_t num_threads);

/* For num_threads threads, from first_sample on. The inputs must live longer. Close it also after a
 * failure. */
hr_status hr__input_fetch_open(struct hr__input_fetch *f, const struct hr__inputs *in,
                               uint32_t num_threads, uint64_t first_sample,
                               struct hr__budget *budget, hr_error *err);

void hr__input_fetch_close(struct hr__input_fetch *f); /* a zeroed one is fine */

#endif
