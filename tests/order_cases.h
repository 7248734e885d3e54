/*
 * Seeded parameter sets for the tests of orders, and the segments they are about.
 */
#ifndef HEADRACE_TESTS_ORDER_CASES_H
#define HEADRACE_TESTS_ORDER_CASES_H

#include "order.h"

#include <stdlib.h>

#define MAX_CASE_SEGMENTS 6

struct order_case {
    struct hr__order_params params;
    struct hr__segment segments[MAX_CASE_SEGMENTS];
    uint64_t num_chunks, num_samples, epoch;
};

static inline uint64_t case_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1du >> 16;
}

/* low .. high, more often near low. */
static inline uint32_t case_between(uint64_t *state, uint32_t low, uint32_t high) {
    const uint64_t width = case_random(state) % (high - low + 1) + 1;
    return low + (uint32_t)(case_random(state) % width);
}

static inline void case_segments(struct order_case *c, uint64_t *state, uint32_t most_chunks) {
    const uint32_t S = c->params.samples_per_chunk;
    c->params.num_segments = case_random(state) % 3 == 0 ? case_between(state, 2, 6) : 1;
    c->params.segments = c->segments;
    for (uint64_t i = 0; i < c->params.num_segments; i++) {
        struct hr__segment *seg = &c->segments[i];
        seg->first_chunk = c->num_chunks;
        seg->first_sample = c->num_samples;
        seg->num_chunks = case_between(state, 1, most_chunks);
        seg->num_samples = seg->num_chunks * S - case_random(state) % S;
        c->num_chunks += seg->num_chunks;
        c->num_samples += seg->num_samples;
    }
}

/* A case that hr__order_make() may refuse only because no batch would come. */
static inline void case_make(struct order_case *c, uint64_t number) {
    uint64_t state = (number + 1) * 0x9e3779b97f4a7c15u;
    *c = (struct order_case){0};
    struct hr__order_params *p = &c->params;
    p->kind = case_random(&state) % 8 == 0 ? HR__ORDER_SEQUENTIAL : HR__ORDER_INTERLEAVED;
    p->samples_per_chunk = case_between(&state, 1, number % 7 == 0 ? 700 : 40);
    case_segments(c, &state, 40);
    p->num_streams = case_random(&state) % 3 == 0 ? case_between(&state, 2, 5) : 1;
    if (p->num_streams > c->num_chunks)
        p->num_streams = (uint32_t)c->num_chunks;
    p->batch_samples = p->num_streams * case_between(&state, 1, 60);
    if (case_random(&state) % 4 != 0)
        p->window_visits = p->num_streams * case_between(&state, 1, 50);
    p->sample_bytes = case_random(&state) % 4000000;
    p->seed = case_random(&state);
    p->drop_last = case_random(&state) % 2 == 0;
    c->epoch = case_random(&state) % 3 == 0 ? case_random(&state) : case_random(&state) % 3;
    p->pad_last = case_random(&state) % 3 == 0;
    p->drop_last = p->drop_last && !p->pad_last;
}

/* The same with several streams, where the chunks suffice; their windows are one, few, or all. */
static inline void case_make_streams(struct order_case *c, uint64_t number) {
    static const uint32_t streams[] = {2, 3, 4, 6, 8, 12};
    uint64_t state = (number + 1) * 0xd1342543de82ef95u;
    case_make(c, number);
    struct hr__order_params *p = &c->params;
    p->num_streams = streams[case_random(&state) % 6];
    while (p->num_streams > c->num_chunks)
        p->num_streams /= 2;
    const uint32_t each = (uint32_t)(c->num_chunks / p->num_streams);
    const uint32_t windows[] = {0, 1, case_between(&state, 1, 9), each, each + 1, 1000};
    p->batch_samples = p->num_streams * case_between(&state, 1, 60);
    p->window_visits = p->num_streams * windows[case_random(&state) % 6];
}

static inline uint32_t case_chunk_samples(const struct order_case *c, uint64_t chunk) {
    for (uint64_t i = 0; i < c->params.num_segments; i++) {
        const struct hr__segment *seg = &c->segments[i];
        const uint64_t end = seg->first_chunk + seg->num_chunks;
        if (chunk >= end)
            continue;
        const uint64_t S = c->params.samples_per_chunk;
        return (uint32_t)(chunk + 1 < end ? S : seg->num_samples - (seg->num_chunks - 1) * S);
    }
    return 0;
}

#endif
