/*
 * A worker: takes items, keeps several reads of its own in flight, decodes what has arrived. All
 * its memory is made by open; the loop allocates no more than
 * one index page, where the index is not all in memory.
 */
#include "loader.h"

#include "clock.h"
#include "error.h"

#include <fenv.h>
#include <stdlib.h>

#define REAP_AT_ONCE      8u
#define COPY_BYTES_PER_NS 1 /* what the page cache gives more slowly, a disk had to bring */

static size_t buffers_bytes(const struct hr__worker *w) {
    return (size_t)(w->depth * w->loader->config.io_buffer_bytes);
}

static hr_status buffers_make(struct hr__worker *w, hr_error *err) {
    w->buffers = hr__read_buffers_alloc(buffers_bytes(w));
    return w->buffers != NULL ? HR_OK : hr__error_no_memory(err, buffers_bytes(w), "read buffers");
}

static hr_status tables_make(struct hr__worker *w, hr_error *err) {
    size_t samples = w->loader->config.order_params.samples_per_chunk;
    w->targets = calloc(samples, sizeof(*w->targets));
    w->picks = calloc(samples, sizeof(*w->picks));
    w->samples = calloc(samples, sizeof(*w->samples));
    w->scratch = calloc(samples, sizeof(*w->scratch));
    w->positions = calloc(samples, sizeof(*w->positions));
    w->bad = calloc(w->loader->config.num_fields, sizeof(*w->bad));
    if (w->loader->config.subset != NULL)
        w->places = calloc(samples, sizeof(*w->places));
    if (w->loader->config.has_values || w->loader->config.has_pads) {
        w->ends = calloc(samples, sizeof(*w->ends));
        w->value_rows = calloc(samples, sizeof(*w->value_rows));
        if (w->ends == NULL || w->value_rows == NULL)
            return hr__error_no_memory(err, samples * HR__WORKER_VALUE_BYTES, "a worker");
    }
    if (w->targets == NULL || w->picks == NULL || w->samples == NULL || w->scratch == NULL ||
        w->positions == NULL || w->bad == NULL ||
        (w->loader->config.subset != NULL && w->places == NULL))
        return hr__error_no_memory(err, samples * HR__WORKER_SAMPLE_BYTES, "a worker");
    return HR_OK;
}

hr_status hr__worker_open(struct hr__worker *w, struct hr_loader *l, uint32_t depth,
                          hr_error *err) {
    hr_status st;
    const size_t filtered_bytes = (size_t)hr__loader_filtered_bytes(l->ds);
    w->loader = l;
    w->depth = depth;
    HR_TRY(hr__frame_decoder_init(&w->decoder, err));
    HR_TRY(buffers_make(w, err));
    w->reads = calloc(depth, sizeof(*w->reads));
    w->free_reads = calloc(depth, sizeof(*w->free_reads));
    w->decoded = calloc(1, HR__MAX_FRAME_BYTES + HR__ROW_SLACK_BYTES);
    if (filtered_bytes > 0)
        w->filtered = malloc(filtered_bytes);
    HR_TRY(tables_make(w, err));
    if (w->reads == NULL || w->free_reads == NULL || w->decoded == NULL ||
        (filtered_bytes > 0 && w->filtered == NULL))
        return hr__error_no_memory(err, HR__MAX_FRAME_BYTES, "a worker");
    for (uint32_t i = 0; i < depth; i++) {
        w->reads[i].buf = w->buffers + i * l->config.io_buffer_bytes;
        w->free_reads[w->num_free++] = depth - 1 - i;
    }
done:
    return st;
}

hr_status hr__worker_queue_open(struct hr__worker *w, hr_error *err) {
    return hr__io_backend_queue(&w->loader->io, w->depth, w->buffers, buffers_bytes(w), &w->queue,
                                err);
}

