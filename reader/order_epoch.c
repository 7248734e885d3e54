/*
 * One epoch of an order: its permutations, and the positions that hold no sample (docs/order.md, 3
 * to 5). Input is trusted: the order was checked when it was made.
 */
#include "order_internal.h"

#include "checked.h"
#include "error.h"

const struct hr__order_stream *hr__order_stream_of(const struct hr__order_epoch *e,
                                                   uint32_t stream) {
    return &e->streams[stream - e->first_stream];
}

uint32_t hr__order_chunk_samples(const struct hr__order *o, uint64_t chunk) {
    uint64_t low = 0, high = o->shape.num_shorts;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (o->shorts[middle].chunk < chunk)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < o->shape.num_shorts && o->shorts[low].chunk == chunk)
        return o->shorts[low].num_samples;
    return o->samples_per_chunk;
}

uint64_t hr__order_visit_chunk(const struct hr__order_epoch *e, uint32_t stream, uint64_t visit) {
    const uint64_t own = hr__order_stream_of(e, stream)->num_visits;
    const uint64_t v = (visit < own ? visit : visit % own) * e->order->num_streams + stream;
    return e->order->kind == HR__ORDER_SEQUENTIAL ? v : hr__permutation_apply(&e->chunks, v);
}

/* The visit of all streams together that decodes a chunk. */
static uint64_t visit_of_chunk(const struct hr__order_epoch *e, uint64_t chunk) {
    return e->order->kind == HR__ORDER_SEQUENTIAL ? chunk
                                                  : hr__permutation_invert(&e->chunks, chunk);
}

static void sift_down(uint64_t *heap, uint64_t root, uint64_t n) {
    for (uint64_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
        if (child + 1 < n && heap[child + 1] > heap[child])
            child++;
        if (heap[root] >= heap[child])
            return;
        const uint64_t swapped = heap[root];
        heap[root] = heap[child];
        heap[child] = swapped;
        root = child;
    }
}

/* A heap sort: in place, unlike the C library's qsort. */
static void sort_ascending(uint64_t *values, uint64_t n) {
    for (uint64_t i = n / 2; i > 0; i--)
        sift_down(values, i - 1, n);
    for (uint64_t end = n; end > 1; end--) {
        const uint64_t largest = values[0];
        values[0] = values[end - 1];
        values[end - 1] = largest;
        sift_down(values, 0, end - 1);
    }
}

/* Entries of the lists of the streams first .. first + num - 1 together. */
static uint64_t count_entries(const struct hr__order_epoch *e, uint32_t first, uint32_t num) {
    const struct hr__order *o = e->order;
    uint64_t n = 0;
    for (uint64_t k = 0; k < o->shape.num_shorts; k++) {
        const uint64_t stream = visit_of_chunk(e, o->shorts[k].chunk) % o->num_streams;
        if (stream >= first && stream - first < num)
            n += o->samples_per_chunk - o->shorts[k].num_samples + (o->pad_last ? 2 : 0);
    }
    return n;
}

/* The stream and its visit that decode a short chunk; false: a stream of somebody else. */
static bool locate_short(const struct hr__order_epoch *e, uint64_t k, uint32_t *stream,
                         uint64_t *visit) {
    const uint64_t v = visit_of_chunk(e, e->order->shorts[k].chunk);
    *stream = (uint32_t)(v % e->order->num_streams);
    *visit = v / e->order->num_streams;
    return *stream >= e->first_stream && *stream - e->first_stream < e->num_streams;
}

/* Gives each stream its part of the memory at `room`. */
static void share_lists(struct hr__order_epoch *e, uint64_t *room) {
    const struct hr__order *o = e->order;
    uint32_t stream;
    uint64_t visit;
    for (uint64_t k = 0; k < o->shape.num_shorts; k++) {
        if (!locate_short(e, k, &stream, &visit))
            continue;
        struct hr__order_stream *s = &e->streams[stream - e->first_stream];
        s->num_padding += o->samples_per_chunk - o->shorts[k].num_samples;
        s->num_short_visits += o->pad_last;
    }
    for (uint32_t k = 0; k < e->num_streams; k++) {
        struct hr__order_stream *s = &e->streams[k];
        s->padding = room;
        s->short_visits = s->padding + s->num_padding;
        s->missing = s->short_visits + s->num_short_visits;
        room = s->missing + s->num_short_visits;
        s->num_padding = s->num_short_visits = 0;
    }
}

