/*
 * Data sets and sources behind one interface. What the files hold is untrusted.
 */
#include "compare_side.h"

#include "checked.h"
#include "error.h"
#include "helper_protocol.h"
#include "input_paths.h"
#include "source_kind.h"
#include "source_open.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* --- columns -------------------------------------------------------------------------------- */

static hr_status measure(struct hr__column *c, const char *path, hr_error *err) {
    uint32_t own_bytes = hr_dtype_bytes(c->field.dtype);
    c->width_bytes = own_bytes != 0 ? own_bytes : c->field.width_bytes;
    c->elements_per_sample = 1;
    bool empty = false, fits = true;
    for (uint32_t i = 0; i < c->field.rank; i++) {
        empty = empty || c->field.shape[i] == 0;
        fits =
            fits && hr__mul_u64(c->elements_per_sample, c->field.shape[i], &c->elements_per_sample);
    }
    if (empty)
        c->elements_per_sample = 0;
    if (!fits && !empty)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "%s: the field %s is too large", path,
                             c->field.name);
    return HR_OK;
}

static hr_status make_columns(struct hr__side *s, uint32_t n, hr_error *err) {
    s->columns = calloc((size_t)n + 1, sizeof *s->columns);
    if (s->columns == NULL)
        return hr__error_no_memory(err, n * sizeof *s->columns, "a list of fields");
    s->num_columns = n;
    return HR_OK;
}

static hr_status set_dataset_field(struct hr__column *c, hr_dataset *ds, uint32_t index,
                                   const hr_dataset_info *info, const char *path, hr_error *err) {
    const hr_status st = hr_dataset_field(ds, index, &c->field, err);
    if (st != HR_OK)
        return st;
    c->num_samples = info->num_samples;
    c->sample_bytes = hr_dataset_sample_bytes(ds, index);
    c->granule_samples = hr__max_u64(info->samples_per_chunk, 1);
    c->max_readers = UINT32_MAX;
    c->ds = ds;
    c->index = index;
    return measure(c, path, err);
}

/* member: a field, with a '/' or without, or NULL: all. */
static hr_status columns_of_dataset(struct hr__side *s, const char *member, hr_error *err) {
    hr_dataset_info info = {.struct_bytes = sizeof info};
    uint32_t first = 0;
    hr_status st;
    HR_TRY(hr_dataset_describe(s->ds, &info, err));
    if (member != NULL)
        HR_TRY(hr_dataset_find_field(s->ds, member + (member[0] == '/'), &first, err));
    HR_TRY(make_columns(s, member != NULL ? 1 : hr_dataset_num_fields(s->ds), err));
    for (uint32_t i = 0; i < s->num_columns; i++)
        HR_TRY(set_dataset_field(&s->columns[i], s->ds, first + i, &info, s->path, err));
done:
    return st;
}

static void take_needs(struct hr__column *c) {
    const struct hr__source_info *info = &c->source->info;
    c->max_readers = info->is_stream ? 1 : info->max_readers;
    c->reader_bytes = c->source->ops->set_room == NULL ? info->reader_wanted_bytes : 0;
}

static hr_status set_source(struct hr__column *c, const char *name, struct hr__source *source,
                            const char *path, hr_error *err) {
    const struct hr__source_info *info = &source->info;
    c->field = (hr_field){.name = name,
                          .dtype = info->dtype,
                          .width_bytes = info->width_bytes,
                          .rank = info->rank,
                          .shape = info->shape,
                          .element_dtype = info->element_dtype};
    c->num_samples = info->num_samples;
    c->sample_bytes = info->sample_bytes;
    c->granule_samples = hr__max_u64(info->granule_samples, 1);
    c->source = source;
    take_needs(c);
    return measure(c, path, err);
}

static hr_status columns_of_sources(struct hr__side *s, hr_error *err) {
    bool named = s->sources == NULL;
    hr_status st;
    HR_TRY(make_columns(s, named ? s->inputs.num_fields : s->num_sources, err));
    for (uint32_t i = 0; i < s->num_columns; i++) {
        struct hr__source *source = named ? s->inputs.fields[i].source : s->sources[i];
        const char *name = named ? s->inputs.fields[i].name : source->info.default_name;
        HR_TRY(set_source(&s->columns[i], name, source, s->path, err));
    }
done:
    return st;
}

/* --- opening -------------------------------------------------------------------------------- */

/* One file may hold arrays of different lengths; files that are put together must fit. */
static hr_status open_sources(struct hr__side *s, const struct hr__input_paths *paths,
                              const struct hr__side_options *how, hr_error *err) {
    const hr_compare_options *opts = how->opts;
    hr_convert_options convert = HR_CONVERT_OPTIONS_INIT;
    convert.flags = opts->flags;
    convert.inputs = &s->path;
    convert.num_inputs = 1;
    if (paths->n == 1 && opts->fields != NULL) { /* others need not be readable */
        convert.kept_fields = opts->fields;
        convert.num_kept_fields = opts->num_fields;
    }
    convert.num_helpers = opts->num_helpers;
    convert.helper_timeout_ns = opts->helper_timeout_ns;
    convert.helper_memory_bytes = opts->helper_memory_bytes;
    convert.budget_bytes = how->budget_bytes;
    convert.num_threads = opts->num_threads;
    convert.sparse = (int32_t)how->sparse;
    convert.output = how->spill_path;
    const hr_status st = paths->n == 1
                             ? hr__sources_open(paths->paths[0], paths->member, false, &convert,
                                                NULL, &s->sources, &s->num_sources, err)
                             : hr__inputs_open(&convert, &s->inputs, err);
    return st == HR_OK ? columns_of_sources(s, err) : st;
}

