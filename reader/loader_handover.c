/*
 * From rows to a batch: when the rows of a batch are all in its slot, it becomes an hr_batch, which
 * is finished where that is asked for, is then ready, and goes to the consumer. Everything here
 * holds the loader's lock, but for making and freeing; the invariants are in loader.h.
 */
#include "loader.h"

#include "clock.h"
#include "error.h"

#include <stdlib.h>

static hr_status out_memory_make(struct hr_loader *l, hr_error *err) {
    if (!l->config.host_finishes || l->config.finish.out_bytes == 0)
        return HR_OK;
    l->out_memory_bytes = (size_t)(l->config.num_outs * l->config.finish.out_bytes);
    const hr_status st = hr__ring_alloc(l->out_memory_bytes, (void **)&l->out_memory, err);
    if (st == HR_OK && l->config.has_values)
        hr__ring_sparse(l->out_memory, l->out_memory_bytes);
    if (st == HR_OK)
        hr__batches_place(l, l->out_memory, l->out_memory_bytes);
    return st;
}

hr_status hr__outs_make(struct hr_loader *l, hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    hr_status st = out_memory_make(l, err);
    if (st != HR_OK)
        return st;
    l->outs = calloc(c->num_outs, sizeof(*l->outs));
    l->free_outs = calloc(c->num_outs, sizeof(*l->free_outs));
    l->begun = calloc(c->num_outs, sizeof(*l->begun));
    if (l->outs == NULL || l->free_outs == NULL || l->begun == NULL)
        return hr__error_no_memory(err, c->num_outs * sizeof(*l->outs), "batches");
    for (uint32_t i = 0; i < c->num_outs; i++) {
        l->outs[i].loader = l;
        if (l->out_memory != NULL)
            l->outs[i].out = l->out_memory + i * c->finish.out_bytes;
        l->free_outs[l->num_free_outs++] = i;
    }
    l->part_rows = hr__finish_part_rows(c);
    return c->finish.works ? hr__bad_make(l, err) : HR_OK;
}

void hr__outs_free(struct hr_loader *l) {
    for (uint32_t i = 0; l->outs != NULL && i < l->config.num_outs; i++)
        hr__epoch_release(l->outs[i].epoch);
    hr__ring_free(l->out_memory, l->out_memory_bytes);
    free(l->outs);
    free(l->free_outs);
    free(l->begun);
    free(l->bad);
    free(l->bad_found);
}

struct hr_batch *hr__batch_begin(struct hr_loader *l) {
    struct hr__slot *slot = l->by_number[l->next_begin % l->config.num_slots];
    struct hr_batch *b = &l->outs[l->free_outs[l->first_free_out]];
    l->first_free_out = (l->first_free_out + 1) % l->config.num_outs;
    l->num_free_outs--;
    b->slot = slot;
    b->epoch = slot->epoch;
    slot->epoch = NULL;
    b->batch = slot->batch;
    b->num_samples = slot->num_samples;
    b->rows_taken = b->rows_done = 0;
    b->finished = b->delivered = b->bad_known = false;
    l->begun[l->next_begin++ % l->config.num_outs] = b;
    return b;
}

static void tell_ready(struct hr_loader *l) {
    if (l->first_batch_ns < 0)
        l->first_batch_ns = hr__now_ns() - l->opened_ns;
    l->wakes.batch_ready = true;
}

void hr__batches_whole(struct hr_loader *l) {
    if (l->config.host_finishes) {
        if (hr__finish_ready(l))
            hr__wake_one(l); /* who takes a part wakes the next */
    } else if (l->gpu.ops != NULL) {
        l->wakes.may_upload = true;
    } else {
        l->next_ready = l->next_whole;
        tell_ready(l);
    }
}

void hr__batch_finished(struct hr_batch *b) {
    struct hr_loader *l = b->loader;
    const uint64_t before = l->next_ready;
    b->finished = true;
    if (l->config.host_finishes) {
        b->bad_known = true;
        if (!l->config.finish.keeps_rows) {
            hr__batch_drop_rows(b);
            hr__admit_others(l);
        }
    }
    while (l->next_ready < l->next_begin && l->begun[l->next_ready % l->config.num_outs]->finished)
        l->next_ready++;
    if (l->next_ready != before)
        tell_ready(l);
}

void hr__batch_drop_rows(struct hr_batch *b) {
    struct hr_loader *l = b->loader;
    if (b->slot == NULL)
        return;
    l->free_slots[l->num_free_slots++] = (uint32_t)(b->slot - l->slots);
    b->slot = NULL;
}

void hr__batch_settle(struct hr_batch *b) {
    struct hr_loader *l = b->loader;
    if (!b->delivered || b->held || b->num_holds > 0 || b->in_flight)
        return;
    b->delivered = false;
    hr__epoch_release(b->epoch);
    b->epoch = NULL;
    l->free_outs[(l->first_free_out + l->num_free_outs++) % l->config.num_outs] =
        (uint32_t)(b - l->outs);
    hr__batch_drop_rows(b);
    if (l->gpu.ops != NULL)
        l->wakes.may_upload = true;
    else
        hr__admit_others(l);
}

void hr__batch_give_back(struct hr_batch *b) {
    if (!b->held)
        return;
    b->held = false;
    if (b->num_holds == 0)
        b->loader->num_held--;
    hr__batch_settle(b);
}
