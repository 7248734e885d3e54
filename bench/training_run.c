#include "training_run.h"

#include "error.h"
#include "mlp.h"
#include "softmax_regression.h"

#include <stdlib.h>
#include <string.h>

/* One of the two models. */
struct learner {
    struct softmax_regression *regression;
    struct mlp *mlp;
};

static hr_status learner_make(const struct training_plan *plan, uint64_t seed, struct learner *out,
                              hr_error *err) {
    const struct training_set *t = plan->train;
    *out = (struct learner){NULL, NULL};
    if (plan->model == TRAINING_MLP)
        out->mlp = mlp_new(t->inputs, t->classes, 1.0f, seed);
    else
        out->regression = softmax_regression_new(t->inputs, t->classes);
    if (out->mlp == NULL && out->regression == NULL)
        return hr__error_set(err, HR_ERR_NO_MEMORY, "no memory for a model of %u inputs",
                             t->inputs);
    return HR_OK;
}

static void learner_step(struct learner *l, const float *x, const int64_t *labels, uint32_t n,
                         float rate) {
    if (l->mlp != NULL)
        (void)mlp_train(l->mlp, x, labels, n, rate);
    else
        softmax_regression_train(l->regression, x, labels, n, rate);
}

static double learner_accuracy(struct learner *l, const struct training_set *t) {
    const uint32_t n = t->num_samples;
    const uint32_t correct = l->mlp != NULL
                                 ? mlp_test(l->mlp, t->x, t->labels, n).correct
                                 : softmax_regression_test(l->regression, t->x, t->labels, n);
    return (double)correct / n;
}

/* What one batch is gathered into, and the order of an epoch. */
struct training_desk {
    uint32_t *samples;
    float *x;
    int64_t *labels;
};

static hr_status desk_init(struct training_desk *d, const struct training_plan *plan,
                           hr_error *err) {
    const struct training_set *t = plan->train;
    d->samples = malloc(t->num_samples * sizeof *d->samples);
    d->x = malloc((size_t)plan->batch_samples * t->inputs * sizeof *d->x);
    d->labels = malloc(plan->batch_samples * sizeof *d->labels);
    if (d->samples == NULL || d->x == NULL || d->labels == NULL)
        return hr__error_set(err, HR_ERR_NO_MEMORY, "no memory for an epoch of %u samples",
                             t->num_samples);
    return HR_OK;
}

static void desk_free(struct training_desk *d) {
    free(d->samples);
    free(d->x);
    free(d->labels);
}

static void epoch_train(struct learner *l, const struct training_plan *plan,
                        struct training_desk *d, uint32_t epoch) {
    const struct training_set *t = plan->train;
    const uint32_t B = plan->batch_samples;
    for (uint32_t first = 0; first < t->num_samples; first += B) {
        const uint32_t left = t->num_samples - first, n = left < B ? left : B;
        for (uint32_t i = 0; i < n; i++) {
            const size_t sample = d->samples[first + i];
            memcpy(d->x + (size_t)i * t->inputs, t->x + sample * t->inputs,
                   t->inputs * sizeof(float));
            d->labels[i] = t->labels[sample];
        }
        const double passed = plan->decay_by_step ? (double)first / t->num_samples : 0;
        const double share = (plan->num_epochs - epoch - passed) / plan->num_epochs;
        learner_step(l, d->x, d->labels, n, plan->rate * (float)share);
    }
}

hr_status training_run(const struct training_plan *plan, uint64_t seed, double *accuracy,
                       hr_error *err) {
    const struct visit_data data = {plan->train->num_samples, plan->samples_per_chunk,
                                    plan->batch_samples};
    struct learner learner = {NULL, NULL};
    struct training_desk desk = {NULL, NULL, NULL};
    hr_status st = HR_OK;
    HR_TRY(desk_init(&desk, plan, err));
    HR_TRY(learner_make(plan, seed, &learner, err));
    for (uint32_t e = 0; e < plan->num_epochs; e++) {
        HR_TRY(visit_order_fill(&plan->order, &data, seed, e, desk.samples, err));
        epoch_train(&learner, plan, &desk, e);
        accuracy[e] = learner_accuracy(&learner, plan->held_out);
    }
done:
    mlp_free(learner.mlp);
    softmax_regression_free(learner.regression);
    desk_free(&desk);
    return st;
}
