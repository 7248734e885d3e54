/*
 * The perceptron of mlp.h on a GPU, by kernels that are meant to be read. Every sum has one thread,
 * which adds in the order of mlp.c: so runs do not differ, and the loss is that of the host but for
 * the last digits of exp and log.
 */
extern "C" {
#include "mlp_cuda.h"
}

#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>

namespace {

struct layer {
    uint32_t inputs, outputs;
    size_t num_params; /* inputs x outputs weights, then outputs biases */
    float *params, *velocity;
};

/* What kernels get; all pointers are to memory of the GPU. */
struct network {
    float input_scale;
    layer hidden, top;
    float *hiddens;       /* sample x hidden unit */
    float *hidden_errors; /* likewise */
    float *errors;        /* sample x class: scores, then probabilities, then their errors */
    double *losses;       /* of each sample */
    uint8_t *corrects;    /* likewise */
    mlp_cuda_result *sum;
};

/* ---- kernels ---- */

__device__ int64_t label_at(hr_dtype dtype, const void *labels, uint32_t i) {
    switch (dtype) {
    case HR_INT8:
        return static_cast<const int8_t *>(labels)[i];
    case HR_UINT8:
        return static_cast<const uint8_t *>(labels)[i];
    case HR_INT16:
        return static_cast<const int16_t *>(labels)[i];
    case HR_UINT16:
        return static_cast<const uint16_t *>(labels)[i];
    case HR_INT32:
        return static_cast<const int32_t *>(labels)[i];
    case HR_UINT32:
        return static_cast<const uint32_t *>(labels)[i];
    default:
        return static_cast<const int64_t *>(labels)[i];
    }
}

/* Scores of a sample become the errors of its classes; its loss, and whether it was right. */
__device__ void softmax(const network &net, uint32_t sample, float *scores, int64_t label) {
    const uint32_t classes = net.top.outputs;
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
    net.losses[sample] = log(static_cast<double>(scores[label]) + 1e-12);
    net.corrects[sample] = best == label;
    scores[label] -= 1.0f;
}

/* A sample that cannot be learned from. */
__device__ void leave_out(const network &net, uint32_t sample, float *scores) {
    for (uint32_t c = 0; c < net.top.outputs; c++)
        scores[c] = 0.0f;
    net.losses[sample] = 0.0;
    net.corrects[sample] = 0;
    atomicAdd(&net.sum->no_class, 1ull);
}

/* A block for each sample, a thread for each hidden unit: forward, and the errors back. */
__global__ void forward(const network net, const float *x, hr_dtype label_dtype,
                        const void *labels) {
    __shared__ float hidden[MLP_HIDDEN];
    const uint32_t sample = blockIdx.x, h = threadIdx.x;
    const uint32_t inputs = net.hidden.inputs, classes = net.top.outputs;
    const float *row = x + static_cast<size_t>(sample) * inputs;
    const float *top = net.top.params;
    float *scores = net.errors + static_cast<size_t>(sample) * classes;

    float sum = net.hidden.params[static_cast<size_t>(inputs) * MLP_HIDDEN + h];
    for (uint32_t i = 0; i < inputs; i++)
        sum +=
            row[i] * net.input_scale * net.hidden.params[static_cast<size_t>(i) * MLP_HIDDEN + h];
    hidden[h] = sum > 0.0f ? sum : 0.0f;
    net.hiddens[static_cast<size_t>(sample) * MLP_HIDDEN + h] = hidden[h];
    __syncthreads();

    for (uint32_t c = h; c < classes; c += MLP_HIDDEN) {
        float score = top[static_cast<size_t>(MLP_HIDDEN) * classes + c];
        for (uint32_t k = 0; k < MLP_HIDDEN; k++)
            score += hidden[k] * top[static_cast<size_t>(k) * classes + c];
        scores[c] = score;
    }
    __syncthreads();

    if (h == 0) {
        const int64_t label = label_at(label_dtype, labels, sample);
        if (label >= 0 && label < classes)
            softmax(net, sample, scores, label);
        else
            leave_out(net, sample, scores);
    }
    __syncthreads();

    float back = 0.0f;
    for (uint32_t c = 0; c < classes; c++)
        back += top[static_cast<size_t>(h) * classes + c] * scores[c];
    net.hidden_errors[static_cast<size_t>(sample) * MLP_HIDDEN + h] =
        hidden[h] > 0.0f ? back : 0.0f;
}

__device__ void step(const layer &l, size_t param, float gradient, float rate) {
    l.velocity[param] = MLP_MOMENTUM * l.velocity[param] - rate * gradient;
    l.params[param] += l.velocity[param];
}

/* A block for each input, and one for the biases; a thread for each hidden unit. */
__global__ void step_hidden(const network net, const float *x, uint32_t n, float rate) {
    const uint32_t i = blockIdx.x, h = threadIdx.x, inputs = net.hidden.inputs;
    float gradient = 0.0f;
    for (uint32_t s = 0; s < n; s++) {
        const float in =
            i < inputs ? x[static_cast<size_t>(s) * inputs + i] * net.input_scale : 1.0f;
        gradient += in * net.hidden_errors[static_cast<size_t>(s) * MLP_HIDDEN + h];
    }
    step(net.hidden, static_cast<size_t>(i) * MLP_HIDDEN + h, gradient, rate);
}

/* A block for each hidden unit, and one for the biases; threads take classes. */
__global__ void step_top(const network net, uint32_t n, float rate) {
    const uint32_t h = blockIdx.x, classes = net.top.outputs;
    for (uint32_t c = threadIdx.x; c < classes; c += blockDim.x) {
        float gradient = 0.0f;
        for (uint32_t s = 0; s < n; s++) {
            const float in =
                h < MLP_HIDDEN ? net.hiddens[static_cast<size_t>(s) * MLP_HIDDEN + h] : 1.0f;
            gradient += in * net.errors[static_cast<size_t>(s) * classes + c];
        }
        step(net.top, static_cast<size_t>(h) * classes + c, gradient, rate);
    }
}

/* One thread. */
__global__ void sum_up(const network net, uint32_t n) {
    double loss = 0.0;
    for (uint32_t s = 0; s < n; s++) {
        loss -= net.losses[s];
        net.sum->correct += net.corrects[s];
    }
    net.sum->loss += loss;
}

/* ---- the host ---- */

bool fine(cudaError_t e, const char *what) {
    if (e != cudaSuccess)
        fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(e));
    return e == cudaSuccess;
}

