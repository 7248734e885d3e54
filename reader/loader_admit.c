/*
 * The sequence of visits: which one comes next, whether the ring has room for it, and which batches
 * are ready. Everything here holds the loader's lock; the invariants are in loader.h.
 */
#include "loader.h"

#include "batch_values.h"
#include "error.h"

#include <stdlib.h>

void hr__epoch_release(struct hr__epoch *e) {
    if (e == NULL || --e->refs > 0)
        return;
    struct hr_loader *l = e->loader;
    if (l->epochs_alive-- == hr__loader_max_epochs(&l->config))
        hr__wake_one(l);
    hr__order_epoch_free(e->order);
    free(e);
}

/* Epoch `index` since open. Needs no lock: what it reads does not change. */
static hr_status epoch_make(struct hr_loader *l, uint64_t index, struct hr__epoch **out,
                            hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    struct hr__epoch *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return hr__error_no_memory(err, sizeof(*e), "an epoch");
    e->loader = l;
    e->refs = 1;
    e->epoch = c->first_epoch + index;
    e->first_number = index * l->num_batches;
    hr_status st = hr__order_epoch_make(l->order, e->epoch, c->first_stream, c->num_streams,
                                        &l->order_budget, &e->order, err);
    if (st != HR_OK) {
        free(e);
        return st;
    }
    for (uint32_t s = 0; s < c->num_streams; s++) {
        uint64_t items = hr__order_epoch_visits(e->order, c->first_stream + s) * c->num_streams;
        e->num_items = items > e->num_items ? items : e->num_items;
    }
    *out = e;
    return HR_OK;
}

bool hr__more_epochs(const struct hr_loader *l) {
    return l->config.num_epochs == 0 || l->epochs_made < l->config.num_epochs;
}

/* When half of this one is admitted, so that neither its first batch nor the change to the next
 * waits for that. */
bool hr__next_epoch_due(const struct hr_loader *l) {
    const struct hr__epoch *e = l->admit_epoch;
    return e != NULL && l->next_epoch == NULL && !l->making_epoch && hr__more_epochs(l) &&
           l->next_item >= e->num_items / 2 && l->epochs_alive < hr__loader_max_epochs(&l->config);
}

/* Gives up the lock meanwhile: where there are many short chunks, an epoch takes milliseconds. */
void hr__next_epoch_make(struct hr_loader *l) {
    hr_error err = {0};
    struct hr__epoch *e = NULL;
    uint64_t index = l->epochs_made;
    l->making_epoch = true;
    l->epochs_alive++;
    hr__loader_unlock(l);
    hr_status st = epoch_make(l, index, &e, &err);
    pthread_mutex_lock(&l->lock);
    l->making_epoch = false;
    if (st == HR_OK)
        l->epochs_made++;
    else
        l->epochs_alive--;
    l->next_epoch = e;
    if (st != HR_OK)
        hr__loader_fail(l, st, &err);
    hr__admit_others(l);
}

/* The first item that a batch of the first epoch needs. */
static uint64_t first_item_of(const struct hr_loader *l, uint64_t batch) {
    const struct hr__loader_config *c = &l->config;
    uint64_t item = l->admit_epoch->num_items; /* the state was taken at the very end of an epoch */
    if (batch == 0 || batch == l->num_batches)
        return batch == 0 ? 0 : item;
    for (uint32_t s = 0; s < c->num_streams; s++) {
        uint64_t first, last;
        hr__order_batch_visits(l->admit_epoch->order, c->first_stream + s, batch, &first, &last);
        item = first * c->num_streams < item ? first * c->num_streams : item;
    }
    return item;
}

hr_status hr__admit_begin(struct hr_loader *l, uint64_t epoch, uint64_t first_batch,
                          hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    l->config.first_epoch = epoch;
    l->num_batches = hr__order_num_batches(l->order);
    hr_status st = epoch_make(l, 0, &l->admit_epoch, err);
    if (st != HR_OK)
        return st;
    l->epochs_made = l->epochs_alive = 1;
    l->admit_epoch->first_batch = first_batch;
    for (uint32_t s = 0; s < c->num_streams; s++)
        l->num_samples += hr__order_epoch_samples(l->admit_epoch->order, c->first_stream + s);
    l->next_item = l->next_seq = l->watermark = first_item_of(l, first_batch);
    l->next_assign = l->next_whole = l->next_begin = l->next_ready = l->next_deliver = first_batch;
    l->gpu.next_seen = first_batch;
    return HR_OK;
}

