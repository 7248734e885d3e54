/*
 * Repeats (docs/order.md, 5.7): with pad_last, a stream's visits go on after the last, C - 1, and
 * decode its first chunks again, so that the samples that run out are made up for. Visit v >= C is
 * visit v mod C over again, and its samples follow each other.
 */
#include "order_internal.h"

#include "checked.h"

/* Samples of the visits 0 .. visit-1, visit at most C. */
static uint64_t samples_before(const struct hr__order *o, const struct hr__order_stream *s,
                               uint64_t visit) {
    uint64_t low = 0, high = s->num_short_visits;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (s->short_visits[middle] < visit)
            low = middle + 1;
        else
            high = middle;
    }
    return visit * o->samples_per_chunk - (low > 0 ? s->missing[low - 1] : 0);
}

/* The visit that holds sample u, counted by visit; u is below num_samples. */
static uint64_t visit_holding(const struct hr__order *o, const struct hr__order_stream *s,
                              uint64_t u) {
    uint64_t low = 0, high = s->num_short_visits; /* the short visits that end at or before u */
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        const uint64_t end = (s->short_visits[middle] + 1) * o->samples_per_chunk;
        if (end - s->missing[middle] <= u)
            low = middle + 1;
        else
            high = middle;
    }
    return (u + (low > 0 ? s->missing[low - 1] : 0)) / o->samples_per_chunk;
}

void hr__order_repeats_init(const struct hr__order_epoch *e, uint32_t stream,
                            struct hr__order_stream *s) {
    const struct hr__order *o = e->order;
    uint64_t missing = 0;
    for (uint64_t k = 0; k < s->num_short_visits; k++) {
        const uint64_t chunk = hr__order_visit_chunk(e, stream, s->short_visits[k]);
        missing += o->samples_per_chunk - hr__order_chunk_samples(o, chunk);
        s->missing[k] = missing;
    }
    if (s->delivered_samples > s->num_samples)
        s->num_repeat_visits =
            hr__order_repeat_visit(o, s, s->delivered_samples - 1) + 1 - s->num_visits;
}

uint64_t hr__order_repeat_begin(const struct hr__order *o, const struct hr__order_stream *s,
                                uint64_t visit) {
    return visit / s->num_visits * s->num_samples + samples_before(o, s, visit % s->num_visits);
}

uint64_t hr__order_repeat_visit(const struct hr__order *o, const struct hr__order_stream *s,
                                uint64_t position) {
    return position / s->num_samples * s->num_visits +
           visit_holding(o, s, position % s->num_samples);
}
