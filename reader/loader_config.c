/*
 * Options of a loader against a data set: what is asked for.
 */
#include "loader_config.h"

#include "batch_values.h"
#include "checked.h"
#include "cpu.h"
#include "dtype.h"
#include "error.h"
#include "io_backend.h"
#include "options.h"

#include <stdlib.h>

#define FIELD_ALIGN_BYTES 256u
#define DEFAULT_HELD      2u
#define DIRECT_DEPTH      64u
#define DIRECT_EACH       8u /* of each thread at least: so that it decodes while they are under way */
#define CACHED_DEPTH      4u /* of each thread: copies are made at reap, and should stay in L2 */
#define THREADS_DEPTH     16u
#define MAX_DEPTH         4096u
#define MAX_THREADS       1024u

#define OUTS_AHEAD 2u /* finished, and not yet held: one that is done, one at work */
#define KNOWN_FLAGS                                                                                \
    (HR_LOADER_SHUFFLE | HR_LOADER_DROP_LAST | HR_LOADER_PAD_LAST | HR_LOADER_NUMA_OFF |           \
     HR_LOADER_PAGEABLE)
#define DEVICE_SLOTS     3u
#define MAX_DEVICE_SLOTS 1024u
#define MAX_GPUS         256u
#define MAX_TRACE_EVENTS (UINT64_C(1) << 24)

hr_status hr__loader_options_resolve(const hr_loader_options *opts, hr_loader_options *o,
                                     hr_error *err) {
    *o = (hr_loader_options)HR_LOADER_OPTIONS_INIT;
    hr_status st = hr__options_copy(opts, offsetof(hr_loader_options, window_visits), o, sizeof(*o),
                                    "hr_loader_options", err);
    if (st != HR_OK)
        return st;
    if ((o->flags & ~KNOWN_FLAGS) != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_loader_options has unknown flags %#x; leave them out, or use the "
                             "Headrace that they were written for",
                             o->flags & ~KNOWN_FLAGS);
    if (o->batch_samples == 0)
        return hr__error_set(err, HR_ERR_INVALID, "batch_samples is 0, expected 1 or more");
    if (o->num_threads > MAX_THREADS)
        return hr__error_set(err, HR_ERR_INVALID, "num_threads is %u, at most %u", o->num_threads,
                             MAX_THREADS);
    if (o->num_fields > 0 && o->fields == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "num_fields is %u, but fields is NULL",
                             o->num_fields);
    if (o->num_pads > HR__MAX_FIELDS || o->reserved != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "num_pads is %u, at most %u, and reserved %u, expected 0", o->num_pads,
                             HR__MAX_FIELDS, o->reserved);
    if (o->io_depth > MAX_DEPTH)
        return hr__error_set(err, HR_ERR_INVALID, "io_depth is %u, at most %u", o->io_depth,
                             MAX_DEPTH);
    if ((int)o->io < HR_IO_AUTO || (int)o->io > HR_IO_LIBAIO)
        return hr__error_set(err, HR_ERR_INVALID, "io is %d, expected an hr_io", (int)o->io);
    if (o->device != HR_DEVICE_HOST && o->device - HR_DEVICE_CUDA(0) >= MAX_GPUS)
        return hr__error_set(err, HR_ERR_INVALID,
                             "device is %#x, expected HR_DEVICE_HOST or HR_DEVICE_CUDA(0) to (%u)",
                             o->device, MAX_GPUS - 1);
    if (o->device_slots > MAX_DEVICE_SLOTS)
        return hr__error_set(err, HR_ERR_INVALID, "device_slots is %u, at most %u", o->device_slots,
                             MAX_DEVICE_SLOTS);
    if (o->trace_events > MAX_TRACE_EVENTS)
        return hr__error_set(err, HR_ERR_INVALID, "trace_events is %llu, at most %llu",
                             (unsigned long long)o->trace_events,
                             (unsigned long long)MAX_TRACE_EVENTS);
    return HR_OK;
}

/* Virtual chunks instead of chunks: for the order there is no other difference. */
static hr_status resolve_subset(const hr_loader_options *o, struct hr__loader_config *c,
                                hr_error *err) {
    if (o->subset == NULL)
        return HR_OK;
    hr_status st = hr__subset_check(o->subset, c->ds, err);
    if (st != HR_OK)
        return st;
    c->subset = hr__subset_retain(o->subset);
    c->order_params.segments = c->subset->segments;
    c->order_params.num_segments = c->subset->num_segments;
    c->num_samples = c->subset->num_samples;
    c->num_chunks = c->subset->num_chunks;
    return HR_OK;
}

