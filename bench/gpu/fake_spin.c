/*
 * gpu_spin() on the stand-in: no work, which is done at any time.
 */
#include "gpu_clock.h"

#include "fake_cuda.h"

static void do_nothing(void *arg) {
    (void)arg;
}

cudaError_t gpu_spin(void *stream, uint64_t ticks) {
    (void)ticks;
    return fake_cuda_launch(stream, &(struct fake_cuda_kernel){.name = "spin", .fn = do_nothing});
}
