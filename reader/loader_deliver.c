/*
 * Delivery: batches go to the consumer in order, and come back in any; and the place that they are
 * at, as a state.
 */
#include "loader.h"

#include "clock.h"
#include "error.h"

#include <unistd.h>

bool hr__loader_forked(const struct hr_loader *l) {
    return l->pid != getpid();
}

hr_status hr__loader_check_fork(const struct hr_loader *l, hr_error *err) {
    if (!hr__loader_forked(l))
        return HR_OK;
    return hr__error_set(err, HR_ERR_FORKED,
                         "the loader was opened before fork(); open one in the child");
}

/* HR_END_OF_EPOCH is due: all batches of an epoch are delivered, and it was not told yet. */
static bool at_epoch_end(const struct hr_loader *l) {
    return l->next_deliver > 0 && l->next_deliver % l->num_batches == 0 && !l->epoch_end_told;
}

static bool at_last_end(const struct hr_loader *l) {
    /* Not as a product, which may not fit. */
    return l->config.num_epochs != 0 && l->next_deliver % l->num_batches == 0 &&
           l->next_deliver / l->num_batches == l->config.num_epochs;
}

/* So that what was found in the last batches is told with the end of their epoch. */
static bool checks_known(const struct hr_loader *l) {
    return l->config.upload.bad_bytes == 0 || l->gpu.next_seen >= l->next_deliver;
}

static hr_status deliver(struct hr_loader *l, hr_batch **out) {
    const bool begun = l->config.host_finishes || l->gpu.ops != NULL;
    struct hr_batch *b =
        begun ? l->begun[l->next_deliver % l->config.num_outs] : hr__batch_begin(l);
    b->delivered = b->held = true;
    l->next_deliver++;
    l->epoch_end_told = false;
    l->num_held++;
    l->batches_delivered++;
    l->samples_delivered += b->num_samples;
    for (uint32_t i = 0; l->config.has_values && i < l->config.num_fields; i++)
        if (l->config.value_capacities[i] > 0)
            l->values_delivered_bytes += (uint64_t)hr_batch_offsets(b, i)[b->num_samples];
    hr__bad_count(l, b);
    *out = b;
    return HR_OK;
}

/* What the loader can give at this moment; HR_TIMEOUT: nothing yet. */
static hr_status next_now(struct hr_loader *l, hr_batch **out, hr_error *err) {
    if (l->failure.status != HR_OK) {
        if (err != NULL)
            *err = l->failure;
        return l->failure.status;
    }
    if (at_last_end(l) || at_epoch_end(l)) {
        if (!checks_known(l))
            return HR_TIMEOUT;
        l->epoch_end_told = true;
        return HR_END_OF_EPOCH;
    }
    if (l->num_held >= l->config.max_held_batches)
        return hr__error_set(err, HR_ERR_BUSY,
                             "%u batches are held, as many as max_held_batches says; release one, "
                             "or open the loader with more",
                             l->num_held);
    return l->next_deliver == l->next_ready ? HR_TIMEOUT : deliver(l, out);
}

/* Where several threads wait at the same time, each from when the one before had its batch. */
static void trace_next(struct hr_loader *l, hr_status st, int64_t began_ns, int64_t now_ns) {
    const uint64_t batch = l->next_deliver - (st == HR_OK);
    hr__trace_add(&l->next_trace, HR__TRACE_WAIT_BATCH,
                  began_ns > l->next_ended_ns ? began_ns : l->next_ended_ns, now_ns, batch, 0, 0);
}

static void count_next(struct hr_loader *l, hr_status st, int64_t began_ns) {
    int64_t now_ns = hr__now_ns();
    l->next_began_ns = 0;
    l->wait_batch_ns += now_ns - began_ns;
    if (st != HR_OK && st != HR_TIMEOUT)
        return; /* the end may be asked for again and again: no part of the epoch */
    trace_next(l, st, began_ns, now_ns);
    l->next_ended_ns = now_ns;
    if (l->batches_delivered == 0 || (l->batches_delivered == 1 && st == HR_OK))
        l->wait_first_ns = l->wait_batch_ns;
}

hr_status hr_loader_next(hr_loader *l, int64_t timeout_ns, hr_batch **out, hr_error *err) {
    *out = NULL;
    hr_status st = hr__loader_check_fork(l, err);
    if (st != HR_OK)
        return st;
    int64_t began_ns = hr__now_ns();
    int64_t deadline_ns =
        timeout_ns < 0 || timeout_ns > INT64_MAX - began_ns ? -1 : began_ns + timeout_ns;
    bool in_time = true;
    pthread_mutex_lock(&l->lock);
    l->next_began_ns = began_ns;
    hr__range_begin(&l->ranges, HR__TRACE_WAIT_BATCH, l->next_deliver, 0);
    st = next_now(l, out, err);
    while (st == HR_TIMEOUT && in_time) {
        in_time = hr__cond_wait_until(&l->batch_ready, &l->lock, deadline_ns);
        st = next_now(l, out, err); /* another thread may have taken the batch, or the end */
    }
    hr__range_end(&l->ranges);
    count_next(l, st, began_ns);
    pthread_mutex_unlock(&l->lock);
    return st;
}

/* There is room for a state. */
static hr_status state_room(const struct hr_loader *l, const void *state, size_t capacity_bytes,
                            size_t *state_bytes, hr_error *err) {
    hr_status st = hr__loader_check_fork(l, err);
    if (st != HR_OK)
        return st;
    if (state == NULL || state_bytes == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_loader_state: state must not be NULL");
    *state_bytes = HR_LOADER_STATE_BYTES;
    if (capacity_bytes < HR_LOADER_STATE_BYTES)
        return hr__error_set(err, HR_ERR_INVALID,
                             "a loader's state takes %d bytes, there is room for %zu",
                             HR_LOADER_STATE_BYTES, capacity_bytes);
    return HR_OK;
}

hr_status hr_loader_state(hr_loader *l, void *state, size_t capacity_bytes, size_t *state_bytes,
                          hr_error *err) {
    hr_status st = state_room(l, state, capacity_bytes, state_bytes, err);
    if (st != HR_OK)
        return st;
    pthread_mutex_lock(&l->lock);
    uint64_t epochs = l->next_deliver / l->num_batches, batch = l->next_deliver % l->num_batches;
    if (batch == 0 && l->next_deliver > 0 && !l->epoch_end_told) {
        epochs--; /* the end of the epoch is still to be told */
        batch = l->num_batches;
    }
    hr__state_encode(l, l->config.first_epoch + epochs, batch, state);
    pthread_mutex_unlock(&l->lock);
    return HR_OK;
}

hr_status hr_loader_state_at(hr_loader *l, uint64_t epoch, uint64_t number, void *state,
                             size_t capacity_bytes, size_t *state_bytes, hr_error *err) {
    hr_status st = state_room(l, state, capacity_bytes, state_bytes, err);
    if (st != HR_OK)
        return st;
    if (number > l->num_batches)
        return hr__error_set(err, HR_ERR_INVALID,
                             "a state before batch %llu was asked for, an epoch has %llu batches",
                             (unsigned long long)number, (unsigned long long)l->num_batches);
    hr__state_encode(l, epoch, number, state); /* of what never changes after open */
    return HR_OK;
}

void hr_batch_release(hr_batch *b) {
    if (b == NULL || hr__loader_forked(b->loader))
        return;
    struct hr_loader *l = b->loader;
    pthread_mutex_lock(&l->lock);
    hr__batch_give_back(b);
    hr__loader_unlock(l);
}
