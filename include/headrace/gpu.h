/*
 * Batches on a GPU. A loader with hr_loader_options.device delivers pointers to the GPU's memory;
 * the next batches are uploaded meanwhile. docs/gpu.md is the manual.
 *
 * Streams are what the CUDA runtime calls so: `stream` is a cudaStream_t; NULL is the legacy
 * default stream, cudaStreamPerThread that of the calling thread. No CUDA header is needed. As with
 * any call of CUDA's, the calling thread's current device should be the one that the stream is on:
 * a thread that has used no GPU yet gets a context on its current one.
 *
 *     while ((st = hr_loader_next(loader, -1, &batch, &err)) == HR_OK) {
 *         hr_batch_wait_on(batch, stream, &err);     // the stream waits for the upload, the host
 *         ...                                        // does not; work on the stream
 *         hr_batch_release_on(batch, stream, &err);  // the memory is used again when the stream
 *     }                                              // has come this far
 */
#ifndef HEADRACE_GPU_H
#define HEADRACE_GPU_H

#include "loader.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where the batch is: HR_DEVICE_HOST or HR_DEVICE_CUDA(...). Threads: any. @since 0.1 */
HR_API uint32_t hr_batch_device(const hr_batch *batch);

/**
 * Make a stream wait until the batch is uploaded. Call it for each stream that reads the batch,
 * before the work that reads it is put on the stream. The host does not wait. On a batch in host
 * memory: does nothing.
 * @return HR_OK; HR_ERR_INVALID (no stream of the batch's GPU); HR_ERR_DEVICE (a call of CUDA's
 *         failed, or the work of a kernel before it); HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_batch_wait_on(hr_batch *batch, void *stream, hr_error *err);

/**
 * Give a batch back when the work that is on the stream by now is done; its memory is used again
 * then. The host does not wait, and the batch is no longer the caller's. Work on other streams must
 * be ordered before `stream` by the caller. On a batch in host memory: hr_batch_release().
 * @return HR_OK; or the batch is still the caller's: HR_ERR_INVALID (no stream of the batch's GPU),
 *         HR_ERR_DEVICE, HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_batch_release_on(hr_batch *batch, void *stream, hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
