/*
 * Reading ahead.
 *
 * Invariants, under the mutex
 *   1. released <= taken <= released + num_buffers; ranges below `taken` have a thread, or had one.
 *   2. buffers[i mod num_buffers] belongs to the thread that took range i until its `ready` is set,
 *      then to the caller until it is released.
 *   3. After a failure no further range is taken, so the first failure in order is reported.
 */
#include "pipeline.h"

#include "checked.h"
#include "clock.h"
#include "error.h"
#include "helper_channel.h"
#include "reader_shares.h"
#include "thread.h"

#include <stdio.h>
#include <stdlib.h>

struct buffer {
    uint8_t *bytes;
    const void **columns;
    bool ready;
    hr_status status;
    hr_error error;
};

struct reader {
    struct hr__pipeline *pipeline;
    struct hr__thread thread;
    struct hr__source_reader **fields; /* one for each field */
    struct hr__helper_group helpers;
};

struct hr__pipeline {
    const struct hr__inputs *in;
    struct hr__read_plan plan;
    struct hr__range_work work; /* run NULL: none */
    struct hr__budget *budget;
    uint64_t first_sample, num_samples; /* of the source; what is before the first is not read */
    uint64_t num_ranges;
    struct buffer *buffers;
    struct reader *readers;
    uint32_t num_readers;
    struct hr__reader_shares shares;
    bool has_mutex, has_free, has_ready;
    hr__mutex mutex;
    hr__cond free_cond, ready_cond;
    uint64_t taken, released;
    bool stop;
};

/* Ranges begin at multiples of their length, so that they keep to the source's granules; but the
 * first begins where reading does. */
static void range_of(const struct hr__pipeline *p, uint64_t range, uint64_t *first, uint64_t *n) {
    uint64_t length = p->plan.range_samples;
    uint64_t begin = (p->first_sample / length + range) * length;
    uint64_t end = begin + hr__min_u64(length, p->num_samples - begin);
    *first = hr__max_u64(begin, p->first_sample);
    *n = end - *first;
}

/* Samples begin .. end - 1 of a field, to their place in the buffer of the range that begins at
 * `first`. */
static hr_status read_field(const struct reader *r, uint32_t field, const struct buffer *b,
                            uint64_t first, uint64_t begin, uint64_t end, hr_error *err) {
    const struct hr__source *src = r->pipeline->in->fields[field].source;
    uint8_t *column = b->bytes + ((const uint8_t *)b->columns[field] - b->bytes);
    return src->ops->read(r->fields[field], begin, end - begin,
                          column + (begin - first) * src->info.sample_bytes, err);
}

static bool has_pieces(const struct hr__pipeline *p, uint32_t field) {
    return p->in->fields[field].source->ops->piece_end != NULL;
}

/* Where the next pieces end, of the sources that have any; the range ends at `end`. */
static uint64_t pieces_end(const struct hr__pipeline *p, uint64_t sample, uint64_t end) {
    for (uint32_t i = 0; i < p->in->num_fields; i++) {
        const struct hr__source *src = p->in->fields[i].source;
        if (has_pieces(p, i))
            end = hr__min_u64(end, src->ops->piece_end(src, sample));
    }
    return end;
}

/* Sources with pieces in turns, piece by piece; the others at once. */
static hr_status read_range(const struct reader *r, uint64_t range, const struct buffer *b,
                            hr_error *err) {
    const struct hr__pipeline *p = r->pipeline;
    uint64_t first, n;
    uint32_t with_pieces = 0;
    hr_status st = HR_OK;
    range_of(p, range, &first, &n);
    for (uint32_t i = 0; i < p->in->num_fields && st == HR_OK; i++) {
        with_pieces += has_pieces(p, i);
        if (!has_pieces(p, i))
            st = read_field(r, i, b, first, first, first + n, err);
    }
    for (uint64_t at = first, to; with_pieces > 0 && at < first + n && st == HR_OK; at = to) {
        to = pieces_end(p, at, first + n);
        for (uint32_t i = 0; i < p->in->num_fields && st == HR_OK; i++)
            if (has_pieces(p, i))
                st = read_field(r, i, b, first, at, to, err);
    }
    return st;
}

/* The next range to read, or false at the end. */
static bool take_range(struct hr__pipeline *p, uint64_t *range) {
    bool taken = false;
    pthread_mutex_lock(&p->mutex);
    while (!p->stop && p->taken < p->num_ranges && p->taken - p->released >= p->plan.num_buffers)
        hr__cond_wait_until(&p->free_cond, &p->mutex, -1);
    if (!p->stop && p->taken < p->num_ranges) {
        *range = p->taken++;
        taken = true;
    }
    pthread_mutex_unlock(&p->mutex);
    return taken;
}