/* The raised positions of the samples that short chunks lack; with pad_last, their visits too. */
static void fill_lists(struct hr__order_epoch *e) {
    const struct hr__order *o = e->order;
    uint32_t stream;
    uint64_t visit;
    for (uint64_t k = 0; k < o->shape.num_shorts; k++) {
        if (!locate_short(e, k, &stream, &visit))
            continue;
        struct hr__order_stream *s = &e->streams[stream - e->first_stream];
        const uint32_t held = o->shorts[k].num_samples, missing = o->samples_per_chunk - held;
        hr__order_raised_positions(e, stream, visit, held, missing, s->padding + s->num_padding);
        s->num_padding += missing;
        if (o->pad_last)
            s->short_visits[s->num_short_visits++] = visit;
    }
}

static void key_whole(struct hr__order_epoch *e, uint32_t stream, struct hr__order_stream *s) {
    const struct hr__order *o = e->order;
    s->whole = true;
    hr__permutation_init(&s->head, s->num_visits * o->samples_per_chunk,
                         hr__order_key(o->seed, e->epoch, HR__KEY_WHOLE, stream, 0));
}

/* Head: the ticks before floor(W / 2). Tail: as many at the end. */
static void key_ends(struct hr__order_epoch *e, uint32_t stream, struct hr__order_stream *s) {
    const struct hr__order *o = e->order;
    const uint64_t C = s->num_visits, W = o->shape.window, total = C * o->samples_per_chunk;
    s->tail_tick = C + W - 1 - W / 2;
    s->head_end = hr__order_tick_base(o, C, W / 2);
    s->tail_begin = hr__order_tick_base(o, C, s->tail_tick);
    if (s->head_end > 0)
        hr__permutation_init(&s->head, s->head_end,
                             hr__order_key(o->seed, e->epoch, HR__KEY_HEAD, stream, 0));
    if (s->tail_begin < total)
        hr__permutation_init(&s->tail, total - s->tail_begin,
                             hr__order_key(o->seed, e->epoch, HR__KEY_TAIL, stream, 0));
}

static void key_stream(struct hr__order_epoch *e, uint32_t stream) {
    const struct hr__order *o = e->order;
    struct hr__order_stream *s = &e->streams[stream - e->first_stream];
    s->num_visits = hr__order_num_visits(o, stream);
    if (o->kind == HR__ORDER_INTERLEAVED && s->num_visits <= o->shape.window)
        key_whole(e, stream, s);
    else if (o->kind == HR__ORDER_INTERLEAVED)
        key_ends(e, stream, s);
}

static void finish_stream(struct hr__order_epoch *e, uint32_t stream) {
    const struct hr__order *o = e->order;
    struct hr__order_stream *s = &e->streams[stream - e->first_stream];
    sort_ascending(s->padding, s->num_padding);
    s->num_samples = s->num_visits * o->samples_per_chunk - s->num_padding;
    s->delivered_samples = o->num_batches * o->shape.batch;
    if (o->pad_last) {
        sort_ascending(s->short_visits, s->num_short_visits);
        hr__order_repeats_init(e, stream, s);
    } else {
        s->delivered_samples = hr__min_u64(s->delivered_samples, s->num_samples);
    }
}

/* Which chunks are whose: all that is not behind the struct itself. */
static struct hr__order_epoch deal(const struct hr__order *o, uint64_t epoch, uint32_t first_stream,
                                   uint32_t num_streams) {
    struct hr__order_epoch e = {
        .order = o, .epoch = epoch, .first_stream = first_stream, .num_streams = num_streams};
    if (o->kind == HR__ORDER_INTERLEAVED)
        hr__permutation_init(&e.chunks, o->shape.num_chunks,
                             hr__order_key(o->seed, epoch, HR__KEY_CHUNKS, 0, 0));
    return e;
}

