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

#define HR__RUN_ROW_BYTES 1024u

/* Picks from i on whose rows follow one another both in their frame and in the batch, so that they
 * can be stored as one long row; at least 1. Not looked for where rows are long. */
static inline uint32_t hr__row_run(const struct hr__row_group *g, uint32_t i, uint32_t left) {
    if (g->row_bytes >= HR__RUN_ROW_BYTES)
        return 1;
    const struct hr__row_target *first = hr__row_pick(g, i);
    const uint32_t most = left < g->num_picks - i ? left : g->num_picks - i;
    uint32_t n = 1;
    for (; n < most; n++) {
        const struct hr__row_target *t = hr__row_pick(g, i + n);
        if (t->sample != first->sample + n || t->row != first->row + n || t->slot != first->slot)
            break;
    }
    return n;
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

/* A shuffled row: its bytes in the first plane of its frame, and the rows of the frame from it on.
 */
struct hr__row_shuffled {
    const uint8_t *src;
    size_t plane_bytes;
    uint32_t left;
};

/* The product is exact below 2^16 x 2^16. */
static inline struct hr__row_shuffled hr__row_shuffled(const struct hr__row_group *g,
                                                       const struct hr__row_planes *p,
                                                       const struct hr__row_target *t) {
    const uint32_t number = t->sample - g->first_sample;
    const uint32_t frame = (uint32_t)(number * p->reciprocal >> 32);
    const uint32_t in_frame = number - frame * g->frame_samples;
    return (struct hr__row_shuffled){
        .src = g->src + frame * p->frame_bytes + (size_t)in_frame * p->row_elements,
        .plane_bytes = frame == p->last_frame ? p->last_plane_bytes : p->plane_bytes,
        .left = g->frame_samples - in_frame,
    };
}

/* Bytes up to the next cache line, at most n. */
static inline size_t hr__bytes_to_line(const uint8_t *dst, size_t n) {
    size_t head = (size_t)(-(uintptr_t)dst) % HR__LINE_BYTES;
    return head < n ? head : n;
}

#endif
