/*
 * Fields of batches as DLPack tensors. Options are a caller's and checked here; shapes come from a
 * file whose footer was checked when it was opened.
 *
 * Invariants
 *  1. A tensor holds its batch (loader_hold.c) from its making until its deleting, and with it the
 * loader: what it lies in, and on a GPU events and the ways to the device, are there at least as
 * long, whatever closes meanwhile (7 and 11 of loader.h).
 *  2. hr__tensor_let_go() is the last that a deleter does.
 *  3. The shape is the tensor's own: nothing in it belongs to the data set, which may be closed
 *     before it.
 */
#include "headrace/dlpack.h"
#include "dlpack_abi.h"
#include "error.h"
#include "loader.h"

#include <stdlib.h>

struct tensor {
    struct hr_batch *batch;
    int64_t stream;
    union {
        struct DLManagedTensor legacy;
        struct DLManagedTensorVersioned versioned;
    } managed;
    int64_t dims[]; /* the shape, then the strides */
};

/* ---- types and shapes ---- */

/* -1: DLPack does not have it. */
static int code_of(hr_dtype t) {
    switch (t) {
    case HR_BOOL:
        return HR__DL_BOOL;
    case HR_INT8:
    case HR_INT16:
    case HR_INT32:
    case HR_INT64:
        return HR__DL_INT;
    case HR_UINT8:
    case HR_UINT16:
    case HR_UINT32:
    case HR_UINT64:
        return HR__DL_UINT;
    case HR_FLOAT16:
    case HR_FLOAT32:
    case HR_FLOAT64:
        return HR__DL_FLOAT;
    case HR_BFLOAT16:
        return HR__DL_BFLOAT;
    case HR_COMPLEX64:
    case HR_COMPLEX128:
        return HR__DL_COMPLEX;
    default:
        return -1;
    }
}

static struct hr__dl_device device_of(const hr_batch *b) {
    const uint32_t device = b->loader->config.device;
    return device == HR_DEVICE_HOST
               ? (struct hr__dl_device){HR__DL_CPU, 0}
               : (struct hr__dl_device){HR__DL_CUDA, (int32_t)(device - HR_DEVICE_CUDA(0))};
}

static void describe(struct tensor *t, const hr_field *f, void *data, struct hr__dl_tensor *out) {
    const uint32_t rank = f->rank + 1;
    int64_t *shape = t->dims, *strides = t->dims + rank;
    uint64_t stride = 1;
    bool empty = t->batch->num_samples == 0;
    shape[0] = t->batch->num_samples;
    for (uint32_t i = 1; i < rank; i++) {
        shape[i] = (int64_t)f->shape[i - 1];
        empty |= shape[i] == 0;
    }
    for (uint32_t i = rank; i-- > 0;) {
        strides[i] = (int64_t)stride; /* without elements it may be anything */
        stride *= (uint64_t)shape[i];
    }
    *out = (struct hr__dl_tensor){
        .data = empty ? NULL : data,
        .device = device_of(t->batch),
        .rank = (int32_t)rank,
        .type = {(uint8_t)code_of(f->dtype), (uint8_t)(8 * hr_dtype_bytes(f->dtype)), 1},
        .shape = shape,
        .strides = strides,
    };
}

/* ---- order on a GPU ---- */

static uint32_t slot_of(const struct tensor *t) {
    return (uint32_t)(t->batch - t->batch->loader->outs);
}

/* A default stream: the legacy one, or one that it waits for. */
static bool is_named(int64_t stream) {
    return stream >= HR_DLPACK_STREAM_NONE && stream <= HR_DLPACK_STREAM_PER_THREAD;
}

/* The stream waits for the upload. */
static hr_status await(void *tensor, hr_error *err) {
    const struct tensor *t = tensor;
    struct hr__upload *u = &t->batch->loader->gpu.upload;
    const int64_t stream =
        t->stream == HR_DLPACK_STREAM_DEFAULT ? HR_DLPACK_STREAM_LEGACY : t->stream;
    return hr__upload_await_on(u, slot_of(t), (void *)(intptr_t)stream, err);
}

/* The next upload into the slot waits for the stream. A thread's own default stream cannot be named
 * from the thread of the deleter; the legacy one waits for all of these. */
static hr_status release(void *tensor, hr_error *err) {
    const struct tensor *t = tensor;
    struct hr__upload *u = &t->batch->loader->gpu.upload;
    const int64_t stream = is_named(t->stream) ? HR_DLPACK_STREAM_LEGACY : t->stream;
    return hr__upload_release_on(u, slot_of(t), (void *)(intptr_t)stream, err);
}

/* The calling thread's current device is the batch's. Elsewhere the legacy stream would be that of
 * another GPU, and any call of CUDA's would make a context on it. */
static bool is_at_home(const struct tensor *t) {
    const struct hr__loader_gpu *g = &t->batch->loader->gpu;
    return g->ops->is_current(g->gpu);
}

