/*
 * Work of a given length that needs neither memory nor more than one processor of the GPU.
 */
extern "C" {
#include "gpu_clock.h"
}

#include <cuda_runtime.h>

namespace {

__global__ void spin(long long ticks) {
    const long long begin = clock64();
    while (clock64() - begin < ticks) {
    }
}

} // namespace

cudaError_t gpu_spin(void *stream, uint64_t ticks) {
    spin<<<1, 1, 0, static_cast<cudaStream_t>(stream)>>>(static_cast<long long>(ticks));
    return cudaGetLastError();
}
