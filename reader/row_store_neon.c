/*
 * Row stores by NEON, which every 64-bit ARM processor has: its stores interleave up to four planes
 * by themselves. It has no store that goes past the caches whatever the processor does, so these
 * are ordinary ones.
 */
#include "row_place.h"

#include <arm_neon.h>
#include <stdatomic.h>
#include <string.h>

static void copy(const struct hr__row_group *group) {
    const struct hr__row_group g = *group; /* which no store can change */
    for (uint32_t i = 0, n; i < g.num_picks; i += n) {
        const struct hr__row_target *t = hr__row_pick(&g, i);
        n = hr__row_run(&g, i, UINT32_MAX);
        memcpy(hr__row_dst(&g, t), hr__row_src(&g, t), n * g.row_bytes);
    }
}

/* Elements first .. n-1, one at a time. */
static void few(uint8_t *dst, const uint8_t *src, size_t plane, size_t first, size_t n,
                size_t planes) {
    for (size_t i = first; i < n; i++)
        for (size_t j = 0; j < planes; j++)
            dst[i * planes + j] = src[j * plane + i];
}

static void row2(uint8_t *dst, const uint8_t *src, size_t plane, size_t n) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        vst2q_u8(dst + 2 * i, (uint8x16x2_t){{vld1q_u8(src + i), vld1q_u8(src + plane + i)}});
    few(dst, src, plane, i, n, 2);
}

static void row4(uint8_t *dst, const uint8_t *src, size_t plane, size_t n) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        vst4q_u8(dst + 4 * i,
                 (uint8x16x4_t){{vld1q_u8(src + i), vld1q_u8(src + plane + i),
                                 vld1q_u8(src + 2 * plane + i), vld1q_u8(src + 3 * plane + i)}});
    few(dst, src, plane, i, n, 4);
}

/* Planes 2j and 2j + 1 make pairs of bytes, and a store interleaves four kinds of pairs. */
static void row8(uint8_t *dst, const uint8_t *src, size_t plane, size_t n) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        uint8x16x2_t pair[4];
        for (size_t j = 0; j < 4; j++)
            pair[j] = vzipq_u8(vld1q_u8(src + 2 * j * plane + i),
                               vld1q_u8(src + (2 * j + 1) * plane + i));
        for (size_t half = 0; half < 2; half++)
            vst4q_u16((uint16_t *)(void *)(dst + 8 * (i + 8 * half)),
                      (uint16x8x4_t){{vreinterpretq_u16_u8(pair[0].val[half]),
                                      vreinterpretq_u16_u8(pair[1].val[half]),
                                      vreinterpretq_u16_u8(pair[2].val[half]),
                                      vreinterpretq_u16_u8(pair[3].val[half])}});
    }
    few(dst, src, plane, i, n, 8);
}

static void unshuffle(const struct hr__row_group *group) {
    const struct hr__row_group g = *group; /* which no store can change */
    const struct hr__row_planes p = hr__row_planes_of(&g);
    for (uint32_t i = 0, n; i < g.num_picks; i += n) {
        const struct hr__row_target *t = hr__row_pick(&g, i);
        const struct hr__row_shuffled s = hr__row_shuffled(&g, &p, t);
        n = hr__row_run(&g, i, s.left);
        const size_t elements = (size_t)n * p.row_elements;
        uint8_t *dst = hr__row_dst(&g, t);
        if (g.element_bytes == 2)
            row2(dst, s.src, s.plane_bytes, elements);
        else if (g.element_bytes == 4)
            row4(dst, s.src, s.plane_bytes, elements);
        else if (g.element_bytes == 8)
            row8(dst, s.src, s.plane_bytes, elements);
        else
            few(dst, s.src, s.plane_bytes, 0, elements, 16);
    }
}

static void fence(void) {
    atomic_thread_fence(memory_order_release);
}

static const struct hr__row_store neon = {"neon", copy, unshuffle, fence};

static const struct hr__row_store *const all[] = {&neon, &hr__row_store_portable, NULL};

const struct hr__row_store *const *hr__row_stores(void) {
    return all;
}
