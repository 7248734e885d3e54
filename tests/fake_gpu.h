/*
 * Loaders whose GPU is the stand-in for CUDA (fake_cuda/): a machine, and a consumer whose kernels
 * check every byte of the batches that they get.
 */
#ifndef HEADRACE_FAKE_GPU_H
#define HEADRACE_FAKE_GPU_H

#include "fake_cuda.h"
#include "gpu_module.h"
#include "made_dataset.h"

/* The module over the stand-in. */
const struct hr__gpu_ops *fake_gpu_ops(void);

/* A machine; then a loader on its first GPU, after which the steady phase has begun. */
void fake_gpu_begin(uint64_t seed);
hr_loader *fake_gpu_loader(hr_dataset *ds, const hr_loader_options *o,
                           const struct hr__gpu_ops *ops);
/* The steady phase ends, and the loader is closed. */
void fake_gpu_loader_close(hr_loader *l);
/* The machine ends; the test fails, with all that the stand-in says, if it has complained. */
void fake_gpu_end(void);

/* A user's stream that does not wait for others. */
cudaStream_t fake_gpu_stream(void);
void fake_gpu_stream_destroy(cudaStream_t stream);

/* Puts a kernel on a stream that reads all of a batch of `made` data, on the GPU, and reports what
 * is not as the sample indices say. */
void fake_gpu_check(hr_batch *b, const struct made *m, cudaStream_t stream);

/* An epoch: waits, checks and releases on the stream; how many samples came. */
uint64_t fake_gpu_drain(hr_loader *l, const struct made *m, cudaStream_t stream);

#endif
