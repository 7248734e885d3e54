/*
 * Data sets that are read to be converted. Files are untrusted; reader/ checks every byte.
 */
#define _GNU_SOURCE
#include "hrd_file.h"

#include "error.h"
#include "input_file.h"
#include "json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SEGMENTS         4096u       /* kept while the data set is closed */
#define MAX_PROVENANCE_BYTES (64u << 10) /* of a data set, that is carried over */
#define DEPTH_ADDED          8 /* levels at least that a footer has around the provenance of its sources */
#define FIELD_BYTES          UINT64_C(128)         /* of each field, in the header of a chunk */
#define CONTEXT_BYTES        (UINT64_C(256) << 10) /* a decoder, and a page of the index */

struct cursor {
    struct hr__cursor base;
    struct hr__access access;
};

static hr_status copy_text(const char *text, char **out, hr_error *err) {
    if (text == NULL)
        return HR_OK;
    *out = strdup(text);
    return *out != NULL ? HR_OK : hr__error_no_memory(err, strlen(text), "a data set's attributes");
}

static hr_status copy_segments(struct hr__hrd_file *f, const struct hr__footer *footer,
                               hr_error *err) {
    if (footer->num_segments == 0 || footer->num_segments > MAX_SEGMENTS)
        return HR_OK;
    const size_t n_bytes = (size_t)footer->num_segments * sizeof *f->segments;
    f->segments = malloc(n_bytes);
    if (f->segments == NULL)
        return hr__error_no_memory(err, n_bytes, "the segments of a data set");
    memcpy(f->segments, footer->segments, n_bytes);
    f->num_segments = footer->num_segments;
    return HR_OK;
}

static hr_status describe(struct hr__hrd_file *f, const hr_dataset *ds, hr_error *err) {
    const struct hr__footer *footer = &ds->footer;
    const char *provenance = footer->schema.provenance_json;
    hr_status st;
    if (provenance != NULL &&
        (strlen(provenance) > MAX_PROVENANCE_BYTES ||
         hr__json_depth(provenance, strlen(provenance)) > HR__JSON_MAX_DEPTH - DEPTH_ADDED))
        provenance = NULL;
    f->num_samples = footer->num_samples;
    f->num_fields = footer->schema.num_fields;
    f->samples_per_chunk = footer->schema.samples_per_chunk;
    if (footer->schema.num_variable > 0)
        f->ends_bytes = hr__access_ends_bytes(ds);
    f->dataset_bytes = atomic_load(&ds->budget.peak_bytes);
    memcpy(f->origin.uuid, footer->uuid, sizeof f->origin.uuid);
    f->origin.commit_seq = footer->commit_seq;
    HR_TRY(copy_text(footer->schema.attributes_json, &f->attributes_json, err));
    HR_TRY(copy_text(provenance, &f->provenance_json, err));
    HR_TRY(copy_segments(f, footer, err));
    f->origin.provenance_json = f->provenance_json;
done:
    return st;
}

static hr_status fingerprint(struct hr__hrd_file *f, hr_error *err) {
    struct hr__input_file file = {0};
    hr_status st = hr__input_file_open(f->path, &file, err);
    if (st != HR_OK)
        return st;
    f->fingerprint = (hr_source_fingerprint){f->path, file.size_bytes, file.mtime_ns};
    hr__input_file_close(&file);
    return HR_OK;
}

static hr_status open_dataset(const struct hr__hrd_file *f, hr_dataset **out, hr_error *err) {
    hr_open_options opts = HR_OPEN_OPTIONS_INIT;
    opts.budget_bytes = f->budget_bytes;
    return hr_dataset_open(f->path, &opts, out, err);
}

/* ---- cursors ---- */

static void free_cursor(struct hr__cursor *cursor) {
    struct cursor *c = (struct cursor *)cursor;
    hr__access_end(&c->access);
    free(c);
}

static hr_status fill_cursor(struct hr__cursor *cursor, void *file, struct hr__budget *budget,
                             hr_error *err) {
    const struct hr__hrd_file *f = file;
    return hr__access_begin(&((struct cursor *)cursor)->access, f->ds, budget, err);
}

static void close_again(void *file) {
    struct hr__hrd_file *f = file;
    hr_dataset_close(f->ds);
    f->ds = NULL;
}

static hr_status open_again(void *file, hr_error *err) {
    struct hr__hrd_file *f = file;
    hr_status st = open_dataset(f, &f->ds, err);
    if (st != HR_OK)
        return st;
    const struct hr__footer *now = &f->ds->footer;
    if (memcmp(now->uuid, f->origin.uuid, sizeof now->uuid) == 0 &&
        now->commit_seq == f->origin.commit_seq && now->num_samples == f->num_samples)
        return HR_OK;
    close_again(f);
    return hr__error_set(err, HR_ERR_DATA,
                         "%s was changed after the conversion had begun; begin it again", f->path);
}

