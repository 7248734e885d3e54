/*
 * Training in an order of visit_order.h, the samples in memory: what an order is worth.
 */
#ifndef HEADRACE_BENCH_TRAINING_RUN_H
#define HEADRACE_BENCH_TRAINING_RUN_H

#include "visit_order.h"

#include <stdbool.h>

enum training_model {
    TRAINING_REGRESSION, /* softmax_regression.h */
    TRAINING_MLP         /* examples/mlp.h */
};

struct training_set {
    uint32_t num_samples, inputs, classes;
    float *x;        /* num_samples x inputs */
    int64_t *labels; /* 0 .. classes - 1 */
};

struct training_plan {
    const struct training_set *train, *held_out;
    enum training_model model;
    struct visit_order order;
    uint32_t samples_per_chunk, batch_samples, num_epochs;
    float rate;
    bool decay_by_step; /* the rate falls evenly to zero; else by epoch, as in examples/trainer.c */
};

/* accuracy[e]: share of the held-out samples that are right after epoch e. The seed decides the
 * order and the MLP's first weights. As visit_order_fill(). */
hr_status training_run(const struct training_plan *plan, uint64_t seed, double *accuracy,
                       hr_error *err);

#endif
