/*
 * The loops of finishing, `cast`, `planes` and `any_bad` of a table (host_finish_block.h). A file
 * that includes this says by its options for which processor they are compiled. They are written to
 * be vectorised: with the types known, loads and stores are of one width, and conversions are
 * without branches.
 */
#include "finish_elements.h"
#include "host_finish_block.h"

HR__HD void cast_as(hr_dtype from, hr_dtype to, const void *restrict src,
                    const float *restrict scale, const float *restrict shift, uint32_t n,
                    void *restrict dst) {
    for (uint32_t i = 0; i < n; i++)
        hr__value_store(to, dst, i, hr__scaled(hr__value_load(from, src, i), scale[i], shift[i]));
}

HR__HD void cast_from(hr_dtype from, hr_dtype to, const void *restrict src,
                      const float *restrict scale, const float *restrict shift, uint32_t n,
                      void *restrict dst) {
    switch (to) {
    case HR_FLOAT16:
        cast_as(from, HR_FLOAT16, src, scale, shift, n, dst);
        break;
    case HR_BFLOAT16:
        cast_as(from, HR_BFLOAT16, src, scale, shift, n, dst);
        break;
    default:
        cast_as(from, HR_FLOAT32, src, scale, shift, n, dst);
    }
}

static void cast(hr_dtype from, hr_dtype to, const void *src, const float *scale,
                 const float *shift, uint32_t n, void *dst) {
    switch (from) {
    case HR_UINT8:
        cast_from(HR_UINT8, to, src, scale, shift, n, dst);
        break;
    case HR_INT16:
        cast_from(HR_INT16, to, src, scale, shift, n, dst);
        break;
    case HR_FLOAT16:
        cast_from(HR_FLOAT16, to, src, scale, shift, n, dst);
        break;
    case HR_FLOAT32:
        cast_from(HR_FLOAT32, to, src, scale, shift, n, dst);
        break;
    default:
        cast_from(HR_FLOAT64, to, src, scale, shift, n, dst);
    }
}

/* Three channels side by side are what the vectoriser can take apart. */
#define PLANES(T)                                                                                  \
    static void planes_##T(const T *restrict src, uint64_t num_pixels, uint32_t channels,          \
                           uint64_t plane_elements, T *restrict dst) {                             \
        for (uint32_t c = 0; c < channels; c++) {                                                  \
            T *restrict plane = dst + c * plane_elements;                                          \
            for (uint64_t p = 0; p < num_pixels; p++)                                              \
                plane[p] = src[p * channels + c];                                                  \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void planes3_##T(const T *restrict src, uint64_t num_pixels, uint64_t plane_elements,   \
                            T *restrict dst) {                                                     \
        T *restrict second = dst + plane_elements, *restrict third = second + plane_elements;      \
        for (uint64_t p = 0; p < num_pixels; p++) {                                                \
            dst[p] = src[3 * p];                                                                   \
            second[p] = src[3 * p + 1];                                                            \
            third[p] = src[3 * p + 2];                                                             \
        }                                                                                          \
    }

PLANES(uint8_t)
PLANES(uint16_t)
PLANES(uint32_t)
PLANES(uint64_t)

#define PLANES_OF(T)                                                                               \
    (channels == 3 ? planes3_##T(src, num_pixels, plane_elements, dst)                             \
                   : planes_##T(src, num_pixels, channels, plane_elements, dst))

static void planes(uint32_t element_bytes, const void *src, uint64_t num_pixels, uint32_t channels,
                   uint64_t plane_elements, void *dst) {
    switch (element_bytes) {
    case 1:
        PLANES_OF(uint8_t);
        break;
    case 2:
        PLANES_OF(uint16_t);
        break;
    case 4:
        PLANES_OF(uint32_t);
        break;
    default:
        PLANES_OF(uint64_t);
    }
}

HR__HD bool any_bad_of(hr_dtype t, const void *src, uint32_t n) {
    uint32_t bad = 0;
    for (uint32_t i = 0; i < n; i++)
        bad |= hr__magnitude(t, src, i) >= hr__infinity(t);
    return bad != 0;
}

static bool any_bad(hr_dtype t, const void *src, uint32_t n) {
    switch (t) {
    case HR_FLOAT16:
        return any_bad_of(HR_FLOAT16, src, n);
    case HR_BFLOAT16:
        return any_bad_of(HR_BFLOAT16, src, n);
    case HR_FLOAT32:
        return any_bad_of(HR_FLOAT32, src, n);
    default:
        return any_bad_of(HR_FLOAT64, src, n);
    }
}
