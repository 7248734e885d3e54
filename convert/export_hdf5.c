/*
 * Fields as data sets of one HDF5 file. Names and attributes are untrusted.
 */
#define _GNU_SOURCE
#include "checked.h"
#include "container_writer.h"
#include "error.h"
#include "export_attributes.h"
#include "export_variable.h"
#include "hdf5_chunks.h"
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

struct hr__export_sink {
    struct hr__export_job *job;
    struct hr__container *container;
};

/* A name is a path in the file: what would not be found again under it is refused. */
static hr_status check_name(const char *name, hr_error *err) {
    for (const char *at = name; at != NULL; at = strchr(at, '/')) {
        at += *at == '/';
        size_t n = strcspn(at, "/");
        if (n == 0 || (n == 1 && at[0] == '.'))
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "the field %s cannot have its name in HDF5, where '/' parts "
                                 "groups; export it to .npy",
                                 name);
    }
    return HR_OK;
}

static hr_status check_item(const struct hr__export_item *item, hr_error *err) {
    if (item->type.variable && item->longest_bytes / item->type.width_bytes > UINT32_MAX)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the field %s has a value of %llu elements, and HDF5 holds %u; export "
                             "it to .npz",
                             item->info.name,
                             (unsigned long long)(item->longest_bytes / item->type.width_bytes),
                             UINT32_MAX);
    return check_name(item->info.name, err);
}

/* Of a field of variable length: its elements. */
static struct hr__helper_field describe(const struct hr__export_job *job,
                                        const struct hr__export_item *item) {
    const struct hr__export_type *t = &item->type;
    struct hr__helper_field f = {.dtype = t->dtype,
                                 .rank = item->info.rank,
                                 .num_samples = job->num_samples,
                                 .sample_bytes = t->num_elements * t->width_bytes,
                                 .granule_samples = 1,
                                 .member = item->info.name,
                                 .name = ""};
    if (hr_dtype_bytes(t->dtype) == 0)
        f.width_bytes = t->width_bytes;
    memcpy(f.shape, item->info.shape, f.rank * sizeof f.shape[0]);
    return f;
}

static hr_status send_root_attributes(struct hr__export_sink *s, hr_error *err) {
    const char *text = hr_dataset_json(s->job->ds);
    json_t *footer = NULL;
    hr_status st = hr__json_parse(text, strlen(text), &footer, err);
    if (st == HR_OK)
        st = hr__export_attributes(s->job, s->container, "", json_object_get(footer, "attributes"),
                                   err);
    json_decref(footer);
    return st;
}

/* A data set is no group. */
static hr_status check_groups(const struct hr__export_job *job, hr_error *err) {
    for (uint32_t i = 0; i < job->num_items; i++)
        for (uint32_t k = 0; k < job->num_items; k++) {
            const char *group = job->items[i].info.name, *name = job->items[k].info.name;
            const size_t n = strlen(group);
            if (strncmp(name, group, n) == 0 && name[n] == '/')
                return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                     "HDF5 cannot have both fields %s and %s, as the one would be "
                                     "the group of the other; name one of them, or export to .npy",
                                     group, name);
        }
    return HR_OK;
}

static struct hr__container_options options_of(const struct hr__export_job *job) {
    struct hr__container_options o = {
        .target = job->opts.path,
        .replace = (job->opts.flags & HR_CONVERT_REPLACE) != 0,
        .level = job->opts.gzip_level == HR_EXPORT_NO_GZIP ? 0 : (uint32_t)job->opts.gzip_level,
        .num_threads = job->num_threads,
        .timeout_ns = job->opts.helper_timeout_ns,
        .memory_bytes = job->opts.helper_memory_bytes};
    for (uint32_t i = 0; i < job->num_items; i++) {
        const struct hr__export_item *item = &job->items[i];
        struct hr__helper_field f = describe(job, item);
        struct hr__chunks chunks;
        if (item->type.variable) {
            o.variable = true;
            o.largest_value_bytes = hr__max_u64(o.largest_value_bytes, item->longest_bytes);
            continue;
        }
        hr__chunks_make(&f, &chunks);
        o.largest_chunk_bytes = hr__max_u64(o.largest_chunk_bytes, chunks.chunk_bytes);
    }
    return o;
}