/* Zeros on the GPU. */
template <typename T> bool zeros(T *&out, size_t n) {
    void *memory = NULL;
    if (!fine(cudaMalloc(&memory, n * sizeof(T)), "memory of the GPU for the network"))
        return false;
    out = static_cast<T *>(memory);
    return fine(cudaMemset(memory, 0, n * sizeof(T)), "zeros for the network");
}

bool layer_init(layer &l, struct mlp *m, int number, uint32_t inputs, uint32_t outputs) {
    const float *first = mlp_params(m, number, &l.num_params);
    l.inputs = inputs;
    l.outputs = outputs;
    return zeros(l.params, l.num_params) && zeros(l.velocity, l.num_params) &&
           fine(cudaMemcpy(l.params, first, l.num_params * sizeof(float), cudaMemcpyHostToDevice),
                "the first weights");
}

bool layer_read(const layer &l, struct mlp *m, int number, cudaStream_t stream) {
    size_t num_params;
    float *to = mlp_params(m, number, &num_params);
    return fine(
        cudaMemcpyAsync(to, l.params, num_params * sizeof(float), cudaMemcpyDeviceToHost, stream),
        "reading the weights");
}

} // namespace

struct mlp_cuda {
    network net;
};

struct mlp_cuda *mlp_cuda_new(struct mlp *m, uint32_t inputs, uint32_t classes, float input_scale,
                              uint32_t samples) {
    mlp_cuda *out = static_cast<mlp_cuda *>(calloc(1, sizeof(mlp_cuda)));
    if (out == NULL)
        return NULL;
    network &net = out->net;
    net.input_scale = input_scale;
    if (layer_init(net.hidden, m, 0, inputs, MLP_HIDDEN) &&
        layer_init(net.top, m, 1, MLP_HIDDEN, classes) &&
        zeros(net.hiddens, static_cast<size_t>(samples) * MLP_HIDDEN) &&
        zeros(net.hidden_errors, static_cast<size_t>(samples) * MLP_HIDDEN) &&
        zeros(net.errors, static_cast<size_t>(samples) * classes) && zeros(net.losses, samples) &&
        zeros(net.corrects, samples) && zeros(net.sum, 1) &&
        fine(cudaDeviceSynchronize(), "making the network"))
        return out;
    mlp_cuda_free(out);
    return NULL;
}

void mlp_cuda_free(struct mlp_cuda *m) {
    if (m == NULL)
        return;
    const network &net = m->net;
    void *const all[] = {
        net.hidden.params, net.hidden.velocity, net.top.params, net.top.velocity, net.hiddens,
        net.hidden_errors, net.errors,          net.losses,     net.corrects,     net.sum};
    for (void *memory : all)
        (void)cudaFree(memory);
    free(m);
}

int mlp_cuda_train(struct mlp_cuda *m, const float *x, hr_dtype label_dtype, const void *labels,
                   uint32_t n, float rate, void *stream) {
    cudaStream_t on = static_cast<cudaStream_t>(stream);
    const network &net = m->net;
    const float each = rate / static_cast<float>(n);
    forward<<<n, MLP_HIDDEN, 0, on>>>(net, x, label_dtype, labels);
    step_hidden<<<net.hidden.inputs + 1, MLP_HIDDEN, 0, on>>>(net, x, n, each);
    step_top<<<MLP_HIDDEN + 1, 64, 0, on>>>(net, n, each);
    sum_up<<<1, 1, 0, on>>>(net, n);
    return fine(cudaGetLastError(), "a step") ? 0 : -1;
}

int mlp_cuda_collect(struct mlp_cuda *m, void *stream, struct mlp *weights,
                     struct mlp_cuda_result *out) {
    cudaStream_t on = static_cast<cudaStream_t>(stream);
    const network &net = m->net;
    return layer_read(net.hidden, weights, 0, on) && layer_read(net.top, weights, 1, on) &&
                   fine(cudaMemcpyAsync(out, net.sum, sizeof(*out), cudaMemcpyDeviceToHost, on),
                        "reading the result") &&
                   fine(cudaMemsetAsync(net.sum, 0, sizeof(*out), on), "a new sum") &&
                   fine(cudaStreamSynchronize(on), "the steps")
               ? 0
               : -1;
}
