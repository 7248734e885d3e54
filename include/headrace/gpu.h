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

/**
 * Where the batch is: HR_DEVICE_HOST or HR_DEVICE_CUDA(...).
 * Threads: any. Fork: works. @since 0.1
 */
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

/** Memory of a GPU. */
typedef struct hr_gpu_memory {
    uint32_t struct_bytes;  /**< set by the caller */
    uint32_t index;         /**< as asked for */
    uint64_t total_bytes;   /**< of the GPU */
    uint64_t used_bytes;    /**< by all processes, and by the driver */
    uint64_t free_bytes;    /**< for all */
    uint64_t process_bytes; /**< by this process; UINT64_MAX: not known (in most containers the
                             * driver names processes by numbers that are not known inside) */
    char name[64];          /**< "NVIDIA H100 80GB HBM3" */
} hr_gpu_memory;

/**
 * Ask the driver for a GPU's memory, by NVML (libnvidia-ml.so.1, loaded for the call). Makes no
 * CUDA context and takes no GPU memory. Blocks for some milliseconds where no other process keeps
 * the driver awake.
 *
 * @param index  as nvidia-smi counts: by PCI bus, whatever CUDA_VISIBLE_DEVICES says
 * @param out    struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_NO_DRIVER (no NVML here, or it finds no driver),
 *         HR_ERR_NO_DEVICE (no such GPU), HR_ERR_DEVICE (a call of NVML's failed)
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_gpu_memory_read(uint32_t index, hr_gpu_memory *out, hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
