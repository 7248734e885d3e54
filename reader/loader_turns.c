/*
 * Whose turn it is: which worker takes the item that comes next, who waits, and who is woken. All
 * of it under the loader's lock, which is given up before anybody is woken; the invariants are in
 * loader.h.
 */
#include "loader.h"

#include "clock.h"

/* ---- waking ---- */

static void wake(struct hr_loader *l, struct hr__wakes w) {
    if (w.batch_ready)
        pthread_cond_broadcast(&l->batch_ready);
    if (w.may_upload)
        pthread_cond_signal(&l->gpu.may_upload);
    if (w.all_workers)
        pthread_cond_broadcast(&l->may_admit);
    for (uint32_t i = 0; i < w.num_workers && !w.all_workers; i++)
        pthread_cond_signal(&l->may_admit);
}

void hr__loader_unlock(struct hr_loader *l) {
    struct hr__wakes w = l->wakes;
    l->wakes = (struct hr__wakes){0};
    pthread_mutex_unlock(&l->lock);
    wake(l, w);
}

void hr__loader_wake(struct hr_loader *l) {
    wake(l, l->wakes);
    l->wakes = (struct hr__wakes){0};
}

void hr__wake_one(struct hr_loader *l) {
    if (l->num_waiting == l->num_woken)
        return;
    l->num_woken++;
    l->wakes.num_workers++;
}

static void wake_all(struct hr_loader *l) {
    l->wakes.all_workers |= l->num_waiting > l->num_woken;
    l->num_woken = l->num_waiting;
}

/* ---- taking ---- */

void hr__admit_others(struct hr_loader *l) {
    if (l->num_waiting == l->num_woken)
        return;
    enum hr__admission a = hr__finish_ready(l) ? HR__ADMIT_FINISH : hr__item_find(l);
    if (a == HR__ADMIT_FINISH || a == HR__ADMITTED || hr__next_epoch_due(l))
        hr__wake_one(l);
    else if (a == HR__ADMIT_NO_MORE && !hr__finish_pending(l))
        wake_all(l);
}

/* Whether a worker leaves the item that was found to others: to those that wait, where it has two,
 * and, once it is known how much is left, where it has its share of that. */
static bool leaves_to_others(const struct hr_loader *l, uint32_t num_mine) {
    if (num_mine >= 2 && l->num_waiting > 0)
        return true;
    if (num_mine == 0 || hr__more_epochs(l) || l->next_epoch != NULL)
        return false;
    uint64_t left = l->num_unfinished + l->admit_epoch->num_items - l->next_item;
    return (uint64_t)num_mine * l->num_workers >= left;
}

static enum hr__admission find_item(struct hr_loader *l, uint32_t num_mine, struct hr__item *out) {
    enum hr__admission a = hr__item_find(l);
    if (a == HR__ADMITTED && leaves_to_others(l, num_mine))
        return HR__ADMIT_LATER;
    if (a == HR__ADMITTED)
        *out = hr__item_take(l);
    if (a == HR__ADMIT_NO_MORE && hr__finish_pending(l))
        return HR__ADMIT_LATER;
    return a;
}

static enum hr__admission try_admit(struct hr__worker *w, uint32_t num_mine, struct hr__item *out) {
    struct hr_loader *l = w->loader;
    enum hr__admission a =
        hr__finish_take(l, &w->part) ? HR__ADMIT_FINISH : find_item(l, num_mine, out);
    hr__admit_others(l);
    return a;
}

/* A full ring waits for the consumer where it could take a batch; otherwise it is too small. */
static void wait_for_room(struct hr__worker *w) {
    struct hr_loader *l = w->loader;
    struct hr__counters *c = &w->counters;
    const bool ready = l->next_deliver < l->next_ready;
    const enum hr__trace_kind kind = ready ? HR__TRACE_WAIT_CONSUMER : HR__TRACE_WAIT_ROOM;
    const uint64_t batch = ready ? l->next_deliver : l->next_assign;
    const int64_t began_ns = hr__now_ns();
    hr__range_begin(&l->ranges, kind, batch, 0);
    hr__loader_wake(l); /* a gap may have been the last that a batch waited for */
    hr__wait_begins(c, ready ? HR__WAIT_CONSUMER : HR__WAIT_RING, began_ns);
    l->num_waiting++;
    (void)hr__cond_wait_until(&l->may_admit, &l->lock, -1);
    l->num_waiting--;
    l->num_woken -= l->num_woken > 0;
    hr__wait_ends(c);
    hr__range_end(&l->ranges);
    const int64_t ended_ns = hr__now_ns();
    hr__count_ns(ready ? &c->wait_consumer_ns : &c->wait_ring_ns, ended_ns - began_ns);
    hr__trace_add(&w->trace, kind, began_ns, ended_ns, batch, 0, 0);
}

static enum hr__admission admit(struct hr__worker *w, uint32_t num_mine, bool may_wait,
                                struct hr__item *out) {
    struct hr_loader *l = w->loader;
    while (!l->stopping && l->failure.status == HR_OK) {
        if (hr__next_epoch_due(l)) {
            hr__next_epoch_make(l);
            continue;
        }
        enum hr__admission a = try_admit(w, num_mine, out);
        if (a != HR__ADMIT_LATER || !may_wait)
            return a;
        wait_for_room(w);
    }
    return HR__ADMIT_NO_MORE;
}

static void find_chunk(struct hr__item *item) {
    item->chunk = hr__order_visit_chunk(item->epoch->order, item->stream, item->visit);
}

enum hr__admission hr__admit_next(struct hr__worker *w, uint32_t num_mine, struct hr__item *out) {
    pthread_mutex_lock(&w->loader->lock);
    enum hr__admission a = admit(w, num_mine, num_mine == 0, out);
    hr__loader_unlock(w->loader);
    if (a == HR__ADMITTED)
        find_chunk(out);
    return a;
}

enum hr__admission hr__item_exchange(struct hr__worker *w, uint32_t num_mine,
                                     struct hr__item *item) {
    pthread_mutex_lock(&w->loader->lock);
    hr__item_complete(w->loader, item);
    enum hr__admission a = admit(w, num_mine, false, item);
    hr__loader_unlock(w->loader);
    if (a == HR__ADMITTED)
        find_chunk(item);
    return a;
}

/* With the lock held, or before there is another thread. */
void hr__loader_fail(struct hr_loader *l, hr_status status, const hr_error *err) {
    if (l->failure.status == HR_OK) {
        l->failure = *err;
        l->failure.status = status;
    }
    pthread_cond_broadcast(&l->batch_ready);
    pthread_cond_broadcast(&l->may_admit);
    if (l->gpu.may_upload_made)
        pthread_cond_broadcast(&l->gpu.may_upload);
}
