/*
 * Where samples come in an epoch, over many seeds: chi-square tests of what a random permutation
 * has by definition.
 */
#ifndef HEADRACE_BENCH_MIXING_PLACES_H
#define HEADRACE_BENCH_MIXING_PLACES_H

#include "visit_order.h"

#define MIXING_CELLS  64u /* of each table; divides batch_samples and num_samples */
#define MIXING_PROBES 64u /* samples that are followed; each has a table of its own */

enum mixing_test {
    MIXING_PLACE,      /* a sample's position in the epoch, in 64 parts */
    MIXING_ROW,        /* its row in the batch, in 64 parts */
    MIXING_NEXT_EPOCH, /* its positions in epochs 0 and 1, 8 x 8 parts */
    MIXING_NEIGHBOUR,  /* its position and that of the same place in the next chunk, 8 x 8 parts */
    MIXING_NUM_TESTS
};

struct mixing_chi_square {
    double
        per_degree; /* summed over the probes, divided by the degrees of freedom: 1 is expected */
    double z;       /* its distance from 1 in standard deviations */
};

/* Over the seeds 1 .. num_seeds. HR_ERR_INVALID, HR_ERR_NO_MEMORY. */
hr_status mixing_places_test(const struct visit_order *order, const struct visit_data *data,
                             uint32_t num_seeds, struct mixing_chi_square out[MIXING_NUM_TESTS],
                             hr_error *err);

#endif
