/*
 * Holds on batches: of tensors (dlpack.c), and of bindings whose arrays live until they are
 * collected.
 *
 * Invariants
 *  1. what is held stays as it is until the last hold has gone, whatever is released or closed
 *     before (7 and 11 of loader.h);
 *  2. of a closed loader exactly one let_go() finds that no hold is left, and frees it; of one that
 *     is not closed nothing is touched after the lock is given up, since its close may be waiting
 *     for that.
 */
#include "error.h"
#include "headrace/hold.h"
#include "loader.h"
#include "options.h"

/* With the lock held, as the next. */
static void add_hold(struct hr_batch *b, bool handle) {
    b->num_holds++;
    b->num_handles += handle;
    b->loader->num_holds++;
}

/* While a loader closes, what is of no use any more is freed without the lock. */
static void drop_hold(struct hr_batch *b, bool handle) {
    struct hr_loader *l = b->loader;
    l->num_holds--;
    b->num_handles -= handle;
    if (--b->num_holds > 0 || l->stopping)
        return;
    if (!b->held)
        l->num_held--;
    hr__batch_settle(b);
}

static hr_status hold(struct hr_batch *b, bool handle, hr_error *err) {
    hr_status st = hr__loader_check_fork(b->loader, err);
    if (st != HR_OK)
        return st;
    pthread_mutex_lock(&b->loader->lock);
    const bool held = b->held || b->num_handles > 0;
    if (held)
        add_hold(b, handle);
    pthread_mutex_unlock(&b->loader->lock);
    return held ? HR_OK
                : hr__error_set(err, HR_ERR_INVALID,
                                "a batch was asked for that was released; make its tensors, or "
                                "hold it, before");
}

static void let_go(struct hr_batch *b, bool handle) {
    struct hr_loader *l = b->loader;
    pthread_mutex_lock(&l->lock);
    drop_hold(b, handle);
    hr__loader_wake(l);
    const bool last = l->closed && l->num_holds == 0;
    pthread_mutex_unlock(&l->lock);
    if (last)
        hr__loader_free(l);
}

hr_status hr__tensor_hold(struct hr_batch *b, hr_error *err) {
    return hold(b, false, err);
}

void hr__tensor_let_go(struct hr_batch *b) {
    let_go(b, false);
}

hr_status hr_batch_hold(hr_batch *b, hr_error *err) {
    return hold(b, true, err);
}

void hr_batch_let_go(hr_batch *b) {
    if (b != NULL && !hr__loader_forked(b->loader))
        let_go(b, true);
}

hr_status hr_loader_take(hr_loader *l, int64_t timeout_ns, hr_taken_batch *out, hr_error *err) {
    hr_batch *b = NULL;
    hr_status st = hr__result_check(out, sizeof(*out), sizeof(*out), "hr_taken_batch", err);
    if (st == HR_OK) {
        out->batch = NULL;
        st = hr_loader_next(l, timeout_ns, &b, err);
    }
    if (st != HR_OK)
        return st;
    pthread_mutex_lock(&l->lock);
    add_hold(b, true);
    hr__batch_give_back(b);
    out->num_held = l->num_held;
    pthread_mutex_unlock(&l->lock);
    out->batch = b;
    out->epoch = hr_batch_epoch(b);
    out->number = hr_batch_number(b);
    out->num_samples = hr_batch_num_samples(b);
    out->num_padding = hr_batch_num_padding(b);
    for (uint32_t i = 0; out->data != NULL && i < out->num_data; i++)
        out->data[i] = hr_batch_data(b, i);
    return HR_OK;
}

/* Where rows are decoded into, but for those of batches that are held. */
static uint64_t rows_discard(struct hr_loader *l) {
    uint64_t kept = 0;
    for (uint64_t i = 0; i < l->config.num_slots; i++) {
        bool held = false;
        for (uint32_t k = 0; k < l->config.num_outs; k++)
            held |= l->outs[k].num_holds > 0 && l->outs[k].slot == &l->slots[i];
        if (held)
            kept += l->config.slot_bytes;
        else
            hr__ring_discard(l->slots[i].base, l->config.slot_bytes);
    }
    return kept;
}

static uint64_t outs_discard(struct hr_loader *l) {
    const uint64_t out_bytes = l->config.finish.out_bytes;
    uint64_t kept = 0;
    for (uint32_t i = 0; i < l->config.num_outs; i++) {
        if (l->outs[i].num_holds > 0)
            kept += out_bytes;
        else
            hr__ring_discard(l->outs[i].out, out_bytes);
    }
    return kept;
}

void hr__loader_shrink(struct hr_loader *l) {
    uint64_t kept = l->order_budget.reserved_bytes;
    if (l->ring != NULL)
        kept += rows_discard(l);
    if (l->out_memory != NULL)
        kept += outs_discard(l);
    if (kept < l->budget.reserved_bytes)
        hr__budget_release(&l->budget, l->budget.reserved_bytes - kept);
}
