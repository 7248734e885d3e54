/*
 * The CUDA kernels of finishing: numbers of threads for the bodies in finish_kernel.h, and the
 * choice among what was compiled. Nothing here waits, allocates, or looks at data on the host.
 */
#include "finish_choice.h"

#include <cuda_runtime.h>

namespace {

__device__ void report(const hr__finish_bad &found, hr__finish_bad *bad) {
    if ((found.num_nan | found.num_inf) == 0)
        return;
    atomicAdd(reinterpret_cast<unsigned long long *>(&bad->num_nan),
              static_cast<unsigned long long>(found.num_nan));
    atomicAdd(reinterpret_cast<unsigned long long *>(&bad->num_inf),
              static_cast<unsigned long long>(found.num_inf));
    atomicMin(reinterpret_cast<unsigned long long *>(&bad->first_row),
              static_cast<unsigned long long>(found.first_row));
}

template <hr_dtype FROM, hr_dtype TO, bool ONE_CHANNEL>
__global__ void __launch_bounds__(HR__KERNEL_THREADS)
    linear(const hr__kernel_args a, hr__finish_bad *bad) {
    hr__finish_bad found = HR__FINISH_BAD_NONE;
    const uint64_t thread = (uint64_t)blockIdx.x * HR__KERNEL_THREADS + threadIdx.x;
    hr__kernel_linear(FROM, TO, ONE_CHANNEL, &a, thread, (uint64_t)gridDim.x * HR__KERNEL_THREADS,
                      &found);
    report(found, bad);
}

template <hr_dtype FROM, hr_dtype TO>
__global__ void __launch_bounds__(HR__KERNEL_THREADS)
    direct(const hr__kernel_args a, hr__finish_bad *bad) {
    hr__finish_bad found = HR__FINISH_BAD_NONE;
    const uint64_t thread = (uint64_t)blockIdx.x * HR__KERNEL_THREADS + threadIdx.x;
    hr__kernel_direct(FROM, TO, &a, thread, (uint64_t)gridDim.x * HR__KERNEL_THREADS, &found);
    report(found, bad);
}

/* What a tile is made of. */
template <hr_dtype TO> struct tile_of { typedef uint32_t element; };
template <> struct tile_of<HR_UINT8> { typedef uint8_t element; };
template <> struct tile_of<HR_UINT16> { typedef uint16_t element; };
template <> struct tile_of<HR_FLOAT16> { typedef uint16_t element; };
template <> struct tile_of<HR_BFLOAT16> { typedef uint16_t element; };
template <> struct tile_of<HR_UINT64> { typedef uint64_t element; };

template <hr_dtype FROM, hr_dtype TO>
__global__ void __launch_bounds__(HR__KERNEL_THREADS)
    tiles(const hr__kernel_args a, hr__finish_bad *bad) {
    __shared__ typename tile_of<TO>::element tile[HR__TILE_SLOTS];
    hr__finish_bad found = HR__FINISH_BAD_NONE;
    const uint64_t num_tiles = hr__num_tiles(a.num_samples, a.plane_elements, a.channels);
    for (uint64_t number = blockIdx.x; number < num_tiles; number += gridDim.x) {
        const hr__tile t = hr__tile_at(&a, number);
        hr__kernel_tile_load(FROM, TO, &a, &t, threadIdx.x, tile, &found);
        __syncthreads();
        hr__kernel_tile_store(TO, &a, &t, threadIdx.x, tile);
        __syncthreads(); /* before the tile is filled anew */
    }
    report(found, bad);
}

struct launch {
    hr__kernel_choice choice;
    hr__kernel_args args;
    hr__finish_bad *bad;
    cudaStream_t stream;
};

template <hr_dtype FROM, hr_dtype TO> void start_planes(const launch &l) {
    if (l.choice.kind == HR__KERNEL_DIRECT)
        direct<FROM, TO><<<l.choice.blocks, HR__KERNEL_THREADS, 0, l.stream>>>(l.args, l.bad);
    else
        tiles<FROM, TO><<<l.choice.blocks, HR__KERNEL_THREADS, 0, l.stream>>>(l.args, l.bad);
}

template <hr_dtype FROM, hr_dtype TO, bool ONE_CHANNEL> void start_linear(const launch &l) {
    linear<FROM, TO, ONE_CHANNEL>
        <<<l.choice.blocks, HR__KERNEL_THREADS, 0, l.stream>>>(l.args, l.bad);
}

template <hr_dtype FROM, hr_dtype TO> void start(const launch &l) {
    if (l.choice.kind != HR__KERNEL_LINEAR)
        start_planes<FROM, TO>(l);
    else if (l.choice.one_channel)
        start_linear<FROM, TO, true>(l);
    else
        start_linear<FROM, TO, false>(l);
}

/* Bits that stay in their places are only counted: channels are nothing to them. */
template <hr_dtype BITS> void start_bits(const launch &l) {
    if (l.choice.kind != HR__KERNEL_LINEAR)
        start_planes<BITS, BITS>(l);
    else
        start_linear<BITS, BITS, true>(l);
}

template <hr_dtype FROM> void start_cast(const launch &l) {
    switch (l.choice.to) {
    case HR_FLOAT16:
        return start<FROM, HR_FLOAT16>(l);
    case HR_BFLOAT16:
        return start<FROM, HR_BFLOAT16>(l);
    default:
        return start<FROM, HR_FLOAT32>(l);
    }
}

void start_move(const launch &l) {
    switch (l.choice.from) {
    case HR_UINT8:
        return start_bits<HR_UINT8>(l);
    case HR_UINT16:
        return start_bits<HR_UINT16>(l);
    case HR_UINT32:
        return start_bits<HR_UINT32>(l);
    default:
        return start_bits<HR_UINT64>(l);
    }
}

void start_any(const launch &l) {
    if (!l.choice.casts)
        return start_move(l);
    switch (l.choice.from) {
    case HR_UINT8:
        return start_cast<HR_UINT8>(l);
    case HR_INT16:
        return start_cast<HR_INT16>(l);
    case HR_FLOAT16:
        return start_cast<HR_FLOAT16>(l);
    case HR_FLOAT32:
        return start_cast<HR_FLOAT32>(l);
    default:
        return start_cast<HR_FLOAT64>(l);
    }
}

} // namespace

int hr__finish_launch(const struct hr__finish *f, const void *src, uint64_t num_samples, void *dst,
                      struct hr__finish_bad *bad, void *stream) {
    const launch l = {hr__kernel_choose(f, num_samples),
                      hr__kernel_args_of(f, src, num_samples, dst), bad,
                      static_cast<cudaStream_t>(stream)};
    if (num_samples == 0 || f->sample_elements == 0 || (l.args.dst == NULL && l.args.infinity == 0))
        return cudaSuccess;
    start_any(l);
    return cudaGetLastError();
}
