/*
 * Fields as members of one .npz archive, each FIELD.npy as numpy.savez() makes it. A field of
 * variable length is two: FIELD.offsets, int64, and FIELD.values, of which value i is
 * values[offsets[i]:offsets[i + 1]].
 */
#define _GNU_SOURCE
#include "bytes.h"
#include "checked.h"
#include "container_writer.h"
#include "error.h"
#include "export_variable.h"
#include "hdf5_chunks.h"
#include "npy_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES (HR_MAX_NAME_BYTES + sizeof ".offsets.npy")
#define END_BYTES  8u

struct hr__export_sink {
    struct hr__export_job *job;
    struct hr__container *container;
};

/* A member: its name, its first bytes, and as a field: a stream of bytes. */
struct member {
    char name[NAME_BYTES];
    uint8_t header[2048];
    size_t header_bytes;
    struct hr__helper_field field;
};

/* What an item becomes: one array, or two. */
enum part { WHOLE, OFFSETS, VALUES };

static const char *const suffixes[] = {"", ".offsets", ".values"};

static enum part first_part(const struct hr__export_item *item) {
    return item->type.variable ? OFFSETS : WHOLE;
}

static enum part last_part(const struct hr__export_item *item) {
    return item->type.variable ? VALUES : WHOLE;
}

/* Entries along the first axis, all with the item's shape, and the bytes of one; false: too many.
 */
static bool measure(const struct hr__export_job *job, const struct hr__export_item *item,
                    enum part part, uint64_t *entries, uint64_t *entry_bytes) {
    const struct hr__export_type *t = &item->type;
    if (part == OFFSETS) {
        *entry_bytes = END_BYTES;
        return hr__add_u64(job->num_samples, 1, entries);
    }
    *entries = part == VALUES ? item->total_bytes / t->item_bytes : job->num_samples;
    return hr__mul_u64(t->num_elements, t->item_bytes, entry_bytes);
}

static hr_status describe(const struct hr__export_job *job, const struct hr__export_item *item,
                          enum part part, struct member *out, hr_error *err) {
    uint64_t entries = 0, entry_bytes = 0, n_bytes;
    bool ok = measure(job, item, part, &entries, &entry_bytes);
    (void)snprintf(out->name, sizeof out->name, "%s%s.npy", item->info.name, suffixes[part]);
    out->header_bytes =
        hr__npy_header_print(part == OFFSETS ? "<i8" : item->type.descr, entries, item->info.shape,
                             item->info.rank, out->header, sizeof out->header);
    if (!ok || !hr__mul_u64(entry_bytes, entries, &n_bytes) ||
        !hr__add_u64(n_bytes, out->header_bytes, &n_bytes) || n_bytes > INT64_MAX)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "the field %s is too large for .npz",
                             item->info.name);
    out->field = (struct hr__helper_field){.dtype = HR_UINT8,
                                           .num_samples = n_bytes,
                                           .sample_bytes = 1,
                                           .granule_samples = 1,
                                           .member = out->name,
                                           .name = ""};
    return HR_OK;
}

/* No array may take the name of another: a field may be named like a part of one. */
static hr_status check_name(const struct hr__export_job *job, const struct hr__export_item *item,
                            enum part part, hr_error *err) {
    const size_t n = strlen(item->info.name);
    for (uint32_t i = 0; i < job->num_items; i++) {
        const char *other = job->items[i].info.name;
        if (part != WHOLE && strncmp(other, item->info.name, n) == 0 &&
            strcmp(other + n, suffixes[part]) == 0)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "the field %s would take the name of the field %s; export them to "
                                 "two files",
                                 item->info.name, other);
    }
    return HR_OK;
}

static hr_status declare_item(struct hr__export_sink *s, const struct hr__export_item *item,
                              hr_error *err) {
    hr_status st = HR_OK;
    for (enum part part = first_part(item); part <= last_part(item); part++) {
        struct member m;
        HR_TRY(check_name(s->job, item, part, err));
        HR_TRY(describe(s->job, item, part, &m, err));
        HR_TRY(hr__container_declare(s->container, &m.field, err));
    }
done:
    return st;
}

static hr_status declare_all(struct hr__export_sink *s, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < s->job->num_items; i++)
        st = declare_item(s, &s->job->items[i], err);
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

static hr_status begin_part(struct hr__export_sink *s, const struct hr__export_item *item,
                            enum part part, hr_error *err) {
    struct member m;
    hr_status st;
    if (item->type.dtype == HR_BFLOAT16 && part != OFFSETS)
        hr__export_note(s->job,
                        "field %s is bfloat16, which .npy cannot name: %s holds its bits as uint16",
                        item->info.name, s->job->opts.path);
    HR_TRY(describe(s->job, item, part, &m, err));
    HR_TRY(hr__container_begin(s->container, &m.field, err));
    st = hr__container_write(s->container, m.header, m.header_bytes, err);
done:
    return st;
}

static hr_status npz_begin(struct hr__export_sink *s, const struct hr__export_item *item,
                           hr_error *err) {
    return begin_part(s, item, WHOLE, err);
}

static hr_status npz_write(struct hr__export_sink *s, const uint8_t *bytes, uint64_t n_bytes,
                           hr_error *err) {
    return hr__container_write(s->container, bytes, n_bytes, err);
}

static hr_status npz_end(struct hr__export_sink *s, hr_error *err) {
    return hr__container_end(s->container, err);
}

struct ends {
    struct hr__export_sink *sink;
    uint32_t item_bytes;
    uint64_t before; /* elements of the samples before */
};

static hr_status write_end(const struct ends *e, uint64_t elements, hr_error *err) {
    uint8_t end[END_BYTES];
    hr__put_u64(end, elements);
    return npz_write(e->sink, end, sizeof end, err);
}

static hr_status write_ends(void *arg, const struct hr__values_piece *piece, hr_error *err) {
    struct ends *e = arg;
    hr_status st = HR_OK;
    for (uint64_t i = 1; st == HR_OK && i <= piece->n; i++)
        st = write_end(e, e->before + (uint64_t)piece->offsets[i] / e->item_bytes, err);
    e->before += (uint64_t)piece->offsets[piece->n] / e->item_bytes;
    return st;
}

static hr_status write_values(void *arg, const struct hr__values_piece *piece, hr_error *err) {
    return npz_write(arg, piece->bytes, (uint64_t)piece->offsets[piece->n], err);
}

static hr_status npz_variable(struct hr__export_sink *s, const struct hr__export_item *item,
                              hr_error *err) {
    struct ends ends = {.sink = s, .item_bytes = item->type.item_bytes};
    hr_status st;
    HR_TRY(begin_part(s, item, OFFSETS, err));
    HR_TRY(write_end(&ends, 0, err));
    HR_TRY(hr__export_lengths(s->job, item, write_ends, &ends, err));
    HR_TRY(npz_end(s, err));
    HR_TRY(begin_part(s, item, VALUES, err));
    HR_TRY(hr__export_values(s->job, item, write_values, s, err));
    st = npz_end(s, err);
done:
    return st;
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
    .variable = npz_variable,
    .finish = npz_finish,
    .close = npz_close,
};
