/*
 * The buckets of a shuffle in its temporary file: filled in any order, then loaded one by one.
 *
 * Each bucket has a region of its own, as large as it will be. Its records lie there as they came,
 * in pieces of the same length but for the last, whose hashes prove that they are read as they were
 * written. What is read is untrusted until then.
 */
#ifndef HEADRACE_BUCKETS_H
#define HEADRACE_BUCKETS_H

#include "piece_pool.h"
#include "shuffle_plan.h"

struct hr__bucket {
    uint64_t num_records;
    uint64_t sum;                   /* of its pieces' hashes */
    struct hr__bucket_piece *piece; /* being filled; NULL: none */
};

struct hr__buckets {
    const struct hr__shuffle_layout *layout;
    const struct hr__shuffle_plan *plan;
    const struct hr__file *file;
    struct hr__budget *budget;
    struct hr__bucket *buckets;
    struct hr__piece_pool pool; /* while buckets are filled */
};

/* Everything that is given must outlive it. */
hr_status hr__buckets_open(struct hr__buckets *b, const struct hr__shuffle_layout *layout,
                           const struct hr__shuffle_plan *plan, const struct hr__file *file,
                           struct hr__budget *budget, hr_error *err);
/* Sample i of the columns, whose original index this is, goes to a place below
 * plan->num_samples, which no other sample has. */
hr_status hr__buckets_put(struct hr__buckets *b, uint64_t place, const void *const *columns,
                          uint64_t i, uint64_t index, hr_error *err);
/* Every sample was put: waits until all is written, and frees what only filling needed. HR_TIMEOUT:
 * not yet; call it again. */
hr_status hr__buckets_finish(struct hr__buckets *b, int64_t timeout_ns, hr_error *err);
void hr__buckets_close(struct hr__buckets *b); /* a zeroed one is fine */

/* Samples of a bucket. */
uint64_t hr__buckets_samples(const struct hr__buckets *b, uint64_t bucket);

#endif
