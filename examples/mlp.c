/*
 * The perceptron of mlp.h. Weights are stored input by input, so that the inner loops run over the
 * 64 hidden units, whatever the number of inputs; an input of zero costs nothing.
 */
#include "mlp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct layer {
    uint32_t inputs, outputs;
    size_t num_params; /* inputs x outputs weights, then outputs biases */
    float *params, *gradient, *velocity;
};

struct mlp {
    float input_scale;
    struct layer hidden, top;
    float *scores; /* of one sample */
};

static uint64_t next_random(uint64_t *state) /* SplitMix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int layer_init(struct layer *l, uint32_t inputs, uint32_t outputs, uint64_t *random) {
    l->inputs = inputs;
    l->outputs = outputs;
    l->num_params = ((size_t)inputs + 1) * outputs;
    l->params = calloc(l->num_params, sizeof(float));
    l->gradient = calloc(l->num_params, sizeof(float));
    l->velocity = calloc(l->num_params, sizeof(float));
    if (l->params == NULL || l->gradient == NULL || l->velocity == NULL)
        return 0;
    const float reach = sqrtf(6.0f / (float)inputs); /* He's rule for ReLU, uniform */
    for (size_t i = 0; i < (size_t)inputs * outputs; i++)
        l->params[i] = reach * ((float)(next_random(random) >> 40) * 0x1p-23f - 1.0f);
    return 1;
}

static void layer_free(struct layer *l) {
    free(l->params);
    free(l->gradient);
    free(l->velocity);
}

struct mlp *mlp_new(uint32_t inputs, uint32_t classes, float input_scale, uint64_t seed) {
    struct mlp *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->input_scale = input_scale;
    m->scores = calloc(classes, sizeof(float));
    if (m->scores == NULL || !layer_init(&m->hidden, inputs, MLP_HIDDEN, &seed) ||
        !layer_init(&m->top, MLP_HIDDEN, classes, &seed)) {
        mlp_free(m);
        return NULL;
    }
    return m;
}

void mlp_free(struct mlp *m) {
    if (m == NULL)
        return;
    layer_free(&m->hidden);
    layer_free(&m->top);
    free(m->scores);
    free(m);
}

float *mlp_params(struct mlp *m, int layer, size_t *num_params) {
    const struct layer *l = layer == 0 ? &m->hidden : &m->top;
    *num_params = l->num_params;
    return l->params;
}

/* One sample through the hidden layer. */
static void hidden_forward(const struct mlp *m, const float *restrict x, float *restrict hidden) {
    const struct layer *l = &m->hidden;
    const float *restrict bias = l->params + (size_t)l->inputs * MLP_HIDDEN;
    memcpy(hidden, bias, MLP_HIDDEN * sizeof(float));
    for (uint32_t i = 0; i < l->inputs; i++) {
        if (x[i] == 0.0f)
            continue;
        const float value = x[i] * m->input_scale;
        const float *restrict w = l->params + (size_t)i * MLP_HIDDEN;
        for (uint32_t h = 0; h < MLP_HIDDEN; h++)
            hidden[h] += value * w[h];
    }
    for (uint32_t h = 0; h < MLP_HIDDEN; h++)
        hidden[h] = hidden[h] > 0.0f ? hidden[h] : 0.0f;
}

/* Scores become probabilities; adds the sample to the result. */
static void softmax(float *restrict scores, uint32_t classes, int64_t label,
                    struct mlp_result *result) {
    uint32_t best = 0;
    for (uint32_t c = 1; c < classes; c++)
        best = scores[c] > scores[best] ? c : best;
    const float highest = scores[best];
    float sum = 0.0f;
    for (uint32_t c = 0; c < classes; c++) {
        scores[c] = expf(scores[c] - highest);
        sum += scores[c];
    }
    for (uint32_t c = 0; c < classes; c++)
        scores[c] /= sum;
    result->loss -= log((double)scores[label] + 1e-12);
    result->correct += best == (uint64_t)label;
}

static void top_forward(struct mlp *m, const float *restrict hidden) {
    const struct layer *l = &m->top;
    float *restrict scores = m->scores;
    memcpy(scores, l->params + (size_t)l->inputs * l->outputs, l->outputs * sizeof(float));
    for (uint32_t h = 0; h < MLP_HIDDEN; h++)
        for (uint32_t c = 0; c < l->outputs; c++)
            scores[c] += hidden[h] * l->params[(size_t)h * l->outputs + c];
}

/* Gradient of one sample; scores hold its probabilities. */
static void backward(struct mlp *m, const float *restrict x, const float *restrict hidden,
                     int64_t label) {
    const uint32_t classes = m->top.outputs;
    float *restrict error = m->scores;
    error[label] -= 1.0f;

    float hidden_error[MLP_HIDDEN];
    float *restrict top = m->top.gradient;
    for (uint32_t h = 0; h < MLP_HIDDEN; h++) {
        const float *w = m->top.params + (size_t)h * classes;
        float sum = 0.0f;
        for (uint32_t c = 0; c < classes; c++) {
            sum += w[c] * error[c];
            top[(size_t)h * classes + c] += hidden[h] * error[c];
        }
        hidden_error[h] = hidden[h] > 0.0f ? sum : 0.0f;
    }
    for (uint32_t c = 0; c < classes; c++)
        top[(size_t)MLP_HIDDEN * classes + c] += error[c];

    float *restrict low = m->hidden.gradient;
    for (uint32_t i = 0; i < m->hidden.inputs; i++) {
        if (x[i] == 0.0f)
            continue;
        const float value = x[i] * m->input_scale;
        for (uint32_t h = 0; h < MLP_HIDDEN; h++)
            low[(size_t)i * MLP_HIDDEN + h] += value * hidden_error[h];
    }
    for (uint32_t h = 0; h < MLP_HIDDEN; h++)
        low[(size_t)m->hidden.inputs * MLP_HIDDEN + h] += hidden_error[h];
}

static void layer_step(struct layer *l, float rate) {
    float *restrict params = l->params, *restrict gradient = l->gradient;
    float *restrict velocity = l->velocity;
    for (size_t i = 0; i < l->num_params; i++) {
        velocity[i] = MLP_MOMENTUM * velocity[i] - rate * gradient[i];
        params[i] += velocity[i];
        gradient[i] = 0.0f;
    }
}

static struct mlp_result samples_run(struct mlp *m, const float *x, const int64_t *labels,
                                     uint32_t n, int learn) {
    struct mlp_result result = {0};
    float hidden[MLP_HIDDEN];
    for (uint32_t s = 0; s < n; s++) {
        const float *row = x + (size_t)s * m->hidden.inputs;
        hidden_forward(m, row, hidden);
        top_forward(m, hidden);
        softmax(m->scores, m->top.outputs, labels[s], &result);
        if (learn)
            backward(m, row, hidden, labels[s]);
    }
    return result;
}

struct mlp_result mlp_train(struct mlp *m, const float *x, const int64_t *labels, uint32_t n,
                            float rate) {
    const struct mlp_result result = samples_run(m, x, labels, n, 1);
    layer_step(&m->hidden, rate / (float)n);
    layer_step(&m->top, rate / (float)n);
    return result;
}

struct mlp_result mlp_test(struct mlp *m, const float *x, const int64_t *labels, uint32_t n) {
    return samples_run(m, x, labels, n, 0);
}
