/*
 * The rules for an order's parameters (docs/order.md, 4): windows, lanes, batches. Parameters come
 * from a user, so each is checked before it is used.
 */
#include "order_shape.h"

#include "checked.h"
#include "error.h"

#include <inttypes.h>

#define MAX_POSITIONS ((uint64_t)1 << 62)
#define MIB           ((uint64_t)1 << 20)

uint64_t hr__segment_padding(const struct hr__segment *segment, uint32_t samples_per_chunk) {
    return segment->num_chunks * samples_per_chunk - segment->num_samples;
}

uint64_t hr__order_stream_visits(uint64_t num_chunks, uint32_t num_streams, uint32_t stream) {
    return num_chunks <= stream ? 0 : (num_chunks - stream - 1) / num_streams + 1;
}

static uint64_t count_chunks(const struct hr__order_params *params) {
    uint64_t n = 0;
    for (uint64_t i = 0; i < params->num_segments; i++)
        n += params->segments[i].num_chunks;
    return n;
}

/* Lanes for a stream's batch: one, unless a chunk holds at least two batches. */
static uint32_t count_lanes(uint32_t samples_per_chunk, uint32_t batch) {
    return samples_per_chunk / batch >= 2 ? samples_per_chunk / batch : 1;
}

uint32_t hr__order_default_window(const struct hr__order_params *params) {
    const uint64_t S = params->samples_per_chunk, streams = params->num_streams;
    if (streams == 0)
        return 0;
    if (S <= 1 || params->kind == HR__ORDER_SEQUENTIAL)
        return params->num_streams;
    const uint32_t batch = (uint32_t)hr__max_u64(params->batch_samples / streams, 1);
    const uint64_t visits = hr__order_stream_visits(count_chunks(params), params->num_streams, 0);
    const uint64_t chunk_bytes =
        hr__max_u64(hr__max_u64(1, params->least_chunk_bytes), S * params->sample_bytes);
    const uint64_t lane = hr__ceil_div(S, count_lanes((uint32_t)S, batch));
    uint64_t window = hr__max_u64(batch, lane);
    window = hr__max_u64(window, 64 * MIB / chunk_bytes / streams);
    window = hr__min_u64(window, 256 * MIB / chunk_bytes / streams);
    window = hr__max_u64(hr__min_u64(window, visits), 1);
    return (uint32_t)hr__min_u64(window, UINT32_MAX / streams) * params->num_streams;
}

static hr_status check_samples(const struct hr__order_params *p, uint64_t num_chunks,
                               hr_error *err) {
    uint64_t positions;
    if (p->samples_per_chunk < 1 || p->samples_per_chunk > 65536)
        return hr__error_set(err, HR_ERR_INVALID,
                             "samples per chunk are %" PRIu32 ", expected 1 to 65536",
                             p->samples_per_chunk);
    if (!hr__mul_u64(num_chunks, p->samples_per_chunk, &positions) || positions > MAX_POSITIONS)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%" PRIu64 " chunks of %" PRIu32
                             " samples are more than an order can hold (2^62 samples)",
                             num_chunks, p->samples_per_chunk);
    if (num_chunks == 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the data set has no samples, so there is no batch to deliver");
    return HR_OK;
}

static hr_status check_streams(const struct hr__order_params *p, uint64_t num_chunks,
                               hr_error *err) {
    if (p->batch_samples == 0 || p->num_streams == 0)
        return hr__error_set(err, HR_ERR_INVALID, "%s is 0, expected 1 or more",
                             p->batch_samples == 0 ? "the batch size" : "the number of streams");
    if (p->drop_last && p->pad_last)
        return hr__error_set(err, HR_ERR_INVALID,
                             "a short last batch can be dropped or padded, not both");
    if (p->batch_samples % p->num_streams != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the batch of %" PRIu32 " samples cannot be divided by %" PRIu32
                             " streams; choose a multiple of %" PRIu32,
                             p->batch_samples, p->num_streams, p->num_streams);
    if (p->kind == HR__ORDER_INTERLEAVED && p->window_visits % p->num_streams != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the window of %" PRIu32 " chunks cannot be divided by %" PRIu32
                             " streams; choose a multiple of %" PRIu32,
                             p->window_visits, p->num_streams, p->num_streams);
    if (p->num_streams > num_chunks)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%" PRIu32 " streams need at least as many chunks, and the data set "
                             "has %" PRIu64 "; use fewer streams, or convert with smaller chunks",
                             p->num_streams, num_chunks);
    return HR_OK;
}

static hr_status check_batches(const struct hr__order_params *p,
                               const struct hr__order_shape *shape, hr_error *err) {
    if (hr__order_count_batches(p, shape) > 0)
        return HR_OK;
    const uint64_t samples = shape->num_chunks * p->samples_per_chunk - shape->padding;
    if (p->num_streams == 1)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the data set has %" PRIu64
                             " samples, fewer than one batch of %" PRIu32
                             ", and short batches are dropped: no batch would come; use a smaller "
                             "batch, or keep the last short one",
                             samples, p->batch_samples);
    return hr__error_set(err, HR_ERR_INVALID,
                         "the data set has %" PRIu64 " samples in %" PRIu64 " chunks, too few for "
                         "one batch of %" PRIu32 " over %" PRIu32
                         " streams: no batch would come; use a smaller batch or fewer streams",
                         samples, shape->num_chunks, p->batch_samples, p->num_streams);
}

