/*
 * A subset of a data set's samples: compact numbers 0 .. n-1 to indices (docs/order.md, 9).
 *
 * Invariants
 * 1. n >= 1; indices ascend and are below dataset_samples.
 * 2. One arithmetic progression has kind RANGE and no memory; other subsets are lists where 8 bytes
 *    for each of their samples are less than a bit for each of the data set, and bits otherwise.
 * 3. ranks[b] is the number of samples in the words before word b * HR__RANK_WORDS; one entry more
 *    holds n.
 * 4. Nothing changes after hr__subset_finish() but refs.
 */
#ifndef HEADRACE_SUBSET_INTERNAL_H
#define HEADRACE_SUBSET_INTERNAL_H

#include "dataset.h"
#include "hash_stream.h"
#include "headrace/subset.h"

#define HR__RANK_WORDS 64u

enum hr__subset_kind { HR__SUBSET_RANGE, HR__SUBSET_LIST, HR__SUBSET_BITS };

struct hr_subset {
    _Atomic uint32_t refs;
    uint8_t uuid[16]; /* of the data set */
    uint64_t commit_seq, dataset_samples;
    uint32_t samples_per_chunk;
    uint64_t num_samples;
    uint64_t hash;
    struct hr__segment segments[2]; /* the virtual chunks */
    uint32_t num_segments;
    uint64_t num_chunks;
    enum hr__subset_kind kind;
    uint64_t first, step; /* RANGE */
    uint64_t *list;       /* LIST: n indices */
    uint64_t *bits;       /* BITS: num_words */
    uint64_t *ranks;      /* BITS: in the same memory, behind them */
    uint64_t num_words;
    struct hr__budget budget;
    uint64_t memory_bytes; /* of list, or of bits and ranks */
};

/* Made by indices that come in ascending order, none twice. */
struct hr__subset_maker {
    const hr_dataset *ds;
    struct hr_subset *subset;
    uint64_t count;            /* so far */
    uint64_t first, step, run; /* the progression at hand */
    uint64_t num_progressions; /* before it */
    struct hr__hash_stream hash;
};

/* Of num_samples >= 1 indices, in at most limit_bytes. */
hr_status hr__subset_begin(const hr_dataset *ds, uint64_t num_samples, uint64_t limit_bytes,
                           struct hr__subset_maker *out, hr_error *err);
void hr__subset_add(struct hr__subset_maker *m, uint64_t index);
/* n more of a list that comes from a user. HR_ERR_INVALID: one is out of bounds or of order. */
hr_status hr__subset_add_list(struct hr__subset_maker *m, const uint64_t *indices, uint64_t n,
                              hr_error *err);
/* After as many as were announced. */
hr_subset *hr__subset_finish(struct hr__subset_maker *m);
void hr__subset_abandon(struct hr__subset_maker *m); /* a zeroed or finished one is fine */

/* HR_ERR_INVALID: none can have no samples. */
hr_status hr__subset_empty(const hr_dataset *ds, hr_error *err);

/* first, first + step, ...: num_samples >= 1 of them. */
hr_status hr__subset_range(const hr_dataset *ds, uint64_t first, uint64_t step,
                           uint64_t num_samples, hr_subset **out, hr_error *err);

hr_subset *hr__subset_retain(hr_subset *s);
/* HR_ERR_MISMATCH: it was made for another data set, or another commit of it. */
hr_status hr__subset_check(const hr_subset *s, const hr_dataset *ds, hr_error *err);

/* The compact numbers of a virtual chunk. */
void hr__subset_chunk(const hr_subset *s, uint64_t chunk, uint64_t *first, uint32_t *num_samples);
/* The index of a compact number. */
uint64_t hr__subset_index(const hr_subset *s, uint64_t number);
/* Samples with an index below. */
uint64_t hr__subset_rank(const hr_subset *s, uint64_t index);
/* Those of count compact numbers from `first` on. */
void hr__subset_list(const hr_subset *s, uint64_t first, uint64_t count, uint64_t *out);
/* The samples from compact number `number`, whose index is `index`, on that are below end_index, at
 * most `most` of them (there are so many): their indices, less base. Returns how many. */
uint32_t hr__subset_run(const hr_subset *s, uint64_t number, uint64_t index, uint64_t end_index,
                        uint32_t most, uint64_t base, uint16_t *out);

#endif
