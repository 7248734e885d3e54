/*
 * What a worker counts on its way.
 *
 * Invariants:
 *  1. a counter is written by its worker only, and read by any thread: so a relaxed store of the
 *     sum will do, and costs what an ordinary one does;
 *  2. a wait that has not ended is seen too: `waits_for` and `since_ns` say which and since when.
 */
#ifndef HEADRACE_LOADER_COUNTERS_H
#define HEADRACE_LOADER_COUNTERS_H

#include "headrace/report.h"

#include <stdatomic.h>

/* Scatter is timed, frame by frame, in one visit out of so many. */
#define HR__TIMED_VISITS 16u

enum hr__wait { HR__WAIT_NONE, HR__WAIT_IO, HR__WAIT_RING, HR__WAIT_CONSUMER };

struct hr__counters {
    _Atomic int64_t began_ns, ended_ns; /* of the worker; 0: not yet */
    _Atomic int64_t wait_io_ns, copy_ns, busy_ns, finish_ns, wait_ring_ns, wait_consumer_ns;
    _Atomic int64_t timed_ns, timed_scatter_ns; /* of the visits whose scatter was timed */
    _Atomic int64_t since_ns;
    _Atomic int waits_for; /* enum hr__wait */
    _Atomic uint64_t read_bytes, wanted_bytes, visits;
    _Atomic uint64_t latency[HR_LATENCY_BUCKETS];
};

static inline void hr__count_ns(_Atomic int64_t *counter, int64_t ns) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + ns,
                          memory_order_relaxed);
}

static inline void hr__count(_Atomic uint64_t *counter, uint64_t n) {
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void hr__wait_begins(struct hr__counters *c, enum hr__wait what, int64_t now_ns) {
    atomic_store_explicit(&c->since_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&c->waits_for, (int)what, memory_order_release);
}

static inline void hr__wait_ends(struct hr__counters *c) {
    atomic_store_explicit(&c->waits_for, (int)HR__WAIT_NONE, memory_order_relaxed);
}

/* Entry of a latency in a histogram by powers of two. */
static inline uint32_t hr__latency_bucket(int64_t ns) {
    uint32_t log2 = ns > 1 ? 63u - (uint32_t)__builtin_clzll((unsigned long long)ns) : 0;
    return log2 < HR_LATENCY_BUCKETS ? log2 : HR_LATENCY_BUCKETS - 1;
}

#endif
