/*
 * The steps of delta.h by vectors of LANES_BYTES, for the files that make a table of them.
 *
 * A vector is loaded whole before one is stored: so add_old goes from the end to the beginning, and
 * add_new, whose distance is no shorter than a vector, forward. What is left is less than a vector.
 */
#ifndef HEADRACE_DELTA_STEPS_H
#define HEADRACE_DELTA_STEPS_H

#include "delta.h"
#include "lanes.h"

/* The lower bytes of a sum do not depend on what is above them. */
LANES_INLINE void add_element(uint8_t *to, const uint8_t *from, uint32_t e) {
    uint64_t a = 0, b = 0;
    memcpy(&a, to, e);
    memcpy(&b, from, e);
    a += b;
    memcpy(to, &a, e);
}

LANES_INLINE void add_lanes(uint8_t *to, const uint8_t *from, uint32_t e) {
    lanes_store(to, lanes_add(lanes_load(to), lanes_load(from), e));
}

LANES_INLINE void add_old_by(uint8_t *p, size_t n, uint32_t e, size_t d) {
    size_t end = n;
    for (; end >= d + LANES_BYTES; end -= LANES_BYTES)
        add_lanes(p + end - LANES_BYTES, p + end - LANES_BYTES - d, e);
    for (; end > d; end -= e)
        add_element(p + end - e, p + end - e - d, e);
}

LANES_INLINE void add_new_by(uint8_t *p, size_t n, uint32_t e, size_t d) {
    size_t at = d;
    for (; at + LANES_BYTES <= n; at += LANES_BYTES)
        add_lanes(p + at, p + at - d, e);
    for (; at < n; at += e)
        add_element(p + at, p + at - d, e);
}

static void add_old(uint8_t *bytes, size_t n_bytes, uint32_t element_bytes, size_t distance_bytes) {
    switch (element_bytes) {
    case 1:
        add_old_by(bytes, n_bytes, 1, distance_bytes);
        break;
    case 2:
        add_old_by(bytes, n_bytes, 2, distance_bytes);
        break;
    case 4:
        add_old_by(bytes, n_bytes, 4, distance_bytes);
        break;
    default:
        add_old_by(bytes, n_bytes, 8, distance_bytes);
    }
}

static void add_new(uint8_t *bytes, size_t n_bytes, uint32_t element_bytes, size_t distance_bytes) {
    switch (element_bytes) {
    case 1:
        add_new_by(bytes, n_bytes, 1, distance_bytes);
        break;
    case 2:
        add_new_by(bytes, n_bytes, 2, distance_bytes);
        break;
    case 4:
        add_new_by(bytes, n_bytes, 4, distance_bytes);
        break;
    default:
        add_new_by(bytes, n_bytes, 8, distance_bytes);
    }
}

#endif
