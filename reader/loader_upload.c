/*
 * Uploads: the thread that puts whole batches on their way to the GPU, in order, and sees them
 * arrive; and what consumers ask of batches there. The invariants are in upload.h and loader.h.
 */
#include "loader.h"

#include "clock.h"
#include "headrace/gpu.h"

#include <string.h>

static uint32_t slot_of(const struct hr_batch *b) {
    return (uint32_t)(b - b->loader->outs);
}

/* Where what the check of a batch has found is read back to: behind the slots of the ring. */
static struct hr__finish_bad *result_of(const struct hr_batch *b) {
    const struct hr_loader *l = b->loader;
    const struct hr__loader_config *c = &l->config;
    uint8_t *results = l->ring + c->num_slots * c->slot_bytes;
    return c->upload.bad_bytes > 0
               ? (struct hr__finish_bad *)(void *)(results + slot_of(b) * c->upload.bad_bytes)
               : NULL;
}

void hr__upload_count_wait(struct hr__upload_counters *c, int64_t now_ns) {
    const int64_t waited_ns = now_ns > c->since_ns ? now_ns - c->since_ns : 0;
    if (c->waits_for == HR__UPLOAD_BATCH)
        c->wait_batch_ns += waited_ns;
    else if (c->waits_for == HR__UPLOAD_SLOT)
        c->wait_slot_ns += waited_ns;
    else if (c->waits_for == HR__UPLOAD_DEVICE)
        c->wait_device_ns += waited_ns;
}

/* ---- the thread; each of these is called with the lock, and may give it up meanwhile ---- */

static bool may_begin(const struct hr_loader *l) {
    return l->gpu.num_flying < HR__MOST_FLYING && l->next_begin < l->next_whole &&
           l->num_free_outs > 0;
}

static void begin_next(struct hr_loader *l) {
    struct hr__loader_gpu *g = &l->gpu;
    struct hr_batch *b = hr__batch_begin(l);
    hr_error err = {0};
    b->in_flight = true;
    hr__loader_unlock(l);
    if (g->trace.entries != NULL)
        b->upload_began_ns = hr__now_ns();
    hr__range_begin(&l->ranges, HR__TRACE_UPLOAD, hr__trace_batch(b), slot_of(b));
    const hr_status st =
        hr__upload_begin(&g->upload, slot_of(b), b->slot->base, b->num_samples, result_of(b), &err);
    hr__range_end(&l->ranges);
    pthread_mutex_lock(&l->lock);
    if (st != HR_OK) {
        hr__loader_fail(l, st, &err);
        return;
    }
    g->flying[g->num_flying++] = b;
    hr__batch_finished(b);
}

static void wait_begins(struct hr__upload_counters *c, enum hr__upload_wait what) {
    c->waits_for = what;
    c->since_ns = hr__now_ns();
}

/* Returns the time. */
static int64_t wait_ends(struct hr__upload_counters *c) {
    const int64_t now_ns = hr__now_ns();
    hr__upload_count_wait(c, now_ns);
    c->waits_for = HR__UPLOAD_WORKS;
    return now_ns;
}

static void count(struct hr__upload_counters *c, const struct hr__upload_times *t,
                  uint64_t n_bytes) {
    c->uploads++;
    c->uploaded_bytes += n_bytes;
    if (t->upload_ns > 0)
        c->upload_ns += t->upload_ns;
    if (t->stalled_ns < 0 || t->before_ns < 0)
        return;
    c->stalled_ns += t->stalled_ns;
    c->known_ns += t->before_ns;
    c->exposed_ns += t->stalled_ns < t->before_ns ? t->stalled_ns : t->before_ns;
}

/* The rows of the oldest upload are read no more, and what its check has found is there. */
static void arrived(struct hr_batch *b) {
    struct hr_loader *l = b->loader;
    struct hr__loader_gpu *g = &l->gpu;
    memmove(g->flying, g->flying + 1, --g->num_flying * sizeof(*g->flying));
    const struct hr__finish_bad *found = result_of(b);
    if (found != NULL) {
        memcpy(b->bad, found, l->config.num_fields * sizeof(*found));
        b->bad_known = true;
        hr__bad_count(l, b);
    }
    b->in_flight = false;
    l->wakes.batch_ready |= ++g->next_seen == l->next_deliver; /* the end may have waited for it */
    hr__batch_drop_rows(b);
    hr__admit_others(l);
    hr__batch_settle(b);
}

