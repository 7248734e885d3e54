/*
 * The border between the library and the module that knows CUDA (cuda/cuda_module.c), which is
 * opened when a GPU is asked for: everything that is asked of a GPU.
 *
 * Invariants
 *  1. The library's own work is done by threads of its own, for which the GPU is the current device
 *     (enter): so the current device of the caller's threads is never changed, and no context is
 *     made on another one.
 *  2. Only `open`, `memory_write`, `drain`, `event_wait`, what registers and what allocates may
 *     block.
 *  3. Streams are the caller's, events and memory belong to the GPU they were made on.
 */
#ifndef HEADRACE_GPU_MODULE_H
#define HEADRACE_GPU_MODULE_H

#include "finish.h"
#include "headrace/status.h"

#include <stdbool.h>
#include <stddef.h>

#define HR__GPU_ABI 1u

struct hr__gpu_info {
    char name[64];
    char pci[16];                     /* "0000:3b:00.0"; "": not known */
    uint64_t total_bytes, free_bytes; /* of its memory, when it was opened */
};

struct hr__gpu_ops {
    /* ---- by threads of the library, the first of which calls open, the others enter ---- */

    /* Opens device `index`, and makes the stream of uploads; it may make the process's context,
     * which takes memory. HR_ERR_NO_DRIVER, HR_ERR_DRIVER_TOO_OLD, HR_ERR_NO_DEVICE, HR_ERR_DEVICE.
     */
    hr_status (*open)(uint32_t index, void **gpu, struct hr__gpu_info *info, hr_error *err);
    void (*enter)(void *gpu);
    void (*close)(void *gpu); /* after all that was made; NULL is fine */

    /* Pins n_bytes of the caller's memory, from a page on. */
    hr_status (*host_register)(void *gpu, void *p, size_t n_bytes, hr_error *err);
    void (*host_unregister)(void *gpu, void *p);
    hr_status (*memory_alloc)(void *gpu, size_t n_bytes, void **out, hr_error *err);
    hr_status (*memory_write)(void *gpu, void *dst, const void *src, size_t n_bytes, hr_error *err);
    void (*memory_free)(void *gpu, void *p); /* NULL is fine */
    /* timed: event_elapsed() takes it; others can be waited for without turning a processor. */
    hr_status (*event_make)(void *gpu, bool timed, void **out, hr_error *err);
    void (*event_free)(void *gpu, void *event); /* NULL is fine */
    /* Waits for everything on the device, whoever put it there. */
    hr_status (*drain)(void *gpu, hr_error *err);

    /* On the stream of uploads, in the order of the calls. */
    hr_status (*upload_copy)(void *gpu, void *dst, const void *src, size_t n_bytes, hr_error *err);
    hr_status (*upload_read_back)(void *gpu, void *dst, const void *src, size_t n_bytes,
                                  hr_error *err);
    hr_status (*upload_finish)(void *gpu, const struct hr__finish *plan, const void *src,
                               uint64_t num_samples, void *dst, struct hr__finish_bad *bad,
                               hr_error *err);
    hr_status (*upload_record)(void *gpu, void *event, hr_error *err);
    hr_status (*upload_await)(void *gpu, void *event, hr_error *err);

    /* Blocks until what was before the event is done. */
    hr_status (*event_wait)(void *gpu, void *event, hr_error *err);
    /* From one to the other, which may be before it. False: one of them has not come yet. */
    bool (*event_elapsed)(void *gpu, void *begin, void *end, int64_t *ns);

    /* ---- by any thread ---- */

    /* The GPU is the calling thread's current device. Makes no context. */
    bool (*is_current)(void *gpu);
    /* HR_ERR_INVALID: no stream of this GPU. */
    hr_status (*stream_record)(void *gpu, void *stream, void *event, hr_error *err);
    hr_status (*stream_await)(void *gpu, void *stream, void *event, hr_error *err);
    /* A tool looks on: without one, ranges are not worth their names. */
    bool (*ranges_wanted)(void *gpu);
    /* A named range of the calling thread, for that tool. */
    void (*range_begin)(void *gpu, const char *name);
    void (*range_end)(void *gpu);
};

/* The one symbol of a module: NULL if it does not know that ABI. */
#define HR__GPU_MODULE_SYMBOL "headrace_gpu_module"
typedef const struct hr__gpu_ops *hr__gpu_module_fn(uint32_t abi);

/* The module beside the library, or the one that $HEADRACE_CUDA names. It stays loaded.
 * HR_ERR_NO_DEVICE_MODULE. */
hr_status hr__gpu_module_open(const struct hr__gpu_ops **out, hr_error *err);

#endif
