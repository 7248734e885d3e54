/*
 * The memory layout that DLPack fixes for tensors passed between libraries: version 1, and the one
 * before it, whose managed tensor has no version and no flags. Names are DLPack's where the public
 * header declares them.
 */
#ifndef HEADRACE_DLPACK_ABI_H
#define HEADRACE_DLPACK_ABI_H

#include <stddef.h>
#include <stdint.h>

#define HR__DLPACK_MAJOR 1u
#define HR__DLPACK_MINOR 0u /* all that is used here is in 1.0 */

enum { HR__DL_CPU = 1, HR__DL_CUDA = 2 }; /* kinds of devices */

enum { /* codes of types */
       HR__DL_INT = 0,
       HR__DL_UINT = 1,
       HR__DL_FLOAT = 2,
       HR__DL_BFLOAT = 4,
       HR__DL_COMPLEX = 5, /* bits of both parts together */
       HR__DL_BOOL = 6     /* one byte */
};

struct hr__dl_device {
    int32_t kind;
    int32_t index;
};

struct hr__dl_type {
    uint8_t code, bits;
    uint16_t lanes; /* 1: no vectors */
};

struct hr__dl_tensor {
    void *data; /* NULL where there are no elements */
    struct hr__dl_device device;
    int32_t rank;
    struct hr__dl_type type;
    int64_t *shape;
    int64_t *strides; /* in elements; from 1.2 on not NULL */
    uint64_t data_off;
};

struct DLManagedTensor {
    struct hr__dl_tensor tensor;
    void *owner;
    void (*deleter)(struct DLManagedTensor *self); /* NULL: there is nothing to delete */
};

struct DLManagedTensorVersioned {
    uint32_t major, minor;
    void *owner;
    void (*deleter)(struct DLManagedTensorVersioned *self); /* NULL: there is nothing to delete */
    uint64_t flags; /* bits 0 and 1: read-only, a copy that the producer does not keep */
    struct hr__dl_tensor tensor;
};

_Static_assert(sizeof(void *) == 8, "the sizes below are those of 64-bit systems");
_Static_assert(sizeof(struct hr__dl_device) == 8, "DLDevice");
_Static_assert(sizeof(struct hr__dl_type) == 4, "DLDataType");
_Static_assert(offsetof(struct hr__dl_type, lanes) == 2, "DLDataType.lanes");
_Static_assert(sizeof(struct hr__dl_tensor) == 48, "DLTensor");
_Static_assert(offsetof(struct hr__dl_tensor, device) == 8, "DLTensor.device");
_Static_assert(offsetof(struct hr__dl_tensor, rank) == 16, "DLTensor.ndim");
_Static_assert(offsetof(struct hr__dl_tensor, type) == 20, "DLTensor.dtype");
_Static_assert(offsetof(struct hr__dl_tensor, shape) == 24, "DLTensor.shape");
_Static_assert(offsetof(struct hr__dl_tensor, strides) == 32, "DLTensor.strides");
_Static_assert(offsetof(struct hr__dl_tensor, data_off) == 40, "DLTensor.byte_offset");
_Static_assert(sizeof(struct DLManagedTensor) == 64, "DLManagedTensor");
_Static_assert(offsetof(struct DLManagedTensor, owner) == 48, "DLManagedTensor.manager_ctx");
_Static_assert(offsetof(struct DLManagedTensor, deleter) == 56, "DLManagedTensor.deleter");
_Static_assert(sizeof(struct DLManagedTensorVersioned) == 80, "DLManagedTensorVersioned");
_Static_assert(offsetof(struct DLManagedTensorVersioned, owner) == 8, "its manager_ctx");
_Static_assert(offsetof(struct DLManagedTensorVersioned, deleter) == 16, "its deleter");
_Static_assert(offsetof(struct DLManagedTensorVersioned, flags) == 24, "its flags");
_Static_assert(offsetof(struct DLManagedTensorVersioned, tensor) == 32, "its dl_tensor");

#endif
