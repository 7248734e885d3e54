/*
 * Whose turn it is: which worker takes the item that comes next, who waits, and who is woken. All
 * of it under the loader's lock, which is given up before anybody is woken; the invariants are in
 * loader.h.
 */
#include "loader.h"

#include "clock.h"
#include "error.h"

/* ---- waking ---- */

static void wake(struct hr_loader *l, struct hr__wakes w) {
    if (w.batch_ready)
        pthread_cond_broadcast(&l->batch_ready);
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
    enum hr__admission a = hr__item_find(l);
    if (a == HR__ADMITTED || hr__next_epoch_due(l))
        hr__wake_one(l);
    else if (a == HR__ADMIT_NO_MORE)
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

static enum hr__admission try_admit(struct hr_loader *l, uint32_t num_mine, struct hr__item *out) {
    enum hr__admission a = hr__item_find(l);
    if (a == HR__ADMITTED && leaves_to_others(l, num_mine))
        a = HR__ADMIT_LATER;
    else if (a == HR__ADMITTED)
        *out = hr__item_take(l);
    hr__admit_others(l);
    return a;
}

/* A full ring waits for the consumer where it could take a batch; otherwise it is too small. */
static void wait_for_room(struct hr_loader *l, struct hr__counters *c) {
    bool ready = l->next_deliver < l->next_ready;
    int64_t began_ns = hr__now_ns();
    wake(l, l->wakes); /* a gap may have been the last that a batch waited for */
    l->wakes = (struct hr__wakes){0};
    hr__wait_begins(c, ready ? HR__WAIT_CONSUMER : HR__WAIT_RING, began_ns);
    l->num_waiting++;
    (void)hr__cond_wait_until(&l->may_admit, &l->lock, -1);
    l->num_waiting--;
    l->num_woken -= l->num_woken > 0;
    hr__wait_ends(c);
    hr__count_ns(ready ? &c->wait_consumer_ns : &c->wait_ring_ns, hr__now_ns() - began_ns);
}

/* counters: of a worker that waits; NULL: it does not. */
static enum hr__admission admit(struct hr_loader *l, uint32_t num_mine, struct hr__item *out,
                                struct hr__counters *counters) {
    while (!l->stopping && l->failure.status == HR_OK) {
        if (hr__next_epoch_due(l)) {
            hr__next_epoch_make(l);
            continue;
        }
        enum hr__admission a = try_admit(l, num_mine, out);
        if (a != HR__ADMIT_LATER || counters == NULL)
            return a;
        wait_for_room(l, counters);
    }
    return HR__ADMIT_NO_MORE;
}

static void find_chunk(struct hr__item *item) {
    item->chunk = hr__order_visit_chunk(item->epoch->order, item->stream, item->visit);
}

enum hr__admission hr__admit_next(struct hr_loader *l, uint32_t num_mine, struct hr__item *out,
                                  struct hr__counters *counters) {
    pthread_mutex_lock(&l->lock);
    enum hr__admission a = admit(l, num_mine, out, num_mine == 0 ? counters : NULL);
    hr__loader_unlock(l);
    if (a == HR__ADMITTED)
        find_chunk(out);
    return a;
}

enum hr__admission hr__item_exchange(struct hr_loader *l, uint32_t num_mine,
                                     struct hr__item *item) {
    pthread_mutex_lock(&l->lock);
    hr__item_complete(l, item);
    enum hr__admission a = admit(l, num_mine, item, NULL);
    hr__loader_unlock(l);
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
}
