/*
 * What a loader does and would need.
 */
#include "checked.h"
#include "chunk_fetch.h"
#include "error.h"
#include "loader.h"
#include "options.h"

#include <stdio.h>

/* Samples of all ranks that an epoch leaves out. */
static uint64_t dropped(const struct hr__loader_config *c, const struct hr__order *order) {
    uint64_t total = c->num_samples;
    uint64_t full = hr__order_num_batches(order) * c->order_params.batch_samples;
    return full < total ? total - full : 0;
}

/* Samples of all ranks that an epoch delivers once more. */
static uint64_t padded(const struct hr__loader_config *c, const struct hr__order *order) {
    if (!c->order_params.pad_last)
        return 0;
    return hr__order_num_batches(order) * c->order_params.batch_samples - c->num_samples;
}

static void counters_add(const struct hr_loader *l, hr_loader_info *out) {
    for (uint32_t i = 0; i < l->num_workers; i++) {
        const struct hr__counters *k = &l->workers[i].counters;
        out->wait_io_ns += atomic_load_explicit(&k->wait_io_ns, memory_order_relaxed) +
                           atomic_load_explicit(&k->copy_ns, memory_order_relaxed);
        out->decode_ns += atomic_load_explicit(&k->busy_ns, memory_order_relaxed);
        out->finish_ns += atomic_load_explicit(&k->finish_ns, memory_order_relaxed);
        out->wait_consumer_ns += atomic_load_explicit(&k->wait_consumer_ns, memory_order_relaxed) +
                                 atomic_load_explicit(&k->wait_ring_ns, memory_order_relaxed);
        out->read_bytes += atomic_load_explicit(&k->read_bytes, memory_order_relaxed);
    }
}

uint64_t hr__wanted_sample_bytes(const struct hr__loader_config *c) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->num_fields; i++)
        n += c->row_bytes[i];
    return n;
}

uint64_t hr__delivered_bytes(const struct hr_loader *l) {
    return l->samples_delivered * hr__wanted_sample_bytes(&l->config) + l->values_delivered_bytes;
}

hr_status hr_loader_describe(hr_loader *l, hr_loader_info *out, hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    hr_status st = hr__result_check(out, offsetof(hr_loader_info, num_streams), sizeof(*out),
                                    "hr_loader_info", err);
    if (st == HR_OK)
        st = hr__loader_check_fork(l, err);
    if (st != HR_OK)
        return st;
    pthread_mutex_lock(&l->lock);
    hr_loader_info info = {
        .struct_bytes = sizeof(info),
        .window_visits = c->order_params.window_visits,
        .num_streams = c->order_params.num_streams,
        .num_threads = c->num_threads,
        .batch_samples = c->order_params.batch_samples,
        .local_batch_samples = c->local_batch_samples,
        .io = l->io.io,
        .io_depth = c->io_depth,
        .batches_per_epoch = l->num_batches,
        .samples_per_epoch = l->num_samples,
        .dropped_samples = dropped(c, l->order),
        .budget_bytes = c->budget_bytes,
        .reserved_bytes = hr__loader_config_bytes(c),
        .ring_bytes = l->ring_bytes + l->out_memory_bytes,
        .inflation = hr__order_inflation(l->order),
        .batches_delivered = l->batches_delivered,
        .samples_delivered = l->samples_delivered,
        .delivered_bytes = hr__delivered_bytes(l),
        .wait_batch_ns = l->wait_batch_ns,
        .first_batch_ns = l->first_batch_ns,
        .num_read_threads = l->io.num_read_threads,
        .padded_samples = padded(c, l->order),
        .num_nodes = l->placement.num_nodes,
        .ring_interleaved = l->placement.ring_interleaved,
        .numa_os_errno = atomic_load(&l->placement.os_errno),
        .order_samples = c->num_samples,
        .dataset_samples = c->ds->footer.num_samples,
        .device = c->device,
        .device_slots = c->upload.num_slots,
        .device_bytes = c->device != HR_DEVICE_HOST ? hr__upload_bytes(&c->upload) : 0,
        .pinned = l->gpu.pinned,
    };
    pthread_mutex_unlock(&l->lock);
    snprintf(info.device_name, sizeof(info.device_name), "%s", l->gpu.info.name);
    snprintf(info.io_backend, sizeof(info.io_backend), "%s", hr__io_backend_name(&l->io));
    counters_add(l, &info);
    hr__result_copy(out, &info, sizeof(info));
    return HR_OK;
}

static void block_range(const struct hr__chunk_view *v, const struct hr__schema *schema,
                        uint32_t field, uint64_t *begin, uint64_t *end) {
    uint32_t part = hr__last_part(&schema->fields[field]), first, count;
    hr__chunk_view_part(v, field, part, &first, &count, begin);
    for (;; part--) {
        hr__chunk_view_part(v, field, part, &first, &count, end);
        for (uint32_t i = 0; i < count; i++) {
            struct hr__frame frame;
            hr__chunk_view_frame(v, first + i, *end, &frame);
            *end += frame.stored_bytes;
        }
        if (part == 0)
            break;
    }
}

