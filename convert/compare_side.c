/*
 * Data sets and sources behind one interface. What the files hold is untrusted.
 */
#include "compare_side.h"

#include "checked.h"
#include "error.h"
#include "input_file.h"
#include "input_paths.h"
#include "parallel_read.h"
#include "source_open.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static hr_status columns_of_dataset(struct hr__side *s, hr_error *err) {
    hr_dataset_info info = {.struct_bytes = sizeof info};
    hr_status st;
    HR_TRY(hr_dataset_describe(s->ds, &info, err));
    HR_TRY(make_columns(s, hr_dataset_num_fields(s->ds), err));
    for (uint32_t i = 0; i < s->num_columns; i++) {
        struct hr__column *c = &s->columns[i];
        HR_TRY(hr_dataset_field(s->ds, i, &c->field, err));
        c->num_samples = info.num_samples;
        c->sample_bytes = hr_dataset_sample_bytes(s->ds, i);
        c->granule_samples = hr__max_u64(info.samples_per_chunk, 1);
        c->max_readers = UINT32_MAX;
        c->ds = s->ds;
        c->index = i;
        HR_TRY(measure(c, s->path, err));
    }
done:
    return st;
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
    c->max_readers = info->is_stream ? 1 : info->max_readers;
    c->source = source;
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

/* By its first bytes. What is no file (a folder, a pattern, FILE:/member) is no data set. */
static hr_status find_kind(const char *path, bool *is_dataset, hr_error *err) {
    struct hr__input_file file = {0};
    struct stat named;
    uint8_t bytes[8];
    size_t found = 0;
    hr_status st = HR_OK;
    *is_dataset = false;
    if (stat(path, &named) != 0 || !S_ISREG(named.st_mode))
        return HR_OK;
    HR_TRY(hr__input_file_open(path, &file, err));
    HR_TRY(hr__input_file_read(&file, path, bytes, sizeof bytes, 0, &found, err));
    *is_dataset = found == sizeof bytes && memcmp(bytes, "\x89HRD\r\n\x1a\n", sizeof bytes) == 0;
done:
    hr__input_file_close(&file);
    return st;
}

/* One file may hold arrays of different lengths; files that are put together must fit. */
static hr_status open_sources(struct hr__side *s, const hr_compare_options *opts,
                              uint64_t budget_bytes, hr_error *err) {
    hr_convert_options convert = HR_CONVERT_OPTIONS_INIT;
    struct hr__input_paths paths = {0};
    hr_status st;
    convert.flags = opts->flags;
    convert.inputs = &s->path;
    convert.num_inputs = 1;
    convert.num_helpers = opts->num_helpers;
    convert.helper_timeout_ns = opts->helper_timeout_ns;
    convert.helper_memory_bytes = opts->helper_memory_bytes;
    convert.budget_bytes = budget_bytes;
    convert.num_threads = opts->num_threads;
    convert.sparse = HR_SPARSE_DENSE; /* nothing is stored */
    HR_TRY(hr__input_paths_find(s->path, false, &paths, err));
    if (paths.n == 1)
        st = hr__sources_open(paths.paths[0], paths.member, false, &convert, &s->sources,
                              &s->num_sources, err);
    else
        st = hr__inputs_open(&convert, &s->inputs, err);
done:
    hr__input_paths_free(&paths);
    return st;
}

hr_status hr__side_open(const char *path, const hr_compare_options *opts, uint64_t budget_bytes,
                        struct hr__side *out, hr_error *err) {
    hr_open_options open = HR_OPEN_OPTIONS_INIT;
    bool is_dataset = false;
    hr_status st;
    *out = (struct hr__side){.path = path};
    open.budget_bytes = budget_bytes;
    HR_TRY(find_kind(path, &is_dataset, err));
    if (is_dataset) {
        HR_TRY(hr_dataset_open(path, &open, &out->ds, err));
        st = columns_of_dataset(out, err);
    } else {
        HR_TRY(open_sources(out, opts, budget_bytes, err));
        st = columns_of_sources(out, err);
    }
done:
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

const struct hr__column *hr__side_find(const struct hr__side *s, const char *name) {
    for (uint32_t i = 0; i < s->num_columns; i++)
        if (strcmp(s->columns[i].field.name, name) == 0)
            return &s->columns[i];
    return NULL;
}

/* --- reading -------------------------------------------------------------------------------- */

hr_status hr__column_reader_open(const struct hr__column *column, struct hr__budget *budget,
                                 uint32_t num_threads, struct hr__column_reader *out,
                                 hr_error *err) {
    *out = (struct hr__column_reader){.column = column, .num_threads = num_threads};
    if (column->source == NULL)
        return HR_OK;
    if (column->source->ops->set_room != NULL)
        column->source->ops->set_room(column->source, budget->limit_bytes / 8);
    return column->source->ops->open_reader(column->source, budget, &out->reader, err);
}

hr_status hr__column_read(const struct hr__column_reader *r, uint64_t first, uint64_t n,
                          uint8_t *dst, hr_error *err) {
    const struct hr__column *c = r->column;
    if (c->source != NULL)
        return c->source->ops->read(r->reader, first, n, dst, err);
    return hr__parallel_read(c->ds, c->index, first, n, r->num_threads, dst, err);
}

void hr__column_reader_close(struct hr__column_reader *r) {
    if (r->column != NULL && r->column->source != NULL)
        r->column->source->ops->close_reader(r->reader);
    *r = (struct hr__column_reader){0};
}