/* What the longest value needs while it is read is kept free. */
static hr_status open_container(struct hr__export_sink *s, hr_error *err) {
    const struct hr__container_options o = options_of(s->job);
    struct hr__budget *budget = &s->job->budget;
    hr_status st = hr__budget_reserve(budget, o.largest_value_bytes, "the longest value", err);
    if (st == HR_OK) {
        st = hr__container_open(&o, budget, &s->container, err);
        hr__budget_release(budget, o.largest_value_bytes);
    }
    if (st == HR_ERR_BUDGET && o.variable)
        hr__error_prefix(err, "the longest value has %llu bytes",
                         (unsigned long long)o.largest_value_bytes);
    return st;
}

static hr_status hdf5_open(struct hr__export_job *job, struct hr__export_sink **out,
                           hr_error *err) {
    hr_status st = HR_OK;
    *out = NULL;
    for (uint32_t i = 0; i < job->num_items; i++)
        HR_TRY(check_item(&job->items[i], err));
    HR_TRY(check_groups(job, err));
    struct hr__export_sink *s = calloc(1, sizeof *s);
    if (s == NULL)
        return hr__error_no_memory(err, sizeof *s, "an export");
    *out = s;
    s->job = job;
    HR_TRY(open_container(s, err));
    st = send_root_attributes(s, err);
done:
    return st;
}

static hr_status send_attributes(struct hr__export_sink *s, const struct hr__export_item *item,
                                 hr_error *err) {
    const char *text = item->info.attributes_json;
    json_t *attributes = NULL;
    if (text == NULL)
        return HR_OK;
    hr_status st = hr__json_parse(text, strlen(text), &attributes, err);
    if (st == HR_OK)
        st = hr__export_attributes(s->job, s->container, item->info.name, attributes, err);
    json_decref(attributes);
    return st;
}

static hr_status hdf5_begin(struct hr__export_sink *s, const struct hr__export_item *item,
                            hr_error *err) {
    struct hr__helper_field f = describe(s->job, item);
    hr_status st = hr__container_begin(s->container, &f, err);
    return st == HR_OK ? send_attributes(s, item, err) : st;
}

static hr_status hdf5_write(struct hr__export_sink *s, const uint8_t *bytes, uint64_t n_bytes,
                            hr_error *err) {
    return hr__container_write(s->container, bytes, n_bytes, err);
}

static hr_status hdf5_end(struct hr__export_sink *s, hr_error *err) {
    return hr__container_end(s->container, err);
}

/* HDF5's strings end with a zero. */
static hr_status check_texts(const struct hr__values_piece *p, hr_error *err) {
    for (uint64_t i = 0; i < p->n; i++)
        if (memchr(p->bytes + p->offsets[i], '\0', (size_t)(p->offsets[i + 1] - p->offsets[i])))
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "the text of sample %llu holds the character U+0000, which "
                                 "HDF5's strings cannot; export it to .npz",
                                 (unsigned long long)(p->first + i));
    return HR_OK;
}

struct hdf5_values {
    struct hr__export_sink *sink;
    bool text;
};

static hr_status send_values(void *arg, const struct hr__values_piece *piece, hr_error *err) {
    const struct hdf5_values *v = arg;
    hr_status st = v->text ? check_texts(piece, err) : HR_OK;
    if (st == HR_OK)
        st = hr__container_write_values(v->sink->container, piece->offsets, piece->n, piece->bytes,
                                        err);
    return st;
}

static hr_status hdf5_variable(struct hr__export_sink *s, const struct hr__export_item *item,
                               hr_error *err) {
    struct hdf5_values values = {.sink = s, .text = item->info.dtype == HR_VAR_UTF8};
    struct hr__helper_field f = describe(s->job, item);
    hr_status st;
    HR_TRY(hr__container_begin_values(s->container, &f, values.text, err));
    HR_TRY(send_attributes(s, item, err));
    HR_TRY(hr__export_values(s->job, item, send_values, &values, err));
    st = hr__container_end(s->container, err);
done:
    return st;
}

static hr_status hdf5_finish(struct hr__export_sink *s, hr_error *err) {
    return hr__container_finish(s->container, err);
}

static void hdf5_close(struct hr__export_sink *s) {
    if (s == NULL)
        return;
    hr__container_close(s->container);
    free(s);
}

const struct hr__export_sink_ops hr__export_to_hdf5 = {
    .open = hdf5_open,
    .begin = hdf5_begin,
    .write = hdf5_write,
    .end = hdf5_end,
    .variable = hdf5_variable,
    .finish = hdf5_finish,
    .close = hdf5_close,
};
