/*
 * Arithmetic on sizes from files: false where the result does not fit; *out is then unchanged.
 */
#ifndef HEADRACE_CHECKED_H
#define HEADRACE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool hr__add_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

static inline bool hr__mul_u64(uint64_t a, uint64_t b, uint64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

/* off .. off + n_bytes lies in 0 .. end. */
static inline bool hr__range_within(uint64_t off, uint64_t n_bytes, uint64_t end) {
    return off <= end && n_bytes <= end - off;
}

/* ceil(a / b), b > 0. */
static inline uint64_t hr__ceil_div(uint64_t a, uint64_t b) {
    return a / b + (a % b != 0);
}

/* a rounded up to a multiple of b (b > 0); the caller knows that it fits. */
static inline uint64_t hr__round_up(uint64_t a, uint64_t b) {
    return hr__ceil_div(a, b) * b;
}

static inline uint64_t hr__min_u64(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static inline uint64_t hr__max_u64(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

#endif
