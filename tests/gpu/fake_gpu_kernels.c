/*
 * The kernels of gpu_case.h on the stand-in, where any operation may be late.
 */
#include "gpu_case.h"

#include "fake_cuda.h"

static void do_nothing(void *arg) {
    (void)arg;
}

static void do_wrong(void *arg) {
    (void)arg;
    fake_cuda_fault(cudaErrorIllegalAddress);
}

cudaError_t gpu_delay(void *stream, uint32_t us) {
    (void)us;
    return fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "delay", .fn = do_nothing});
}

cudaError_t gpu_break(void *stream) {
    return fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "break", .fn = do_wrong});
}
