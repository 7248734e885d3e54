/*
 * Operations of finishing on the host, for finish_elements.h, which includes this: integer
 * arithmetic, without branches, so that loops over it are vectorised.
 */
#ifndef HEADRACE_FINISH_HOST_OPS_H
#define HEADRACE_FINISH_HOST_OPS_H

HR__HD float hr__product(float a, float b) {
    return a * b;
}

HR__HD float hr__sum(float a, float b) {
    return a + b;
}

/* Exact. A subnormal float16 is a multiple of 2^-24, and normal as a float. */
HR__HD float hr__from_float16(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, rest = half & 0x7fffu;
    const uint32_t normal = (rest << 13) + ((127u - 15u) << 23);
    const uint32_t special = (rest << 13) | HR__FLOAT_INF;
    const uint32_t subnormal = hr__float_bits(hr__product((float)(int32_t)rest, 0x1p-24f));
    return hr__bits_float(sign | (rest >= HR__FLOAT16_INF ? special
                                  : rest < 0x0400u        ? subnormal
                                                          : normal));
}

HR__HD float hr__from_float64(double x) {
    return (float)x;
}

/* Below 2^-14 the sum with 0.5, whose last bit is 2^-24, leaves the rounded multiple of 2^-24 in
 * its low bits. */
HR__HD uint16_t hr__to_float16(float x) {
    const uint32_t bits = hr__float_bits(x), rest = bits & 0x7fffffffu;
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t normal = (rest - ((127u - 15u) << 23) + 0xfffu + ((rest >> 13) & 1u)) >> 13;
    const uint32_t subnormal = hr__float_bits(hr__sum(hr__bits_float(rest), 0.5f)) - 0x3f000000u;
    const uint32_t finite = rest < (127u - 14u) << 23 ? subnormal : normal;
    const uint32_t half = rest >= (127u + 16u) << 23 ? HR__FLOAT16_INF : finite;
    return (uint16_t)(rest > HR__FLOAT_INF ? HR__FLOAT16_NAN : sign | half);
}

HR__HD uint16_t hr__to_bfloat16(float x) {
    return hr__bfloat16_by_integers(x);
}

#endif
