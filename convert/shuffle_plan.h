/*
 * How a shuffle divides its memory. Samples whose place in the data set is in the same range are a
 * bucket. Where one bucket of all samples fits, they are put to their places in memory. Otherwise a
 * first pass writes each sample to the region of its bucket in a temporary file, in pieces, and a
 * second one loads bucket after bucket, one while the other is written. A pure function of its
 * input.
 */
#ifndef HEADRACE_SHUFFLE_PLAN_H
#define HEADRACE_SHUFFLE_PLAN_H

#include "shuffle_rows.h"

/* Of bookkeeping for each bucket and each piece. */
#define HR__BUCKET_BYTES       32u
#define HR__BUCKET_PIECE_BYTES 64u

struct hr__shuffle_plan {
    uint64_t num_samples;
    uint64_t num_buckets;
    uint64_t bucket_samples; /* of every bucket but the last; below 2^32 unless there is one only */
    bool in_memory;

    /* What follows is 0 where it is done in memory. */
    uint64_t file_bytes;
    uint64_t piece_records; /* of a full piece: what is written and hashed at once */
    uint64_t num_pieces;    /* buffers for pieces */
    bool resident;          /* every bucket keeps a buffer; else a piece is one record */
    uint64_t load_records;  /* read at once: whole pieces */
    uint32_t num_threads;   /* that write pieces, and that load a bucket */
};

/* What a shuffle has: memory_bytes, of which reading takes reading_bytes during the first pass. */
struct hr__shuffle_memory {
    uint64_t memory_bytes;
    uint64_t reading_bytes;
    uint32_t num_threads; /* of the whole conversion */
};

/* num_samples: at least 1, each of at least one byte. False: the memory is too small. */
bool hr__shuffle_plan_make(const struct hr__shuffle_layout *layout, uint64_t num_samples,
                           const struct hr__shuffle_memory *memory, struct hr__shuffle_plan *out);

/* The least memory_bytes that work. */
uint64_t hr__shuffle_plan_least(const struct hr__shuffle_layout *layout, uint64_t num_samples,
                                uint64_t reading_bytes);

#endif
