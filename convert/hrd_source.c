/*
 * The fields of a data set as sources.
 */
#define _GNU_SOURCE
#include "source.h"

#include "dtype.h"
#include "error.h"
#include "hrd_file.h"

#include <stdlib.h>
#include <string.h>

struct hrd_source {
    struct hr__source base;
    struct hr__hrd_file *file;
    uint32_t field;
    char *name, *attributes_json;
};

/* A reader keeps nothing of its own, and is the source: the file counts it. */
static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    (void)helpers;
    const struct hrd_source *src = (const struct hrd_source *)source;
    const hr_status st = hr__cursor_pool_enter(&src->file->pool, budget, err);
    *out = st == HR_OK ? (struct hr__source_reader *)source : NULL;
    return st;
}

static hr_status check_range(const struct hrd_source *src, uint64_t first, uint64_t n,
                             hr_error *err) {
    return hr__source_check_range(&src->base, src->file->path, first, n, err);
}

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    const struct hrd_source *src = (const struct hrd_source *)reader;
    const hr_status st = check_range(src, first, n, err);
    return st == HR_OK ? hr__hrd_file_read(src->file, src->field, first, n, dst, err) : st;
}

static hr_status read_values(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                             int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                             hr_error *err) {
    const struct hrd_source *src = (const struct hrd_source *)reader;
    const hr_status st = check_range(src, first, n, err);
    return st == HR_OK ? hr__hrd_file_read_values(src->file, src->field, first, n, offsets, values,
                                                  room_bytes, err)
                       : st;
}

static void close_reader(struct hr__source_reader *reader) {
    const struct hrd_source *src = (const struct hrd_source *)reader;
    if (src != NULL)
        hr__cursor_pool_leave(&src->file->pool);
}

static void close_source(struct hr__source *source) {
    struct hrd_source *src = (struct hrd_source *)source;
    if (src == NULL)
        return;
    hr__hrd_file_release(src->file);
    free(src->attributes_json);
    free(src->name);
    free(src);
}

static uint64_t piece_end(const struct hr__source *source, uint64_t sample) {
    return hr__hrd_file_chunk_end(((const struct hrd_source *)source)->file, sample);
}

static const struct hr__source_ops hrd_ops = {
    .name = "data set",
    .open_reader = open_reader,
    .read = read_samples,
    .close_reader = close_reader,
    .close = close_source,
    .piece_end = piece_end,
};

static const struct hr__source_ops values_ops = {
    .name = "data set, values of variable length",
    .open_reader = open_reader,
    .read_values = read_values,
    .close_reader = close_reader,
    .close = close_source,
    .piece_end = piece_end,
};

static uint64_t value_bytes_of(const hr_dataset *ds, uint32_t field) {
    hr_length_statistics lengths = {.struct_bytes = sizeof lengths};
    if (hr_dataset_length_statistics(ds, field, &lengths, NULL) != HR_OK || lengths.valid != 1)
        return 0;
    return lengths.total_bytes;
}

static void describe(struct hrd_source *src, const hr_field *field, uint64_t sample_bytes,
                     uint32_t num_threads) {
    struct hr__source_info *info = &src->base.info;
    info->path = src->file->path;
    info->default_name = src->name;
    info->dtype = field->dtype;
    info->element_dtype = field->element_dtype;
    info->width_bytes = field->width_bytes;
    info->rank = field->rank;
    memcpy(info->shape, field->shape, field->rank * sizeof info->shape[0]);
    info->num_samples = src->file->num_samples;
    info->sample_bytes = sample_bytes;
    info->granule_samples = src->file->samples_per_chunk;
    info->max_readers = num_threads > 0 ? num_threads : 1;
    info->file = src->file->fingerprint;
    info->attributes_json = src->attributes_json;
    info->origin = &src->file->origin;
    info->pool = &src->file->pool;
    info->pool_bytes = hr__hrd_file_reader_bytes(src->file);
    info->named_inside = true;
}

static hr_status make_source(struct hr__hrd_file *file, const hr_dataset *ds, uint32_t index,
                             uint32_t num_threads, struct hr__source **out, hr_error *err) {
    hr_field field;
    hr_status st = hr_dataset_field(ds, index, &field, err);
    if (st != HR_OK)
        return st;
    struct hrd_source *src = calloc(1, sizeof *src);
    if (src == NULL)
        return hr__error_no_memory(err, sizeof *src, "a source");
    const bool variable = hr__dtype_is_variable(field.dtype);
    src->base.ops = variable ? &values_ops : &hrd_ops;
    src->base.info.value_bytes = variable ? value_bytes_of(ds, index) : 0;
    src->file = file;
    hr__cursor_pool_hold(&file->pool);
    src->field = index;
    src->name = strdup(field.name);
    if (field.attributes_json != NULL)
        src->attributes_json = strdup(field.attributes_json);
    if (src->name == NULL || (field.attributes_json != NULL && src->attributes_json == NULL)) {
        close_source(&src->base);
        return hr__error_no_memory(err, strlen(field.name), "a source's name");
    }
    describe(src, &field, hr_dataset_sample_bytes(ds, index), num_threads);
    *out = &src->base;
    return HR_OK;
}

static bool is_member(const struct hr__hrd_options *o, const char *name) {
    return o->member == NULL || strcmp(o->member + (o->member[0] == '/'), name) == 0;
}

static hr_status make_sources(struct hr__hrd_file *file, const hr_dataset *ds,
                              const struct hr__hrd_options *o, struct hr__source ***out,
                              uint32_t *num_out, hr_error *err) {
    const struct hr__schema *schema = &ds->footer.schema;
    hr_status st = HR_OK;
    uint32_t made = 0;
    struct hr__source **list = calloc(schema->num_fields, sizeof *list);
    if (list == NULL)
        return hr__error_no_memory(err, schema->num_fields * sizeof *list, "a list of sources");
    for (uint32_t i = 0; i < schema->num_fields; i++) {
        const struct hr__schema_field *field = &schema->fields[i];
        if (!is_member(o, field->name))
            continue;
        HR_TRY(make_source(file, ds, i, o->num_threads, &list[made], err));
        made++;
    }
    if (made > 0)
        list[0]->info.file_attributes_json = file->attributes_json;
    *out = list;
    *num_out = made;
    return HR_OK;
done:
    for (uint32_t i = 0; i < made; i++)
        close_source(list[i]);
    free(list);
    return st;
}

hr_status hr__hrd_sources_open(const char *path, const struct hr__hrd_options *opts,
                               struct hr__source ***out, uint32_t *num_out, hr_error *err) {
    struct hr__hrd_file *file = NULL;
    hr_dataset *ds = NULL;
    uint32_t found;
    hr_status st;
    *out = NULL;
    *num_out = 0;
    HR_TRY(hr__hrd_file_open(path, opts->budget_bytes, &file, &ds, err));
    if (opts->member != NULL)
        HR_TRY(hr_dataset_find_field(ds, opts->member + (opts->member[0] == '/'), &found, err));
    HR_TRY(make_sources(file, ds, opts, out, num_out, err));
done:
    hr_dataset_close(ds);
    hr__hrd_file_release(file);
    return st;
}