static hr_status resolve_ranks(const hr_loader_options *o, struct hr__loader_config *c,
                               hr_error *err) {
    uint32_t world = o->world_size != 0 ? o->world_size : 1;
    uint32_t streams = o->num_streams != 0 ? o->num_streams : world;
    if (o->rank >= world)
        return hr__error_set(err, HR_ERR_INVALID, "rank is %u, expected 0 to %u (world size %u)",
                             o->rank, world - 1, world);
    if (streams % world != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "world size %u does not divide the %u streams; choose a number of "
                             "streams that every world size you will use divides",
                             world, streams);
    if (o->batch_samples % streams != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the batch of %u samples is not a multiple of the %u streams; %u and "
                             "%u are",
                             o->batch_samples, streams, o->batch_samples / streams * streams,
                             (o->batch_samples / streams + 1) * streams);
    c->num_streams = streams / world;
    c->first_stream = o->rank * c->num_streams;
    c->stream_batch_samples = o->batch_samples / streams;
    c->stream_batch_reciprocal =
        c->stream_batch_samples > 1 ? UINT64_MAX / c->stream_batch_samples + 1 : 0;
    c->local_batch_samples = c->stream_batch_samples * c->num_streams;
    c->slot_samples = c->local_batch_samples;
    if (streams == 1 && !c->order_params.pad_last)
        c->slot_samples = (uint32_t)hr__min_u64(c->slot_samples, hr__max_u64(c->num_samples, 1));
    c->order_params.num_streams = streams;
    return HR_OK;
}

/* Bytes of a column in a slot. */
static hr_status column_bytes(const hr_loader_options *o, struct hr__loader_config *c, uint32_t i,
                              uint64_t *bytes, hr_error *err) {
    const struct hr__schema_field *f = &c->ds->footer.schema.fields[c->fields[i]];
    const bool padded = c->pads[i].kind != HR__PAD_NONE;
    if (hr__dtype_is_variable(f->dtype) && !padded) {
        const hr_status st =
            hr__value_capacity(f, o, c->slot_samples, &c->value_capacities[i], err);
        if (st != HR_OK)
            return st;
        c->has_values = true;
        *bytes = hr__values_slot_bytes(c->slot_samples, c->value_capacities[i]);
        return HR_OK;
    }
    c->row_bytes[i] = padded ? c->pads[i].row_bytes : f->sample_bytes;
    if (hr__mul_u64(c->row_bytes[i], c->slot_samples, bytes) && *bytes <= UINT64_MAX / 4)
        return HR_OK;
    return hr__error_set(err, HR_ERR_BUDGET,
                         "a batch of %u samples of field %s does not fit any memory; use a smaller "
                         "batch",
                         c->slot_samples, f->name);
}

static hr_status lay_out_column(const hr_loader_options *o, struct hr__loader_config *c, uint32_t i,
                                hr_error *err) {
    const struct hr__schema *s = &c->ds->footer.schema;
    uint64_t bytes = 0;
    const hr_status st = column_bytes(o, c, i, &bytes, err);
    if (st != HR_OK)
        return st;
    if (c->slot_bytes > UINT64_MAX / 4)
        return hr__error_set(err, HR_ERR_BUDGET,
                             "a batch of %u samples does not fit any memory; use a smaller batch",
                             c->slot_samples);
    if (c->fields[i] == s->block_order[s->num_fields - 1])
        c->all_fields = true;
    c->field_offs[i] = c->slot_bytes;
    c->slot_bytes += hr__round_up(bytes, FIELD_ALIGN_BYTES);
    return HR_OK;
}

/* A field as one column or, where it is padded, as two. */
static hr_status add_field(const hr_loader_options *o, struct hr__loader_config *c, uint32_t field,
                           hr_error *err) {
    const struct hr__schema_field *f = &c->ds->footer.schema.fields[field];
    const uint32_t i = c->num_fields;
    hr_pad pad;
    bool padded = false;
    hr_status st;
    HR_TRY(hr__pad_find(o, f, &pad, &padded, err));
    const uint32_t end = i + (padded ? 2 : 1);
    if (end > c->num_columns)
        return hr__error_set(err, HR_ERR_INVALID, "field %s is padded twice; name it once",
                             f->name);
    if (padded)
        HR_TRY(hr__pad_columns_make(&pad, f, &c->pads[i], &c->pads[i + 1], err));
    uint32_t other;
    if (padded && hr_dataset_find_field(c->ds, c->pads[i + 1].name, &other, NULL) == HR_OK)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the mask of field %s would be named as the field %s is; write one of "
                             "them by another name",
                             f->name, c->pads[i + 1].name);
    c->has_pads |= padded;
    while (c->num_fields < end) {
        c->fields[c->num_fields] = field;
        HR_TRY(lay_out_column(o, c, c->num_fields++, err));
    }
