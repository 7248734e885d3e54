/*
 * A run of hr_bench() at work.
 *
 *   bench.c (options, what can be measured here) -> bench_rounds.c (everything once in each round)
 *   -> bench_result.c (medians, shares)
 *
 * Invariants:
 *  1. a wanted epoch has its limits wanted too;
 *  2. every wanted kind has a value for each round when the rounds are over;
 *  3. what is held for the whole run is charged to `held`; what one measure needs, to `work`, which
 *     is empty between measures: so a loader, which has a budget of its own of the same size, and
 *     `work` never take memory at the same time.
 */
#ifndef HEADRACE_BENCH_RUN_H
#define HEADRACE_BENCH_RUN_H

#include "headrace/bench.h"
#include "io_backend.h"
#include "rates.h"

#define HR__BENCH_MAX_ROUNDS 1000u
#define HR__BENCH_BIT(kind)  (1u << (kind))
#define HR__BENCH_READS                                                                            \
    (HR__BENCH_BIT(HR_BENCH_READ_SEQUENTIAL) | HR__BENCH_BIT(HR_BENCH_READ_SHUFFLED))
#define HR__BENCH_MEMORY                                                                           \
    (HR__BENCH_BIT(HR_BENCH_MEMORY_SEQUENTIAL) | HR__BENCH_BIT(HR_BENCH_MEMORY_SHUFFLED))
#define HR__BENCH_DISK                                                                             \
    (HR__BENCH_BIT(HR_BENCH_DISK_SEQUENTIAL) | HR__BENCH_BIT(HR_BENCH_DISK_SHUFFLED))

struct hr__bench_value { /* of one kind in one round */
    double bytes_per_s;
    struct hr__epoch_run run; /* of an epoch */
};

struct hr__bench {
    hr_dataset *ds;
    hr_bench_options o; /* resolved, but for window_visits and budget_bytes */
    struct hr__budget held, work;
    uint64_t loader_budget_bytes; /* as handed to loaders; 0: their default */
    struct hr__chunk_sample sample;
    struct hr__io_backend direct; /* of reads past the page cache */
    uint32_t asked, wanted; /* bits: by the caller; with the limits, without what cannot be had */
    const char *no_memory;  /* why epochs from memory cannot be measured, or NULL */
    char no_disk[HR_BENCH_REASON_BYTES]; /* why reads past the page cache cannot, or "" */
    uint32_t memory_epochs, disk_epochs; /* of one run; 0: a part of one */
    uint32_t window_visits, num_threads, read_depth; /* as a shuffled loader resolves them */
    uint64_t plan_budget_bytes;
    hr_bench_progress progress;
    struct hr__bench_value *values; /* [kind x num_rounds + round] */
};

static inline struct hr__bench_value *hr__bench_value(const struct hr__bench *b, uint32_t kind,
                                                      uint32_t round) {
    return &b->values[kind * b->o.num_rounds + round];
}

static inline double hr__bench_ratio(const struct hr__bench *b) {
    return (double)b->sample.decoded_bytes / (double)b->sample.num_bytes;
}

/* bench_rounds.c: figures what a loader takes, how many epochs a run is, and fills the values. */
hr_status hr__bench_plan(struct hr__bench *b, hr_error *err);
hr_status hr__bench_rounds(struct hr__bench *b, hr_error *err);

/* bench_result.c */
void hr__bench_result(const struct hr__bench *b, hr_bench_result *out);

#endif
