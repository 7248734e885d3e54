/*
 * The sequence of visits: which one comes next, whether the ring has room for it, and which batches
 * are ready. Everything here holds the loader's lock; the invariants are in loader.h.
 */
#include "loader.h"

#include "clock.h"
#include "error.h"

#include <stdlib.h>

void hr__epoch_release(struct hr__epoch *e) {
    if (e == NULL || --e->refs > 0)
        return;
    hr__order_epoch_free(e->order);
    free(e);
}

/* The epoch after the ones begun so far becomes the one admitted from. */
static hr_status epoch_begin(struct hr_loader *l, uint64_t first_batch, hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    struct hr__epoch *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return hr__error_no_memory(err, sizeof(*e), "an epoch");
    e->refs = 1;
    e->epoch = c->first_epoch + l->epochs_begun;
    e->first_number = l->epochs_begun * l->num_batches;
    e->first_seq = l->epochs_begun * l->num_items;
    e->first_batch = first_batch;
    hr_status st = hr__order_epoch_make(l->order, e->epoch, c->first_stream, c->num_streams,
                                        &l->order_budget, &e->order, err);
    if (st != HR_OK) {
        free(e);
        return st;
    }
    l->admit_epoch = e;
    l->epochs_begun++;
    l->next_item = 0;
    return HR_OK;
}

hr_status hr__admit_begin(struct hr_loader *l, uint64_t epoch, uint64_t first_batch,
                          hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    l->config.first_epoch = epoch;
    l->num_batches = hr__order_num_batches(l->order);
    for (uint32_t s = 0; s < c->num_streams; s++) {
        uint64_t items = hr__order_num_visits(l->order, c->first_stream + s) * c->num_streams;
        l->num_items = items > l->num_items ? items : l->num_items;
    }
    hr_status st = epoch_begin(l, first_batch, err);
    if (st != HR_OK)
        return st;
    for (uint32_t s = 0; s < c->num_streams; s++)
        l->num_samples += hr__order_epoch_samples(l->admit_epoch->order, c->first_stream + s);
    uint64_t first_item = first_batch == 0 ? 0 : UINT64_MAX, last;
    for (uint32_t s = 0; s < c->num_streams && first_batch < l->num_batches && first_batch > 0;
         s++) {
        uint64_t visit;
        hr__order_batch_visits(l->admit_epoch->order, c->first_stream + s, first_batch, &visit,
                               &last);
        first_item = visit * c->num_streams < first_item ? visit * c->num_streams : first_item;
    }
    if (first_item == UINT64_MAX)
        first_item = l->num_items; /* the state was taken at the very end of an epoch */
    l->next_item = l->next_seq = l->watermark = first_item;
    l->next_assign = l->next_ready = l->next_deliver = first_batch;
    return HR_OK;
}

static void assign_slot(struct hr_loader *l) {
    const struct hr__loader_config *c = &l->config;
    struct hr__epoch *e = l->admit_epoch;
    struct hr_batch *slot = &l->slots[l->free_slots[--l->num_free_slots]];
    slot->state = HR__SLOT_FILLING;
    slot->epoch = e;
    e->refs++;
    slot->batch = l->next_assign - e->first_number;
    slot->num_samples = 0;
    slot->need_seq = 0;
    for (uint32_t s = 0; s < c->num_streams; s++) {
        uint64_t first, last;
        hr__order_batch_visits(e->order, c->first_stream + s, slot->batch, &first, &last);
        uint64_t need = e->first_seq + last * c->num_streams + s + 1;
        slot->need_seq = need > slot->need_seq ? need : slot->need_seq;
        slot->num_samples +=
            hr__order_epoch_batch_samples(e->order, c->first_stream + s, slot->batch);
    }
    l->by_number[l->next_assign % c->num_slots] = slot;
    l->next_assign++;
}

static void raise_watermark(struct hr_loader *l) {
    while (l->watermark < l->next_seq && l->complete[l->watermark % HR__MAX_OUTSTANDING] != 0) {
        l->complete[l->watermark % HR__MAX_OUTSTANDING] = 0;
        l->watermark++;
    }
    bool ready = false;
    while (l->next_ready < l->next_assign &&
           l->by_number[l->next_ready % l->config.num_slots]->need_seq <= l->watermark) {
        l->next_ready++;
        ready = true;
    }
    if (ready && l->first_batch_ns < 0)
        l->first_batch_ns = hr__now_ns() - l->opened_ns;
    if (ready)
        pthread_cond_broadcast(&l->batch_ready);
}