static void assign_slot(struct hr_loader *l) {
    const struct hr__loader_config *c = &l->config;
    struct hr__epoch *e = l->admit_epoch;
    struct hr__slot *slot = &l->slots[l->free_slots[--l->num_free_slots]];
    for (uint32_t i = 0; c->has_values && i < c->num_fields; i++)
        if (c->value_capacities[i] > 0)
            hr__values_reset(slot->base + c->field_offs[i]);
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
    l->bases[l->next_assign % c->num_slots] = slot->base;
    l->next_assign++;
}

static void raise_watermark(struct hr_loader *l) {
    while (l->watermark < l->next_seq && l->complete[l->watermark % HR__MAX_OUTSTANDING] != 0) {
        l->complete[l->watermark % HR__MAX_OUTSTANDING] = 0;
        l->watermark++;
    }
    uint64_t before = l->next_whole;
    while (l->next_whole < l->next_assign &&
           l->by_number[l->next_whole % l->config.num_slots]->need_seq <= l->watermark)
        l->next_whole++;
    if (l->next_whole != before)
        hr__batches_whole(l);
}

/* Streams differ in their visits: the last rows of items have gaps, which are complete at once. */
static bool item_is_gap(const struct hr_loader *l) {
    const struct hr__loader_config *c = &l->config;
    uint32_t s = c->first_stream + (uint32_t)(l->next_item % c->num_streams);
    return l->next_item / c->num_streams >= hr__order_epoch_visits(l->admit_epoch->order, s);
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

/* From the end of an epoch to the next, or to none; false: that is still to be made. */
static bool epoch_change(struct hr_loader *l) {
    if (l->next_epoch == NULL && hr__more_epochs(l))
        return false;
    hr__epoch_release(l->admit_epoch);
    l->admit_epoch = l->next_epoch;
    l->next_epoch = NULL;
    l->next_item = 0;
    if (l->admit_epoch != NULL)
        l->admit_epoch->first_seq = l->next_seq;
    return true;
}

enum hr__admission hr__item_find(struct hr_loader *l) {
    const struct hr__loader_config *c = &l->config;
    while (l->admit_epoch != NULL) {
        const struct hr__epoch *e = l->admit_epoch;
        if (l->next_seq - l->watermark >= HR__MAX_OUTSTANDING)
            return HR__ADMIT_LATER;
        if (l->next_item == e->num_items) {
            if (!epoch_change(l))
                return HR__ADMIT_LATER;
        } else if (item_is_gap(l)) {
            item_pass(l);
        } else {
            uint32_t s = c->first_stream + (uint32_t)(l->next_item % c->num_streams);
            uint64_t batch = hr__order_visit_last_batch(e->order, s, l->next_item / c->num_streams);
            return assign_up_to(l, e->first_number + batch) ? HR__ADMITTED : HR__ADMIT_LATER;
        }
    }
    return HR__ADMIT_NO_MORE;
}

struct hr__item hr__item_take(struct hr_loader *l) {
    const struct hr__loader_config *c = &l->config;
    struct hr__item item = {.epoch = l->admit_epoch,
                            .seq = l->next_seq,
                            .visit = l->next_item / c->num_streams,
                            .stream = c->first_stream + (uint32_t)(l->next_item % c->num_streams)};
    l->admit_epoch->refs++;
    l->num_unfinished++;
    l->next_item++;
    l->next_seq++;
    return item;
}

void hr__item_complete(struct hr_loader *l, struct hr__item *item) {
    uint64_t before = l->watermark;
    l->complete[item->seq % HR__MAX_OUTSTANDING] = 1;
    l->num_unfinished--;
    raise_watermark(l);
    hr__epoch_release(item->epoch);
    item->epoch = NULL;
    /* Whoever waited because too many items were outstanding may go on. */
    if (l->watermark != before && l->next_seq - before >= HR__MAX_OUTSTANDING)
        hr__wake_one(l);
}