static hr_status stream_check(const hr_batch *b, int64_t stream, hr_error *err) {
    const bool on_host = b->loader->gpu.ops == NULL;
    if (on_host && stream != HR_DLPACK_STREAM_DEFAULT && stream != HR_DLPACK_STREAM_NONE)
        return hr__error_set(err, HR_ERR_INVALID,
                             "stream %lld was given for a tensor, and the batch is in host memory, "
                             "which has no streams; give 0 (HR_DLPACK_STREAM_DEFAULT)",
                             (long long)stream);
    if (stream < HR_DLPACK_STREAM_NONE)
        return hr__error_set(err, HR_ERR_INVALID,
                             "stream %lld was given for a tensor, expected a cudaStream_t, or -1 "
                             "to 2 (HR_DLPACK_STREAM_...)",
                             (long long)stream);
    return HR_OK;
}

static hr_status begin(struct tensor *t, hr_error *err) {
    if (t->batch->loader->gpu.ops == NULL || t->stream == HR_DLPACK_STREAM_NONE)
        return HR_OK;
    if (t->stream == HR_DLPACK_STREAM_PER_THREAD || is_at_home(t))
        return await(t, err); /* the first is of this thread and no other */
    return hr__gpu_apart(t->batch->loader, await, t, err);
}

static bool is_closed(struct hr_loader *l) {
    pthread_mutex_lock(&l->lock);
    const bool closed = l->closed;
    pthread_mutex_unlock(&l->lock);
    return closed;
}

/* ---- making and deleting ---- */

/* Its managed tensor is not filled yet. */
static hr_status tensor_make(struct hr_batch *b, uint32_t field, int64_t stream, hr_field *f,
                             struct tensor **out, hr_error *err) {
    hr_status st;
    HR_TRY(hr__loader_check_fork(b->loader, err));
    HR_TRY(stream_check(b, stream, err));
    HR_TRY(hr_batch_field(b, field, f, err));
    if (code_of(f->dtype) < 0)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "field %s: DLPack has no tensors of %s; use hr_batch_data()", f->name,
                             hr_dtype_name(f->dtype));
    const size_t n_bytes = sizeof(struct tensor) + 2 * sizeof(int64_t) * (f->rank + 1);
    struct tensor *t = malloc(n_bytes);
    if (t == NULL)
        return hr__error_no_memory(err, n_bytes, "a tensor");
    t->batch = b;
    t->stream = stream;
    st = hr__tensor_hold(b, err);
    if (st == HR_OK && (st = begin(t, err)) != HR_OK)
        hr__tensor_let_go(b);
    if (st == HR_OK)
        *out = t;
    else
        free(t);
done:
    return st;
}

/* For a deleter: the stream may be gone, or a thread for another GPU not to be had. */
static void release_somehow(struct tensor *t) {
    struct hr_loader *l = t->batch->loader;
    const hr_status st = is_at_home(t) ? release(t, NULL) : hr__gpu_apart(l, release, t, NULL);
    if (st != HR_OK)
        hr__upload_release_unordered(&l->gpu.upload, slot_of(t));
}

/* After the close of the loader, what frees the memory waits for the whole device. */
static void tensor_delete(struct tensor *t) {
    struct hr_batch *b = t->batch;
    if (hr__loader_forked(b->loader))
        return;
    if (b->loader->gpu.ops != NULL && !is_closed(b->loader))
        release_somehow(t);
    free(t);
    hr__tensor_let_go(b);
}

static void delete_versioned(struct DLManagedTensorVersioned *self) {
    tensor_delete(self->owner);
}

static void delete_legacy(struct DLManagedTensor *self) {
    tensor_delete(self->owner);
}

hr_status hr_batch_dlpack(hr_batch *b, uint32_t field, int64_t stream,
                          struct DLManagedTensorVersioned **out, hr_error *err) {
    struct tensor *t;
    hr_field f;
    *out = NULL;
    const hr_status st = tensor_make(b, field, stream, &f, &t, err);
    if (st != HR_OK)
        return st;
    *out = &t->managed.versioned;
    **out = (struct DLManagedTensorVersioned){.major = HR__DLPACK_MAJOR,
                                              .minor = HR__DLPACK_MINOR,
                                              .owner = t,
                                              .deleter = delete_versioned};
    describe(t, &f, hr_batch_data(b, field), &(*out)->tensor);
    return HR_OK;
}

hr_status hr_batch_dlpack_legacy(hr_batch *b, uint32_t field, int64_t stream,
                                 struct DLManagedTensor **out, hr_error *err) {
    struct tensor *t;
    hr_field f;
    *out = NULL;
    const hr_status st = tensor_make(b, field, stream, &f, &t, err);
    if (st != HR_OK)
        return st;
    *out = &t->managed.legacy;
    **out = (struct DLManagedTensor){.owner = t, .deleter = delete_legacy};
    describe(t, &f, hr_batch_data(b, field), &(*out)->tensor);
    return HR_OK;
}

void hr_dlpack_delete(struct DLManagedTensorVersioned *tensor) {
    if (tensor != NULL && tensor->deleter != NULL)
        tensor->deleter(tensor);
}

void hr_dlpack_delete_legacy(struct DLManagedTensor *tensor) {
    if (tensor != NULL && tensor->deleter != NULL)
        tensor->deleter(tensor);
}
