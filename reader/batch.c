/*
 * What a consumer sees of a batch it holds. Nothing here takes a lock: a held batch belongs to the
 * consumer.
 */
#include "batch_values.h"
#include "error.h"
#include "loader.h"

#include <string.h>
#include <unistd.h>

uint32_t hr_batch_num_samples(const hr_batch *b) {
    return b->num_samples;
}

uint64_t hr_batch_epoch(const hr_batch *b) {
    return b->epoch->epoch;
}

uint64_t hr_batch_number(const hr_batch *b) {
    return b->batch;
}

uint32_t hr_batch_num_fields(const hr_batch *b) {
    return b->loader->config.num_fields;
}

/* Where fields begin: those that finishing has written, and those that are in their rows. */
static uint8_t *fields_base(const hr_batch *b, bool written) {
    const struct hr_loader *l = b->loader;
    if (l->gpu.ops == NULL)
        return written ? b->out : b->slot->base;
    const struct hr__upload_slot *slot = &l->gpu.upload.slots[b - l->outs];
    return written ? slot->out : slot->rows;
}

void *hr_batch_data(const hr_batch *b, uint32_t field) {
    const struct hr__loader_config *c = &b->loader->config;
    if (field >= c->num_fields || b->loader->pid != getpid())
        return NULL;
    const struct hr__finished_field *f = c->finish.fields;
    if (f != NULL && f[field].packs)
        return b->out + f[field].out_off + hr__values_offsets_bytes(c->slot_samples);
    return f != NULL && f[field].writes ? fields_base(b, true) + f[field].out_off
                                        : fields_base(b, false) + c->field_offs[field];
}

const int64_t *hr_batch_offsets(const hr_batch *b, uint32_t field) {
    const struct hr__loader_config *c = &b->loader->config;
    if (field >= c->num_fields || b->loader->pid != getpid() || c->value_capacities[field] == 0)
        return NULL;
    return (const int64_t *)(const void *)(b->out + c->finish.fields[field].out_off);
}

static const char *name_of(const struct hr__loader_config *c, uint32_t i) {
    return c->pads[i].kind == HR__PAD_MASK ? c->pads[i].name
                                           : c->ds->footer.schema.fields[c->fields[i]].name;
}

void *hr_batch_data_by_name(const hr_batch *b, const char *name) {
    const struct hr__loader_config *c = &b->loader->config;
    for (uint32_t i = 0; i < c->num_fields; i++)
        if (strcmp(name_of(c, i), name) == 0)
            return hr_batch_data(b, i);
    return NULL;
}

static void describe_padded(const struct hr__loader_config *c, uint32_t i, hr_field *out) {
    const struct hr__pad_column *pad = &c->pads[i];
    out->name = name_of(c, i);
    out->dtype = pad->dtype;
    out->element_dtype = (hr_dtype)0;
    out->width_bytes = hr_dtype_bytes(pad->dtype);
    out->rank = 1;
    out->shape = &pad->length;
    if (pad->kind == HR__PAD_MASK)
        out->attributes_json = NULL;
}

hr_status hr_batch_field(const hr_batch *b, uint32_t field, hr_field *out, hr_error *err) {
    const struct hr__loader_config *c = &b->loader->config;
    if (field >= c->num_fields)
        return hr__error_set(err, HR_ERR_INVALID, "field %u asked for, the batch has 0 to %u",
                             field, c->num_fields - 1);
    hr_status st = hr_dataset_field(c->ds, c->fields[field], out, err);
    if (st == HR_OK && c->pads[field].kind != HR__PAD_NONE)
        describe_padded(c, field, out);
    else if (st == HR_OK && c->finish.fields != NULL)
        hr__finished_field_describe(&c->finish.fields[field], out);
    return st;
}

uint32_t hr_batch_num_padding(const hr_batch *b) {
    const struct hr__loader_config *c = &b->loader->config;
    uint32_t n = 0;
    for (uint32_t s = c->first_stream; s < c->first_stream + c->num_streams; s++)
        n += hr__order_epoch_batch_repeats(b->epoch->order, s, b->batch);
    return n;
}

static hr_status forked_error(hr_error *err) {
    return hr__error_set(err, HR_ERR_FORKED,
                         "the batch was made before fork(); open a loader in the child");
}

hr_status hr_batch_padding(const hr_batch *b, uint8_t *out, hr_error *err) {
    const struct hr__loader_config *c = &b->loader->config;
    if (b->loader->pid != getpid())
        return forked_error(err);
    for (uint32_t s = c->first_stream; s < c->first_stream + c->num_streams; s++) {
        const uint32_t n = hr__order_epoch_batch_samples(b->epoch->order, s, b->batch);
        const uint32_t repeats = hr__order_epoch_batch_repeats(b->epoch->order, s, b->batch);
        memset(out, 0, n - repeats);
        memset(out + n - repeats, 1, repeats);
        out += n;
    }
    return HR_OK;
}

/* The sample in row i of a stream's slice. */
static uint64_t sample_at(const hr_batch *b, uint32_t stream, uint32_t i) {
    const struct hr__loader_config *c = &b->loader->config;
    const struct hr__footer *f = &c->ds->footer;
    uint64_t chunk, first;
    uint32_t place, samples;
    hr__order_position_sample(b->epoch->order, stream, b->batch * c->stream_batch_samples + i,
                              &chunk, &place);
    if (c->subset != NULL) {
        hr__subset_chunk(c->subset, chunk, &first, &samples);
        return hr__subset_index(c->subset, first + place);
    }
    hr__segment_chunk(f->segments, f->num_segments, f->schema.samples_per_chunk, chunk, &first,
                      &samples);
    return first + place;
}

hr_status hr_batch_indices(const hr_batch *b, uint64_t *out, hr_error *err) {
    const struct hr__loader_config *c = &b->loader->config;
    if (b->loader->pid != getpid())
        return forked_error(err);
    for (uint32_t s = c->first_stream; s < c->first_stream + c->num_streams; s++) {
        uint32_t n = hr__order_epoch_batch_samples(b->epoch->order, s, b->batch);
        for (uint32_t i = 0; i < n; i++)
            *out++ = sample_at(b, s, i);
    }
    return HR_OK;
}

uint64_t hr__batch_sample(const hr_batch *b, uint64_t row) {
    const struct hr__loader_config *c = &b->loader->config;
    uint32_t s = c->first_stream, n;
    while (row >= (n = hr__order_epoch_batch_samples(b->epoch->order, s, b->batch))) {
        row -= n;
        s++;
    }
    return sample_at(b, s, (uint32_t)row);
}
