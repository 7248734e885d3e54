/*
 * The loops of finishing, compiled for AVX2. float16 goes by way of float32 and the instructions of
 * F16C, which round as finish_elements.h does: to nearest even whatever the environment, subnormals
 * kept; of NaNs they are given the canonical one.
 */
#include "host_finish_loops.h"

#include <immintrin.h>

#define MOST_VALUES 256u /* at once: what lies between the steps stays in L1 */

static void from_float16(const uint16_t *src, uint32_t n, float *out) {
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(
            out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(src + i))));
    for (; i < n; i++)
        out[i] = hr__from_float16(src[i]);
}

static void to_float16(const float *src, uint32_t n, uint16_t *out) {
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(void *)(out + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++)
        out[i] = hr__to_float16(src[i]);
}

static void cast_few(hr_dtype from, hr_dtype to, const void *src, const float *scale,
                     const float *shift, uint32_t n, void *dst) {
    float in[MOST_VALUES], out[MOST_VALUES];
    if (from == HR_FLOAT16) {
        from_float16(src, n, in);
        src = in;
        from = HR_FLOAT32;
    }
    if (to != HR_FLOAT16) {
        cast(from, to, src, scale, shift, n, dst);
        return;
    }
    cast(from, HR_FLOAT32, src, scale, shift, n, out);
    to_float16(out, n, dst);
}

static void cast_by_f16c(hr_dtype from, hr_dtype to, const void *src, const float *scale,
                         const float *shift, uint32_t n, void *dst) {
    const uint8_t *s = src;
    uint8_t *d = dst;
    if (from != HR_FLOAT16 && to != HR_FLOAT16) {
        cast(from, to, src, scale, shift, n, dst);
        return;
    }
    for (uint32_t i = 0; i < n; i += MOST_VALUES) {
        const uint32_t few = n - i < MOST_VALUES ? n - i : MOST_VALUES;
        cast_few(from, to, s + (size_t)i * hr__value_bytes(from), scale + i, shift + i, few,
                 d + (size_t)i * hr__value_bytes(to));
    }
}

const struct hr__finish_loops hr__finish_loops_avx2 = {"avx2, f16c", cast_by_f16c, planes, any_bad};
