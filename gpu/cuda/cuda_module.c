/*
 * The CUDA module: the calls of gpu_module.h by the CUDA runtime. It is a library of its own, with
 * the runtime linked into it, so that nothing else needs CUDA.
 */
#include "cuda_ranges.h"
#include "error.h"
#include "gpu_module.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gpu {
    int device;
    cudaStream_t uploads;
    void *ranges; /* NULL: no tool looks on */
};

/* ---- errors ---- */

/* Errors after which no call of this process works any more: a kernel failed. */
static bool is_sticky(cudaError_t e) {
    switch (e) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorECCUncorrectable:
        return true;
    default:
        return false;
    }
}

static hr_status failed(hr_error *err, cudaError_t e, const char *what) {
    (void)cudaGetLastError(); /* not left behind for the caller to find */
    if (is_sticky(e))
        return hr__error_set(err, HR_ERR_DEVICE,
                             "%s failed: %s (%s); a kernel that ran before has failed, and this "
                             "process cannot use the GPU any more: find it with compute-sanitizer",
                             what, cudaGetErrorString(e), cudaGetErrorName(e));
    return hr__error_set(err, e == cudaErrorMemoryAllocation ? HR_ERR_DEVICE_MEMORY : HR_ERR_DEVICE,
                         "%s failed: %s (%s)", what, cudaGetErrorString(e), cudaGetErrorName(e));
}

static hr_status result(hr_error *err, cudaError_t e, const char *what) {
    return e == cudaSuccess ? HR_OK : failed(err, e, what);
}

#define MAJOR(version) ((version) / 1000)
#define MINOR(version) ((version) % 1000 / 10)

static hr_status check_driver(cudaError_t e, hr_error *err) {
    int driver = 0, runtime = 0;
    cudaError_t asked = cudaDriverGetVersion(&driver);
    if (asked == cudaSuccess)
        asked = cudaRuntimeGetVersion(&runtime);
    if (asked != cudaSuccess)
        return failed(err, asked, "asking for the version of the driver");
    if (driver == 0)
        return hr__error_set(err, HR_ERR_NO_DRIVER,
                             "no NVIDIA driver is loaded (Headrace's CUDA module has CUDA %d.%d); "
                             "install one, or in a container pass the GPU through (--gpus all)",
                             MAJOR(runtime), MINOR(runtime));
    if (e == cudaErrorInsufficientDriver || e == cudaErrorSystemDriverMismatch ||
        e == cudaErrorCompatNotSupportedOnDevice)
        return hr__error_set(err, HR_ERR_DRIVER_TOO_OLD,
                             "the NVIDIA driver supports CUDA up to %d.%d, and Headrace's CUDA "
                             "module was built with %d.%d (%s); update the driver, or build the "
                             "module with an older toolkit",
                             MAJOR(driver), MINOR(driver), MAJOR(runtime), MINOR(runtime),
                             cudaGetErrorName(e));
    return HR_OK;
}

static hr_status check_device(uint32_t index, hr_error *err) {
    int count = 0;
    cudaError_t e = cudaGetDeviceCount(&count);
    hr_status st = check_driver(e, err);
    if (e != cudaSuccess)
        (void)cudaGetLastError();
    if (st != HR_OK)
        return st;
    if (e != cudaSuccess && e != cudaErrorNoDevice)
        return failed(err, e, "counting the GPUs");
    if (index >= (uint32_t)count)
        return hr__error_set(err, HR_ERR_NO_DEVICE,
                             "GPU %u was asked for, and this process sees %d; look at nvidia-smi "
                             "and CUDA_VISIBLE_DEVICES",
                             index, count);
    return HR_OK;
}

/* ---- by threads of the library ---- */

/* The device's context is made here, if nobody has made it. */
static cudaError_t device_start(struct gpu *g, struct hr__gpu_info *info) {
    struct cudaDeviceProp properties;
    size_t free_bytes = 0, total_bytes = 0;
    cudaError_t e = cudaSetDevice(g->device);
    if (e == cudaSuccess)
        e = cudaFree(NULL);
    if (e == cudaSuccess)
        e = cudaGetDeviceProperties(&properties, g->device);
    if (e == cudaSuccess)
        e = cudaMemGetInfo(&free_bytes, &total_bytes);
    if (e == cudaSuccess)
        e = cudaStreamCreateWithFlags(&g->uploads, cudaStreamNonBlocking);
    if (e != cudaSuccess)
        return e;
    snprintf(info->name, sizeof(info->name), "%.63s", properties.name);
    if (cudaDeviceGetPCIBusId(info->pci, sizeof(info->pci), g->device) != cudaSuccess)
        info->pci[0] = '\0';
    info->total_bytes = total_bytes;
    info->free_bytes = free_bytes;
    return cudaSuccess;
}

