/*
 * Batches as DLPack tensors, which NumPy, PyTorch, JAX, TensorFlow and CuPy take without a copy.
 * The structs are those of DLPack's own dlpack.h; no header of it is needed to pass them on.
 *
 * A tensor holds its batch: the memory is not used again before the consumer has called the
 * tensor's deleter, also when hr_batch_release() and hr_loader_close() come first. Until then the
 * batch counts among those that are held (max_held_batches).
 */
#ifndef HEADRACE_DLPACK_H
#define HEADRACE_DLPACK_H

#include "loader.h"

#ifdef __cplusplus
extern "C" {
#endif

struct DLManagedTensor;          /**< of DLPack before version 1: capsules named "dltensor" */
struct DLManagedTensorVersioned; /**< of DLPack 1: capsules named "dltensor_versioned" */

/** Streams of hr_batch_dlpack(), as Python's __dlpack__(stream=...) has them for CUDA; any other
 * value is a cudaStream_t, which must live until the deleter has returned. */
#define HR_DLPACK_STREAM_NONE       (-1) /**< nothing is ordered */
#define HR_DLPACK_STREAM_DEFAULT    0    /**< none given: the legacy default stream */
#define HR_DLPACK_STREAM_LEGACY     1    /**< the legacy default stream of the batch's GPU */
#define HR_DLPACK_STREAM_PER_THREAD 2    /**< that of the calling thread, on its current GPU */

/**
 * Export a field of a batch that the caller holds. In host memory `stream` must be
 * HR_DLPACK_STREAM_DEFAULT or HR_DLPACK_STREAM_NONE. On a GPU:
 *
 * - The stream waits for the upload, as by hr_batch_wait_on(); the host does not wait. With
 *   HR_DLPACK_STREAM_NONE the caller orders its work behind the upload (hr_batch_wait_on()).
 * - The deleter gives the memory back when the work is done that is on the stream by then; for
 *   streams that are named by a number above, what is on any stream that the legacy default stream
 *   waits for. Only after hr_loader_close() it may block: the last deleter of a loader waits for
 *   the GPU's work, and frees the memory.
 * - Work on other streams, those made non-blocking too, needs hr_batch_release_on() besides,
 *   which may come before the deleter or after it.
 * - A thread's current GPU may be another one, but for HR_DLPACK_STREAM_PER_THREAD: this call and
 *   the deleter then do their work in a thread of their own, and make no context there.
 *
 * @param field  index into the fields the loader delivers
 * @param out    the tensor on HR_OK, else NULL: shape (num_samples, *field.shape), C order with
 *               explicit strides, writable, DLPack 1.0; data is NULL where there are no elements.
 *               It is the receiver's, who calls its deleter once: from any thread, without the lock
 *               of Python, while hr_loader_close() runs in another thread or long after it, and
 *               while the process ends. In a forked child the deleter does nothing
 * @return HR_OK, HR_ERR_INVALID (no such field, no stream of the batch's GPU, the batch was
 *         released), HR_ERR_UNSUPPORTED (a type that DLPack does not have: text and bytes),
 *         HR_ERR_NO_MEMORY, HR_ERR_DEVICE, HR_ERR_FORKED
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_batch_dlpack(hr_batch *batch, uint32_t field, int64_t stream,
                                              struct DLManagedTensorVersioned **out, hr_error *err);

/**
 * hr_batch_dlpack() for consumers of DLPack before version 1.
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_batch_dlpack_legacy(hr_batch *batch, uint32_t field,
                                                     int64_t stream, struct DLManagedTensor **out,
                                                     hr_error *err);

/**
 * Call a tensor's deleter; NULL is fine.
 * Threads: any. Fork: does nothing in a child. @since 0.1
 */
HR_API void hr_dlpack_delete(struct DLManagedTensorVersioned *tensor);

/**
 * hr_dlpack_delete() for consumers of DLPack before version 1.
 * Threads: any. Fork: does nothing in a child. @since 0.1
 */
HR_API void hr_dlpack_delete_legacy(struct DLManagedTensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