/* Streams differ by one visit: the last row of items has gaps, which are complete at once. */
static bool item_is_gap(const struct hr_loader *l) {
    const struct hr__loader_config *c = &l->config;
    uint32_t s = c->first_stream + (uint32_t)(l->next_item % c->num_streams);
    return l->next_item / c->num_streams >= hr__order_num_visits(l->order, s);
}

static void item_pass(struct hr_loader *l) {
    l->complete[l->next_seq % HR__MAX_OUTSTANDING] = 1;
    l->next_item++;
    l->next_seq++;
    raise_watermark(l);
}

/* Slots for all batches up to `last`, as far as there are free ones. */
static bool assign_up_to(struct hr_loader *l, uint64_t last) {
    while (l->next_assign <= last && l->num_free_slots > 0)
        assign_slot(l);
    return l->next_assign > last;
}

static enum hr__admission try_admit(struct hr_loader *l, struct hr__item *out) {
    const struct hr__loader_config *c = &l->config;
    while (l->admit_epoch != NULL) {
        struct hr__epoch *e = l->admit_epoch;
        if (l->next_seq - l->watermark >= HR__MAX_OUTSTANDING)
            return HR__ADMIT_LATER;
        if (l->next_item == l->num_items) {
            bool last = c->num_epochs != 0 && l->epochs_begun == c->num_epochs;
            hr_error err = {0};
            l->admit_epoch = NULL;
            hr__epoch_release(e);
            hr_status st = last ? HR_OK : epoch_begin(l, 0, &err);
            if (st != HR_OK)
                hr__loader_fail(l, st, &err);
        } else if (item_is_gap(l)) {
            item_pass(l);
        } else {
            uint32_t s = c->first_stream + (uint32_t)(l->next_item % c->num_streams);
            uint64_t visit = l->next_item / c->num_streams;
            uint64_t batch = hr__order_visit_last_batch(e->order, s, visit);
            if (!assign_up_to(l, e->first_number + batch))
                return HR__ADMIT_LATER;
            e->refs++;
            *out = (struct hr__item){e, l->next_seq, visit,
                                     hr__order_visit_chunk(e->order, s, visit), s};
            l->next_item++;
            l->next_seq++;
            return HR__ADMITTED;
        }
    }
    return HR__ADMIT_NO_MORE;
}

/* A full ring waits for the consumer where it could take a batch; otherwise it is too small. */
static void wait_for_room(struct hr_loader *l, struct hr__counters *c) {
    bool ready = l->next_deliver < l->next_ready;
    int64_t began_ns = hr__now_ns();
    hr__wait_begins(c, ready ? HR__WAIT_CONSUMER : HR__WAIT_RING, began_ns);
    (void)hr__cond_wait_until(&l->may_admit, &l->lock, -1);
    hr__wait_ends(c);
    hr__count_ns(ready ? &c->wait_consumer_ns : &c->wait_ring_ns, hr__now_ns() - began_ns);
}

enum hr__admission hr__admit_next(struct hr_loader *l, bool wait, struct hr__item *out,
                                  struct hr__counters *counters) {
    enum hr__admission a = HR__ADMIT_NO_MORE;
    pthread_mutex_lock(&l->lock);
    while (!l->stopping && l->failure.status == HR_OK) {
        a = try_admit(l, out);
        if (a != HR__ADMIT_LATER || !wait)
            break;
        wait_for_room(l, counters);
        a = HR__ADMIT_NO_MORE;
    }
    pthread_mutex_unlock(&l->lock);
    return a;
}

void hr__item_complete(struct hr_loader *l, struct hr__item *item) {
    pthread_mutex_lock(&l->lock);
    l->complete[item->seq % HR__MAX_OUTSTANDING] = 1;
    uint64_t before = l->watermark;
    raise_watermark(l);
    hr__epoch_release(item->epoch);
    item->epoch = NULL;
    /* Whoever waited because too many items were outstanding may go on. */
    if (l->watermark != before && l->next_seq - before >= HR__MAX_OUTSTANDING)
        pthread_cond_broadcast(&l->may_admit);
    pthread_mutex_unlock(&l->lock);
}

/* With the lock held, or before there is another thread. */
void hr__loader_fail(struct hr_loader *l, hr_status status, const hr_error *err) {
    if (l->failure.status == HR_OK) {
        l->failure = *err;
        l->failure.status = status;
    }
    pthread_cond_broadcast(&l->batch_ready);
    pthread_cond_broadcast(&l->may_admit);
}
