/*
 * Sources one after the other. A reader has one part open at a time, so that any number of parts
 * can be read with few descriptors and helper processes.
 */
#include "concat_source.h"

#include "attributes.h"
#include "checked.h"
#include "error.h"
#include "source_type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_OPEN 2u /* some fields are at the end of a part, others in the next */

struct concat_source {
    struct hr__source base;
    struct hr__source_ops ops; /* with piece_end where a part has pieces */
    uint32_t num_parts;
    struct hr__source **parts;
    uint64_t *starts; /* num_parts + 1: first sample of each part, and the end */
    char *attributes; /* of all parts, or NULL */
    char note[320];
};

struct concat_reader {
    const struct concat_source *src;
    struct hr__budget *budget;
    struct hr__helper_group *helpers;
    uint32_t part;                    /* that `open` belongs to */
    struct hr__source_reader *reader; /* NULL: none is open */
};

static void close_part(struct concat_reader *r) {
    if (r->reader != NULL)
        r->src->parts[r->part]->ops->close_reader(r->reader);
    r->reader = NULL;
}

static void close_reader(struct hr__source_reader *reader) {
    struct concat_reader *r = (struct concat_reader *)reader;
    if (r == NULL)
        return;
    close_part(r);
    free(r);
}

static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    struct concat_reader *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a reader of several files");
    r->src = (const struct concat_source *)source;
    r->budget = budget;
    r->helpers = helpers;
    *out = (struct hr__source_reader *)r;
    return HR_OK;
}

/* The last part that starts at or before the sample; with samples behind it, it is not empty. */
static uint32_t part_of(const struct concat_source *src, uint64_t sample) {
    uint32_t low = 0, high = src->num_parts - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (src->starts[middle] <= sample)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static hr_status open_part(struct concat_reader *r, uint32_t part, hr_error *err) {
    if (r->reader != NULL && r->part == part)
        return HR_OK;
    close_part(r);
    r->part = part;
    struct hr__source *src = r->src->parts[part];
    return src->ops->open_reader(src, r->budget, r->helpers, &r->reader, err);
}

static hr_status check_range(const struct concat_source *src, uint64_t first, uint64_t n,
                             hr_error *err) {
    return hr__source_check_range(&src->base, "the source", first, n, err);
}

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    struct concat_reader *r = (struct concat_reader *)reader;
    const struct concat_source *src = r->src;
    hr_status st = check_range(src, first, n, err);
    if (st != HR_OK)
        return st;
    uint8_t *to = dst;
    while (n > 0) {
        uint32_t part = part_of(src, first);
        uint64_t here = hr__min_u64(n, src->starts[part + 1] - first);
        st = open_part(r, part, err);
        if (st == HR_OK)
            st = src->parts[part]->ops->read(r->reader, first - src->starts[part], here, to, err);
        if (st != HR_OK)
            return st;
        to += here * src->base.info.sample_bytes;
        first += here;
        n -= here;
    }
    return HR_OK;
}

/* Of one part, whose values come behind those that are there. */
static hr_status read_part_values(struct concat_reader *r, uint32_t part, uint64_t first,
                                  uint64_t n, int64_t *offsets, uint8_t *values,
                                  uint64_t room_bytes, hr_error *err) {
    const struct concat_source *src = r->src;
    const int64_t base = offsets[0];
    hr_status st = open_part(r, part, err);
    if (st == HR_OK)
        st = src->parts[part]->ops->read_values(r->reader, first, n, offsets,
                                                values != NULL ? values + base : NULL,
                                                room_bytes - (uint64_t)base, err);
    for (uint64_t i = 0; st == HR_OK && i <= n; i++)
        if (__builtin_add_overflow(offsets[i], base, &offsets[i]))
            st = hr__error_set(err, HR_ERR_UNSUPPORTED, "values of more than 2^63 bytes in all");
    return st;
}

static hr_status read_values(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                             int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                             hr_error *err) {
    struct concat_reader *r = (struct concat_reader *)reader;
    const struct concat_source *src = r->src;
    hr_status st = check_range(src, first, n, err);
    offsets[0] = 0;
    while (st == HR_OK && n > 0) {
        const uint32_t part = part_of(src, first);
        const uint64_t here = hr__min_u64(n, src->starts[part + 1] - first);
        st = read_part_values(r, part, first - src->starts[part], here, offsets, values, room_bytes,
                              err);
        offsets += here;
        first += here;
        n -= here;
    }
    return st;
}

