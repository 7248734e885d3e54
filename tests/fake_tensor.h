/*
 * Fields of batches on the stand-in for CUDA (fake_gpu.h) as DLPack tensors, and a consumer whose
 * kernels check every byte of them.
 */
#ifndef HEADRACE_FAKE_TENSOR_H
#define HEADRACE_FAKE_TENSOR_H

#include "dlpack_abi.h"
#include "fake_gpu.h"

/* How long hr_loader_next() is to wait: for ever, but that a test ends. */
#define FAKE_TENSOR_WAIT_NS INT64_C(20000000000)

/* The data set, and options of an epoch of it in batches of 16, which vary with the seed. */
extern const struct made fake_tensor_rows;
hr_loader_options fake_tensor_options(uint64_t seed);
hr_batch *fake_tensor_next(hr_loader *l);

uint32_t fake_tensor_random(uint32_t *r);

struct fake_tensor {
    struct DLManagedTensorVersioned *tensor; /* NULL: deleted */
    cudaStream_t stream;                     /* where kernels look at it */
    uint32_t field;                          /* 0 to 2: y, x, w */
    uint64_t indices[16];
};

/* of_user: where kernels go for HR_DLPACK_STREAM_NONE, when it has been made to wait, and for a
 * stream that is no number. */
struct fake_tensor fake_tensor_export(hr_batch *b, uint32_t field, int64_t stream,
                                      cudaStream_t of_user);
/* Puts a kernel on its stream that checks all of it. */
void fake_tensor_look(const struct fake_tensor *k);
void fake_tensor_delete(struct fake_tensor *k);

/* Streams of a user's: one that the legacy stream waits for, and one that it does not. */
struct fake_tensor_streams {
    cudaStream_t blocking, apart;
};

struct fake_tensor_streams fake_tensor_streams_make(void);
void fake_tensor_streams_destroy(struct fake_tensor_streams s);
/* Any field, in any of the five ways to name a stream. */
struct fake_tensor fake_tensor_export_any(hr_batch *b, struct fake_tensor_streams s,
                                          uint32_t *random);

#endif