static hr_status open_dataset(struct hr__side *s, const char *path, const char *member,
                              uint64_t budget_bytes, hr_error *err) {
    hr_open_options open = HR_OPEN_OPTIONS_INIT;
    open.budget_bytes = budget_bytes;
    const hr_status st = hr_dataset_open(path, &open, &s->ds, err);
    return st == HR_OK ? columns_of_dataset(s, member, err) : st;
}

hr_status hr__side_open(const char *path, const struct hr__side_options *how, struct hr__side *out,
                        hr_error *err) {
    struct hr__input_paths paths = {0};
    struct hr__source_kind kind = {0};
    hr_status st;
    *out = (struct hr__side){.path = path};
    HR_TRY(hr__input_paths_find(path, false, &paths, err));
    if (paths.n == 1)
        HR_TRY(hr__source_kind_find(paths.paths[0], false, &kind, err));
    st = kind.kind == HR__KIND_HEADRACE
             ? open_dataset(out, paths.paths[0], paths.member, how->budget_bytes, err)
             : open_sources(out, &paths, how, err);
done:
    hr__input_paths_free(&paths);
    if (st != HR_OK)
        hr__side_close(out);
    return st;
}

void hr__side_close(struct hr__side *s) {
    free(s->columns);
    hr__sources_close(s->sources, s->num_sources);
    hr__inputs_close(&s->inputs);
    hr_dataset_close(s->ds);
    *s = (struct hr__side){0};
}

/* Dense rows cost nothing here, as nothing is stored. */
hr_sparse hr__side_sparse(const struct hr__side *s) {
    for (uint32_t i = 0; i < s->num_columns; i++) {
        const char *attributes = s->columns[i].field.attributes_json;
        json_t *json = attributes != NULL ? json_loads(attributes, 0, NULL) : NULL;
        const bool row_values = json_object_get(json, HR__SPARSE_COLUMNS) != NULL;
        json_decref(json);
        if (row_values)
            return HR_SPARSE_VARLEN;
    }
    return HR_SPARSE_DENSE;
}

struct hr__column *hr__side_find(const struct hr__side *s, const char *name) {
    for (uint32_t i = 0; i < s->num_columns; i++)
        if (strcmp(s->columns[i].field.name, name) == 0)
            return &s->columns[i];
    return NULL;
}

bool hr__column_has_pieces(const struct hr__column *c) {
    return c->source != NULL && c->source->ops->piece_end != NULL;
}

uint64_t hr__column_piece_end(const struct hr__column *c, uint64_t sample) {
    return hr__column_has_pieces(c) ? c->source->ops->piece_end(c->source, sample) : UINT64_MAX;
}

void hr__column_set_alone(struct hr__column *c) {
    if (c->source == NULL || c->source->ops->set_alone == NULL)
        return;
    c->source->ops->set_alone(c->source);
    take_needs(c);
}

const void *hr__column_company(const struct hr__column *c) {
    return c->source != NULL ? c->source->info.pool : c->ds;
}

bool hr__column_is_light(const struct hr__column *c) {
    return c->source == NULL || (c->source->info.pool == NULL && c->reader_bytes == 0 &&
                                 c->source->info.reader_bytes == 0);
}

/* --- reading -------------------------------------------------------------------------------- */

void hr__column_set_room(const struct hr__column *c, uint64_t n_bytes) {
    if (c->source != NULL && c->source->ops->set_room != NULL)
        c->source->ops->set_room(c->source, n_bytes);
}

void hr__column_stop(const struct hr__column *c) {
    if (c->source != NULL && c->source->ops->stop != NULL)
        c->source->ops->stop(c->source);
}

hr_status hr__column_reader_open(const struct hr__column *column, struct hr__budget *budget,
                                 struct hr__helper_group *helpers, struct hr__column_reader *out,
                                 hr_error *err) {
    *out = (struct hr__column_reader){.column = column};
    if (column->source == NULL)
        return HR_OK;
    return column->source->ops->open_reader(column->source, budget, helpers, &out->reader, err);
}

hr_status hr__column_read(const struct hr__column_reader *r, uint64_t first, uint64_t n,
                          uint8_t *dst, hr_error *err) {
    return r->column->source->ops->read(r->reader, first, n, dst, err);
}

hr_status hr__column_fetch(const struct hr__column_reader *r, uint64_t first, uint64_t n,
                           uint64_t *out, hr_error *err) {
    const struct hr__source *source = r->column->source;
    *out = n;
    return source == NULL || source->ops->fetch == NULL
               ? HR_OK
               : source->ops->fetch(r->reader, first, n, out, err);
}

hr_status hr__column_read_values(const struct hr__column_reader *r, uint64_t first, uint64_t n,
                                 int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                                 uint64_t *n_bytes, hr_error *err) {
    const struct hr__column *c = r->column;
    if (c->source == NULL)
        return hr_dataset_read_values(c->ds, c->index, first, n, offsets, values, room_bytes,
                                      n_bytes, err);
    hr_status st =
        c->source->ops->read_values(r->reader, first, n, offsets, values, room_bytes, err);
    *n_bytes = st == HR_OK ? (uint64_t)offsets[n] : 0;
    return st;
}

void hr__column_reader_close(struct hr__column_reader *r) {
    if (r->column != NULL && r->column->source != NULL)
        r->column->source->ops->close_reader(r->reader);
    *r = (struct hr__column_reader){0};
}
