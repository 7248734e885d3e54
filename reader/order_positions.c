/*
 * Where the samples of a visit go, and back (docs/order.md, 5). Positions are first *raised*, as if
 * every chunk held S samples; then the padding below them is taken off.
 */
#include "order_internal.h"

#include "checked.h"

#include <string.h>

/* How a tick of a stream is filled: in each lane the places low .. high-1. */
struct tick {
    uint64_t base;
    uint32_t low_long, high_long, low_short, high_short;
};

/* A(t): samples of ticks before t, if the epoch had no end. */
static uint64_t arrived(const struct hr__order *o, uint64_t t) {
    return t <= o->shape.window ? o->arrived[t] : t * o->samples_per_chunk - o->delay_sum;
}

uint64_t hr__order_tick_base(const struct hr__order *o, uint64_t num_visits, uint64_t t) {
    return arrived(o, t) - (t > num_visits ? arrived(o, t - num_visits) : 0);
}

uint64_t hr__order_tick_of(const struct hr__order *o, uint64_t num_visits, uint64_t raised) {
    const uint64_t W = o->shape.window;
    uint64_t low = 0, high = W - 1; /* the last tick whose base is at most raised, within these */
    if (raised >= arrived(o, num_visits)) {
        low = num_visits;
        high = num_visits + W - 1;
    } else if (raised >= arrived(o, W - 1)) {
        return (raised + o->delay_sum) / o->samples_per_chunk;
    }
    while (low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        if (hr__order_tick_base(o, num_visits, middle) <= raised)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static struct tick tick_at(const struct hr__order *o, uint64_t num_visits, uint64_t t) {
    const struct hr__order_shape *sh = &o->shape;
    struct tick out = {hr__order_tick_base(o, num_visits, t), 0, sh->lane_samples + 1, 0,
                       sh->lane_samples};
    if (t < sh->window) {
        out.high_long = o->held_long[t];
        out.high_short = o->held_short[t];
    }
    if (t >= num_visits) {
        out.low_long = o->held_long[t - num_visits];
        out.low_short = o->held_short[t - num_visits];
    }
    return out;
}

/* The position of a slot in any tick, before head and tail are permuted. */
static uint64_t slot_position(const struct hr__order *o, uint64_t num_visits, uint64_t visit,
                              uint32_t slot) {
    const struct hr__order_shape *sh = &o->shape;
    const uint32_t place = slot / sh->num_lanes, lane = slot - place * sh->num_lanes;
    const struct tick t = tick_at(o, num_visits, visit + o->delay[slot]);
    const uint64_t in_long = t.high_long - t.low_long, in_short = t.high_short - t.low_short;
    if (lane < sh->num_long)
        return t.base + lane * in_long + (place - t.low_long);
    return t.base + sh->num_long * in_long + (lane - sh->num_long) * in_short +
           (place - t.low_short);
}

static uint64_t permute_ends(const struct hr__order_stream *s, uint64_t raised) {
    if (raised < s->head_end)
        return hr__permutation_apply(&s->head, raised);
    if (raised >= s->tail_begin)
        return s->tail_begin + hr__permutation_apply(&s->tail, raised - s->tail_begin);
    return raised;
}

static uint64_t restore_ends(const struct hr__order_stream *s, uint64_t raised) {
    if (raised < s->head_end)
        return hr__permutation_invert(&s->head, raised);
    if (raised >= s->tail_begin)
        return s->tail_begin + hr__permutation_invert(&s->tail, raised - s->tail_begin);
    return raised;
}

/* All samples of the visit go to ticks that W visits share. */
static bool is_interior(const struct hr__order *o, uint64_t num_visits, uint64_t visit) {
    return visit + 1 >= o->shape.window && o->max_delay < num_visits - visit;
}

static void init_samples(const struct hr__order_epoch *e, uint64_t chunk,
                         struct hr__permutation *out) {
    const struct hr__order *o = e->order;
    hr__permutation_init(out, o->samples_per_chunk,
                         hr__order_key(o->seed, e->epoch, HR__KEY_SAMPLES, 0, chunk));
}

/* Raised positions of the samples first .. first+count-1 of a visit; no less than *low, below
 * *high. */
static void raised_positions(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                             uint32_t first, uint32_t count, uint64_t *out, uint64_t *low,
                             uint64_t *high) {
    const struct hr__order *o = e->order;
    const struct hr__order_stream *s = hr__order_stream_of(e, stream);
    const uint64_t S = o->samples_per_chunk;
    *low = 0;
    *high = s->num_visits * S;
    if (o->kind == HR__ORDER_SEQUENTIAL) {
        *low = visit * S;
        *high = *low + S;
        for (uint32_t k = 0; k < count; k++)
            out[k] = *low + first + k;
        return;
    }
    if (s->whole) {
        hr__permutation_range(&s->head, visit * S + first, count, out);
        return;
    }
    struct hr__permutation samples;
    init_samples(e, hr__order_visit_chunk(e, stream, visit), &samples);
    hr__permutation_range(&samples, first, count, out);
    if (is_interior(o, s->num_visits, visit)) {
        *low = visit * S - o->delay_sum;
        *high = *low + (o->max_delay + (uint64_t)1) * S;
        for (uint32_t k = 0; k < count; k++)
            out[k] = *low + o->offset[out[k]];
        return;
    }
    for (uint32_t k = 0; k < count; k++)
        out[k] = permute_ends(s, slot_position(o, s->num_visits, visit, (uint32_t)out[k]));
}

void hr__order_raised_positions(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                                uint32_t first, uint32_t count, uint64_t *out) {
    uint64_t low, high;
    raised_positions(e, stream, visit, first, count, out, &low, &high);
}

/* Entries of a sorted list that are below a value; without a branch that could be mispredicted. */
static inline uint64_t count_below(const uint64_t *list, uint64_t n, uint64_t value) {
    const uint64_t *at = list;
    while (n > 1) {
        const uint64_t half = n / 2;
        at += at[half - 1] < value ? half : 0;
        n -= half;
    }
    return (uint64_t)(at - list) + (n == 1 && *at < value);
}

uint64_t hr__order_padding_below(const struct hr__order_stream *s, uint64_t raised) {
    return count_below(s->padding, s->num_padding, raised);
}

uint64_t hr__order_raise(const struct hr__order_stream *s, uint64_t position) {
    uint64_t first = 0, last = s->num_padding; /* padding entry j is passed if it, less j, is <= */
    while (first < last) {
        const uint64_t middle = first + (last - first) / 2;
        if (s->padding[middle] - middle <= position)
            first = middle + 1;
        else
            last = middle;
    }
    return position + first;
}

void hr__order_part_positions(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                              uint32_t first_sample, uint32_t count, uint64_t *positions) {
    const struct hr__order_stream *s = hr__order_stream_of(e, stream);
    if (visit >= s->num_visits) {
        const uint64_t begin = hr__order_repeat_begin(e->order, s, visit) + first_sample;
        for (uint32_t r = 0; r < count; r++)
            positions[r] = begin + r;
        return;
    }
    uint64_t low, high;
    raised_positions(e, stream, visit, first_sample, count, positions, &low, &high);
    const uint64_t first = hr__order_padding_below(s, low);
    const uint64_t near = hr__order_padding_below(s, high) - first;
    for (uint32_t r = 0; r < count && first > 0; r++)
        positions[r] -= first;
    for (uint32_t r = 0; r < count && near > 0; r++)
        positions[r] -= count_below(s->padding + first, near, positions[r] + first);
}

uint32_t hr__order_visit_positions(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                                   uint64_t *positions) {
    const uint64_t chunk = hr__order_visit_chunk(e, stream, visit);
    const uint32_t count = hr__order_chunk_samples(e->order, chunk);
    hr__order_part_positions(e, stream, visit, 0, count, positions);
    return count;
}

/* Raised positions low .. high - 1 hold no padding: *base is then the position of `low`. */
static bool without_padding(const struct hr__order_stream *s, uint64_t low, uint64_t high,
                            uint64_t *base) {
    const uint64_t before = hr__order_padding_below(s, low);
    *base = low - before;
    return hr__order_padding_below(s, high) == before;
}

/* The base of a visit of S samples whose positions have the distances of the table; false: it is
 * none. */
static bool interior_base(const struct hr__order *o, const struct hr__order_stream *s,
                          uint64_t visit, uint64_t *base) {
    const uint64_t S = o->samples_per_chunk;
    if (s->whole || !is_interior(o, s->num_visits, visit))
        return false;
    const uint64_t low = visit * S - o->delay_sum;
    return without_padding(s, low, low + (o->max_delay + (uint64_t)1) * S, base);
}

bool hr__order_visit_ascending(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                               uint16_t *samples, uint32_t *scratch, uint64_t *base,
                               const uint32_t **offsets, uint32_t *num_samples) {
    const struct hr__order *o = e->order;
    const struct hr__order_stream *s = hr__order_stream_of(e, stream);
    const uint64_t chunk = hr__order_visit_chunk(e, stream, visit), S = o->samples_per_chunk;
    *num_samples = hr__order_chunk_samples(o, chunk);
    const bool repeats = visit >= s->num_visits;
    if (repeats || o->kind == HR__ORDER_SEQUENTIAL) {
        for (uint32_t k = 0; k < *num_samples; k++)
            samples[k] = (uint16_t)k;
        *offsets = NULL;
        if (!repeats)
            return without_padding(s, visit * S, visit * S + *num_samples, base);
        *base = hr__order_repeat_begin(o, s, visit);
        return true;
    }
    if (*num_samples < S || !interior_base(o, s, visit, base))
        return false;
    struct hr__permutation slots;
    init_samples(e, chunk, &slots);
    hr__permutation_all(&slots, scratch);
    for (uint32_t k = 0; k < S; k++)
        samples[o->rank[scratch[k]]] = (uint16_t)k;
    *offsets = o->ascending;
    return true;
}

/* Samples that are marked at their ranks, in the order of these. */
static void collect_ranks(const struct hr__order *o, const uint64_t *marks, uint16_t *samples,
                          uint32_t *offsets) {
    uint32_t n = 0;
    for (uint32_t word = 0; word < (o->samples_per_chunk + 63) / 64; word++) {
        for (uint64_t rest = marks[word]; rest != 0; rest &= rest - 1) {
            const uint32_t rank = word * 64 + (uint32_t)__builtin_ctzll(rest);
            samples[n] = samples[rank]; /* n <= rank */
            offsets[n++] = o->ascending[rank];
        }
    }
}

bool hr__order_part_ascending(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit,
                              uint32_t first, uint32_t count, uint16_t *samples, uint32_t *scratch,
                              uint64_t *positions, uint64_t *base, const uint32_t **offsets) {
    const struct hr__order *o = e->order;
    const struct hr__order_stream *s = hr__order_stream_of(e, stream);
    const uint64_t chunk = hr__order_visit_chunk(e, stream, visit), S = o->samples_per_chunk;
    const bool repeats = visit >= s->num_visits;
    if (repeats || o->kind == HR__ORDER_SEQUENTIAL) {
        for (uint32_t k = 0; k < count; k++)
            samples[k] = (uint16_t)(first + k);
        *offsets = NULL;
        if (!repeats)
            return without_padding(s, visit * S + first, visit * S + first + count, base);
        *base = hr__order_repeat_begin(o, s, visit) + first;
        return true;
    }
    if (hr__order_chunk_samples(o, chunk) < S || !interior_base(o, s, visit, base))
        return false;
    struct hr__permutation slots;
    uint64_t marks[65536 / 64];
    memset(marks, 0, (S + 63) / 64 * sizeof(marks[0]));
    init_samples(e, chunk, &slots);
    hr__permutation_range(&slots, first, count, positions);
    for (uint32_t k = 0; k < count; k++) {
        const uint32_t rank = o->rank[positions[k]];
        samples[rank] = (uint16_t)(first + k);
        marks[rank / 64] |= UINT64_C(1) << rank % 64;
    }
    collect_ranks(o, marks, samples, scratch);
    *offsets = scratch;
    return true;
}

/* The slot and visit at a raised position whose ends were restored. */
static uint32_t slot_at(const struct hr__order *o, uint64_t num_visits, uint64_t raised,
                        uint64_t *visit) {
    const struct hr__order_shape *sh = &o->shape;
    const uint64_t tick = hr__order_tick_of(o, num_visits, raised);
    const struct tick t = tick_at(o, num_visits, tick);
    const uint64_t in_long = t.high_long - t.low_long, in_short = t.high_short - t.low_short;
    uint64_t rest = raised - t.base, lane, place;
    if (rest < sh->num_long * in_long) {
        lane = rest / in_long;
        place = t.low_long + rest % in_long;
    } else {
        rest -= sh->num_long * in_long;
        lane = sh->num_long + rest / in_short;
        place = t.low_short + rest % in_short;
    }
    const uint32_t slot = (uint32_t)(place * sh->num_lanes + lane);
    *visit = tick - o->delay[slot];
    return slot;
}

void hr__order_position_sample(const struct hr__order_epoch *e, uint32_t stream, uint64_t position,
                               uint64_t *chunk, uint32_t *place) {
    const struct hr__order *o = e->order;
    const struct hr__order_stream *s = hr__order_stream_of(e, stream);
    if (position >= s->num_samples) {
        const uint64_t again = hr__order_repeat_visit(o, s, position);
        *chunk = hr__order_visit_chunk(e, stream, again);
        *place = (uint32_t)(position - hr__order_repeat_begin(o, s, again));
        return;
    }
    uint64_t raised = hr__order_raise(s, position);
    if (o->kind == HR__ORDER_SEQUENTIAL || s->whole) {
        if (s->whole)
            raised = hr__permutation_invert(&s->head, raised);
        *chunk = hr__order_visit_chunk(e, stream, raised / o->samples_per_chunk);
        *place = (uint32_t)(raised % o->samples_per_chunk);
        return;
    }
    uint64_t visit;
    const uint32_t slot = slot_at(o, s->num_visits, restore_ends(s, raised), &visit);
    struct hr__permutation samples;
    *chunk = hr__order_visit_chunk(e, stream, visit);
    init_samples(e, *chunk, &samples);
    *place = (uint32_t)hr__permutation_invert(&samples, slot);
}