static void work_on(const struct hr__pipeline *p, uint64_t range, const struct buffer *b) {
    struct hr__range r = {.columns = b->columns};
    range_of(p, range, &r.first, &r.num_samples);
    p->work.run(p->work.user, &r);
}

static void *read_ranges(void *arg) {
    struct reader *r = arg;
    struct hr__pipeline *p = r->pipeline;
    uint64_t range;
    while (take_range(p, &range)) {
        struct buffer *b = &p->buffers[range % p->plan.num_buffers];
        hr_status st = read_range(r, range, b, &b->error);
        if (st == HR_OK && p->work.run != NULL)
            work_on(p, range, b);
        pthread_mutex_lock(&p->mutex);
        b->status = st;
        b->ready = true;
        if (st != HR_OK)
            p->stop = true;
        pthread_cond_broadcast(&p->free_cond);
        pthread_cond_signal(&p->ready_cond);
        pthread_mutex_unlock(&p->mutex);
    }
    return NULL;
}

static hr_status make_buffers(struct hr__pipeline *p, hr_error *err) {
    p->buffers = calloc(p->plan.num_buffers, sizeof *p->buffers);
    if (p->buffers == NULL)
        return hr__error_no_memory(err, sizeof *p->buffers, "buffers");
    for (uint32_t i = 0; i < p->plan.num_buffers; i++) {
        struct buffer *b = &p->buffers[i];
        b->columns = calloc(p->in->num_fields, sizeof *b->columns);
        if (b->columns == NULL)
            return hr__error_no_memory(err, sizeof *b->columns, "buffers");
        hr_status st = HR_OK;
        b->bytes = hr__budget_take(p->budget, hr__max_u64(p->plan.buffer_bytes, 1),
                                   "a buffer for reading the source", &st, err);
        if (b->bytes == NULL)
            return st;
        for (uint32_t f = 0; f < p->in->num_fields; f++)
            b->columns[f] = b->bytes + hr__read_plan_field_off(p->in, p->plan.range_samples, f);
    }
    return HR_OK;
}

static void close_reader(const struct hr__pipeline *p, struct reader *r) {
    for (uint32_t i = 0; r->fields != NULL && i < p->in->num_fields; i++)
        if (r->fields[i] != NULL)
            p->in->fields[i].source->ops->close_reader(r->fields[i]);
    free(r->fields);
    r->fields = NULL;
}

static hr_status open_reader(struct hr__pipeline *p, struct reader *r, hr_error *err) {
    const uint32_t number = (uint32_t)(r - p->readers);
    r->pipeline = p;
    r->helpers.num_groups = p->shares.num_readers;
    r->fields = calloc(p->in->num_fields, sizeof *r->fields);
    if (r->fields == NULL)
        return hr__error_no_memory(err, sizeof *r->fields, "a reader of the sources");
    for (uint32_t i = 0; i < p->in->num_fields; i++) {
        struct hr__source *src = p->in->fields[i].source;
        struct hr__budget *share = hr__reader_shares_of(&p->shares, number, i);
        hr_status st = src->ops->open_reader(src, share, &r->helpers, &r->fields[i], err);
        if (st != HR_OK)
            return st;
    }
    return HR_OK;
}

static hr_status open_readers(struct hr__pipeline *p, hr_error *err) {
    uint32_t wanted = (uint32_t)hr__min_u64(p->plan.num_readers, p->num_ranges);
    if (wanted > 0) {
        hr_status st = hr__reader_shares_make(p->in, wanted, p->budget, &p->shares, err);
        if (st != HR_OK)
            return st;
        wanted = p->shares.num_readers;
    }
    p->readers = calloc((size_t)wanted + 1, sizeof *p->readers);
    if (p->readers == NULL)
        return hr__error_no_memory(err, sizeof *p->readers, "readers");
    for (uint32_t i = 0; i < wanted; i++) {
        hr_error refused = {.status = HR_OK};
        hr_status st = open_reader(p, &p->readers[i], i == 0 ? err : &refused);
        if (st == HR_OK) {
            p->num_readers++;
            continue;
        }
        close_reader(p, &p->readers[i]);
        if (i > 0 && st == HR_ERR_BUDGET)
            break;
        if (i > 0 && err != NULL)
            *err = refused;
        return st;
    }
    return HR_OK;
}