done:
    return st;
}

static hr_status columns_allocate(struct hr__loader_config *c, uint32_t num_columns,
                                  hr_error *err) {
    c->num_columns = num_columns;
    c->fields = calloc(num_columns, sizeof(*c->fields));
    c->field_offs = calloc(num_columns, sizeof(*c->field_offs));
    c->row_bytes = calloc(num_columns, sizeof(*c->row_bytes));
    c->value_capacities = calloc(num_columns, sizeof(*c->value_capacities));
    c->pads = calloc(num_columns, sizeof(*c->pads));
    if (c->fields == NULL || c->field_offs == NULL || c->row_bytes == NULL ||
        c->value_capacities == NULL || c->pads == NULL)
        return hr__error_no_memory(err, num_columns * sizeof(*c->pads), "a loader");
    return HR_OK;
}

static hr_status resolve_fields(const hr_loader_options *o, struct hr__loader_config *c,
                                hr_error *err) {
    const uint32_t wanted = o->num_fields != 0 ? o->num_fields : c->ds->footer.schema.num_fields;
    hr_status st = columns_allocate(c, wanted + o->num_pads, err);
    for (uint32_t i = 0; st == HR_OK && i < wanted; i++) {
        uint32_t field = i;
        if (o->num_fields != 0)
            st = hr_dataset_find_field(c->ds, o->fields[i], &field, err);
        if (st == HR_OK)
            st = add_field(o, c, field, err);
    }
    if (st == HR_OK && c->num_fields != c->num_columns)
        st = hr__pad_refuse_left_out(o, c->ds, c->fields, c->num_fields, err);
    c->slot_bytes = hr__max_u64(c->slot_bytes, FIELD_ALIGN_BYTES);
    return st;
}

static uint32_t plan_tables(const struct hr__finish *plan) {
    return (plan->scale != NULL ? plan->channels : 0) + (plan->shift != NULL ? plan->channels : 0);
}

/* What the GPU does to each field, and what a slot has there. A check begins with what the ring's
 * slots have at their front. */
static hr_status upload_layout(struct hr__loader_config *c, hr_error *err) {
    struct hr__upload_layout *l = &c->upload;
    struct hr__upload_field *fields = calloc(c->num_fields, sizeof(*fields));
    l->fields = fields;
    if (fields == NULL)
        return hr__error_no_memory(err, c->num_fields * sizeof(*fields), "a loader");
    for (uint32_t i = 0; i < c->num_fields; i++) {
        fields[i].row_bytes = c->row_bytes[i];
        if (c->finish.fields == NULL)
            continue;
        const struct hr__finished_field *f = &c->finish.fields[i];
        fields[i].out_off = f->out_off;
        fields[i].plan = f->plan;
        fields[i].works = f->writes || f->plan.check_finite;
        l->table_bytes += plan_tables(&f->plan) * sizeof(float);
        if (f->plan.check_finite)
            l->bad_bytes =
                hr__round_up(c->num_fields * sizeof(struct hr__finish_bad), FIELD_ALIGN_BYTES);
    }
    for (uint32_t i = 0; i < c->num_fields; i++)
        fields[i].row_off = c->field_offs[i] += l->bad_bytes;
    c->slot_bytes += l->bad_bytes;
    l->num_fields = c->num_fields;
    l->rows_bytes = c->slot_bytes;
    l->out_bytes = c->finish.out_bytes;
    l->keeps_rows = !c->finish.works || c->finish.keeps_rows;
    return HR_OK;
}

/* Slots, and how many of them are held at most. */
static hr_status resolve_device(const hr_loader_options *o, struct hr__loader_config *c,
                                hr_error *err) {
    c->device = o->device;
    c->host_finishes = c->finish.works && c->device == HR_DEVICE_HOST;
    c->max_held_batches = o->max_held_batches != 0 ? o->max_held_batches : DEFAULT_HELD;
    c->num_outs = c->max_held_batches + (c->host_finishes ? OUTS_AHEAD : 0);
    if (c->device == HR_DEVICE_HOST)
        return HR_OK;
    if (c->has_values)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "a field has values of variable length, which are not brought to a "
                             "GPU; pad it to one length, or leave it out of the fields");
    uint32_t slots = o->device_slots;
    if (slots == 1)
        return hr__error_set(err, HR_ERR_INVALID,
                             "device_slots is 1, expected 2 or more: one is filled while another "
                             "is used");
    if (slots == 0)
        slots = c->max_held_batches < DEVICE_SLOTS ? DEVICE_SLOTS : c->max_held_batches + 1;
    if (o->max_held_batches == 0 && c->max_held_batches >= slots)
        c->max_held_batches = slots - 1;
    if (c->max_held_batches >= slots)
        return hr__error_set(err, HR_ERR_INVALID,
                             "max_held_batches is %u, and device_slots %u: one more slot than "
                             "batches held is needed, or nothing is uploaded meanwhile",
                             c->max_held_batches, slots);
    c->num_outs = slots;
    c->upload.num_slots = slots;
    c->device_budget_bytes = o->device_budget_bytes;
    c->pageable_allowed = (o->flags & HR_LOADER_PAGEABLE) != 0;
    return upload_layout(c, err);
}

