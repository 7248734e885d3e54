/*
 * Logistic regression for several classes, trained by plain stochastic gradient descent: the
 * convex counterpart of examples/mlp.h, with the same contract.
 */
#ifndef HEADRACE_BENCH_SOFTMAX_REGRESSION_H
#define HEADRACE_BENCH_SOFTMAX_REGRESSION_H

#include <stdint.h>

struct softmax_regression;

/* Weights of zero. NULL: out of memory. */
struct softmax_regression *softmax_regression_new(uint32_t inputs, uint32_t classes);
void softmax_regression_free(struct softmax_regression *m); /* NULL is fine */

/* One step on n samples: x has n rows of inputs, labels are 0 .. classes - 1. */
void softmax_regression_train(struct softmax_regression *m, const float *x, const int64_t *labels,
                              uint32_t n, float rate);

/* Samples whose most likely class is the label. */
uint32_t softmax_regression_test(struct softmax_regression *m, const float *x,
                                 const int64_t *labels, uint32_t n);

#endif
