/*
 * Row stores in plain C: the reference, and what processors without one of their own use.
 */
#include "row_place.h"

#include <stdatomic.h>
#include <string.h>

static void copy(const struct hr__row_group *g) {
    for (uint32_t i = 0; i < g->num_picks; i++) {
        const struct hr__row_target *t = hr__row_pick(g, i);
        memcpy(hr__row_dst(g, t), hr__row_src(g, t), g->row_bytes);
    }
}

static void unshuffle(const struct hr__row_group *g) {
    const struct hr__row_planes p = hr__row_planes_of(g);
    for (uint32_t i = 0; i < g->num_picks; i++) {
        const struct hr__row_target *t = hr__row_pick(g, i);
        const struct hr__row_shuffled s = hr__row_shuffled(g, &p, t);
        uint8_t *dst = hr__row_dst(g, t);
        for (size_t k = 0; k < p.row_elements; k++)
            for (size_t j = 0; j < g->element_bytes; j++)
                dst[k * g->element_bytes + j] = s.src[j * s.plane_bytes + k];
    }
}

static void fence(void) {
    atomic_thread_fence(memory_order_release);
}

const struct hr__row_store hr__row_store_portable = {"portable", copy, unshuffle, fence};
