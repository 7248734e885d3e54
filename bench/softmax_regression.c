#include "softmax_regression.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct softmax_regression {
    uint32_t inputs, classes;
    float *weights;  /* inputs x classes, then classes biases */
    float *gradient; /* the same */
    float *scores;   /* of one sample */
};

struct softmax_regression *softmax_regression_new(uint32_t inputs, uint32_t classes) {
    struct softmax_regression *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->inputs = inputs;
    m->classes = classes;
    m->weights = calloc(((size_t)inputs + 1) * classes, sizeof(float));
    m->gradient = calloc(((size_t)inputs + 1) * classes, sizeof(float));
    m->scores = calloc(classes, sizeof(float));
    if (m->weights != NULL && m->gradient != NULL && m->scores != NULL)
        return m;
    softmax_regression_free(m);
    return NULL;
}

void softmax_regression_free(struct softmax_regression *m) {
    if (m == NULL)
        return;
    free(m->weights);
    free(m->gradient);
    free(m->scores);
    free(m);
}

/* Scores of a sample; the class with the highest. */
static uint32_t forward(struct softmax_regression *m, const float *restrict x) {
    const uint32_t classes = m->classes;
    float *restrict scores = m->scores;
    memcpy(scores, m->weights + (size_t)m->inputs * classes, classes * sizeof(float));
    for (uint32_t i = 0; i < m->inputs; i++) {
        if (x[i] == 0.0f)
            continue;
        const float *restrict w = m->weights + (size_t)i * classes;
        for (uint32_t c = 0; c < classes; c++)
            scores[c] += x[i] * w[c];
    }
    uint32_t best = 0;
    for (uint32_t c = 1; c < classes; c++)
        best = scores[c] > scores[best] ? c : best;
    return best;
}

/* Scores become probabilities less what they should be; their gradient is added. */
static void backward(struct softmax_regression *m, const float *restrict x, uint32_t best,
                     int64_t label) {
    const uint32_t classes = m->classes;
    float *restrict error = m->scores, *restrict gradient = m->gradient, sum = 0.0f;
    const float highest = error[best];
    for (uint32_t c = 0; c < classes; c++)
        sum += error[c] = expf(error[c] - highest);
    for (uint32_t c = 0; c < classes; c++)
        error[c] = error[c] / sum - (c == label ? 1.0f : 0.0f);
    for (uint32_t i = 0; i < m->inputs; i++) {
        if (x[i] == 0.0f)
            continue;
        for (uint32_t c = 0; c < classes; c++)
            gradient[(size_t)i * classes + c] += x[i] * error[c];
    }
    for (uint32_t c = 0; c < classes; c++)
        gradient[(size_t)m->inputs * classes + c] += error[c];
}

void softmax_regression_train(struct softmax_regression *m, const float *x, const int64_t *labels,
                              uint32_t n, float rate) {
    for (uint32_t s = 0; s < n; s++) {
        const float *row = x + (size_t)s * m->inputs;
        backward(m, row, forward(m, row), labels[s]);
    }
    const float step = rate / (float)n;
    for (size_t i = 0; i < ((size_t)m->inputs + 1) * m->classes; i++) {
        m->weights[i] -= step * m->gradient[i];
        m->gradient[i] = 0.0f;
    }
}

uint32_t softmax_regression_test(struct softmax_regression *m, const float *x,
                                 const int64_t *labels, uint32_t n) {
    uint32_t correct = 0;
    for (uint32_t s = 0; s < n; s++)
        correct += forward(m, x + (size_t)s * m->inputs) == labels[s];
    return correct;
}
