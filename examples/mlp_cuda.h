/*
 * The perceptron of mlp.h on a GPU: the same sums in the same order, so that it learns alike. All
 * of it is work on a stream; the host waits where it says so.
 */
#ifndef MLP_CUDA_H
#define MLP_CUDA_H

#include "mlp.h"

#include <headrace/types.h>

struct mlp_cuda;

/* A network with the weights of m, for batches of at most `samples`. NULL: a message was printed.
 */
struct mlp_cuda *mlp_cuda_new(struct mlp *m, uint32_t inputs, uint32_t classes, float input_scale,
                              uint32_t samples);
void mlp_cuda_free(struct mlp_cuda *m); /* NULL is fine */

/* What the steps since the last mlp_cuda_collect() have met. */
struct mlp_cuda_result {
    double loss;                 /* cross-entropy, summed over the samples */
    unsigned long long correct;  /* samples whose most likely class is the label */
    unsigned long long no_class; /* samples whose label is none of the classes: left out */
};

/* A step on n samples: x has n rows of inputs, labels are of an integer type; both are on the GPU.
 * 0: on the stream (a cudaStream_t); -1: a message was printed. */
int mlp_cuda_train(struct mlp_cuda *m, const float *x, hr_dtype label_dtype, const void *labels,
                   uint32_t n, float rate, void *stream);

/* Waits for the stream; copies the weights to `weights`. 0: done; -1: a message was printed. */
int mlp_cuda_collect(struct mlp_cuda *m, void *stream, struct mlp *weights,
                     struct mlp_cuda_result *out);

#endif
