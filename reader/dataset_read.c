/*
 * Random access: ranges and lists of samples of one field. Each chunk that is touched is opened
 * once, each frame decoded once.
 */
#include "dataset_access.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "sorted_wishes.h"

#include <string.h>

/* Which rows of one chunk are wanted, and where they go. */
struct rows {
    const struct hr__schema_field *field;
    uint32_t field_index;
    uint32_t first, count;   /* a run of places in the chunk, ... */
    const uint64_t *targets; /* ... whose rows go one after the other (NULL) or each to its own */
    uint8_t *dst;
};

static uint8_t *row_of(const struct rows *rows, uint32_t i) {
    uint64_t target = rows->targets != NULL ? rows->targets[i] : i;
    return rows->dst + target * rows->field->sample_bytes;
}

hr_status hr__frame_cache_fill(struct hr__frame_cache *cache, struct hr__chunk_fetch *f,
                               uint32_t field, uint32_t number, const struct hr__frame *frame,
                               hr_error *err) {
    if (cache->chunk == f->chunk && cache->frame == number)
        return HR_OK;
    cache->chunk = UINT64_MAX;
    hr_status st = hr__chunk_fetch_frame(f, field, frame, cache->bytes, err);
    if (st == HR_OK) {
        cache->chunk = f->chunk;
        cache->frame = number;
    }
    return st;
}

/* Frames that hold many samples: those that overlap first .. first + count - 1. */
static hr_status rows_from_frames(struct hr__chunk_fetch *f, const struct rows *rows,
                                  struct hr__frame_cache *cache, hr_error *err) {
    uint64_t sample_bytes = rows->field->sample_bytes, off;
    uint32_t first_frame, num_frames, begin = 0, end = rows->first + rows->count;
    hr__chunk_view_block(&f->view, rows->field_index, &first_frame, &num_frames, &off);
    for (uint32_t i = 0; i < num_frames && begin < end; i++) {
        struct hr__frame frame;
        hr__chunk_view_frame(&f->view, first_frame + i, off, &frame);
        off += frame.stored_bytes;
        uint32_t n = (uint32_t)(frame.decoded_bytes / sample_bytes);
        uint32_t from = begin > rows->first ? begin : rows->first;
        uint32_t to = begin + n < end ? begin + n : end;
        begin += n;
        if (from >= to)
            continue;
        bool whole = rows->targets == NULL && to - from == n;
        hr_status st =
            whole ? hr__chunk_fetch_frame(f, rows->field_index, &frame,
                                          row_of(rows, from - rows->first), err)
                  : hr__frame_cache_fill(cache, f, rows->field_index, first_frame + i, &frame, err);
        if (st != HR_OK)
            return st;
        for (uint32_t r = from; r < to && !whole; r++)
            memcpy(row_of(rows, r - rows->first), cache->bytes + (r - (begin - n)) * sample_bytes,
                   sample_bytes);
    }
    return HR_OK;
}

/* Frames that are pieces of one sample: decoded where they belong. */
static hr_status rows_from_pieces(struct hr__chunk_fetch *f, const struct rows *rows,
                                  hr_error *err) {
    uint64_t sample_bytes = rows->field->sample_bytes, off, at = 0;
    uint64_t begin = rows->first * sample_bytes, end = (rows->first + rows->count) * sample_bytes;
    uint32_t first_frame, num_frames;
    hr__chunk_view_block(&f->view, rows->field_index, &first_frame, &num_frames, &off);
    for (uint32_t i = 0; i < num_frames && at < end; i++) {
        struct hr__frame frame;
        hr__chunk_view_frame(&f->view, first_frame + i, off, &frame);
        off += frame.stored_bytes;
        if (at >= begin) {
            uint32_t place = (uint32_t)(at / sample_bytes);
            uint8_t *dst = row_of(rows, place - rows->first) + at % sample_bytes;
            hr_status st = hr__chunk_fetch_frame(f, rows->field_index, &frame, dst, err);
            if (st != HR_OK)
                return st;
        }
        at += frame.decoded_bytes;
    }
    return HR_OK;
}