/* Not beyond the part that the first one is in. */
static hr_status fetch(struct hr__source_reader *reader, uint64_t first, uint64_t n, uint64_t *out,
                       hr_error *err) {
    struct concat_reader *r = (struct concat_reader *)reader;
    const struct concat_source *src = r->src;
    hr_status st = check_range(src, first, n, err);
    if (st != HR_OK)
        return st;
    const uint32_t part = part_of(src, first);
    const struct hr__source_ops *ops = src->parts[part]->ops;
    *out = hr__min_u64(n, src->starts[part + 1] - first);
    if (ops->fetch == NULL)
        return HR_OK;
    st = open_part(r, part, err);
    return st == HR_OK ? ops->fetch(r->reader, first - src->starts[part], *out, out, err) : st;
}

/* A part that cannot be opened says so when it is read. */
static void announce(struct hr__source_reader *reader, uint64_t first, uint64_t n) {
    struct concat_reader *r = (struct concat_reader *)reader;
    const struct concat_source *src = r->src;
    while (n > 0) {
        uint32_t part = part_of(src, first);
        uint64_t here = hr__min_u64(n, src->starts[part + 1] - first);
        if (open_part(r, part, NULL) != HR_OK)
            return;
        src->parts[part]->ops->announce(r->reader, first - src->starts[part], here);
        first += here;
        n -= here;
    }
}

static void free_shell(struct concat_source *src) {
    free(src->attributes);
    free(src->parts);
    free(src->starts);
    free(src);
}

static void close_source(struct hr__source *source) {
    struct concat_source *src = (struct concat_source *)source;
    if (src == NULL)
        return;
    for (uint32_t i = 0; i < src->num_parts; i++)
        src->parts[i]->ops->close(src->parts[i]);
    free_shell(src);
}

static uint64_t stream_end(const struct hr__source *source, uint64_t sample) {
    const struct concat_source *src = (const struct concat_source *)source;
    const uint32_t i = part_of(src, sample);
    const struct hr__source *part = src->parts[i];
    return part->ops->stream_end == NULL
               ? src->starts[i + 1]
               : src->starts[i] + part->ops->stream_end(part, sample - src->starts[i]);
}

/* A part without pieces is one. */
static uint64_t piece_end(const struct hr__source *source, uint64_t sample) {
    const struct concat_source *src = (const struct concat_source *)source;
    const uint32_t i = part_of(src, sample);
    const struct hr__source *part = src->parts[i];
    return part->ops->piece_end == NULL
               ? src->starts[i + 1]
               : src->starts[i] + part->ops->piece_end(part, sample - src->starts[i]);
}

/* A reader has one part open at a time. */
static void set_room(struct hr__source *source, uint64_t n_bytes) {
    const struct concat_source *src = (const struct concat_source *)source;
    uint64_t pool_bytes = 0;
    for (uint32_t i = 0; i < src->num_parts; i++) {
        struct hr__source *part = src->parts[i];
        if (part->ops->set_room != NULL)
            part->ops->set_room(part, n_bytes);
        if (i == 0 || part->info.reader_bytes > source->info.reader_bytes)
            source->info.reader_bytes = part->info.reader_bytes;
        if (i == 0 || part->info.reader_wanted_bytes > source->info.reader_wanted_bytes)
            source->info.reader_wanted_bytes = part->info.reader_wanted_bytes;
        pool_bytes = hr__max_u64(pool_bytes, part->info.pool_bytes);
    }
    source->info.pool_bytes = pool_bytes * PARTS_OPEN;
}

static void set_alone(struct hr__source *source) {
    const struct concat_source *src = (const struct concat_source *)source;
    for (uint32_t i = 0; i < src->num_parts; i++)
        if (src->parts[i]->ops->set_alone != NULL)
            src->parts[i]->ops->set_alone(src->parts[i]);
}

static void stop(struct hr__source *source) {
    const struct concat_source *src = (const struct concat_source *)source;
    for (uint32_t i = 0; i < src->num_parts; i++)
        if (src->parts[i]->ops->stop != NULL)
            src->parts[i]->ops->stop(src->parts[i]);
}

