/*
 * Fields as members of one .npz archive, each FIELD.npy as numpy.savez() makes it.
 */
#define _GNU_SOURCE
#include "checked.h"
#include "container_writer.h"
#include "error.h"
#include "export_job.h"
#include "hdf5_chunks.h"
#include "npy_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES (HR_MAX_NAME_BYTES + sizeof ".npy")

struct hr__export_sink {
    const struct hr__export_job *job;
    struct hr__container *container;
};

/* A member: its name, its first bytes, and as a field: a stream of bytes. */
struct member {
    char name[NAME_BYTES];
    uint8_t header[2048];
    size_t header_bytes;
    struct hr__helper_field field;
};

static hr_status describe(const struct hr__export_job *job, const struct hr__export_item *item,
                          struct member *out, hr_error *err) {
    const struct hr__export_type *t = &item->type;
    uint64_t n_bytes;
    (void)snprintf(out->name, sizeof out->name, "%s.npy", item->info.name);
    out->header_bytes = hr__npy_header_print(t->descr, job->num_samples, item->info.shape,
                                             item->info.rank, out->header, sizeof out->header);
    if (!hr__mul_u64(t->num_elements, t->item_bytes, &n_bytes) ||
        !hr__mul_u64(n_bytes, job->num_samples, &n_bytes) ||
        !hr__add_u64(n_bytes, out->header_bytes, &n_bytes) || n_bytes > INT64_MAX)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the field %s is too large for .npz; export it to .npy",
                             item->info.name);
    out->field = (struct hr__helper_field){.dtype = HR_UINT8,
                                           .num_samples = n_bytes,
                                           .sample_bytes = 1,
                                           .granule_samples = 1,
                                           .member = out->name,
                                           .name = ""};
    return HR_OK;
}

static hr_status declare_all(struct hr__export_sink *s, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < s->job->num_items; i++) {
        struct member m;
        HR_TRY(describe(s->job, &s->job->items[i], &m, err));
        HR_TRY(hr__container_declare(s->container, &m.field, err));
    }
done:
    return st;
}

static hr_status npz_open(struct hr__export_job *job, struct hr__export_sink **out, hr_error *err) {
    const struct hr__container_options o = {
        .target = job->opts.path,
        .replace = (job->opts.flags & HR_CONVERT_REPLACE) != 0,
        .zip = true,
        .level = job->opts.gzip_level == HR_EXPORT_NO_GZIP ? 0 : (uint32_t)job->opts.gzip_level,
        .num_threads = 1,
        .timeout_ns = job->opts.helper_timeout_ns,
        .memory_bytes = job->opts.helper_memory_bytes,
        .largest_chunk_bytes = HR__CHUNK_TARGET_BYTES};
    struct hr__export_sink *s = calloc(1, sizeof *s);
    *out = s;
    if (s == NULL)
        return hr__error_no_memory(err, sizeof *s, "an export");
    s->job = job;
    hr_status st = hr__container_open(&o, &job->budget, &s->container, err);
    return st == HR_OK ? declare_all(s, err) : st;
}

static hr_status npz_begin(struct hr__export_sink *s, const struct hr__export_item *item,
                           hr_error *err) {
    struct member m;
    hr_status st;
    if (item->info.dtype == HR_BFLOAT16)
        hr__export_note(s->job,
                        "field %s is bfloat16, which .npy cannot name: %s holds its bits as uint16",
                        item->info.name, s->job->opts.path);
    HR_TRY(describe(s->job, item, &m, err));
    HR_TRY(hr__container_begin(s->container, &m.field, err));
    st = hr__container_write(s->container, m.header, m.header_bytes, err);
done:
    return st;
}

static hr_status npz_write(struct hr__export_sink *s, const uint8_t *bytes, uint64_t n_bytes,
                           hr_error *err) {
    return hr__container_write(s->container, bytes, n_bytes, err);
}

static hr_status npz_end(struct hr__export_sink *s, hr_error *err) {
    return hr__container_end(s->container, err);
}

static hr_status npz_finish(struct hr__export_sink *s, hr_error *err) {
    return hr__container_finish(s->container, err);
}

static void npz_close(struct hr__export_sink *s) {
    if (s == NULL)
        return;
    hr__container_close(s->container);
    free(s);
}

const struct hr__export_sink_ops hr__export_to_npz = {
    .ucs4 = true,
    .open = npz_open,
    .begin = npz_begin,
    .write = npz_write,
    .end = npz_end,
    .finish = npz_finish,
    .close = npz_close,
};
