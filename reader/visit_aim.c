/*
 * Where the rows of a visit go (docs/order.md): the list of targets of the samples of one chunk, in
 * ascending order of their places where the order gives it, so that stores walk through memory.
 * Samples outside the epoch's batches (dropped at its end, or delivered before a resume) are not in
 * the list.
 */
#include "loader.h"

/* A batch that positions are in, and a row of the stream's slice of it. */
struct place {
    uint64_t batch; /* less the first that is delivered */
    uint64_t row;
    uint64_t slot; /* of the batch in bases */
};

/* What does not change during a visit. */
struct aim {
    uint8_t *const *bases;
    uint64_t num_slots;
    uint64_t num_batches; /* delivered, from the first on */
    uint64_t batch_samples, reciprocal;
    uint32_t stream_row; /* where the stream's slice begins */
};

__extension__ typedef unsigned __int128 wide;

/* n / batch_samples, mostly without a division. */
static inline uint64_t batches_of(const struct aim *a, uint64_t n) {
    if (n > UINT32_MAX || a->reciprocal == 0)
        return n / a->batch_samples;
    return (uint64_t)(((wide)a->reciprocal * n) >> 64);
}

static inline void advance(const struct aim *a, struct place *p, uint64_t samples) {
    p->row += samples;
    if (p->row < a->batch_samples)
        return;
    const uint64_t batches = batches_of(a, p->row);
    p->row -= batches * a->batch_samples;
    p->batch += batches;
    p->slot += batches;
    if (p->slot >= a->num_slots)
        p->slot %= a->num_slots;
}

/* The target at a place; false: its batch is not delivered. A batch before the first has wrapped to
 * a very large number. */
static inline bool target_at(const struct aim *a, const struct place *p, uint32_t sample,
                             struct hr__row_target *out) {
    if (p->batch >= a->num_batches)
        return false;
    *out = (struct hr__row_target){a->bases[p->slot], a->stream_row + (uint32_t)p->row, sample};
    return true;
}

static struct aim aim_of(const struct hr_loader *l, const struct hr__item *item) {
    const struct hr__loader_config *c = &l->config;
    return (struct aim){.bases = l->bases,
                        .num_slots = c->num_slots,
                        .num_batches = l->num_batches - item->epoch->first_batch,
                        .batch_samples = c->stream_batch_samples,
                        .reciprocal = c->stream_batch_reciprocal,
                        .stream_row = (item->stream - c->first_stream) * c->stream_batch_samples};
}

static struct place place_of(const struct aim *a, const struct hr__epoch *e, uint64_t position) {
    const uint64_t batch = position / a->batch_samples;
    return (struct place){.batch = batch - e->first_batch,
                          .row = position - batch * a->batch_samples,
                          .slot = (e->first_number + batch) % a->num_slots};
}

/* Positions base + offsets[0], base + offsets[1], ... (NULL: base, base + 1, ...) of samples. */
static uint32_t aim_ascending(const struct aim *shared, struct place p, const uint16_t *samples,
                              const uint32_t *offsets, uint32_t num_samples,
                              struct hr__row_target *out) {
    const struct aim a = *shared; /* which no store can change */
    uint32_t num_targets = 0;
    for (uint32_t k = 0; k < num_samples; k++) {
        if (k > 0)
            advance(&a, &p, offsets != NULL ? offsets[k] - offsets[k - 1] : 1);
        num_targets += target_at(&a, &p, samples[k], &out[num_targets]);
    }
    return num_targets;
}

static uint32_t aim_each(const struct aim *a, const struct hr__epoch *e, const uint64_t *positions,
                         uint32_t num_samples, struct hr__row_target *out) {
    uint32_t num_targets = 0;
    for (uint32_t k = 0; k < num_samples; k++) {
        const struct place p = place_of(a, e, positions[k]);
        num_targets += target_at(a, &p, k, &out[num_targets]);
    }
    return num_targets;
}

/* The piece's samples have consecutive places in the virtual chunk, by which the order knows them.
 */
static void aim_piece(struct hr__worker *w, struct hr__read *r) {
    const struct hr__item *item = &r->item;
    const struct aim a = aim_of(w->loader, item);
    const struct hr__epoch *e = item->epoch;
    const uint32_t first = (uint32_t)(r->piece.number - r->piece.begin);
    const uint32_t n = hr__piece_samples(w->loader, r, w->places);
    const uint32_t *offsets;
    uint64_t base;
    if (hr__order_part_ascending(e->order, item->stream, item->visit, first, n, w->samples,
                                 w->scratch, w->positions, &base, &offsets)) {
        for (uint32_t k = 0; k < n; k++)
            w->samples[k] = w->places[w->samples[k] - first];
        const struct place begin = place_of(&a, e, base + (offsets != NULL ? offsets[0] : 0));
        w->num_targets = aim_ascending(&a, begin, w->samples, offsets, n, w->targets);
    } else {
        hr__order_part_positions(e->order, item->stream, item->visit, first, n, w->positions);
        w->num_targets = aim_each(&a, e, w->positions, n, w->targets);
        for (uint32_t k = 0; k < w->num_targets; k++)
            w->targets[k].sample = w->places[w->targets[k].sample];
    }
}

void hr__visit_aim(struct hr__worker *w, struct hr__read *r) {
    if (w->loader->config.subset != NULL) {
        aim_piece(w, r);
        return;
    }
    const struct hr__item *item = &r->item;
    const struct aim a = aim_of(w->loader, item);
    const struct hr__epoch *e = item->epoch;
    const uint32_t *offsets;
    uint64_t base;
    uint32_t n;
    if (hr__order_visit_ascending(e->order, item->stream, item->visit, w->samples, w->scratch,
                                  &base, &offsets, &n)) {
        const struct place first =
            place_of(&a, e, base + (offsets != NULL && n > 0 ? offsets[0] : 0));
        w->num_targets = aim_ascending(&a, first, w->samples, offsets, n, w->targets);
    } else {
        n = hr__order_visit_positions(e->order, item->stream, item->visit, w->positions);
        w->num_targets = aim_each(&a, e, w->positions, n, w->targets);
    }
}