static const struct hr__cursor_ops cursor_ops = {
    .open = open_again,
    .close = close_again,
    .cursor_bytes = sizeof(struct cursor),
    .fill = fill_cursor,
    .free = free_cursor,
};

/* ---- the file ---- */

static void free_file(struct hr__hrd_file *f) {
    hr__cursor_pool_close(&f->pool);
    free(f->segments);
    free(f->provenance_json);
    free(f->attributes_json);
    free(f->path);
    free(f);
}

hr_status hr__hrd_file_open(const char *path, uint64_t budget_bytes, struct hr__hrd_file **out,
                            hr_dataset **ds, hr_error *err) {
    hr_status st;
    *out = NULL;
    *ds = NULL;
    struct hr__hrd_file *f = calloc(1, sizeof *f);
    if (f == NULL)
        return hr__error_no_memory(err, sizeof *f, "a data set to convert");
    f->budget_bytes = budget_bytes;
    f->path = strdup(path);
    if (f->path == NULL) {
        st = hr__error_no_memory(err, strlen(path), "a source's name");
        goto done;
    }
    HR_TRY(hr__cursor_pool_init(&f->pool, &cursor_ops, f, err));
    HR_TRY(fingerprint(f, err));
    HR_TRY(open_dataset(f, ds, err));
    HR_TRY(describe(f, *ds, err));
    *out = f;
    f = NULL;
done:
    if (f != NULL) {
        hr_dataset_close(*ds);
        *ds = NULL;
        free_file(f);
    }
    return st;
}

void hr__hrd_file_release(struct hr__hrd_file *f) {
    if (f != NULL && hr__cursor_pool_release(&f->pool))
        free_file(f);
}

uint64_t hr__hrd_file_reader_bytes(const struct hr__hrd_file *f) {
    return HR__ACCESS_BYTES + CONTEXT_BYTES + f->num_fields * FIELD_BYTES + f->ends_bytes +
           f->dataset_bytes;
}

uint64_t hr__hrd_file_chunk_end(const struct hr__hrd_file *f, uint64_t sample) {
    uint64_t chunk, first;
    uint32_t place, n;
    if (f->num_segments == 0)
        return (sample / f->samples_per_chunk + 1) * f->samples_per_chunk;
    hr__segment_locate(f->segments, f->num_segments, f->samples_per_chunk, sample, &chunk, &place);
    hr__segment_chunk(f->segments, f->num_segments, f->samples_per_chunk, chunk, &first, &n);
    return first + n;
}

/* The message is the reader's, which names file, chunk and field. */
static void advise(hr_error *err) {
    char why[HR_ERROR_MESSAGE_BYTES];
    if (err == NULL)
        return;
    snprintf(why, sizeof why, "%s", err->message);
    snprintf(err->message, sizeof err->message,
             "%.400s; headrace verify --salvage takes out what is whole", why);
}

/* The cursor for a sample, best that which has its chunk at hand. */
static struct cursor *take_cursor(struct hr__hrd_file *f, uint64_t sample) {
    const struct hr__footer *footer = &f->ds->footer;
    uint64_t chunk;
    uint32_t place;
    hr__segment_locate(footer->segments, footer->num_segments, f->samples_per_chunk, sample, &chunk,
                       &place);
    return (struct cursor *)hr__cursor_pool_take(&f->pool, chunk);
}

static void give_cursor(struct hr__hrd_file *f, struct cursor *c) {
    c->base.piece = c->access.fetch.chunk;
    hr__cursor_pool_give(&f->pool, &c->base);
}

hr_status hr__hrd_file_read(struct hr__hrd_file *f, uint32_t field, uint64_t first, uint64_t n,
                            uint8_t *dst, hr_error *err) {
    if (n == 0)
        return HR_OK;
    struct cursor *c = take_cursor(f, first);
    const hr_status st = hr__access_read(&c->access, field, first, n, dst, err);
    give_cursor(f, c);
    if (st == HR_ERR_CORRUPT)
        advise(err);
    return st;
}

hr_status hr__hrd_file_read_values(struct hr__hrd_file *f, uint32_t field, uint64_t first,
                                   uint64_t n, int64_t *offsets, uint8_t *values,
                                   uint64_t room_bytes, hr_error *err) {
    uint64_t n_bytes;
    offsets[0] = 0;
    if (n == 0)
        return HR_OK;
    struct cursor *c = take_cursor(f, first);
    const hr_status st = hr__access_read_values(&c->access, field, first, n, offsets, values,
                                                room_bytes, &n_bytes, err);
    give_cursor(f, c);
    if (st == HR_ERR_CORRUPT)
        advise(err);
    return st;
}
