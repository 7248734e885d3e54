/*
 * Operations of finishing on a GPU, for finish_elements.h, which includes this. Integer arithmetic
 * for each value would take longer than its memory, so conversions are instructions: those of the
 * PTX ISA ("cvt", .rn, no .ftz) round to nearest even and keep subnormal numbers, as the host's do.
 * Their NaN is another one, so that is put right.
 */
#ifndef HEADRACE_FINISH_DEVICE_OPS_H
#define HEADRACE_FINISH_DEVICE_OPS_H

HR__HD float hr__product(float a, float b) {
    return __fmul_rn(a, b);
}

HR__HD float hr__sum(float a, float b) {
    return __fadd_rn(a, b);
}

HR__HD float hr__from_float16(uint16_t half) {
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(half));
    return x;
}

HR__HD float hr__from_float64(double x) {
    return __double2float_rn(x);
}

HR__HD uint16_t hr__to_float16(float x) {
    uint16_t half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(x));
    return x != x ? HR__FLOAT16_NAN : half;
}

#if __CUDA_ARCH__ >= 800
HR__HD uint16_t hr__to_bfloat16(float x) {
    uint16_t rounded;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded) : "f"(x));
    return x != x ? HR__BFLOAT16_NAN : rounded;
}
#else
HR__HD uint16_t hr__to_bfloat16(float x) {
    return hr__bfloat16_by_integers(x);
}
#endif

#endif