void hr__worker_close(struct hr__worker *w) {
    hr__io_queue_close(&w->queue); /* first: the buffers belong to it until then */
    if (w->buffers != NULL)
        hr__read_buffers_free(w->buffers, buffers_bytes(w));
    for (uint32_t i = 0; w->reads != NULL && i < w->depth; i++)
        hr__epoch_release(w->reads[i].item.epoch); /* of items that were never finished */
    hr__index_cache_free(&w->index);
    hr__frame_decoder_free(&w->decoder);
    free(w->reads);
    free(w->free_reads);
    free(w->decoded);
    free(w->filtered);
    free(w->targets);
    free(w->picks);
    free(w->samples);
    free(w->places);
    free(w->scratch);
    free(w->positions);
    free(w->ends);
    free(w->value_rows);
    free(w->bad);
}

static hr_status visit_begin(struct hr__worker *w, struct hr__read *r, uint32_t number,
                             hr_error *err) {
    if (w->loader->config.subset != NULL)
        hr__piece_first(w->loader, r);
    return hr__read_submit(w, r, number, err);
}

/* Submits reads for as many items as there are for this worker, before which it finishes what is to
 * be finished; waits only if it has no items. */
static hr_status submit_reads(struct hr__worker *w, enum hr__admission *a, hr_error *err) {
    hr_status st = HR_OK;
    *a = HR__ADMITTED;
    while (w->num_free > 0 && st == HR_OK) {
        uint32_t number = w->free_reads[w->num_free - 1];
        struct hr__read *r = &w->reads[number];
        *a = hr__admit_next(w, w->depth - w->num_free, &r->item);
        if (*a == HR__ADMIT_FINISH) {
            hr__finish_part(w);
            continue;
        }
        if (*a != HR__ADMITTED)
            break;
        w->num_free--;
        st = visit_begin(w, r, number, err);
    }
    return st;
}

int64_t hr__worker_clock(const struct hr__worker *w) {
    return w->loader->config.untimed ? 0 : hr__now_ns();
}

static bool stopping(struct hr_loader *l) {
    pthread_mutex_lock(&l->lock);
    bool stop = l->stopping || l->failure.status != HR_OK;
    pthread_mutex_unlock(&l->lock);
    return stop;
}

static void count_visit(struct hr__worker *w, int64_t took_ns, int64_t scatter_ns) {
    struct hr__counters *c = &w->counters;
    hr__count_ns(&c->busy_ns, took_ns);
    if (w->timed) {
        hr__count_ns(&c->timed_ns, took_ns);
        hr__count_ns(&c->timed_scatter_ns, scatter_ns);
    }
}

/* It is traced before the consumer can know of it. */
static hr_status decode(struct hr__worker *w, struct hr__read *r, int64_t began_ns, hr_error *err) {
    const struct hr_loader *l = w->loader;
    const uint64_t visit = hr__trace_visit(l, &r->item);
    hr__range_begin(&l->ranges, HR__TRACE_DECODE, visit, r->item.chunk);
    const hr_status st = hr__visit_decode(w, r, err);
    l->row_store->fence();
    hr__range_end(&l->ranges);
    if (w->trace.entries != NULL)
        hr__trace_add(&w->trace, HR__TRACE_DECODE, began_ns, hr__now_ns(), visit, r->item.chunk, 0);
    return st;
}

/* Decodes what has been read, tells so, and submits another read in its place. A visit is complete
 * with its last piece: until then its read goes on with the next. There may be very many, so
 * whether the loader still wants them is asked at each. began_ns: when the worker began with it. */
static hr_status finish_read(struct hr__worker *w, const struct hr__io_done *done, int64_t began_ns,
                             enum hr__admission *a, hr_error *err) {
    uint32_t number = (uint32_t)done->tag;
    struct hr__read *r = &w->reads[number];
    int64_t scattered_ns = w->scatter_ns;
    hr_status st;
    w->timed = !w->loader->config.untimed && w->counters.visits % HR__TIMED_VISITS == 0;
    HR_TRY(hr__read_check(w, r, done->result, err));
    HR_TRY(decode(w, r, began_ns, err));
    const bool more = hr__piece_next(w->loader, r);
    if (!more) {
        hr__count(&w->counters.visits, 1); /* before the consumer can know of it */
        *a = hr__item_exchange(w, w->depth - w->num_free - 1, &r->item);
    }
    count_visit(w, hr__worker_clock(w) - began_ns, w->scatter_ns - scattered_ns);
    if (more)
        return stopping(w->loader) ? HR_ERR_CANCELLED : hr__read_submit(w, r, number, err);
    if (*a == HR__ADMITTED)
        return visit_begin(w, r, number, err);
    w->free_reads[w->num_free++] = number;
    if (*a == HR__ADMIT_FINISH) {
        hr__finish_part(w);
        *a = HR__ADMITTED; /* there may be more of it, and an item for the read that is free */
    }
done:
    return st;
}

