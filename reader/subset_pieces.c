/*
 * Where the samples of a virtual chunk lie: the pieces that a visit reads one after the other
 * (docs/order.md, 9).
 */
#include "loader.h"
#include "subset.h"

#include "checked.h"

#define SAMPLED_VISITS 256u

/* The chunk that holds a sample, and the samples that this one holds. */
static uint64_t chunk_of(const hr_dataset *ds, uint64_t index, uint64_t *first_index,
                         uint32_t *num_samples) {
    const struct hr__footer *f = &ds->footer;
    uint64_t chunk;
    uint32_t place;
    hr__segment_locate(f->segments, f->num_segments, f->schema.samples_per_chunk, index, &chunk,
                       &place);
    hr__segment_chunk(f->segments, f->num_segments, f->schema.samples_per_chunk, chunk, first_index,
                      num_samples);
    return chunk;
}

static void piece_at(const struct hr__loader_config *c, uint64_t number, struct hr__read *r) {
    struct hr__piece *p = &r->piece;
    uint32_t num_samples;
    p->number = number;
    p->index = hr__subset_index(c->subset, number);
    r->item.chunk = chunk_of(c->ds, p->index, &p->chunk_index, &num_samples);
    p->chunk_end = p->chunk_index + num_samples;
}

void hr__piece_first(const struct hr_loader *l, struct hr__read *r) {
    const struct hr__loader_config *c = &l->config;
    uint32_t num_samples;
    hr__subset_chunk(c->subset, r->item.chunk, &r->piece.begin, &num_samples);
    r->piece.end = r->piece.begin + num_samples;
    piece_at(c, r->piece.begin, r);
}

bool hr__piece_next(const struct hr_loader *l, struct hr__read *r) {
    const uint64_t next = r->piece.number + r->piece.num_samples;
    if (l->config.subset == NULL || next == r->piece.end)
        return false;
    piece_at(&l->config, next, r);
    return true;
}

uint32_t hr__piece_samples(const struct hr_loader *l, struct hr__read *r, uint16_t *samples) {
    struct hr__piece *p = &r->piece;
    p->num_samples = hr__subset_run(l->config.subset, p->number, p->index, p->chunk_end,
                                    (uint32_t)(p->end - p->number), p->chunk_index, samples);
    return p->num_samples;
}

/* Samples of the chunks that a visit of a virtual chunk reads. */
static uint64_t samples_read(const struct hr__loader_config *c, uint64_t number, uint64_t end) {
    uint64_t read = 0;
    while (number < end) {
        uint64_t first_index;
        uint32_t num_samples;
        chunk_of(c->ds, hr__subset_index(c->subset, number), &first_index, &num_samples);
        number = hr__subset_rank(c->subset, first_index + num_samples);
        read += num_samples;
    }
    return read;
}

double hr__subset_reading(const struct hr__loader_config *c) {
    const uint64_t visits = c->subset->num_chunks, step = hr__ceil_div(visits, SAMPLED_VISITS);
    double read = 0, wanted = 0;
    for (uint64_t k = 0; k < visits; k += step) {
        uint64_t first;
        uint32_t num_samples;
        hr__subset_chunk(c->subset, k, &first, &num_samples);
        read += (double)samples_read(c, first, first + num_samples);
        wanted += num_samples;
    }
    return read / wanted;
}