static void cuda_close(void *gpu) {
    struct gpu *g = gpu;
    if (g == NULL)
        return;
    if (g->uploads != NULL)
        (void)cudaStreamDestroy(g->uploads);
    hr__cuda_ranges_close(g->ranges);
    free(g);
}

static hr_status cuda_open(uint32_t index, void **gpu, struct hr__gpu_info *info, hr_error *err) {
    *gpu = NULL;
    memset(info, 0, sizeof(*info));
    hr_status st = check_device(index, err);
    if (st != HR_OK)
        return st;
    struct gpu *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return hr__error_no_memory(err, sizeof(*g), "a GPU");
    g->device = (int)index;
    const cudaError_t e = device_start(g, info);
    if (e != cudaSuccess) {
        cuda_close(g);
        return failed(err, e, "starting the GPU");
    }
    g->ranges = hr__cuda_ranges_open();
    *gpu = g;
    return HR_OK;
}

static void cuda_enter(void *gpu) {
    (void)cudaSetDevice(((struct gpu *)gpu)->device);
}

static hr_status cuda_host_register(void *gpu, void *p, size_t n_bytes, hr_error *err) {
    (void)gpu;
    return result(err, cudaHostRegister(p, n_bytes, cudaHostRegisterDefault),
                  "pinning memory (cudaHostRegister)");
}

static void cuda_host_unregister(void *gpu, void *p) {
    (void)gpu;
    (void)cudaHostUnregister(p);
}

static hr_status cuda_memory_alloc(void *gpu, size_t n_bytes, void **out, hr_error *err) {
    (void)gpu;
    *out = NULL;
    return result(err, cudaMalloc(out, n_bytes), "allocating memory of the GPU (cudaMalloc)");
}

/* cudaMemcpy() of a few bytes may return before they are there, and the stream of uploads does not
 * wait for the default stream, in which they come. */
static hr_status cuda_memory_write(void *gpu, void *dst, const void *src, size_t n_bytes,
                                   hr_error *err) {
    (void)gpu;
    cudaError_t e = cudaMemcpy(dst, src, n_bytes, cudaMemcpyHostToDevice);
    if (e == cudaSuccess)
        e = cudaStreamSynchronize(cudaStreamLegacy);
    return result(err, e, "writing memory of the GPU (cudaMemcpy)");
}

static void cuda_memory_free(void *gpu, void *p) {
    (void)gpu;
    (void)cudaFree(p);
}

static hr_status cuda_event_make(void *gpu, bool timed, void **out, hr_error *err) {
    (void)gpu;
    *out = NULL;
    return result(err,
                  cudaEventCreateWithFlags((cudaEvent_t *)out,
                                           timed ? cudaEventBlockingSync
                                                 : cudaEventDisableTiming | cudaEventBlockingSync),
                  "making an event (cudaEventCreate)");
}

static void cuda_event_free(void *gpu, void *event) {
    (void)gpu;
    if (event != NULL)
        (void)cudaEventDestroy(event);
}

static hr_status cuda_drain(void *gpu, hr_error *err) {
    (void)gpu;
    return result(err, cudaDeviceSynchronize(), "waiting for the GPU (cudaDeviceSynchronize)");
}

static hr_status cuda_upload_copy(void *gpu, void *dst, const void *src, size_t n_bytes,
                                  hr_error *err) {
    const struct gpu *g = gpu;
    return result(err, cudaMemcpyAsync(dst, src, n_bytes, cudaMemcpyHostToDevice, g->uploads),
                  "uploading a batch (cudaMemcpyAsync)");
}

static hr_status cuda_upload_read_back(void *gpu, void *dst, const void *src, size_t n_bytes,
                                       hr_error *err) {
    const struct gpu *g = gpu;
    return result(err, cudaMemcpyAsync(dst, src, n_bytes, cudaMemcpyDeviceToHost, g->uploads),
                  "reading back the check of a batch (cudaMemcpyAsync)");
}

static hr_status cuda_upload_finish(void *gpu, const struct hr__finish *plan, const void *src,
                                    uint64_t num_samples, void *dst, struct hr__finish_bad *bad,
                                    hr_error *err) {
    const struct gpu *g = gpu;
    const cudaError_t e =
        (cudaError_t)hr__finish_launch(plan, src, num_samples, dst, bad, g->uploads);
    if (e == cudaErrorNoKernelImageForDevice)
        return hr__error_set(err, HR_ERR_DEVICE,
                             "finishing a batch failed: Headrace's CUDA module has no kernels for "
                             "GPU %d; build it with HEADRACE_CUDA_ARCHITECTURES for that GPU",
                             g->device);
    return result(err, e, "finishing a batch (its kernel)");
}

/* ---- streams and events ---- */

static hr_status cuda_stream_record(void *gpu, void *stream, void *event, hr_error *err);
static hr_status cuda_stream_await(void *gpu, void *stream, void *event, hr_error *err);

