/*
 * Making an order: the rules for its parameters and the tables of slots and ends (docs/order.md, 4
 * and 5). Parameters come from a user; segments were checked when the data set was opened.
 */
#include "checked.h"
#include "error.h"
#include "order_shape.h"

static void fill_shorts(struct hr__order *o, const struct hr__order_params *params) {
    uint64_t k = 0;
    for (uint64_t i = 0; i < params->num_segments; i++) {
        const struct hr__segment *seg = &params->segments[i];
        const uint64_t missing = hr__segment_padding(seg, params->samples_per_chunk);
        if (missing == 0)
            continue;
        o->shorts[k].chunk = seg->first_chunk + seg->num_chunks - 1;
        o->shorts[k].num_samples = params->samples_per_chunk - (uint32_t)missing;
        k++;
    }
}

/* Invariant 3 gives every lane's size; the delay of place i is floor(i x W / size). */
static void fill_slots(struct hr__order *o) {
    const struct hr__order_shape *sh = &o->shape;
    const uint32_t S = o->samples_per_chunk;
    uint32_t before = 0;
    for (uint32_t q = 0; q < sh->num_lanes; q++) {
        const uint32_t places = sh->lane_samples + (q < sh->num_long);
        for (uint32_t i = 0; i < places; i++) {
            const uint32_t slot = i * sh->num_lanes + q;
            const uint32_t d = (uint32_t)((uint64_t)i * sh->window / places);
            o->delay[slot] = d;
            o->offset[slot] = d * S + before + i;
            o->delay_sum += d;
        }
        before += places;
    }
    const uint64_t size = sh->lane_samples, longest = size + (sh->num_long > 0);
    o->max_delay_short_lane = (uint32_t)((size - 1) * sh->window / size);
    o->max_delay = (uint32_t)((longest - 1) * sh->window / longest);
}

/* Offsets ascend by tick, in a tick by lane, in a lane by place. */
static void rank_slots(struct hr__order *o) {
    const struct hr__order_shape *sh = &o->shape;
    uint32_t rank = 0;
    for (uint32_t t = 0; t < sh->window; t++) {
        for (uint32_t q = 0; q < sh->num_lanes; q++) {
            const uint32_t *held = q < sh->num_long ? o->held_long : o->held_short;
            for (uint32_t i = t > 0 ? held[t - 1] : 0; i < held[t]; i++) {
                const uint32_t slot = i * sh->num_lanes + q;
                o->rank[slot] = rank;
                o->ascending[rank++] = o->offset[slot];
            }
        }
    }
}

/* Places of a lane with a delay of at most t, t < W. */
static uint32_t places_held(uint64_t places, uint64_t window, uint64_t t) {
    return (uint32_t)hr__min_u64(places, hr__ceil_div((t + 1) * places, window));
}

static void fill_ends(struct hr__order *o) {
    const struct hr__order_shape *sh = &o->shape;
    o->arrived[0] = 0;
    for (uint64_t t = 0; t < sh->window; t++) {
        o->held_long[t] = places_held((uint64_t)sh->lane_samples + 1, sh->window, t);
        o->held_short[t] = places_held(sh->lane_samples, sh->window, t);
        o->arrived[t + 1] = o->arrived[t] + (uint64_t)sh->num_long * o->held_long[t] +
                            (uint64_t)(sh->num_lanes - sh->num_long) * o->held_short[t];
    }
}

static void fill_tables(struct hr__order *o) {
    o->offset = (uint32_t *)(void *)(o->shorts + o->shape.num_shorts);
    o->delay = o->offset + o->samples_per_chunk;
    o->ascending = o->delay + o->samples_per_chunk;
    o->rank = o->ascending + o->samples_per_chunk;
    o->held_long = o->rank + o->samples_per_chunk;
    o->held_short = o->held_long + o->shape.window;
    fill_slots(o);
    fill_ends(o);
    rank_slots(o);
}

