/*
 * Filling buckets.
 */
#include "buckets.h"

#include "checked.h"

_Static_assert(sizeof(struct hr__bucket) <= HR__BUCKET_BYTES, "a plan counts HR__BUCKET_BYTES");

hr_status hr__buckets_open(struct hr__buckets *b, const struct hr__shuffle_layout *layout,
                           const struct hr__shuffle_plan *plan, const struct hr__file *file,
                           struct hr__budget *budget, hr_error *err) {
    *b = (struct hr__buckets){.layout = layout, .plan = plan, .file = file, .budget = budget};
    hr_status st = HR_OK;
    b->buckets = hr__budget_take(budget, plan->num_buckets * sizeof *b->buckets,
                                 "the buckets of a shuffle", &st, err);
    if (b->buckets == NULL)
        return st;
    st = hr__piece_pool_open(&b->pool, file, plan->num_pieces,
                             plan->piece_records * layout->record_bytes, plan->num_threads, budget,
                             err);
    if (st != HR_OK)
        hr__buckets_close(b);
    return st;
}

static void submit(struct hr__buckets *b, struct hr__bucket *bucket) {
    struct hr__bucket_piece *piece = bucket->piece;
    const uint64_t records = piece->n_bytes / b->layout->record_bytes;
    const uint64_t first = (uint64_t)(bucket - b->buckets) * b->plan->bucket_samples;
    piece->off = (first + bucket->num_records - records) * b->layout->record_bytes;
    piece->number = (bucket->num_records - 1) / b->plan->piece_records;
    piece->sum = &bucket->sum;
    bucket->piece = NULL;
    hr__piece_pool_submit(&b->pool, piece);
}

hr_status hr__buckets_put(struct hr__buckets *b, uint64_t place, const void *const *columns,
                          uint64_t i, uint64_t index, hr_error *err) {
    const uint64_t number = place / b->plan->bucket_samples;
    struct hr__bucket *bucket = &b->buckets[number];
    if (bucket->piece == NULL) {
        const hr_status st = hr__piece_pool_take(&b->pool, &bucket->piece, err);
        if (st != HR_OK)
            return st;
    }
    struct hr__bucket_piece *piece = bucket->piece;
    hr__shuffle_record_make(b->layout, piece->bytes + piece->n_bytes,
                            (uint32_t)(place - number * b->plan->bucket_samples), columns, i,
                            index);
    piece->n_bytes += b->layout->record_bytes;
    bucket->num_records++;
    if (bucket->num_records % b->plan->piece_records == 0)
        submit(b, bucket);
    return HR_OK;
}

hr_status hr__buckets_finish(struct hr__buckets *b, int64_t timeout_ns, hr_error *err) {
    for (uint64_t k = 0; k < b->plan->num_buckets; k++)
        if (b->buckets[k].piece != NULL)
            submit(b, &b->buckets[k]);
    const hr_status st = hr__piece_pool_drain(&b->pool, timeout_ns, err);
    if (st == HR_OK)
        hr__piece_pool_close(&b->pool);
    return st;
}

void hr__buckets_close(struct hr__buckets *b) {
    hr__piece_pool_close(&b->pool);
    if (b->budget != NULL)
        hr__budget_free(b->budget, b->buckets, b->plan->num_buckets * sizeof *b->buckets);
    *b = (struct hr__buckets){0};
}

uint64_t hr__buckets_samples(const struct hr__buckets *b, uint64_t bucket) {
    const uint64_t first = bucket * b->plan->bucket_samples;
    return hr__min_u64(b->plan->bucket_samples, b->plan->num_samples - first);
}
