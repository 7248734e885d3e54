/*
 * Where a row is and where it goes: what the row stores have in common.
 */
#ifndef HEADRACE_ROW_PLACE_H
#define HEADRACE_ROW_PLACE_H

#include "row_store.h"

#define HR__LINE_BYTES ((size_t)64)

static inline const struct hr__row_target *hr__row_pick(const struct hr__row_group *g, uint32_t i) {
    return &g->targets[g->picks != NULL ? g->picks[i] : i];
}

static inline uint8_t *hr__row_dst(const struct hr__row_group *g, const struct hr__row_target *t) {
    return t->slot + g->field_off + (size_t)t->row * g->row_bytes;
}

/* A row that is not shuffled. */
static inline const uint8_t *hr__row_src(const struct hr__row_group *g,
                                         const struct hr__row_target *t) {
    return g->src + (size_t)(t->sample - g->first_sample) * g->row_bytes;
}

/* How shuffled frames lie: numbers that are the same for all rows of a group. */
struct hr__row_planes {
    uint32_t row_elements;
    uint32_t last_frame;
    size_t frame_bytes;
    size_t plane_bytes, last_plane_bytes; /* from one plane of a frame to its next */
    uint64_t reciprocal;                  /* 2^32 / frame_samples, rounded up */
};

static inline struct hr__row_planes hr__row_planes_of(const struct hr__row_group *g) {
    const uint32_t n = (uint32_t)(g->row_bytes / g->element_bytes);
    const uint32_t last = g->num_samples > 0 ? (g->num_samples - 1) / g->frame_samples : 0;
    return (struct hr__row_planes){
        .row_elements = n,
        .last_frame = last,
        .frame_bytes = g->frame_samples * g->row_bytes,
        .plane_bytes = (size_t)g->frame_samples * n,
        .last_plane_bytes = (size_t)(g->num_samples - last * g->frame_samples) * n,
        .reciprocal = (UINT64_C(0x100000000) + g->frame_samples - 1) / g->frame_samples,
    };
}

/* The row's bytes in the first plane of its frame. The product is exact below 2^16 x 2^16. */
static inline const uint8_t *hr__row_shuffled(const struct hr__row_group *g,
                                              const struct hr__row_planes *p,
                                              const struct hr__row_target *t, size_t *plane_bytes) {
    const uint32_t number = t->sample - g->first_sample;
    const uint32_t frame = (uint32_t)(number * p->reciprocal >> 32);
    *plane_bytes = frame == p->last_frame ? p->last_plane_bytes : p->plane_bytes;
    return g->src + frame * p->frame_bytes +
           (size_t)(number - frame * g->frame_samples) * p->row_elements;
}

/* Bytes up to the next cache line, at most n. */
static inline size_t hr__bytes_to_line(const uint8_t *dst, size_t n) {
    size_t head = (size_t)(-(uintptr_t)dst) % HR__LINE_BYTES;
    return head < n ? head : n;
}

#endif
