/*
 * The memory of a loader: what its parts take, and what is given up, in which order, where the
 * budget is smaller than that.
 */
#include "loader_config.h"

#include "batch_values.h"
#include "checked.h"
#include "default_budget.h"
#include "error.h"
#include "io_backend.h"
#include "loader_trace.h"
#include "ring.h"
#include "size_text.h"
#include "superblock.h"

#include <stdio.h>

#define MIN_SLACK_BYTES (UINT64_C(4) << 20)
#define PER_SLOT_BYTES  128u
#define PER_OUT_BYTES   256u

/* Slots that every visit can be decoded into whole, with slack_bytes more; never more than a whole
 * epoch needs. */
static uint64_t slots_for(const struct hr__loader_config *c, const struct hr__order *order,
                          uint64_t slack_bytes) {
    uint64_t rows = hr__order_live_rows(order, c->first_stream, c->num_streams);
    uint64_t live = hr__ceil_div(rows, c->stream_batch_samples) + 2;
    uint64_t slack = hr__max_u64(1, hr__ceil_div(slack_bytes, c->slot_bytes));
    uint64_t epoch = hr__order_num_batches(order) + 1;
    uint64_t away = 0; /* until the consumer gives it back, or the upload was seen */
    if (c->device != HR_DEVICE_HOST)
        away = HR__MOST_FLYING;
    else if (!c->finish.works || c->finish.keeps_rows)
        away = c->max_held_batches;
    return hr__min_u64(live + slack, epoch) + away;
}

static uint64_t saturating_mul(uint64_t a, uint64_t b) {
    uint64_t out = UINT64_MAX / 4;
    return hr__mul_u64(a, b, &out) ? hr__min_u64(out, UINT64_MAX / 4) : UINT64_MAX / 4;
}

uint64_t hr__loader_max_epochs(const struct hr__loader_config *c) {
    return (uint64_t)c->max_held_batches + 3;
}

uint64_t hr__loader_shared_bytes(const struct hr__loader_config *c) {
    return c->ds->budget.reserved_bytes + (c->subset != NULL ? c->subset->memory_bytes : 0);
}

uint64_t hr__loader_filtered_bytes(const hr_dataset *ds) {
    const uint32_t both = HR__FEATURE_DELTA | HR__FEATURE_BYTE_SHUFFLE;
    const uint32_t alone = HR__FEATURE_BIT_SHUFFLE |
                           (ds->footer.schema.num_variable > 0 ? HR__FEATURE_BYTE_SHUFFLE : 0);
    bool some = false;
    for (uint32_t i = 0; i < ds->num_files; i++) {
        const uint32_t features = ds->parts[i].superblock.required;
        some = some || (features & alone) != 0 || (features & both) == both;
    }
    return some ? HR__MAX_FRAME_BYTES : 0;
}

static uint64_t buffer_bytes(uint64_t number, uint64_t each) {
    uint64_t n_bytes = saturating_mul(number, each);
    if (n_bytes > 0 && n_bytes < UINT64_MAX / 8)
        n_bytes = hr__ring_bytes((size_t)n_bytes);
    return n_bytes;
}

/* Batches as the consumer holds them, and what finishing needs. */
static uint64_t outs_bytes(const struct hr__loader_config *c) {
    uint64_t checks = c->finish.works ? (uint64_t)c->num_fields * sizeof(struct hr__finish_bad) : 0;
    uint64_t here = c->host_finishes ? c->finish.out_bytes : 0;
    uint64_t device = c->device != HR_DEVICE_HOST ? hr__upload_host_bytes(&c->upload) : 0;
    return buffer_bytes(c->num_outs, here) + saturating_mul(c->num_outs, PER_OUT_BYTES + checks) +
           c->num_threads * checks + hr__finished_fields_bytes(&c->finish, c->num_fields) + device;
}

