/*
 * Where batches live. The one interface through which the loader gets its batch ring, so that
 * pinned memory can be put under it without touching the loader.
 */
#ifndef HEADRACE_DEVICE_H
#define HEADRACE_DEVICE_H

#include "headrace/status.h"

#include <stddef.h>

struct hr__device_ops {
    const char *name;
    /* Bytes that a ring of n_bytes really takes: what is charged to the budget. */
    size_t (*ring_bytes)(void *ctx, size_t n_bytes);
    /* Zeroed memory aligned to at least 4,096 bytes, owned by the caller until ring_free. Blocks.
     * HR_ERR_NO_MEMORY. */
    hr_status (*ring_alloc)(void *ctx, size_t n_bytes, void **out, hr_error *err);
    void (*ring_free)(void *ctx, void *ring, size_t n_bytes);
};

struct hr__device {
    const struct hr__device_ops *ops;
    void *ctx;
};

/* Ordinary memory, on huge pages where they can be had. */
extern const struct hr__device hr__host_device;

#endif
