/*
 * How far an epoch is from a random permutation of data sorted by class. Class k of K holds the
 * samples i with floor(i x K / num_samples) = k.
 *
 * Inflation of a number of neighbouring batches taken together: the mean square of (a class's count
 * less its expectation), divided by what a random permutation has. Of the interior, but for `begin`
 * and `end`: the first and last `edge_batches` are left out.
 */
#ifndef HEADRACE_BENCH_MIXING_FIGURES_H
#define HEADRACE_BENCH_MIXING_FIGURES_H

#include "visit_order.h"

#define MIXING_FEW_CLASSES   10u
#define MIXING_MANY_CLASSES  1000u
#define MIXING_NUM_SUMS      5u   /* 1, 4, 16, 64, 256 batches together */
#define MIXING_NUM_LAGS      9u   /* 1, 2, 4 ... 256 batches apart */
#define MIXING_NUM_ENDS      8u   /* batches 0, 1, 2 to 3, 4 to 7 ... 64 to 127 from an end */
#define MIXING_LEAST_BATCHES 512u /* that the interior has for the longest of these */

struct mixing_figures {
    double many_classes;                 /* inflation of a batch, MIXING_MANY_CLASSES */
    double sums[MIXING_NUM_SUMS];        /* inflation of 4^i batches together */
    double correlation[MIXING_NUM_LAGS]; /* of a class's counts in batches 2^i apart */
    double begin[MIXING_NUM_ENDS];       /* inflation of a batch, from the begin of the epoch */
    double end[MIXING_NUM_ENDS];         /* from its end backwards */
    double pairs_kept; /* pairs of samples that share a batch in this epoch and in the next, divided
                        * by what independent permutations have */
};

/* What figures of one size of data are made with; the lists are its own. */
struct mixing_desk {
    struct visit_data data;
    uint32_t num_batches; /* whole ones */
    uint32_t *epochs[2];  /* lists of samples */
    uint32_t *batch_of;   /* of each sample, in the first epoch */
    uint32_t *counts;     /* num_batches x MIXING_MANY_CLASSES */
    uint32_t *seen;       /* num_batches */
};

/* HR_ERR_NO_MEMORY. Free it in both cases. */
hr_status mixing_desk_init(struct mixing_desk *desk, const struct visit_data *data, hr_error *err);
void mixing_desk_free(struct mixing_desk *desk);

/* Of epochs 0 and 1 of a seed. */
hr_status mixing_measure(struct mixing_desk *desk, const struct visit_order *order,
                         uint32_t edge_batches, uint64_t seed, struct mixing_figures *out,
                         hr_error *err);

#endif