/* Stored bytes read for each stored byte wanted, as the first chunk has it: fields that lie before
 * the last wanted one are read with it, and pages are read whole. */
static hr_status read_amplification(const struct hr__loader_config *c, double *out, hr_error *err) {
    struct hr__budget unlimited;
    struct hr__chunk_fetch fetch = {0};
    double wanted = 0, read = 0;
    *out = 1;
    hr__budget_init_uncounted(&unlimited);
    if (c->ds->footer.num_chunks == 0)
        return HR_OK;
    hr_status st = hr__chunk_fetch_init(&fetch, c->ds, &unlimited, err);
    if (st == HR_OK)
        st = hr__chunk_fetch_open(&fetch, 0, err);
    for (uint32_t i = 0; st == HR_OK && i < c->num_fields; i++) {
        uint64_t begin, end;
        if (c->pads[i].kind == HR__PAD_MASK)
            continue;
        block_range(&fetch.view, &c->ds->footer.schema, c->fields[i], &begin, &end);
        wanted += (double)(end - begin);
        read = (double)end > read ? (double)end : read;
    }
    if (c->all_fields && st == HR_OK)
        read = (double)fetch.view.header.chunk_bytes;
    if (wanted > 0)
        *out = (double)hr__round_up((uint64_t)read, HR__PAGE_BYTES) / wanted;
    if (c->subset != NULL)
        *out *= hr__subset_reading(c);
    hr__chunk_fetch_free(&fetch);
    return st;
}

static void find_sorted_labels(const hr_dataset *ds, hr_loader_plan *out) {
    for (uint32_t f = 0; f < ds->footer.schema.num_fields; f++) {
        hr_statistics s = {.struct_bytes = sizeof(s)};
        if (hr_dataset_statistics(ds, f, &s, NULL) == HR_OK && s.looks_sorted) {
            out->labels_sorted = 1;
            out->labels_field = f;
            return;
        }
    }
}

static hr_status plan_fill(struct hr__loader_config *c, const struct hr__order *order,
                           hr_loader_plan *out, hr_error *err) {
    struct hr__budget unlimited;
    hr__budget_init_uncounted(&unlimited);
    hr_status st = hr__order_count_samples(order, c->first_epoch, c->first_stream, c->num_streams,
                                           &unlimited, &out->samples_per_epoch, err);
    if (st != HR_OK)
        return st;
    out->batches_per_epoch = hr__order_num_batches(order);
    out->dropped_samples = dropped(c, order);
    out->padded_samples = padded(c, order);
    out->inflation = hr__order_inflation(order);
    out->window_visits = hr__order_window(order);
    st = hr__loader_smallest_bytes(c, out->window_visits, &out->smallest_budget_bytes, err);
    if (st != HR_OK)
        return st;
    out->smallest_reopen_bytes = hr__loader_smallest_reopen_bytes(c, out->smallest_budget_bytes);
    hr_error refused;
    st = hr__loader_config_fit(c, order, &refused);
    out->fits = st == HR_OK;
    out->budget_bytes = c->budget_bytes;
    out->peak_bytes = out->fits ? hr__loader_config_bytes(c) : out->smallest_budget_bytes;
    out->largest_window_visits = hr__loader_largest_window(c);
    out->io = c->io;
    out->io_depth = c->io_depth;
    out->num_streams = c->order_params.num_streams;
    out->local_batch_samples = c->local_batch_samples;
    out->order_samples = c->num_samples;
    out->dataset_samples = c->ds->footer.num_samples;
    out->device_bytes = c->device != HR_DEVICE_HOST ? hr__upload_bytes(&c->upload) : 0;
    return HR_OK;
}

hr_status hr_loader_plan_make(hr_dataset *ds, const hr_loader_options *opts, hr_loader_plan *out,
                              hr_error *err) {
    struct hr__loader_config c = {0};
    struct hr__io_backend io = {0};
    struct hr__order *order = NULL;
    struct hr__budget unlimited;
    hr_loader_plan plan = {.struct_bytes = sizeof(plan)};
    hr_loader_options o;
    hr_status st = hr__result_check(out, offsetof(hr_loader_plan, batches_per_epoch), sizeof(*out),
                                    "hr_loader_plan", err);
    if (st != HR_OK)
        return st;
    hr__budget_init_uncounted(&unlimited);
    st = hr__loader_options_resolve(opts, &o, err);
    if (st != HR_OK)
        return st;
    HR_TRY(hr__loader_io_choose(ds, o.io, &io, err));
    HR_TRY(hr__loader_config_make(ds, &o, io.io, &c, err));
    HR_TRY(hr__loader_order_outline(&c, &unlimited, &order, err));
    HR_TRY(plan_fill(&c, order, &plan, err));
    snprintf(plan.io_backend, sizeof(plan.io_backend), "%s", hr__io_backend_name(&io));
    HR_TRY(read_amplification(&c, &plan.read_amplification, err));
    find_sorted_labels(ds, &plan);
    hr__result_copy(out, &plan, sizeof(plan));
done:
    if (st != HR_OK)
        hr__dataset_name_error(ds, err);
    hr__order_free(order);
    hr__loader_config_free(&c);
    hr__io_backend_close(&io);
    return st;
}