static hr_status start(struct hr__pipeline *p, hr_error *err) {
    hr_status st;
    HR_TRY(hr__mutex_init(&p->mutex, err));
    p->has_mutex = true;
    HR_TRY(hr__cond_init(&p->free_cond, err));
    p->has_free = true;
    HR_TRY(hr__cond_init(&p->ready_cond, err));
    p->has_ready = true;
    for (uint32_t i = 0; i < p->num_readers; i++) {
        char name[16];
        snprintf(name, sizeof name, "hr-source-%u", i % 10000);
        HR_TRY(hr__thread_start(&p->readers[i].thread, name, read_ranges, &p->readers[i], err));
    }
done:
    return st;
}

hr_status hr__pipeline_open(const struct hr__inputs *in, const struct hr__read_plan *plan,
                            uint64_t first_sample, const struct hr__range_work *work,
                            struct hr__budget *budget, struct hr__pipeline **out, hr_error *err) {
    hr_status st;
    uint64_t total = in->fields[0].source->info.num_samples;
    *out = NULL;
    struct hr__pipeline *p = calloc(1, sizeof *p);
    if (p == NULL)
        return hr__error_no_memory(err, sizeof *p, "reading ahead");
    p->in = in;
    p->plan = *plan;
    p->budget = budget;
    if (work != NULL)
        p->work = *work;
    p->first_sample = hr__min_u64(first_sample, total);
    p->num_samples = total;
    if (p->first_sample < total)
        p->num_ranges =
            hr__ceil_div(total, plan->range_samples) - p->first_sample / plan->range_samples;
    p->plan.num_buffers = (uint32_t)hr__min_u64(plan->num_buffers, hr__max_u64(p->num_ranges, 1));
    HR_TRY(make_buffers(p, err));
    HR_TRY(open_readers(p, err));
    HR_TRY(start(p, err));
    *out = p;
    p = NULL;
done:
    hr__pipeline_close(p);
    return st;
}

hr_status hr__pipeline_next(struct hr__pipeline *p, int64_t timeout_ns, struct hr__range *out,
                            hr_error *err) {
    hr_status st = HR_OK;
    int64_t deadline_ns = timeout_ns < 0 ? -1 : hr__now_ns() + timeout_ns;
    if (p->released == p->num_ranges)
        return HR_END_OF_EPOCH;
    struct buffer *b = &p->buffers[p->released % p->plan.num_buffers];
    pthread_mutex_lock(&p->mutex);
    while (!b->ready && st == HR_OK)
        if (!hr__cond_wait_until(&p->ready_cond, &p->mutex, deadline_ns) && !b->ready)
            st = HR_TIMEOUT;
    pthread_mutex_unlock(&p->mutex);
    if (st != HR_OK)
        return st;
    if (b->status != HR_OK) {
        if (err != NULL)
            *err = b->error;
        return b->status;
    }
    range_of(p, p->released, &out->first, &out->num_samples);
    out->columns = b->columns;
    return HR_OK;
}

void hr__pipeline_release(struct hr__pipeline *p) {
    pthread_mutex_lock(&p->mutex);
    p->buffers[p->released % p->plan.num_buffers].ready = false;
    p->released++;
    pthread_cond_broadcast(&p->free_cond);
    pthread_mutex_unlock(&p->mutex);
}

static void stop_threads(struct hr__pipeline *p) {
    if (p->has_ready) {
        pthread_mutex_lock(&p->mutex);
        p->stop = true;
        pthread_cond_broadcast(&p->free_cond);
        pthread_mutex_unlock(&p->mutex);
    }
    for (uint32_t i = 0; i < p->in->num_fields; i++) {
        struct hr__source *src = p->in->fields[i].source;
        if (src->ops->stop != NULL)
            src->ops->stop(src);
    }
    for (uint32_t i = 0; i < p->num_readers; i++)
        hr__thread_join(&p->readers[i].thread);
}

void hr__pipeline_close(struct hr__pipeline *p) {
    if (p == NULL)
        return;
    stop_threads(p);
    for (uint32_t i = 0; i < p->num_readers; i++)
        close_reader(p, &p->readers[i]);
    hr__reader_shares_close(&p->shares);
    for (uint32_t i = 0; p->buffers != NULL && i < p->plan.num_buffers; i++) {
        hr__budget_free(p->budget, p->buffers[i].bytes, hr__max_u64(p->plan.buffer_bytes, 1));
        free(p->buffers[i].columns);
    }
    free(p->buffers);
    free(p->readers);
    if (p->has_ready)
        pthread_cond_destroy(&p->ready_cond);
    if (p->has_free)
        pthread_cond_destroy(&p->free_cond);
    if (p->has_mutex)
        pthread_mutex_destroy(&p->mutex);
    free(p);
}