static hr_status make(const struct hr__order_params *params, bool whole, struct hr__budget *budget,
                      struct hr__order **out, hr_error *err) {
    *out = NULL;
    struct hr__order_shape shape;
    hr_status st = hr__order_shape_make(params, &shape, err);
    if (st != HR_OK)
        return st;
    const bool tables = whole && shape.tables;
    const uint64_t bytes = hr__order_tables_bytes(&shape, params->samples_per_chunk, tables);
    struct hr__order *o = hr__budget_take(budget, (size_t)bytes, "the order's tables", &st, err);
    if (o == NULL)
        return st;
    o->shape = shape;
    o->kind = params->kind;
    o->samples_per_chunk = params->samples_per_chunk;
    o->num_streams = params->num_streams;
    o->seed = params->seed;
    o->pad_last = params->pad_last;
    o->budget = budget;
    o->reserved_bytes = bytes;
    o->arrived = (uint64_t *)(void *)(o + 1);
    uint64_t *next = o->arrived + (tables ? (uint64_t)shape.window + 1 : 0);
    o->shorts = (struct hr__order_short *)(void *)next;
    fill_shorts(o, params);
    if (tables)
        fill_tables(o);
    o->num_batches = hr__order_count_batches(params, &shape);
    *out = o;
    return HR_OK;
}

hr_status hr__order_make(const struct hr__order_params *params, struct hr__budget *budget,
                         struct hr__order **out, hr_error *err) {
    return make(params, true, budget, out, err);
}

hr_status hr__order_outline(const struct hr__order_params *params, struct hr__budget *budget,
                            struct hr__order **out, hr_error *err) {
    return make(params, false, budget, out, err);
}

void hr__order_free(struct hr__order *o) {
    if (o != NULL)
        hr__budget_free(o->budget, o, (size_t)o->reserved_bytes);
}

uint32_t hr__order_window(const struct hr__order *o) {
    return o->shape.window * o->num_streams;
}

uint64_t hr__order_num_visits(const struct hr__order *o, uint32_t stream) {
    return hr__order_stream_visits(o->shape.num_chunks, o->num_streams, stream);
}

uint64_t hr__order_num_batches(const struct hr__order *o) {
    return o->num_batches;
}

uint64_t hr__order_live_rows(const struct hr__order *o, uint32_t first_stream,
                             uint32_t num_streams) {
    const struct hr__order_shape *sh = &o->shape;
    const uint64_t most = hr__order_num_visits(o, first_stream);
    const uint64_t fewest = hr__order_num_visits(o, first_stream + num_streams - 1);
    /* A stream that is one permutation is complete at its end only, and the others may have got to
     * theirs by then. */
    const bool some_whole = o->kind == HR__ORDER_INTERLEAVED && fewest <= sh->window;
    uint64_t rows = (some_whole ? most : hr__min_u64(most, sh->window)) * o->samples_per_chunk;
    /* A stream that has passed a short chunk is behind the others by the samples that it lacks. */
    if (num_streams > 1)
        rows += sh->padding;
    return hr__min_u64(rows, o->num_batches * sh->batch);
}

/* The variance of a class's count in a batch of data sorted by class, over that of a true random
 * permutation. */
double hr__order_inflation(const struct hr__order *o) {
    const struct hr__order_shape *sh = &o->shape;
    const double S = o->samples_per_chunk, C = (double)sh->num_chunks;
    const double batch = (double)sh->batch * o->num_streams;
    if (o->kind == HR__ORDER_SEQUENTIAL)
        return batch;
    if (!sh->tables)
        return 1;
    const double window = (double)sh->window * o->num_streams;
    const double lane = (double)sh->lane_samples + (sh->num_long > 0);
    const double x = (sh->batch > lane ? sh->batch : lane) / sh->window;
    double sum = 0;
    for (double j = 1; j < S && j < x; j++)
        sum += (1 - j / x) * (S - j) / S;
    return (1 + 2 * sum) * (C - (batch < window ? batch : window)) / (C - 1);
}
