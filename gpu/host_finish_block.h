/*
 * Finishing on the host, block by block: the loops that are compiled for several processors.
 */
#ifndef HEADRACE_HOST_FINISH_BLOCK_H
#define HEADRACE_HOST_FINISH_BLOCK_H

#include "headrace/types.h"

#include <stdbool.h>

struct hr__finish_loops {
    const char *name;
    /* n values with a scale and a shift each; from and to are a pair that hr__finish_converts(). */
    void (*cast)(hr_dtype from, hr_dtype to, const void *src, const float *scale,
                 const float *shift, uint32_t n, void *dst);
    /* (pixel, channel) to (channel, pixel): num_pixels with all their channels, of elements of
     * element_bytes; planes lie plane_elements apart. */
    void (*planes)(uint32_t element_bytes, const void *src, uint64_t num_pixels, uint32_t channels,
                   uint64_t plane_elements, void *dst);
    /* One of n values of a floating-point type is not finite. */
    bool (*any_bad)(hr_dtype t, const void *src, uint32_t n);
};

extern const struct hr__finish_loops hr__finish_loops_plain;
extern const struct hr__finish_loops hr__finish_loops_avx2; /* on x86-64 */

/* The fastest that this processor runs. */
const struct hr__finish_loops *hr__finish_loops(void);

#endif