static hr_status cuda_upload_record(void *gpu, void *event, hr_error *err) {
    return cuda_stream_record(gpu, ((struct gpu *)gpu)->uploads, event, err);
}

static hr_status cuda_upload_await(void *gpu, void *event, hr_error *err) {
    return cuda_stream_await(gpu, ((struct gpu *)gpu)->uploads, event, err);
}

static hr_status cuda_event_wait(void *gpu, void *event, hr_error *err) {
    (void)gpu;
    return result(err, cudaEventSynchronize(event), "waiting for an upload (cudaEventSynchronize)");
}

static bool cuda_event_elapsed(void *gpu, void *begin, void *end, int64_t *ns) {
    float ms = 0;
    (void)gpu;
    if (cudaEventElapsedTime(&ms, begin, end) != cudaSuccess) {
        (void)cudaGetLastError();
        return false;
    }
    *ns = (int64_t)((double)ms * 1e6);
    return true;
}

/* What goes wrong here goes wrong again in the next call, which says so. */
static bool cuda_is_current(void *gpu) {
    int current = -1;
    if (cudaGetDevice(&current) == cudaSuccess)
        return current == ((struct gpu *)gpu)->device;
    (void)cudaGetLastError();
    return true;
}

/* The default streams' handles mean those of the calling thread's current device. */
static hr_status check_stream(const struct gpu *g, cudaStream_t stream, hr_error *err) {
    int current = -1;
    if (stream != NULL && stream != cudaStreamLegacy && stream != cudaStreamPerThread)
        return HR_OK;
    const cudaError_t e = cudaGetDevice(&current);
    if (e != cudaSuccess)
        return failed(err, e, "asking for the current GPU (cudaGetDevice)");
    if (current != g->device)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the default stream was given, which in this thread is that of GPU "
                             "%d, and the batch is on GPU %d; call cudaSetDevice(%d) first, or "
                             "give a stream of that GPU",
                             current, g->device, g->device);
    return HR_OK;
}

static hr_status stream_result(const struct gpu *g, cudaError_t e, const char *what,
                               hr_error *err) {
    if (e != cudaErrorInvalidResourceHandle)
        return result(err, e, what);
    (void)cudaGetLastError();
    return hr__error_set(err, HR_ERR_INVALID,
                         "%s failed: the handle is no stream of GPU %d, where the batch is", what,
                         g->device);
}

static hr_status cuda_stream_record(void *gpu, void *stream, void *event, hr_error *err) {
    const hr_status st = check_stream(gpu, stream, err);
    return st != HR_OK ? st
                       : stream_result(gpu, cudaEventRecord(event, stream),
                                       "recording an event (cudaEventRecord)", err);
}

static hr_status cuda_stream_await(void *gpu, void *stream, void *event, hr_error *err) {
    const hr_status st = check_stream(gpu, stream, err);
    return st != HR_OK ? st
                       : stream_result(gpu, cudaStreamWaitEvent(stream, event, 0),
                                       "ordering a stream (cudaStreamWaitEvent)", err);
}

/* ---- ranges ---- */

static bool cuda_ranges_wanted(void *gpu) {
    return ((const struct gpu *)gpu)->ranges != NULL;
}

static void cuda_range_begin(void *gpu, const char *name) {
    hr__cuda_range_begin(((const struct gpu *)gpu)->ranges, name);
}

static void cuda_range_end(void *gpu) {
    hr__cuda_range_end(((const struct gpu *)gpu)->ranges);
}

static const struct hr__gpu_ops cuda_ops = {
    .open = cuda_open,
    .enter = cuda_enter,
    .close = cuda_close,
    .host_register = cuda_host_register,
    .host_unregister = cuda_host_unregister,
    .memory_alloc = cuda_memory_alloc,
    .memory_write = cuda_memory_write,
    .memory_free = cuda_memory_free,
    .event_make = cuda_event_make,
    .event_free = cuda_event_free,
    .drain = cuda_drain,
    .upload_copy = cuda_upload_copy,
    .upload_read_back = cuda_upload_read_back,
    .upload_finish = cuda_upload_finish,
    .upload_record = cuda_upload_record,
    .upload_await = cuda_upload_await,
    .event_wait = cuda_event_wait,
    .event_elapsed = cuda_event_elapsed,
    .is_current = cuda_is_current,
    .stream_record = cuda_stream_record,
    .stream_await = cuda_stream_await,
    .ranges_wanted = cuda_ranges_wanted,
    .range_begin = cuda_range_begin,
    .range_end = cuda_range_end,
};

__attribute__((visibility("default"))) hr__gpu_module_fn headrace_gpu_module;

const struct hr__gpu_ops *headrace_gpu_module(uint32_t abi) {
    return abi == HR__GPU_ABI ? &cuda_ops : NULL;
}