static hr_status rows_fetch(struct hr__chunk_fetch *f, uint64_t chunk, const struct rows *rows,
                            struct hr__frame_cache *cache, hr_error *err) {
    if (rows->field->sample_bytes == 0)
        return HR_OK;
    hr_status st = hr__chunk_fetch_open(f, chunk, err);
    if (st != HR_OK)
        return st;
    if (rows->field->sample_bytes > HR__MAX_FRAME_BYTES)
        return rows_from_pieces(f, rows, err);
    return rows_from_frames(f, rows, cache, err);
}

static hr_status check_call(const hr_dataset *ds, uint32_t field, uint64_t num_samples,
                            const void *dst, size_t dst_bytes, hr_error *err) {
    const struct hr__schema *s = &ds->footer.schema;
    uint64_t needed = 0;
    if (field >= s->num_fields)
        return hr__error_set(err, HR_ERR_INVALID, "%s: field %u asked for, it has fields 0 to %u",
                             hr__dataset_name(ds), field, s->num_fields - 1);
    if (hr__dtype_is_variable(s->fields[field].dtype))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s: field %s has values of variable length; read it with "
                             "hr_dataset_read_values() or hr_dataset_gather_values()",
                             hr__dataset_name(ds), s->fields[field].name);
    if (!hr__mul_u64(num_samples, s->fields[field].sample_bytes, &needed) || needed > dst_bytes)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s: dst has %zu bytes, %llu samples of field %s need %llu",
                             hr__dataset_name(ds), dst_bytes, (unsigned long long)num_samples,
                             s->fields[field].name, (unsigned long long)needed);
    if (dst == NULL && needed > 0)
        return hr__error_set(err, HR_ERR_INVALID, "%s: dst must not be NULL", hr__dataset_name(ds));
    return HR_OK;
}

hr_status hr__access_begin(struct hr__access *a, const hr_dataset *ds, struct hr__budget *budget,
                           hr_error *err) {
    *a = (struct hr__access){.cache = {.chunk = UINT64_MAX}};
    hr_status st = hr__chunk_fetch_init(&a->fetch, ds, budget, err);
    if (st != HR_OK)
        return st;
    a->cache.bytes = hr__budget_take_raw(budget, HR__MAX_FRAME_BYTES, "a decoded frame", &st, err);
    return st;
}

void hr__access_end(struct hr__access *a) {
    if (a->cache.bytes != NULL)
        hr__budget_free(a->fetch.budget, a->cache.bytes, HR__MAX_FRAME_BYTES);
    a->cache.bytes = NULL;
    if (a->ends != NULL)
        hr__budget_free(a->fetch.budget, a->ends, (size_t)hr__access_ends_bytes(a->fetch.ds));
    a->ends = NULL;
    hr__chunk_fetch_free(&a->fetch);
}

hr_status hr__access_read(struct hr__access *a, uint32_t field, uint64_t first,
                          uint64_t num_samples, uint8_t *dst, hr_error *err) {
    const struct hr__footer *f = &a->fetch.ds->footer;
    hr_status st = HR_OK;
    if (f->schema.fields[field].sample_bytes == 0) /* however many there are */
        return HR_OK;
    while (st == HR_OK && num_samples > 0) {
        uint64_t chunk, chunk_first;
        uint32_t place, chunk_samples;
        hr__segment_locate(f->segments, f->num_segments, f->schema.samples_per_chunk, first, &chunk,
                           &place);
        hr__segment_chunk(f->segments, f->num_segments, f->schema.samples_per_chunk, chunk,
                          &chunk_first, &chunk_samples);
        struct rows rows = {.field = &f->schema.fields[field],
                            .field_index = field,
                            .first = place,
                            .count = (uint32_t)hr__min_u64(num_samples, chunk_samples - place),
                            .dst = dst};
        st = rows_fetch(&a->fetch, chunk, &rows, &a->cache, err);
        dst += rows.count * rows.field->sample_bytes;
        first += rows.count;
        num_samples -= rows.count;
    }
    return st;
}

