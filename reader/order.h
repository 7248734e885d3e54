/*
 * The orders sequential/1 and interleaved/1 (docs/order.md): which chunk a visit decodes, which
 * position each of its samples goes to, and which visits a batch needs.
 *
 * Words: a *stream* s = 0 .. num_streams-1 owns visits v with v mod num_streams = s; its own visits
 * are numbered c = 0, 1, ... (v = c x num_streams + s). *Positions* are a stream's own, from 0,
 * without padding; row p mod B_s of the stream's slice of batch floor(p / B_s). Positions from
 * hr__order_epoch_samples() on are of samples that are not delivered. With pad_last a stream's
 * visits and positions go on after its last sample: with *repeats* of its first ones.
 *
 * An hr__order is immutable and shared; an hr__order_epoch belongs to one epoch, is immutable after
 * it was made, and must not outlive its order. Threads: any. Nothing is allocated but by the two
 * make functions.
 */
#ifndef HEADRACE_ORDER_H
#define HEADRACE_ORDER_H

#include "budget.h"
#include "chunk_index.h"
#include "permutation.h"

#include <stdbool.h>

enum hr__order_kind { HR__ORDER_SEQUENTIAL = 1, HR__ORDER_INTERLEAVED = 2 };

struct hr__order_params {
    enum hr__order_kind kind;
    const struct hr__segment *segments; /* used during make only */
    uint64_t num_segments;
    uint32_t samples_per_chunk; /* S */
    uint32_t batch_samples;     /* B, of all streams together; num_streams divides it */
    uint32_t num_streams;
    uint32_t window_visits; /* W, of all streams together; num_streams divides it; 0: default;
                             * ignored for the sequential order */
    uint64_t sample_bytes;  /* decoded, over all fields of the data set: for the default window */
    uint64_t least_chunk_bytes; /* what a chunk counts with at least, for the same */
    uint64_t seed;
    bool drop_last; /* leave out a short last batch; always so for several streams without pad_last
                     */
    bool pad_last;  /* every batch is full: repeats go where samples run out; not with drop_last */
};

struct hr__order; /* tables: the slots' offsets, ends, lanes */
struct hr__order_epoch;

/* HR_ERR_INVALID (a rule of docs/order.md is violated, or no batch at all would come; the message
 * says which and what to do), HR_ERR_BUDGET, HR_ERR_NO_MEMORY. */
hr_status hr__order_make(const struct hr__order_params *params, struct hr__budget *budget,
                         struct hr__order **out, hr_error *err);
/* The same without its tables, which take memory in proportion to the window: for the functions up
 * to hr__order_inflation(), and no epoch. */
hr_status hr__order_outline(const struct hr__order_params *params, struct hr__budget *budget,
                            struct hr__order **out, hr_error *err);
void hr__order_free(struct hr__order *o); /* NULL is fine */

/* The default window (all streams together), and the bytes that make and so many epochs of all
 * streams will reserve at most. */
uint32_t hr__order_default_window(const struct hr__order_params *params);
uint64_t hr__order_bytes(const struct hr__order_params *params, uint64_t num_epochs);

uint32_t hr__order_window(const struct hr__order *o); /* W in use, all streams together */
uint64_t hr__order_num_visits(const struct hr__order *o, uint32_t stream); /* without repeats */
uint64_t hr__order_num_batches(const struct hr__order *o); /* the same for every stream and epoch */
/* For streams that share batches, first_stream .. first_stream + num_streams - 1: rows of a stream
 * that lie between the begin of the first batch that is not complete when the visits 0 .. v-1 of
 * all are done and the last row of visits 0 .. v of any, at most over all v, but for rounding to
 * whole batches at both ends (docs/order.md, 5.6 and 5.7). */
uint64_t hr__order_live_rows(const struct hr__order *o, uint32_t first_stream,
                             uint32_t num_streams);
