/*
 * How far the consumer is, for whoever looks at a loader from the side.
 */
#include "loader.h"

void hr__loader_progress(struct hr_loader *l, struct hr__loader_progress *out) {
    const struct hr__loader_config *c = &l->config;
    pthread_mutex_lock(&l->lock);
    const uint64_t delivered = l->next_deliver;
    *out = (struct hr__loader_progress){
        .batches_delivered = l->batches_delivered,
        .bad_epoch = l->bad != NULL ? l->last_bad_epoch : UINT64_MAX,
        .bad_batch = l->bad != NULL ? l->last_bad_batch : UINT64_MAX,
    };
    pthread_mutex_unlock(&l->lock);
    /* The last batch that was delivered says which epoch it is: the next begins with its first. */
    const uint64_t before = delivered > 0 ? delivered - 1 : 0;
    out->epoch = c->first_epoch + before / l->num_batches;
    out->batch = delivered > 0 ? before % l->num_batches + 1 : 0;
    out->rank = c->first_stream / c->num_streams;
    out->world_size = c->order_params.num_streams / c->num_streams;
}
