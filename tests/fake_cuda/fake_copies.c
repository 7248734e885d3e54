/*
 * Copies and memsets.
 */
#include "fake_state.h"

#include <stdlib.h>
#include <string.h>

static const char *const copy_names[] = {"host-to-host copy", "host-to-device copy",
                                         "device-to-host copy", "device-to-device copy"};

static enum cudaMemcpyKind kind_of(uintptr_t dst, uintptr_t src) {
    if (fake__is_device_address(dst))
        return fake__is_device_address(src) ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice;
    return fake__is_device_address(src) ? cudaMemcpyDeviceToHost : cudaMemcpyHostToHost;
}

static struct fake_op *new_op(enum fake_op_kind kind, const char *name, size_t num_accesses) {
    struct fake_op *op = calloc(1, sizeof *op);
    struct fake_access *accesses = calloc(num_accesses, sizeof *accesses);
    if (op == NULL || accesses == NULL)
        abort();
    op->kind = kind;
    op->name = name;
    op->accesses = accesses;
    return op;
}

static void add_access(struct fake_op *op, uintptr_t begin, size_t n_bytes, bool writes) {
    op->accesses[op->num_accesses++] =
        (struct fake_access){.begin = begin, .end = begin + n_bytes, .writes = writes};
}

static struct fake_op *new_copy(uintptr_t dst, uintptr_t src, size_t n_bytes, const char *name) {
    struct fake_op *op = new_op(FAKE_COPY, name, 2);
    op->dst = dst;
    op->src = src;
    op->n_bytes = n_bytes;
    return op;
}

static void report_pageable(uintptr_t host, size_t n_bytes, const char *name) {
    if (!fake__m.pageable)
        fake__violation("asynchronous %s of %zu bytes at host address 0x%llx, which is not "
                        "registered",
                        name, n_bytes, (unsigned long long)host);
}

/* Rule 9. */
static void stage(struct fake_op *op, int stream) {
    if (fake__random() % 2 == 0) {
        struct fake_clock contents;
        fake__stream_contents(stream, &contents);
        fake__run_until(&contents);
    }
    op->staged = malloc(op->n_bytes);
    if (op->staged == NULL)
        abort();
    memcpy(op->staged, (const void *)op->src, op->n_bytes);
}

static void enqueue_and_wait(struct fake_op *op, int stream) {
    fake__enqueue(op, stream);
    const struct fake_clock done = op->after; /* the operation is freed once it ran */
    fake__run_until(&done);
    fake__host_learns(&done);
}

/* asynchronous: the caller goes on before the copy is done, if host memory allows it. */
static void upload(struct fake_op *op, int stream, bool asynchronous) {
    add_access(op, op->dst, op->n_bytes, true);
    if (!fake__is_registered(op->src, op->n_bytes)) {
        if (asynchronous)
            report_pageable(op->src, op->n_bytes, op->name);
        stage(op, stream);
        fake__enqueue(op, stream);
        return;
    }
    add_access(op, op->src, op->n_bytes, false);
    if (asynchronous) {
        fake__enqueue(op, stream);
        fake__watch(op, op->src, op->n_bytes);
    } else {
        enqueue_and_wait(op, stream);
    }
}

static void download(struct fake_op *op, int stream, bool asynchronous) {
    const bool registered = fake__is_registered(op->dst, op->n_bytes);
    if (asynchronous && !registered)
        report_pageable(op->dst, op->n_bytes, op->name);
    add_access(op, op->src, op->n_bytes, false);
    add_access(op, op->dst, op->n_bytes, true);
    if (fake__access_pending(op->dst, op->dst + op->n_bytes) == NULL)
        memset((void *)op->dst, FAKE_GARBAGE, op->n_bytes); /* for a host that reads too early */
    if (asynchronous && registered)
        fake__enqueue(op, stream);
    else
        enqueue_and_wait(op, stream);
}

static void move_on_device(struct fake_op *op, int stream) {
    add_access(op, op->src, op->n_bytes, false);
    add_access(op, op->dst, op->n_bytes, true);
    fake__enqueue(op, stream);
}

static cudaError_t copy(uintptr_t dst, uintptr_t src, size_t n_bytes, enum cudaMemcpyKind said,
                        int stream, bool asynchronous) {
    if (n_bytes == 0)
        return cudaSuccess;
    const enum cudaMemcpyKind kind = kind_of(dst, src);
    const int device = fake__m.streams[stream].device;
    if ((said != cudaMemcpyDefault && said != kind) || kind == cudaMemcpyHostToHost) {
        fake__violation("a %s that is really a %s", said < 4 ? copy_names[said] : "default copy",
                        copy_names[kind]);
        return cudaErrorInvalidValue;
    }
    if (!fake__is_usable(dst, n_bytes, device, copy_names[kind]) ||
        !fake__is_usable(src, n_bytes, device, copy_names[kind]))
        return cudaErrorInvalidValue;
    struct fake_op *op = new_copy(dst, src, n_bytes, copy_names[kind]);
    if (kind == cudaMemcpyHostToDevice)
        upload(op, stream, asynchronous);
    else if (kind == cudaMemcpyDeviceToHost)
        download(op, stream, asynchronous);
    else
        move_on_device(op, stream);
    return cudaSuccess;
}

static void check_legacy_in_steady(int stream, const char *call) {
    if (fake__m.streams[stream].kind == FAKE_LEGACY)
        fake__forbid_in_steady(call, "in the legacy stream it makes all blocking streams wait");
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaMemcpyAsync", FAKE_WORK))
        return fake__leave(&call);
    const int i = fake__stream_of(stream, "cudaMemcpyAsync");
    if (i < 0) {
        call.error = cudaErrorInvalidResourceHandle;
    } else {
        check_legacy_in_steady(i, "cudaMemcpyAsync");
        call.error = copy((uintptr_t)dst, (uintptr_t)src, count, kind, i, true);
    }
    return fake__leave(&call);
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaMemcpy", FAKE_WORK | FAKE_NOT_STEADY))
        return fake__leave(&call);
    const int i = fake__stream_of(cudaStreamLegacy, "cudaMemcpy");
    call.error = i < 0 ? cudaErrorInvalidResourceHandle
                       : copy((uintptr_t)dst, (uintptr_t)src, count, kind, i, false);
    return fake__leave(&call);
}

static cudaError_t fill(uintptr_t at, int value, size_t n_bytes, int stream) {
    if (n_bytes == 0)
        return cudaSuccess;
    if (!fake__is_device_address(at) ||
        !fake__is_usable(at, n_bytes, fake__m.streams[stream].device, "cudaMemsetAsync"))
        return cudaErrorInvalidValue;
    struct fake_op *op = new_op(FAKE_FILL, "cudaMemsetAsync", 1);
    op->dst = at;
    op->n_bytes = n_bytes;
    op->value = value;
    add_access(op, at, n_bytes, true);
    fake__enqueue(op, stream);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *devPtr, int value, size_t count, cudaStream_t stream) {
    struct fake_call call;
    if (!fake__enter(&call, "cudaMemsetAsync", FAKE_WORK))
        return fake__leave(&call);
    const int i = fake__stream_of(stream, "cudaMemsetAsync");
    if (i < 0) {
        call.error = cudaErrorInvalidResourceHandle;
    } else {
        check_legacy_in_steady(i, "cudaMemsetAsync");
        call.error = fill((uintptr_t)devPtr, value, count, i);
    }
    return fake__leave(&call);
}
