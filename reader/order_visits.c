/*
 * Which batches a visit reaches, and which visits a batch needs (docs/order.md, 5.6): by closed
 * formulas on raised positions.
 */
#include "order_internal.h"

#include "checked.h"

/* The highest raised position of visits 0 .. visit where no end is permuted: the last place that
 * the visit has in the tick visit + max_delay, which no earlier visit reaches. */
static uint64_t last_raised(const struct hr__order *o, uint64_t num_visits, uint64_t visit) {
    const struct hr__order_shape *sh = &o->shape;
    const uint64_t t = visit + o->max_delay;
    if (o->max_delay_short_lane == o->max_delay)
        return hr__order_tick_base(o, num_visits, t + 1) - 1;
    uint64_t places = sh->lane_samples + 1; /* of a long lane in this tick; all are long before */
    if (t < sh->window)
        places = o->held_long[t];
    if (t >= num_visits)
        places -= o->held_long[t - num_visits];
    return hr__order_tick_base(o, num_visits, t) + sh->num_long * places - 1;
}

static uint64_t reached(const struct hr__order *o, const struct hr__order_stream *s,
                        uint64_t visit) {
    const uint64_t total = s->num_visits * o->samples_per_chunk;
    if (o->kind == HR__ORDER_SEQUENTIAL)
        return (visit + 1) * o->samples_per_chunk - 1;
    if (s->whole || visit + o->max_delay >= s->tail_tick)
        return total - 1;
    const uint64_t last = last_raised(o, s->num_visits, visit);
    return last < s->head_end ? s->head_end - 1 : last;
}

uint64_t hr__order_visit_last_batch(const struct hr__order_epoch *e, uint32_t stream,
                                    uint64_t visit) {
    const struct hr__order *o = e->order;
    const struct hr__order_stream *s = hr__order_stream_of(e, stream);
    uint64_t samples;
    if (visit < s->num_visits) {
        const uint64_t end = reached(o, s, visit) + 1;
        samples = end - hr__order_padding_below(s, end);
    } else {
        samples = hr__order_repeat_begin(o, s, visit + 1); /* where it ends */
    }
    const uint64_t batch = samples > 0 ? (samples - 1) / o->shape.batch : 0;
    return hr__min_u64(batch, o->num_batches - 1);
}

/* The visits that hold the samples at the positions begin .. end-1, none of them a repeat. */
static void visits_between(const struct hr__order *o, const struct hr__order_stream *s,
                           uint64_t begin, uint64_t end, uint64_t *first, uint64_t *last) {
    const uint64_t low = hr__order_raise(s, begin), high = hr__order_raise(s, end - 1);
    *first = 0;
    *last = s->num_visits - 1;
    if (o->kind == HR__ORDER_SEQUENTIAL) {
        *first = low / o->samples_per_chunk;
        *last = high / o->samples_per_chunk;
        return;
    }
    if (s->whole)
        return;
    const uint64_t low_tick = hr__order_tick_of(o, s->num_visits, low);
    const uint64_t from = hr__min_u64(low_tick, s->tail_tick); /* the tail is one permutation */
    if (low >= s->head_end && from > o->max_delay)
        *first = from - o->max_delay;
    const uint64_t high_tick = hr__order_tick_of(o, s->num_visits, high);
    const uint64_t head_last = low < s->head_end ? o->shape.window / 2 - 1 : 0;
    *last = hr__min_u64(*last, hr__max_u64(high_tick, head_last)); /* tail ticks are C or later */
}

void hr__order_batch_visits(const struct hr__order_epoch *e, uint32_t stream, uint64_t batch,
                            uint64_t *first, uint64_t *last) {
    const struct hr__order *o = e->order;
    const struct hr__order_stream *s = hr__order_stream_of(e, stream);
    const uint64_t begin = batch * o->shape.batch;
    const uint64_t end = begin + hr__order_epoch_batch_samples(e, stream, batch);
    if (begin < s->num_samples)
        visits_between(o, s, begin, hr__min_u64(end, s->num_samples), first, last);
    else
        *first = hr__order_repeat_visit(o, s, begin);
    if (end > s->num_samples)
        *last = hr__order_repeat_visit(o, s, end - 1);
}