hr_status hr_dataset_read(hr_dataset *ds, uint32_t field, uint64_t first, uint64_t num_samples,
                          void *dst, size_t dst_bytes, hr_error *err) {
    struct hr__access_call *c;
    hr_status st = check_call(ds, field, num_samples, dst, dst_bytes, err);
    if (st != HR_OK)
        return st;
    if (!hr__range_within(first, num_samples, ds->footer.num_samples))
        return hr__error_set(err, HR_ERR_INVALID, "%s: samples %llu to %llu asked for, it has %llu",
                             hr__dataset_name(ds), (unsigned long long)first,
                             (unsigned long long)(first + num_samples),
                             (unsigned long long)ds->footer.num_samples);
    st = hr__access_call_begin(ds, &c, err);
    if (st == HR_OK)
        st = hr__access_read(&c->access, field, first, num_samples, dst, err);
    hr__access_call_end(ds, c, st);
    return st;
}

/* Copies of a sample that was asked for more than once: entries w[1 .. same-1] repeat w[0]. */
static void repeat_row(const struct hr__wish *w, size_t same, uint8_t *dst, uint64_t sample_bytes) {
    for (size_t i = 1; i < same; i++)
        memcpy(dst + w[i].target * sample_bytes, dst + w[0].target * sample_bytes, sample_bytes);
}

/* The next run of consecutive samples within one chunk, at most RUN_SAMPLES: entries used. */
#define RUN_SAMPLES 256

static size_t next_run(const struct hr__wish *w, size_t n, uint64_t room, uint64_t *targets,
                       uint32_t *count) {
    size_t used = 0;
    uint64_t limit = hr__min_u64(room, RUN_SAMPLES);
    *count = 0;
    while (used < n && w[used].sample == w[0].sample + *count && *count < limit) {
        targets[(*count)++] = w[used].target;
        uint64_t sample = w[used].sample;
        while (used < n && w[used].sample == sample)
            used++;
    }
    return used;
}

static hr_status gather_sorted(hr_dataset *ds, struct hr__access *a, uint32_t field,
                               const struct hr__wish *w, size_t n, uint8_t *dst, hr_error *err) {
    const struct hr__footer *f = &ds->footer;
    uint64_t targets[RUN_SAMPLES];
    hr_status st = HR_OK;
    while (n > 0 && st == HR_OK) {
        uint64_t chunk, first;
        uint32_t place, num_samples;
        hr__segment_locate(f->segments, f->num_segments, f->schema.samples_per_chunk, w[0].sample,
                           &chunk, &place);
        hr__segment_chunk(f->segments, f->num_segments, f->schema.samples_per_chunk, chunk, &first,
                          &num_samples);
        struct rows rows = {.field = &f->schema.fields[field],
                            .field_index = field,
                            .first = place,
                            .targets = targets,
                            .dst = dst};
        size_t used = next_run(w, n, num_samples - place, targets, &rows.count);
        st = rows_fetch(&a->fetch, chunk, &rows, &a->cache, err);
        for (size_t i = 0, same; i < used && st == HR_OK; i += same) {
            for (same = 1; i + same < used && w[i + same].sample == w[i].sample; same++)
                ;
            repeat_row(w + i, same, dst, rows.field->sample_bytes);
        }
        w += used;
        n -= used;
    }
    return st;
}

hr_status hr_dataset_gather(hr_dataset *ds, uint32_t field, const uint64_t *indices,
                            size_t num_indices, void *dst, size_t dst_bytes, hr_error *err) {
    struct hr__access_call *c;
    struct hr__wish *w = NULL;
    hr_status st = check_call(ds, field, num_indices, dst, dst_bytes, err);
    if (st != HR_OK || num_indices == 0)
        return st;
    if (indices == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "%s: indices must not be NULL",
                             hr__dataset_name(ds));
    st = hr__access_call_begin(ds, &c, err);
    if (st != HR_OK)
        return st;
    st = hr__wishes_make(ds, &c->budget, indices, num_indices, &w, err);
    if (st == HR_OK)
        st = gather_sorted(ds, &c->access, field, w, num_indices, dst, err);
    hr__wishes_free(&c->budget, w, num_indices);
    hr__access_call_end(ds, c, st);
    return st;
}