/* Of each worker, of the consumer and, with a GPU, of the upload thread. */
static uint64_t trace_bytes(const struct hr__loader_config *c) {
    const uint64_t threads = c->num_threads + (c->device != HR_DEVICE_HOST ? 2u : 1u);
    return threads * c->trace_events * sizeof(struct hr__trace_entry);
}

uint64_t hr__loader_ring_bytes(const struct hr__loader_config *c) {
    return saturating_mul(c->num_slots, c->slot_bytes) + c->upload.num_slots * c->upload.bad_bytes;
}

uint64_t hr__loader_config_bytes(const struct hr__loader_config *c) {
    uint64_t sample = HR__WORKER_SAMPLE_BYTES + (c->subset != NULL ? HR__WORKER_PLACE_BYTES : 0) +
                      (c->has_values || c->has_pads ? HR__WORKER_VALUE_BYTES : 0);
    uint64_t per_worker = HR__WORKER_SCRATCH_BYTES + hr__loader_filtered_bytes(c->ds) +
                          (uint64_t)c->order_params.samples_per_chunk * sample;
    return buffer_bytes(1, hr__loader_ring_bytes(c)) + outs_bytes(c) +
           saturating_mul(c->num_threads, per_worker) +
           saturating_mul(c->io_depth, c->io_buffer_bytes) +
           hr__io_backend_threads(c->io, c->io_depth) * HR__READ_THREAD_BYTES + trace_bytes(c) +
           c->num_slots * PER_SLOT_BYTES +
           hr__order_bytes(&c->order_params, hr__loader_max_epochs(c)) + hr__loader_shared_bytes(c);
}

static uint32_t least_outs(const struct hr__loader_config *c) {
    if (c->device != HR_DEVICE_HOST)
        return c->num_outs;
    return c->max_held_batches + (c->host_finishes ? 1 : 0);
}

static void smallest(struct hr__loader_config *c, const struct hr__order *order) {
    c->num_threads = 1;
    c->io_depth = 1;
    c->num_slots = slots_for(c, order, 0);
    c->num_outs = least_outs(c);
}

hr_status hr__loader_smallest_bytes(const struct hr__loader_config *c, uint32_t window_visits,
                                    uint64_t *out, hr_error *err) {
    struct hr__budget unlimited;
    struct hr__order *order = NULL;
    struct hr__loader_config probe = *c;
    hr__budget_init_uncounted(&unlimited);
    probe.order_params.window_visits = window_visits;
    hr_status st = hr__order_outline(&probe.order_params, &unlimited, &order, err);
    if (st != HR_OK)
        return st;
    smallest(&probe, order);
    *out = hr__loader_config_bytes(&probe);
    hr__order_free(order);
    return HR_OK;
}

uint64_t hr__loader_smallest_reopen_bytes(const struct hr__loader_config *c,
                                          uint64_t smallest_bytes) {
    return hr__dataset_smallest_budget(c->ds, smallest_bytes - c->ds->budget.reserved_bytes);
}