static const struct hr__source_ops concat_ops = {
    .name = "several files",
    .open_reader = open_reader,
    .read = read_samples,
    .read_values = read_values,
    .fetch = fetch,
    .announce = announce,
    .close_reader = close_reader,
    .close = close_source,
    .piece_end = piece_end,
    .stream_end = stream_end,
    .set_room = set_room,
    .set_alone = set_alone,
    .stop = stop,
};

static hr_status add_parts(struct concat_source *src, struct hr__source *const *parts, uint32_t n,
                           hr_error *err) {
    struct hr__source_info *info = &src->base.info;
    for (uint32_t i = 0; i < n; i++) {
        const struct hr__source_info *part = &parts[i]->info;
        hr_status st = hr__source_check_same(info, part, err);
        if (st != HR_OK)
            return st;
        src->parts[i] = parts[i];
        if (!hr__add_u64(src->starts[i], part->num_samples, &src->starts[i + 1]))
            return hr__error_set(err, HR_ERR_UNSUPPORTED, "more than 2^64 samples in all");
        if (i > 0 && !hr__add_u64(info->value_bytes, part->value_bytes, &info->value_bytes))
            return hr__error_set(err, HR_ERR_UNSUPPORTED, "more than 2^64 bytes in all");
        if (part->granule_samples > info->granule_samples)
            info->granule_samples = part->granule_samples;
        info->reader_bytes = hr__max_u64(info->reader_bytes, part->reader_bytes);
        info->reader_wanted_bytes =
            hr__max_u64(info->reader_wanted_bytes, part->reader_wanted_bytes);
        if (part->max_readers > info->max_readers)
            info->max_readers = part->max_readers;
        info->any_pieces &= part->any_pieces;
        info->is_stream |= part->is_stream;
        if (info->pool == NULL)
            info->pool = part->pool;
        info->pool_bytes = hr__max_u64(info->pool_bytes, part->pool_bytes);
        if (parts[i]->ops->piece_end != NULL)
            src->ops.piece_end = piece_end;
    }
    info->pool_bytes *= PARTS_OPEN;
    info->num_samples = src->starts[n];
    src->num_parts = n;
    return HR_OK;
}

static hr_status join_attributes(struct concat_source *src, struct hr__source *const *parts,
                                 uint32_t n, hr_error *err) {
    const char **texts = calloc(n, sizeof *texts);
    if (texts == NULL)
        return hr__error_no_memory(err, n * sizeof *texts, "attributes");
    for (uint32_t i = 0; i < n; i++)
        texts[i] = parts[i]->info.attributes_json;
    char differing[sizeof src->note - 80];
    hr_status st =
        hr__attributes_join(texts, n, &src->attributes, differing, sizeof differing, err);
    free(texts);
    if (differing[0] != '\0') {
        snprintf(src->note, sizeof src->note,
                 "attributes that differ between its parts are left out: %s", differing);
        src->base.info.note = src->note;
    }
    src->base.info.attributes_json = src->attributes;
    return st;
}

hr_status hr__concat_source_make(struct hr__source *const *parts, uint32_t n,
                                 struct hr__source **out, hr_error *err) {
    *out = NULL;
    struct concat_source *src = calloc(1, sizeof *src);
    if (src == NULL)
        return hr__error_no_memory(err, sizeof *src, "a list of files");
    src->ops = concat_ops;
    src->ops.piece_end = NULL;
    src->base.ops = &src->ops;
    src->base.info = parts[0]->info;
    src->base.info.note = src->base.info.file_attributes_json = NULL;
    src->parts = calloc(n, sizeof *src->parts);
    src->starts = calloc((size_t)n + 1, sizeof *src->starts);
    hr_status st = src->parts == NULL || src->starts == NULL
                       ? hr__error_no_memory(err, n * sizeof *src->parts, "a list of files")
                       : add_parts(src, parts, n, err);
    if (st == HR_OK)
        st = join_attributes(src, parts, n, err);
    if (st != HR_OK) {
        free_shell(src);
        return st;
    }
    *out = &src->base;
    return HR_OK;
}
