/*
 * Values as bits, one at a time and several to a word: what the kernels of finishing move and
 * convert. C11 and CUDA C++.
 */
#ifndef HEADRACE_FINISH_BITS_H
#define HEADRACE_FINISH_BITS_H

#include "finish_elements.h"

#ifdef __CUDACC__
#define HR__ALIGNED(n) __align__(n)
#define HR__UNROLL     _Pragma("unroll")
#define HR__NO_UNROLL  _Pragma("unroll 1") /* other threads hide what a load takes */
#else
#define HR__ALIGNED(n) __attribute__((aligned(n)))
#define HR__UNROLL
#define HR__NO_UNROLL
#endif

/* Bytes of the types that kernels are compiled for. */
HR__HD uint32_t hr__kernel_bytes(hr_dtype t) {
    return t == HR_UINT16 ? 2 : t == HR_UINT64 ? 8 : hr__value_bytes(t);
}

/* Values that a thread takes at once: 16 bytes on the wider side. */
HR__HD uint32_t hr__kernel_width(hr_dtype from, hr_dtype to) {
    const uint32_t a = hr__kernel_bytes(from), b = hr__kernel_bytes(to);
    return 16u / (a > b ? a : b);
}

struct HR__ALIGNED(8) hr__words2 {
    uint32_t w[2];
};
struct HR__ALIGNED(16) hr__words4 {
    uint32_t w[4];
};

/* n words by the widest accesses that divide them; the address is a multiple of their size. */
HR__HD void hr__words_load(const void *src, uint32_t n, uint32_t *out) {
    HR__UNROLL for (uint32_t i = 0; i < n; i += n % 4 == 0 ? 4 : n % 2 == 0 ? 2 : 1) {
        const uint32_t *at = (const uint32_t *)src + i;
        if (n % 4 == 0) {
            const struct hr__words4 v = *(const struct hr__words4 *)(const void *)at;
            out[i] = v.w[0], out[i + 1] = v.w[1], out[i + 2] = v.w[2], out[i + 3] = v.w[3];
        } else if (n % 2 == 0) {
            const struct hr__words2 v = *(const struct hr__words2 *)(const void *)at;
            out[i] = v.w[0], out[i + 1] = v.w[1];
        } else {
            out[i] = *at;
        }
    }
}

HR__HD void hr__words_store(void *dst, uint32_t n, const uint32_t *words) {
    if (n == 4) {
        const struct hr__words4 v = {{words[0], words[1], words[2], words[3]}};
        *(struct hr__words4 *)dst = v;
    } else if (n == 2) {
        const struct hr__words2 v = {{words[0], words[1]}};
        *(struct hr__words2 *)dst = v;
    } else {
        *(uint32_t *)dst = words[0];
    }
}

/* Value i among words, as bits. */
HR__HD uint64_t hr__bits_get(uint32_t bytes, const uint32_t *words, uint32_t i) {
    switch (bytes) {
    case 1:
        return words[i / 4] >> 8 * (i % 4) & 0xffu;
    case 2:
        return words[i / 2] >> 16 * (i % 2) & 0xffffu;
    case 4:
        return words[i];
    default:
        return words[2 * i] | (uint64_t)words[2 * i + 1] << 32;
    }
}

/* The same to words that are zero there. */
HR__HD void hr__bits_put(uint32_t bytes, uint32_t *words, uint32_t i, uint64_t bits) {
    switch (bytes) {
    case 1:
        words[i / 4] |= (uint32_t)bits << 8 * (i % 4);
        break;
    case 2:
        words[i / 2] |= (uint32_t)bits << 16 * (i % 2);
        break;
    case 4:
        words[i] = (uint32_t)bits;
        break;
    default:
        words[2 * i] = (uint32_t)bits;
        words[2 * i + 1] = (uint32_t)(bits >> 32);
    }
}

/* Value i of an array, as bits. */
HR__HD uint64_t hr__bits_load(uint32_t bytes, const void *src, uint64_t i) {
    switch (bytes) {
    case 1:
        return ((const uint8_t *)src)[i];
    case 2:
        return ((const uint16_t *)src)[i];
    case 4:
        return ((const uint32_t *)src)[i];
    default:
        return ((const uint64_t *)src)[i];
    }
}

HR__HD void hr__bits_store(uint32_t bytes, void *dst, uint64_t i, uint64_t bits) {
    switch (bytes) {
    case 1:
        ((uint8_t *)dst)[i] = (uint8_t)bits;
        break;
    case 2:
        ((uint16_t *)dst)[i] = (uint16_t)bits;
        break;
    case 4:
        ((uint32_t *)dst)[i] = (uint32_t)bits;
        break;
    default:
        ((uint64_t *)dst)[i] = bits;
    }
}

HR__HD float hr__bits_value(hr_dtype from, uint64_t bits) {
    double wide;
    switch (from) {
    case HR_UINT8:
        return (float)(uint32_t)bits;
    case HR_INT16:
        return (float)(int16_t)bits;
    case HR_FLOAT16:
        return hr__from_float16((uint16_t)bits);
    case HR_FLOAT32:
        return hr__bits_float((uint32_t)bits);
    default:
        memcpy(&wide, &bits, sizeof(wide));
        return hr__from_float64(wide);
    }
}

/* A value as it is delivered. */
HR__HD uint64_t hr__bits_finish(hr_dtype from, hr_dtype to, uint64_t bits, float scale,
                                float shift) {
    switch (to) {
    case HR_FLOAT16:
        return hr__to_float16(hr__scaled(hr__bits_value(from, bits), scale, shift));
    case HR_BFLOAT16:
        return hr__to_bfloat16(hr__scaled(hr__bits_value(from, bits), scale, shift));
    case HR_FLOAT32:
        return hr__to_float32(hr__scaled(hr__bits_value(from, bits), scale, shift));
    default:
        return bits;
    }
}

#endif
