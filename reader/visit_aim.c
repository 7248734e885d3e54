/*
 * Where the rows of a visit go (docs/order.md): the list of targets of the samples of one chunk, in
 * ascending order of their places where the order gives it, so that stores walk through memory.
 * Samples outside the epoch's batches (dropped at its end, or delivered before a resume) are not in
 * the list.
 */
#include "loader.h"

/* The batch that positions are in now, going upwards. */
struct place {
    struct hr_loader *loader;
    struct hr__epoch *epoch;
    uint64_t batch;
    uint64_t row;        /* of the stream's slice of it */
    uint64_t slot;       /* batch's place in by_number */
    uint8_t *base;       /* of its buffer; NULL: it is not delivered */
    uint32_t stream_row; /* where the stream's slice begins */
};

__extension__ typedef unsigned __int128 wide;

/* n / stream_batch_samples, mostly without a division. */
static uint64_t divide(const struct hr__loader_config *c, uint64_t n) {
    if (n > UINT32_MAX || c->stream_batch_reciprocal == 0)
        return n / c->stream_batch_samples;
    return (uint64_t)(((wide)c->stream_batch_reciprocal * n) >> 64);
}

static void find_base(struct place *p) {
    const bool delivered = p->batch >= p->epoch->first_batch && p->batch < p->loader->num_batches;
    p->base = delivered ? p->loader->bases[p->slot] : NULL;
}

static void place_begin(struct place *p, const struct hr__item *item, uint64_t position) {
    const struct hr__loader_config *c = &p->loader->config;
    p->batch = position / c->stream_batch_samples;
    p->row = position - p->batch * c->stream_batch_samples;
    p->slot = (p->epoch->first_number + p->batch) % c->num_slots;
    p->stream_row = (item->stream - c->first_stream) * c->stream_batch_samples;
    find_base(p);
}

static void place_advance(struct place *p, uint64_t samples) {
    const struct hr__loader_config *c = &p->loader->config;
    p->row += samples;
    if (p->row < c->stream_batch_samples)
        return;
    const uint64_t batches = divide(c, p->row);
    p->row -= batches * c->stream_batch_samples;
    p->batch += batches;
    p->slot += batches;
    if (p->slot >= c->num_slots)
        p->slot %= c->num_slots;
    find_base(p);
}

static void add(struct hr__worker *w, const struct place *p, uint32_t sample) {
    if (p->base != NULL)
        w->targets[w->num_targets++] =
            (struct hr__row_target){p->base, p->stream_row + (uint32_t)p->row, sample};
}

/* Positions base, base + offsets[1], ... (NULL: base, base + 1, ...) of samples. */
static void aim_ascending(struct hr__worker *w, struct place *p, const struct hr__item *item,
                          uint64_t base, const uint32_t *offsets, uint32_t num_samples) {
    uint32_t before = offsets != NULL ? offsets[0] : 0;
    place_begin(p, item, base + before);
    for (uint32_t k = 0; k < num_samples; k++) {
        const uint32_t offset = offsets != NULL ? offsets[k] : k;
        place_advance(p, offset - before);
        before = offset;
        add(w, p, w->samples[k]);
    }
}

static void aim_each(struct hr__worker *w, struct place *p, const struct hr__item *item) {
    const uint32_t n =
        hr__order_visit_positions(item->epoch->order, item->stream, item->visit, w->positions);
    for (uint32_t k = 0; k < n; k++) {
        place_begin(p, item, w->positions[k]);
        add(w, p, k);
    }
}

void hr__visit_aim(struct hr__worker *w, const struct hr__item *item) {
    struct place p = {.loader = w->loader, .epoch = item->epoch};
    uint64_t base;
    const uint32_t *offsets;
    uint32_t num_samples;
    w->num_targets = 0;
    if (hr__order_visit_ascending(item->epoch->order, item->stream, item->visit, w->samples,
                                  w->scratch, &base, &offsets, &num_samples))
        aim_ascending(w, &p, item, base, offsets, num_samples);
    else
        aim_each(w, &p, item);
}