uint32_t hr__loader_largest_window(const struct hr__loader_config *c) {
    uint32_t streams = c->order_params.num_streams;
    uint64_t chunks = hr__ceil_div(c->num_chunks, streams);
    uint32_t lo = 0, hi = (uint32_t)hr__min_u64(chunks, (UINT32_MAX / 2) / streams);
    while (lo < hi) {
        uint32_t mid = hi - (hi - lo) / 2;
        uint64_t bytes = UINT64_MAX;
        hr_status st = hr__loader_smallest_bytes(c, mid * streams, &bytes, NULL);
        if (st == HR_OK && bytes <= c->budget_bytes)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo * streams;
}

/* The default budget stretches to what the window needs, up to half of the smallest limit. */
static void resolve_budget(struct hr__loader_config *c, uint64_t needed) {
    if (c->budget_bytes != 0)
        return;
    c->budget_bytes = hr_default_budget();
    if (needed > c->budget_bytes)
        c->budget_bytes = hr__min_u64(needed, hr__max_u64(c->budget_bytes, hr__stretched_budget()));
}

/* Gives up, in this order: depth of reading, slack of the ring, threads, a batch finished ahead. */
static bool shrink(struct hr__loader_config *c, const struct hr__order *order, uint64_t *slack) {
    if (c->io_depth > 2 * c->num_threads)
        c->io_depth /= 2;
    else if (*slack > MIN_SLACK_BYTES)
        *slack = MIN_SLACK_BYTES;
    else if (c->num_threads > 1)
        c->num_threads /= 2, c->io_depth = 2 * c->num_threads;
    else if (c->io_depth > 1)
        c->io_depth = 1;
    else if (*slack > 0)
        *slack = 0;
    else if (c->num_outs > least_outs(c))
        c->num_outs = least_outs(c);
    else
        return false;
    c->num_slots = slots_for(c, order, *slack);
    return true;
}

static hr_status refuse(const struct hr__loader_config *c, uint64_t needed, hr_error *err) {
    uint32_t window = hr__loader_largest_window(c);
    uint64_t enough = hr__max_u64(needed, hr__loader_smallest_reopen_bytes(c, needed));
    char advice[96] = "or use smaller batches: no window works with these", traced[64] = "",
         values[224] = "";
    if (window > 0)
        snprintf(advice, sizeof(advice), "or use a window of at most %u", window);
    if (c->trace_events > 0)
        snprintf(traced, sizeof(traced), " (%.1f MiB of it for trace_events)",
                 (double)trace_bytes(c) / 1048576.0);
    hr__values_advice(c->ds, c->fields, c->value_capacities, c->num_fields, c->slot_samples, values,
                      sizeof(values));
    return hr__error_set(err, HR_ERR_BUDGET,
                         "the budget of %s is too small: batches of %u samples with a window of %u "
                         "visits need %.1f MiB%s; give that much, %s%s",
                         hr__size_text(c->budget_bytes).text, c->order_params.batch_samples,
                         c->order_params.window_visits, (double)enough / 1048576.0 + 0.05, traced,
                         advice, values);
}

hr_status hr__loader_config_fit(struct hr__loader_config *c, const struct hr__order *order,
                                hr_error *err) {
    c->order_params.window_visits = hr__order_window(order);
    uint64_t chunk_rows_bytes =
        saturating_mul(c->order_params.samples_per_chunk, c->slot_bytes / c->slot_samples + 1);
    struct hr__loader_config least = *c;
    smallest(&least, order);
    uint64_t needed = hr__loader_config_bytes(&least);
    resolve_budget(c, needed);
    if (needed > c->budget_bytes)
        return refuse(c, needed, err);
    uint64_t chunks = hr__max_u64(1, c->num_chunks);
    c->io_depth = (uint32_t)hr__min_u64(hr__max_u64(c->io_depth, 2 * c->num_threads),
                                        hr__max_u64(chunks, 2 * c->num_threads));
    uint64_t slack = hr__max_u64(MIN_SLACK_BYTES, saturating_mul(c->io_depth, chunk_rows_bytes));
    c->num_slots = slots_for(c, order, slack);
    c->wanted_threads = c->num_threads;
    c->wanted_depth = c->io_depth;
    c->wanted_slots = c->num_slots;
    c->ample_bytes = hr__loader_config_bytes(c);
    while (hr__loader_config_bytes(c) > c->budget_bytes)
        if (!shrink(c, order, &slack))
            break;
    return HR_OK;
}

hr_status hr__loader_order_fit(struct hr__loader_config *c, struct hr__budget *budget,
                               struct hr__order **out, hr_error *err) {
    struct hr__order *outline = NULL;
    *out = NULL;
    hr_status st = hr__loader_order_outline(c, budget, &outline, err);
    if (st == HR_OK)
        st = hr__loader_config_fit(c, outline, err);
    hr__order_free(outline);
    return st == HR_OK ? hr__order_make(&c->order_params, budget, out, err) : st;
}
