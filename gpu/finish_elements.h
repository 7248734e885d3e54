/*
 * Finishing, element by element: C11 and CUDA C++, the same bits from both (docs/gpu.md,
 * "Finishing"). No input here is trusted: every bit pattern has a defined result.
 *
 * Invariants:
 *  1. each operation on floating-point numbers is one IEEE operation, rounded to nearest even:
 *     intrinsics on the device, -ffp-contract=off on the host;
 *  2. subnormal numbers are neither taken nor made zero;
 *  3. what is a NaN becomes the canonical one of the target.
 */
#ifndef HEADRACE_FINISH_ELEMENTS_H
#define HEADRACE_FINISH_ELEMENTS_H

#include "headrace/types.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define HR__HD static __host__ __device__ __forceinline__
#else
#define HR__HD static inline __attribute__((always_inline))
#endif

#define HR__FLOAT_INF    0x7f800000u
#define HR__FLOAT_NAN    0x7fc00000u
#define HR__FLOAT16_INF  0x7c00u
#define HR__FLOAT16_NAN  0x7e00u
#define HR__BFLOAT16_INF 0x7f80u
#define HR__BFLOAT16_NAN 0x7fc0u

HR__HD uint32_t hr__float_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

HR__HD float hr__bits_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* Adding one half less one unit, and one more where the last bit kept is odd, carries into the
 * exponent, and into infinity, where it must. */
HR__HD uint16_t hr__bfloat16_by_integers(float x) {
    const uint32_t bits = hr__float_bits(x);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > HR__FLOAT_INF ? HR__BFLOAT16_NAN : rounded);
}

/* hr__product and hr__sum, never as one operation; hr__from_float16, hr__from_float64,
 * hr__to_float16, hr__to_bfloat16. nvcc reads this twice, for the host and for the device. */
#ifdef __CUDA_ARCH__
#include "finish_device_ops.h"
#else
#include "finish_host_ops.h"
#endif

HR__HD uint32_t hr__to_float32(float x) {
    const uint32_t bits = hr__float_bits(x);
    return (bits & 0x7fffffffu) > HR__FLOAT_INF ? HR__FLOAT_NAN : bits;
}

/* Scale 1 and shift -0 leave every number as it is, the sign of a zero too. */
#define HR__NO_SCALE 1.0f
#define HR__NO_SHIFT (-0.0f)

HR__HD float hr__scaled(float x, float scale, float shift) {
    return hr__sum(hr__product(x, scale), shift);
}

/* Bytes of a type that casts begin from or end in. */
HR__HD uint32_t hr__value_bytes(hr_dtype t) {
    switch (t) {
    case HR_UINT8:
        return 1;
    case HR_INT16:
    case HR_FLOAT16:
    case HR_BFLOAT16:
        return 2;
    case HR_FLOAT64:
        return 8;
    default:
        return 4;
    }
}

/* Value i of an array of a type that casts begin from, and of one that they end in. */
HR__HD float hr__value_load(hr_dtype from, const void *src, uint64_t i) {
    switch (from) {
    case HR_UINT8:
        return (float)((const uint8_t *)src)[i];
    case HR_INT16:
        return (float)((const int16_t *)src)[i];
    case HR_FLOAT16:
        return hr__from_float16(((const uint16_t *)src)[i]);
    case HR_FLOAT32:
        return ((const float *)src)[i];
    default:
        return hr__from_float64(((const double *)src)[i]);
    }
}

HR__HD void hr__value_store(hr_dtype to, void *dst, uint64_t i, float y) {
    switch (to) {
    case HR_FLOAT16:
        ((uint16_t *)dst)[i] = hr__to_float16(y);
        break;
    case HR_BFLOAT16:
        ((uint16_t *)dst)[i] = hr__to_bfloat16(y);
        break;
    default:
        ((uint32_t *)dst)[i] = hr__to_float32(y);
    }
}

/* The bits of value i of an array of floating-point numbers without their sign, and those of
 * infinity: equal ones are infinite, larger ones no numbers. */
HR__HD uint64_t hr__magnitude(hr_dtype t, const void *src, uint64_t i) {
    switch (t) {
    case HR_FLOAT16:
    case HR_BFLOAT16:
        return ((const uint16_t *)src)[i] & 0x7fffu;
    case HR_FLOAT32:
        return ((const uint32_t *)src)[i] & 0x7fffffffu;
    default:
        return ((const uint64_t *)src)[i] & 0x7fffffffffffffffu;
    }
}

HR__HD uint64_t hr__infinity(hr_dtype t) {
    switch (t) {
    case HR_FLOAT16:
        return HR__FLOAT16_INF;
    case HR_BFLOAT16:
        return HR__BFLOAT16_INF;
    case HR_FLOAT32:
        return HR__FLOAT_INF;
    default:
        return 0x7ff0000000000000u;
    }
}

/* Where an element of a sample (plane, channel) lies in (channel, plane). */
HR__HD uint64_t hr__chw_place(uint64_t element, uint64_t plane_elements, uint32_t channels) {
    return element % channels * plane_elements + element / channels;
}

#endif