/* Reads in flight, of all threads together, before the budget has its say. */
static uint32_t default_depth(hr_io io, uint32_t num_threads) {
    if (io == HR_IO_CACHED)
        return CACHED_DEPTH * num_threads;
    if (io == HR_IO_THREADS)
        return THREADS_DEPTH;
    uint32_t depth =
        num_threads > DIRECT_DEPTH / DIRECT_EACH ? DIRECT_EACH * num_threads : DIRECT_DEPTH;
    return depth < MAX_DEPTH ? depth : MAX_DEPTH;
}

hr_status hr__loader_config_make(hr_dataset *ds, const hr_loader_options *o, hr_io io,
                                 struct hr__loader_config *out, hr_error *err) {
    hr_status st;
    *out = (struct hr__loader_config){.ds = ds, .io = io};
    const struct hr__footer *f = &ds->footer;
    out->order_params = (struct hr__order_params){
        .kind = (o->flags & HR_LOADER_SHUFFLE) != 0 ? HR__ORDER_INTERLEAVED : HR__ORDER_SEQUENTIAL,
        .segments = f->segments,
        .num_segments = f->num_segments,
        .samples_per_chunk = f->schema.samples_per_chunk,
        .batch_samples = o->batch_samples,
        .window_visits = o->window_visits,
        .sample_bytes = f->schema.sample_bytes,
        .least_chunk_bytes = f->schema.num_variable > 0 ? HR__VARIABLE_CHUNK_BYTES : 0,
        .seed = o->seed,
        .drop_last = (o->flags & HR_LOADER_DROP_LAST) != 0,
        .pad_last = (o->flags & HR_LOADER_PAD_LAST) != 0};
    out->num_samples = f->num_samples;
    out->num_chunks = f->num_chunks;
    HR_TRY(resolve_subset(o, out, err));
    HR_TRY(resolve_ranks(o, out, err));
    HR_TRY(resolve_fields(o, out, err));
    HR_TRY(hr__finished_fields_make(ds, o, out->fields, out->value_capacities, out->num_fields,
                                    out->slot_samples, &out->finish, err));
    out->numa_off = (o->flags & HR_LOADER_NUMA_OFF) != 0;
    HR_TRY(resolve_device(o, out, err));
    out->trace_events = o->trace_events;
    out->seed = o->seed;
    out->first_epoch = o->first_epoch;
    out->num_epochs = o->num_epochs;
    out->budget_bytes = o->budget_bytes;
    out->num_threads = o->num_threads != 0 ? o->num_threads : hr__cpu_count();
    out->io_depth = o->io_depth != 0 ? o->io_depth : default_depth(io, out->num_threads);
    out->io_buffer_bytes = (uint64_t)f->max_chunk_pages * HR__PAGE_BYTES;
    return HR_OK;
done:
    hr__loader_config_free(out);
    return st;
}

void hr__loader_config_free(struct hr__loader_config *c) {
    hr__finished_fields_free(&c->finish, c->num_fields);
    free(c->fields);
    free(c->field_offs);
    free(c->value_capacities);
    free(c->row_bytes);
    for (uint32_t i = 0; c->pads != NULL && i < c->num_columns; i++)
        free(c->pads[i].name);
    free(c->pads);
    free(c->upload.fields);
    hr_subset_free(c->subset);
    *c = (struct hr__loader_config){0};
}

hr_status hr__loader_order_outline(const struct hr__loader_config *c, struct hr__budget *budget,
                                   struct hr__order **out, hr_error *err) {
    hr_status st = hr__order_outline(&c->order_params, budget, out, err);
    if (st == HR_ERR_INVALID && c->subset != NULL)
        hr__error_prefix(err, "for its order, the subset is a data set of %llu samples",
                         (unsigned long long)c->num_samples);
    return st;
}
