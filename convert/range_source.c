/*
 * A source that leaves out samples at its ends. What a failure says of samples is counted in the
 * whole source.
 */
#include "range_source.h"

#include "error.h"

#include <stdlib.h>

struct range_source {
    struct hr__source base;
    struct hr__source_ops ops; /* with piece_end where the whole has pieces */
    struct hr__source *whole;
    uint64_t first;
    uint64_t stream_last; /* of the whole: the last sample of the stream in which the range ends */
    bool cuts_stream;     /* which is not in the range */
};

struct range_reader {
    const struct range_source *src;
    struct hr__budget *budget;
    struct hr__source_reader *reader;
};

static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    const struct range_source *src = (const struct range_source *)source;
    *out = NULL;
    struct range_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a reader of a source");
    r->src = src;
    r->budget = budget;
    const hr_status st = src->whole->ops->open_reader(src->whole, budget, helpers, &r->reader, err);
    if (st != HR_OK)
        free(r);
    else
        *out = (struct hr__source_reader *)r;
    return st;
}

static hr_status check_range(const struct range_reader *r, uint64_t first, uint64_t n,
                             hr_error *err) {
    return hr__source_check_range(&r->src->base, "the range", first, n, err);
}

/* The checksum of a stream is behind its last byte: only who goes that far knows that what came
 * before is whole. */
static hr_status come_to_end(const struct range_reader *r, hr_error *err) {
    const struct hr__source *whole = r->src->whole;
    hr_status st = HR_OK;
    void *sample = hr__budget_take_raw(r->budget, (size_t)whole->info.sample_bytes,
                                       "the end of a stream", &st, err);
    if (sample != NULL)
        st = whole->ops->read(r->reader, r->src->stream_last, 1, sample, err);
    hr__budget_free(r->budget, sample, (size_t)whole->info.sample_bytes);
    return st;
}

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    const struct range_reader *r = (const struct range_reader *)reader;
    hr_status st = check_range(r, first, n, err);
    if (st == HR_OK)
        st = r->src->whole->ops->read(r->reader, r->src->first + first, n, dst, err);
    const bool last = n > 0 && first + n == r->src->base.info.num_samples;
    return st == HR_OK && last && r->src->cuts_stream ? come_to_end(r, err) : st;
}

static hr_status read_values(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                             int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                             hr_error *err) {
    const struct range_reader *r = (const struct range_reader *)reader;
    const hr_status st = check_range(r, first, n, err);
    return st == HR_OK ? r->src->whole->ops->read_values(r->reader, r->src->first + first, n,
                                                         offsets, values, room_bytes, err)
                       : st;
}

static hr_status fetch(struct hr__source_reader *reader, uint64_t first, uint64_t n, uint64_t *out,
                       hr_error *err) {
    const struct range_reader *r = (const struct range_reader *)reader;
    const struct hr__source_ops *ops = r->src->whole->ops;
    const hr_status st = check_range(r, first, n, err);
    *out = n;
    return st != HR_OK || ops->fetch == NULL
               ? st
               : ops->fetch(r->reader, r->src->first + first, n, out, err);
}

static void announce(struct hr__source_reader *reader, uint64_t first, uint64_t n) {
    const struct range_reader *r = (const struct range_reader *)reader;
    r->src->whole->ops->announce(r->reader, r->src->first + first, n);
}

static void close_reader(struct hr__source_reader *reader) {
    struct range_reader *r = (struct range_reader *)reader;
    if (r == NULL)
        return;
    r->src->whole->ops->close_reader(r->reader);
    free(r);
}

static void close_source(struct hr__source *source) {
    struct range_source *src = (struct range_source *)source;
    if (src == NULL)
        return;
    src->whole->ops->close(src->whole);
    free(src);
}

static uint64_t piece_end(const struct hr__source *source, uint64_t sample) {
    const struct range_source *src = (const struct range_source *)source;
    return src->whole->ops->piece_end(src->whole, src->first + sample) - src->first;
}

static void set_room(struct hr__source *source, uint64_t n_bytes) {
    struct hr__source *whole = ((struct range_source *)source)->whole;
    if (whole->ops->set_room != NULL)
        whole->ops->set_room(whole, n_bytes);
    const uint64_t own_bytes =
        ((struct range_source *)source)->cuts_stream ? whole->info.sample_bytes : 0;
    source->info.reader_bytes = whole->info.reader_bytes + own_bytes;
    source->info.reader_wanted_bytes = whole->info.reader_wanted_bytes + own_bytes;
    source->info.pool_bytes = whole->info.pool_bytes;
}

static void stop(struct hr__source *source) {
    struct hr__source *whole = ((struct range_source *)source)->whole;
    if (whole->ops->stop != NULL)
        whole->ops->stop(whole);
}

static const struct hr__source_ops range_ops = {
    .name = "range",
    .open_reader = open_reader,
    .read = read_samples,
    .read_values = read_values,
    .fetch = fetch,
    .announce = announce,
    .close_reader = close_reader,
    .close = close_source,
    .piece_end = piece_end,
    .set_room = set_room,
    .stop = stop, /* no set_alone: only whole sources are compared */
};

hr_status hr__range_source_make(struct hr__source **source, uint64_t first, uint64_t n,
                                hr_error *err) {
    struct range_source *src = calloc(1, sizeof *src);
    if (src == NULL)
        return hr__error_no_memory(err, sizeof *src, "a range of samples");
    src->ops = range_ops;
    if ((*source)->ops->piece_end == NULL)
        src->ops.piece_end = NULL;
    src->base.ops = &src->ops;
    src->base.info = (*source)->info;
    src->base.info.num_samples = n;
    if ((*source)->info.num_samples > 0) /* as if all values were of one length */
        src->base.info.value_bytes = (uint64_t)((double)(*source)->info.value_bytes * (double)n /
                                                (double)(*source)->info.num_samples);
    src->whole = *source;
    src->first = first;
    if ((*source)->info.is_stream && n > 0) {
        const struct hr__source_ops *ops = (*source)->ops;
        src->stream_last = (ops->stream_end != NULL ? ops->stream_end(*source, first + n - 1)
                                                    : (*source)->info.num_samples) -
                           1;
        src->cuts_stream = src->stream_last >= first + n;
    }
    if (src->cuts_stream) {
        src->base.info.reader_bytes += (*source)->info.sample_bytes;
        src->base.info.reader_wanted_bytes += (*source)->info.sample_bytes;
    }
    *source = &src->base;
    return HR_OK;
}