/* What the page cache has is copied when it is reaped: that is work, not a wait. */
static void count_reaped(struct hr__worker *w, const struct hr__io_done *done, int n,
                         int64_t began_ns, int64_t now_ns) {
    struct hr__counters *c = &w->counters;
    int64_t n_bytes = 0;
    for (int i = 0; i < n; i++) {
        const struct hr__read *r = &w->reads[done[i].tag];
        const int64_t read_bytes = done[i].result > 0 ? done[i].result : 0;
        n_bytes += read_bytes;
        hr__count(&c->latency[hr__latency_bucket(now_ns - r->submitted_ns)], 1);
        hr__trace_add(&w->trace, HR__TRACE_READ, r->submitted_ns, now_ns, r->item.chunk,
                      (uint64_t)read_bytes, done[i].tag);
    }
    bool copied =
        w->loader->io.io == HR_IO_CACHED && n_bytes / COPY_BYTES_PER_NS >= now_ns - began_ns;
    hr__count_ns(copied ? &c->copy_ns : &c->wait_io_ns, now_ns - began_ns);
    hr__trace_add(&w->trace, copied ? HR__TRACE_COPY_READS : HR__TRACE_WAIT_READS, began_ns, now_ns,
                  (uint64_t)n, (uint64_t)n_bytes, 0);
}

static hr_status reap_reads(struct hr__worker *w, enum hr__admission *a, hr_error *err) {
    struct hr__io_done done[REAP_AT_ONCE];
    hr_status st = HR_OK;
    int64_t now_ns = hr__worker_clock(w), began_ns = now_ns;
    hr__wait_begins(&w->counters, HR__WAIT_IO, began_ns);
    hr__range_begin(&w->loader->ranges, HR__TRACE_WAIT_READS, w->depth - w->num_free, 0);
    int n = w->queue.ops->reap(w->queue.ctx, done, REAP_AT_ONCE);
    hr__range_end(&w->loader->ranges);
    hr__wait_ends(&w->counters);
    if (n < 0)
        return hr__error_os(err, -n, "%s: waiting for reads failed",
                            hr__dataset_name(w->loader->ds));
    now_ns = hr__worker_clock(w);
    if (!w->loader->config.untimed)
        count_reaped(w, done, n, began_ns, now_ns);
    for (int i = 0; i < n && st == HR_OK; i++)
        st = finish_read(w, &done[i], i == 0 ? now_ns : hr__worker_clock(w), a, err);
    return st;
}

static hr_status work(struct hr__worker *w, hr_error *err) {
    enum hr__admission a = HR__ADMITTED;
    hr_status st = HR_OK;
    while (st == HR_OK) {
        if (a == HR__ADMITTED || w->num_free == w->depth)
            st = submit_reads(w, &a, err);
        if (st != HR_OK || w->num_free == w->depth)
            break; /* where it has none, there are no more */
        if (a == HR__ADMIT_NO_MORE && stopping(w->loader))
            return HR_ERR_CANCELLED;
        st = reap_reads(w, &a, err);
    }
    return st;
}

void *hr__worker_run(void *worker) {
    struct hr__worker *w = worker;
    hr_error err = {0};
    (void)fesetenv(FE_DFL_ENV); /* a program's own would change what finishing rounds to */
    atomic_store_explicit(&w->counters.began_ns, hr__now_ns(), memory_order_relaxed);
    hr__worker_place(w);
    hr_status st = work(w, &err);
    atomic_store_explicit(&w->counters.ended_ns, hr__now_ns(), memory_order_relaxed);
    if (st != HR_OK && st != HR_ERR_CANCELLED) {
        pthread_mutex_lock(&w->loader->lock);
        hr__loader_fail(w->loader, st, &err);
        pthread_mutex_unlock(&w->loader->lock);
    }
    hr__io_queue_close(&w->queue); /* by the thread that it belongs to */
    return NULL;
}