static void choose_lanes(uint32_t samples_per_chunk, struct hr__order_shape *shape) {
    shape->num_lanes = count_lanes(samples_per_chunk, shape->batch);
    shape->lane_samples = samples_per_chunk / shape->num_lanes;
    shape->num_long = samples_per_chunk % shape->num_lanes;
}

hr_status hr__order_shape_make(const struct hr__order_params *params, struct hr__order_shape *out,
                               hr_error *err) {
    const uint32_t S = params->samples_per_chunk;
    hr_status st = HR_OK;
    *out = (struct hr__order_shape){.num_chunks = count_chunks(params)};
    HR_TRY(check_samples(params, out->num_chunks, err));
    HR_TRY(check_streams(params, out->num_chunks, err));
    for (uint64_t i = 0; i < params->num_segments; i++) {
        const uint64_t missing = hr__segment_padding(&params->segments[i], S);
        out->padding += missing;
        out->num_shorts += missing > 0;
    }
    out->batch = params->batch_samples / params->num_streams;
    choose_lanes(S, out);
    uint32_t window = params->window_visits;
    if (window == 0 || params->kind == HR__ORDER_SEQUENTIAL)
        window = hr__order_default_window(params);
    out->window = window / params->num_streams;
    out->tables = params->kind == HR__ORDER_INTERLEAVED &&
                  hr__order_stream_visits(out->num_chunks, params->num_streams, 0) > out->window;
    if (out->tables && (uint64_t)out->window * S > UINT32_MAX)
        return hr__error_set(err, HR_ERR_INVALID,
                             "a window of %" PRIu32 " chunks of %" PRIu32
                             " samples holds more than 4294967295 samples; choose a smaller window",
                             out->window, S);
    HR_TRY(check_batches(params, out, err));
done:
    return st;
}

uint64_t hr__order_tables_bytes(const struct hr__order_shape *shape, uint32_t samples_per_chunk,
                                bool with_tables) {
    uint64_t bytes = sizeof(struct hr__order) + shape->num_shorts * sizeof(struct hr__order_short);
    if (with_tables)
        bytes += ((uint64_t)shape->window + 1) * 8 + (uint64_t)samples_per_chunk * 16 +
                 (uint64_t)shape->window * 8;
    return bytes;
}

uint64_t hr__order_bytes(const struct hr__order_params *params, uint64_t num_epochs) {
    struct hr__order_shape shape;
    if (hr__order_shape_make(params, &shape, NULL) != HR_OK)
        return 0;
    const uint64_t epoch = sizeof(struct hr__order_epoch) +
                           params->num_streams * sizeof(struct hr__order_stream) +
                           shape.padding * sizeof(uint64_t) +
                           (params->pad_last ? 2 * shape.num_shorts * sizeof(uint64_t) : 0);
    uint64_t epochs = UINT64_MAX / 8; /* more than any budget */
    if (!hr__mul_u64(num_epochs, epoch, &epochs) || epochs > UINT64_MAX / 8)
        return UINT64_MAX / 8;
    return hr__order_tables_bytes(&shape, params->samples_per_chunk, shape.tables) + epochs;
}

/* Segments whose padding is above `than`, and the sum of these paddings. */
static uint64_t count_padding_above(const struct hr__order_params *p, uint64_t than,
                                    uint64_t *sum) {
    uint64_t count = 0;
    *sum = 0;
    for (uint64_t i = 0; i < p->num_segments; i++) {
        const uint64_t missing = hr__segment_padding(&p->segments[i], p->samples_per_chunk);
        if (missing > than) {
            count++;
            *sum += missing;
        }
    }
    return count;
}

/* The most padding that the short chunks can bring to a stream of num_visits chunks: the sum of the
 * num_visits largest, found by bisection for the smallest of them. */
static uint64_t most_padding(const struct hr__order_params *p, const struct hr__order_shape *shape,
                             uint64_t num_visits) {
    if (shape->num_shorts <= num_visits)
        return shape->padding;
    uint64_t low = 0, high = p->samples_per_chunk, sum; /* above high: none */
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (count_padding_above(p, middle, &sum) < num_visits)
            high = middle;
        else
            low = middle + 1;
    }
    const uint64_t count = count_padding_above(p, low, &sum);
    return sum + (num_visits - count) * low;
}

uint64_t hr__order_count_batches(const struct hr__order_params *params,
                                 const struct hr__order_shape *shape) {
    if (params->pad_last) {
        const uint64_t most = hr__order_stream_visits(shape->num_chunks, params->num_streams, 0);
        const uint64_t least_padding =
            shape->padding - most_padding(params, shape, shape->num_chunks - most);
        return hr__ceil_div(most * params->samples_per_chunk - least_padding, shape->batch);
    }
    const uint64_t fewest = shape->num_chunks / params->num_streams;
    const uint64_t samples =
        fewest * params->samples_per_chunk - most_padding(params, shape, fewest);
    if (params->num_streams == 1 && !params->drop_last)
        return hr__ceil_div(samples, shape->batch);
    return samples / shape->batch;
}