hr_status hr__order_epoch_make(const struct hr__order *o, uint64_t epoch, uint32_t first_stream,
                               uint32_t num_streams, struct hr__budget *budget,
                               struct hr__order_epoch **out, hr_error *err) {
    *out = NULL;
    hr_status st;
    const struct hr__order_epoch dealt = deal(o, epoch, first_stream, num_streams);
    const uint64_t num_entries = count_entries(&dealt, first_stream, num_streams);
    const uint64_t bytes = sizeof dealt + num_streams * sizeof(struct hr__order_stream) +
                           num_entries * sizeof(uint64_t);
    struct hr__order_epoch *e =
        hr__budget_take(budget, (size_t)bytes, "the order of an epoch", &st, err);
    if (e == NULL)
        return st;
    *e = dealt;
    e->budget = budget;
    e->reserved_bytes = bytes;
    for (uint32_t k = 0; k < num_streams; k++)
        key_stream(e, first_stream + k);
    share_lists(e, (uint64_t *)(void *)(e->streams + num_streams));
    fill_lists(e);
    for (uint32_t k = 0; k < num_streams; k++)
        finish_stream(e, first_stream + k);
    *out = e;
    return HR_OK;
}

hr_status hr__order_count_samples(const struct hr__order *o, uint64_t epoch, uint32_t first_stream,
                                  uint32_t num_streams, struct hr__budget *budget, uint64_t *out,
                                  hr_error *err) {
    const struct hr__order_epoch dealt = deal(o, epoch, first_stream, num_streams);
    const uint64_t each = o->num_batches * o->shape.batch;
    hr_status st;
    *out = each * num_streams;
    if (o->pad_last)
        return HR_OK;
    const size_t n_bytes = num_streams * sizeof(uint64_t);
    uint64_t *missing = hr__budget_take(budget, n_bytes, "what chunks are short of", &st, err);
    if (missing == NULL)
        return st;
    uint32_t stream;
    uint64_t visit;
    for (uint64_t k = 0; k < o->shape.num_shorts; k++)
        if (locate_short(&dealt, k, &stream, &visit))
            missing[stream - first_stream] += o->samples_per_chunk - o->shorts[k].num_samples;
    *out = 0;
    for (uint32_t k = 0; k < num_streams; k++) {
        const uint64_t visits = hr__order_num_visits(o, first_stream + k);
        *out += hr__min_u64(each, visits * o->samples_per_chunk - missing[k]);
    }
    hr__budget_free(budget, missing, n_bytes);
    return HR_OK;
}

void hr__order_epoch_free(struct hr__order_epoch *e) {
    if (e != NULL)
        hr__budget_free(e->budget, e, (size_t)e->reserved_bytes);
}

uint64_t hr__order_epoch_samples(const struct hr__order_epoch *e, uint32_t stream) {
    return hr__order_stream_of(e, stream)->delivered_samples;
}

uint64_t hr__order_epoch_visits(const struct hr__order_epoch *e, uint32_t stream) {
    const struct hr__order_stream *s = hr__order_stream_of(e, stream);
    return s->num_visits + s->num_repeat_visits;
}

uint32_t hr__order_epoch_batch_samples(const struct hr__order_epoch *e, uint32_t stream,
                                       uint64_t batch) {
    const uint64_t size = e->order->shape.batch;
    const uint64_t left = hr__order_stream_of(e, stream)->delivered_samples - batch * size;
    return (uint32_t)hr__min_u64(size, left);
}

uint32_t hr__order_epoch_batch_repeats(const struct hr__order_epoch *e, uint32_t stream,
                                       uint64_t batch) {
    const uint64_t held = hr__order_stream_of(e, stream)->num_samples;
    const uint64_t begin = batch * e->order->shape.batch;
    const uint64_t end = begin + hr__order_epoch_batch_samples(e, stream, batch);
    return (uint32_t)(end - hr__min_u64(end, hr__max_u64(begin, held)));
}