/* Samples that the streams deliver in an epoch, together: the sum of hr__order_epoch_samples().
 * HR_ERR_BUDGET, HR_ERR_NO_MEMORY. */
hr_status hr__order_count_samples(const struct hr__order *o, uint64_t epoch, uint32_t first_stream,
                                  uint32_t num_streams, struct hr__budget *budget, uint64_t *out,
                                  hr_error *err);
/* Expected inflation (docs/order.md, 6). */
double hr__order_inflation(const struct hr__order *o);

/* For the streams first_stream .. first_stream + num_streams - 1.
 * HR_ERR_BUDGET, HR_ERR_NO_MEMORY. */
hr_status hr__order_epoch_make(const struct hr__order *o, uint64_t epoch, uint32_t first_stream,
                               uint32_t num_streams, struct hr__budget *budget,
                               struct hr__order_epoch **out, hr_error *err);
void hr__order_epoch_free(struct hr__order_epoch *e); /* NULL is fine */

/* Samples that a stream delivers in this epoch (positions below num_batches x B_s only), repeats
 * included, and the visits that it takes. */
uint64_t hr__order_epoch_samples(const struct hr__order_epoch *e, uint32_t stream);
uint64_t hr__order_epoch_visits(const struct hr__order_epoch *e, uint32_t stream);
/* Samples in the stream's slice of a batch: B_s, or the rest in a kept short last batch; and how
 * many of these, the last ones, are repeats. */
uint32_t hr__order_epoch_batch_samples(const struct hr__order_epoch *e, uint32_t stream,
                                       uint64_t batch);
uint32_t hr__order_epoch_batch_repeats(const struct hr__order_epoch *e, uint32_t stream,
                                       uint64_t batch);

uint64_t hr__order_visit_chunk(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit);

/* positions[r] for the chunk's real samples r = 0 .. num_samples-1 (num_samples as the segment
 * says; returned). positions has room for S entries. */
uint32_t hr__order_visit_positions(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                                   uint64_t *positions);

/* positions[r] for the chunk's samples first + r, r < count, only. */
void hr__order_part_positions(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                              uint32_t first, uint32_t count, uint64_t *positions);

/* The same in ascending order, where a visit's positions have a known distance from each other:
 * sample samples[k] of the chunk goes to position *base + offsets[k], k < *num_samples.
 * *offsets belongs to the order; NULL: offsets[k] = k. false: it is not such a visit (at an end of
 * an epoch, or with padding between); take hr__order_visit_positions(). samples and scratch have
 * room for S entries. */
bool hr__order_visit_ascending(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                               uint16_t *samples, uint32_t *scratch, uint64_t *base,
                               const uint32_t **offsets, uint32_t *num_samples);

/* Of the chunk's samples first .. first + count - 1 only, count >= 1: *offsets is NULL or scratch.
 * positions has room for S entries. */
bool hr__order_part_ascending(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                              uint32_t first, uint32_t count, uint16_t *samples, uint32_t *scratch,
                              uint64_t *positions, uint64_t *base, const uint32_t **offsets);

/* The highest batch that samples of visits 0 .. visit can go to; never beyond the last batch. Does
 * not descend with visit. Exact but for the ends of the epoch and whole-epoch permutations, where
 * the permutation is taken as unknown. */
uint64_t hr__order_visit_last_batch(const struct hr__order_epoch *e, uint32_t stream,
                                    uint64_t visit);

/* The stream's visits first .. last (inclusive) that hold all samples of a batch's slice. Both do
 * not descend with batch. */
void hr__order_batch_visits(const struct hr__order_epoch *e, uint32_t stream, uint64_t batch,
                            uint64_t *first, uint64_t *last);

/* The inverse: chunk and place in it of the sample at a position below the stream's samples. */
void hr__order_position_sample(const struct hr__order_epoch *e, uint32_t stream, uint64_t position,
                               uint64_t *chunk, uint32_t *place);

#endif
