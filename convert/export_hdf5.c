/*
 * Fields as data sets of one HDF5 file. Names and attributes are untrusted.
 */
#define _GNU_SOURCE
#include "checked.h"
#include "container_writer.h"
#include "error.h"
#include "export_attributes.h"
#include "export_job.h"
#include "hdf5_chunks.h"
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

struct hr__export_sink {
    const struct hr__export_job *job;
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

static struct hr__helper_field describe(const struct hr__export_job *job,
                                        const struct hr__export_item *item) {
    struct hr__helper_field f = {.dtype = item->info.dtype,
                                 .rank = item->info.rank,
                                 .num_samples = job->num_samples,
                                 .sample_bytes = hr_dataset_sample_bytes(job->ds, item->field),
                                 .granule_samples = 1,
                                 .member = item->info.name,
                                 .name = ""};
    if (hr_dtype_bytes(item->info.dtype) == 0)
        f.width_bytes = item->info.width_bytes;
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
        struct hr__helper_field f = describe(job, &job->items[i]);
        struct hr__chunks chunks;
        hr__chunks_make(&f, &chunks);
        o.largest_chunk_bytes = hr__max_u64(o.largest_chunk_bytes, chunks.chunk_bytes);
    }
    return o;
}

static hr_status hdf5_open(struct hr__export_job *job, struct hr__export_sink **out,
                           hr_error *err) {
    struct hr__container_options o;
    hr_status st = HR_OK;
    *out = NULL;
    for (uint32_t i = 0; i < job->num_items; i++)
        HR_TRY(check_name(job->items[i].info.name, err));
    HR_TRY(check_groups(job, err));
    struct hr__export_sink *s = calloc(1, sizeof *s);
    if (s == NULL)
        return hr__error_no_memory(err, sizeof *s, "an export");
    *out = s;
    s->job = job;
    o = options_of(job);
    HR_TRY(hr__container_open(&o, &job->budget, &s->container, err));
    st = send_root_attributes(s, err);
done:
    return st;
}

static hr_status hdf5_begin(struct hr__export_sink *s, const struct hr__export_item *item,
                            hr_error *err) {
    const char *text = item->info.attributes_json;
    struct hr__helper_field f = describe(s->job, item);
    json_t *attributes = NULL;
    hr_status st;
    HR_TRY(hr__container_begin(s->container, &f, err));
    if (text == NULL)
        goto done;
    HR_TRY(hr__json_parse(text, strlen(text), &attributes, err));
    st = hr__export_attributes(s->job, s->container, item->info.name, attributes, err);
done:
    json_decref(attributes);
    return st;
}

static hr_status hdf5_write(struct hr__export_sink *s, const uint8_t *bytes, uint64_t n_bytes,
                            hr_error *err) {
    return hr__container_write(s->container, bytes, n_bytes, err);
}

static hr_status hdf5_end(struct hr__export_sink *s, hr_error *err) {
    return hr__container_end(s->container, err);
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
    .finish = hdf5_finish,
    .close = hdf5_close,
};
