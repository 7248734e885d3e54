/*
 * What the files order*.c share. Symbols follow docs/order.md: S samples a chunk, C visits of a
 * stream, W its window, Q lanes, d(s) the delay of a slot.
 *
 * Invariants
 * 1. Tables exist (not NULL) if and only if some stream has more visits than its window.
 * 2. W x S < 2^32 where tables exist, so an offset fits 32 bits.
 * 3. Lanes 0 .. num_long-1 have lane_samples + 1 places, the others lane_samples >= 1.
 * 4. C x S of all streams together is at most 2^62.
 */
#ifndef HEADRACE_ORDER_INTERNAL_H
#define HEADRACE_ORDER_INTERNAL_H

#include "order.h"
#include "order_key.h"

struct hr__order_short {
    uint64_t chunk;
    uint32_t num_samples; /* fewer than S */
};

/* The numbers that parameters alone decide. */
struct hr__order_shape {
    uint64_t num_chunks;
    uint64_t num_shorts;
    uint64_t padding; /* of all short chunks */
    uint32_t batch;   /* B_s */
    uint32_t window;  /* W_s, 1 for the sequential order */
    uint32_t num_lanes, num_long, lane_samples;
    bool tables; /* some stream needs them */
};

struct hr__order {
    struct hr__order_shape shape;
    enum hr__order_kind kind;
    uint32_t samples_per_chunk, num_streams;
    uint64_t seed;
    bool pad_last;
    uint64_t num_batches;
    struct hr__order_short *shorts; /* ascending by chunk */
    uint64_t delay_sum;             /* D */
    uint32_t max_delay, max_delay_short_lane;
    uint32_t *offset;     /* S: d(s) x S + samples of the lanes before + place */
    uint32_t *delay;      /* S: d(s) */
    uint32_t *ascending;  /* S: all offsets in ascending order */
    uint32_t *rank;       /* S: where the offset of a slot is among them */
    uint64_t *arrived;    /* W + 1: A(t) */
    uint32_t *held_long;  /* W: places of a long lane with a delay of at most t */
    uint32_t *held_short; /* W: of another lane */
    struct hr__budget *budget;
    uint64_t reserved_bytes; /* of the one allocation that begins with this struct */
};

struct hr__order_stream {
    uint64_t num_visits;        /* C */
    uint64_t num_repeat_visits; /* after these; 0 unless pad_last */
    uint64_t num_samples;
    uint64_t delivered_samples; /* more than num_samples: the rest are repeats */
    bool whole;                 /* C <= W: one permutation, in `head` */
    uint64_t head_end;          /* raised positions before it are permuted by `head` */
    uint64_t tail_begin;        /* raised positions from it on are permuted by `tail` */
    uint64_t tail_tick;         /* the first tick of the tail */
    uint64_t *padding;          /* raised positions that hold no sample, ascending */
    uint64_t num_padding;
    uint64_t *short_visits; /* with pad_last: the visits of short chunks, ascending */
    uint64_t *missing;      /* [k]: samples that the short visits 0 .. k have fewer than S */
    uint64_t num_short_visits;
    struct hr__permutation head, tail;
};

struct hr__order_epoch {
    const struct hr__order *order;
    uint64_t epoch;
    uint32_t first_stream, num_streams;
    struct hr__permutation chunks; /* pi */
    struct hr__budget *budget;
    uint64_t reserved_bytes;
    struct hr__order_stream streams[];
};

uint64_t hr__order_stream_visits(uint64_t num_chunks, uint32_t num_streams, uint32_t stream);
const struct hr__order_stream *hr__order_stream_of(const struct hr__order_epoch *e,
                                                   uint32_t stream);
uint32_t hr__order_chunk_samples(const struct hr__order *o, uint64_t chunk);

/* Ticks of a stream of num_visits > W visits: raised positions before tick t, and the tick that a
 * raised position lies in. */
uint64_t hr__order_tick_base(const struct hr__order *o, uint64_t num_visits, uint64_t t);
uint64_t hr__order_tick_of(const struct hr__order *o, uint64_t num_visits, uint64_t raised);

/* Raised positions of the samples first .. first + count - 1 of a visit, short or not. */
void hr__order_raised_positions(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                                uint32_t first, uint32_t count, uint64_t *out);
/* order_repeats.c: visits from C on, which decode the first chunks again. After short_visits are
 * filled: the rest of what repeats need. */
void hr__order_repeats_init(const struct hr__order_epoch *e, uint32_t stream,
                            struct hr__order_stream *s);
/* The position of such a visit's first sample; the others follow it. */
uint64_t hr__order_repeat_begin(const struct hr__order *o, const struct hr__order_stream *s,
                                uint64_t visit);
/* The visit whose sample is at a position from num_samples on. */
uint64_t hr__order_repeat_visit(const struct hr__order *o, const struct hr__order_stream *s,
                                uint64_t position);
/* Padding positions below a raised one; and the raised position of a position. */
uint64_t hr__order_padding_below(const struct hr__order_stream *s, uint64_t raised);
uint64_t hr__order_raise(const struct hr__order_stream *s, uint64_t position);

#endif
