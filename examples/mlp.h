/*
 * A small multi-layer perceptron for classification: inputs -> 64 (ReLU) -> classes (softmax),
 * trained by stochastic gradient descent with momentum. Plain float32 loops that a compiler turns
 * into vector code; no BLAS, no threads.
 */
#ifndef MLP_H
#define MLP_H

#include <stddef.h>
#include <stdint.h>

#define MLP_HIDDEN   64
#define MLP_MOMENTUM 0.9f

struct mlp;

/*
 * A network with random weights from seed. Each input is multiplied by input_scale on its way in.
 * NULL: out of memory.
 */
struct mlp *mlp_new(uint32_t inputs, uint32_t classes, float input_scale, uint64_t seed);
void mlp_free(struct mlp *m); /* NULL is fine */

/*
 * The parameters of a layer, 0 the hidden one, 1 the one on top of it: inputs x outputs weights,
 * then outputs biases. They are the network's, and may be written to.
 */
float *mlp_params(struct mlp *m, int layer, size_t *num_params);

struct mlp_result {
    double loss;      /* cross-entropy, summed over the samples */
    uint32_t correct; /* samples whose most likely class is the label */
};

/*
 * One step on n samples: x has n rows of inputs, labels are 0 .. classes - 1. The result is that of
 * the weights before the step.
 */
struct mlp_result mlp_train(struct mlp *m, const float *x, const int64_t *labels, uint32_t n,
                            float rate);

/* The same, without learning. */
struct mlp_result mlp_test(struct mlp *m, const float *x, const int64_t *labels, uint32_t n);

#endif