static void trace_upload(const struct hr_batch *b, const struct hr__upload_times *t,
                         int64_t began_ns, int64_t ended_ns) {
    struct hr__trace *trace = &b->loader->gpu.trace;
    const uint64_t batch = hr__trace_batch(b), device_ns = t->upload_ns > 0 ? t->upload_ns : 0;
    hr__trace_add(trace, HR__TRACE_WAIT_UPLOAD, began_ns, ended_ns, batch, slot_of(b), 0);
    hr__trace_add(trace, HR__TRACE_UPLOAD, b->upload_began_ns, ended_ns, batch, slot_of(b),
                  device_ns);
}

static void see_oldest(struct hr_loader *l) {
    struct hr__loader_gpu *g = &l->gpu;
    struct hr_batch *b = g->flying[0];
    struct hr__upload_times times;
    hr_error err = {0};
    wait_begins(&g->counters, HR__UPLOAD_DEVICE);
    hr__loader_unlock(l);
    hr__range_begin(&l->ranges, HR__TRACE_WAIT_UPLOAD, hr__trace_batch(b), slot_of(b));
    const hr_status st = hr__upload_see(&g->upload, slot_of(b), &times, &err);
    hr__range_end(&l->ranges);
    pthread_mutex_lock(&l->lock);
    const int64_t ended_ns = wait_ends(&g->counters);
    if (st != HR_OK) {
        hr__loader_fail(l, st, &err);
        return;
    }
    count(&g->counters, &times, b->num_samples * hr__wanted_sample_bytes(&l->config));
    trace_upload(b, &times, g->counters.since_ns, ended_ns);
    arrived(b);
}

static void wait_for_work(struct hr_loader *l) {
    struct hr__loader_gpu *g = &l->gpu;
    const bool whole = l->next_begin < l->next_whole;
    const enum hr__trace_kind kind = whole ? HR__TRACE_WAIT_SLOT : HR__TRACE_WAIT_BATCH;
    const uint64_t batch = l->next_begin;
    wait_begins(&g->counters, whole ? HR__UPLOAD_SLOT : HR__UPLOAD_BATCH);
    hr__range_begin(&l->ranges, kind, batch, 0);
    hr__loader_wake(l);
    (void)hr__cond_wait_until(&g->may_upload, &l->lock, -1);
    hr__range_end(&l->ranges);
    const int64_t ended_ns = wait_ends(&g->counters);
    hr__trace_add(&g->trace, kind, g->counters.since_ns, ended_ns, batch, 0, 0);
}

void *hr__upload_run(void *loader) {
    struct hr_loader *l = loader;
    l->gpu.ops->enter(l->gpu.gpu);
    pthread_mutex_lock(&l->lock);
    l->gpu.counters.began_ns = hr__now_ns();
    while (!l->stopping && l->failure.status == HR_OK) {
        if (may_begin(l))
            begin_next(l);
        else if (l->gpu.num_flying > 0)
            see_oldest(l);
        else
            wait_for_work(l);
    }
    hr__loader_unlock(l);
    return NULL;
}

/* ---- consumers ---- */

uint32_t hr_batch_device(const hr_batch *b) {
    return b->loader->config.device;
}

hr_status hr_batch_wait_on(hr_batch *b, void *stream, hr_error *err) {
    const hr_status st = hr__loader_check_fork(b->loader, err);
    if (st != HR_OK || b->loader->gpu.ops == NULL)
        return st;
    return hr__upload_await_on(&b->loader->gpu.upload, slot_of(b), stream, err);
}

hr_status hr_batch_release_on(hr_batch *b, void *stream, hr_error *err) {
    hr_status st = hr__loader_check_fork(b->loader, err);
    if (st == HR_OK && b->loader->gpu.ops != NULL)
        st = hr__upload_release_on(&b->loader->gpu.upload, slot_of(b), stream, err);
    if (st == HR_OK)
        hr_batch_release(b);
    return st;
}
