/*
 * Random access to values of variable length: first how long they are, which says where each goes,
 * then the values. Each chunk that is touched is opened once in each pass, each frame decoded once.
 */
#include "dataset_access.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "sorted_wishes.h"
#include "value_ends.h"

#include <string.h>

/* What is asked for, and where it goes. */
struct call {
    const hr_dataset *ds;
    uint32_t field;
    const struct hr__wish *wishes; /* by sample; NULL: a range */
    uint64_t first, count;
    int64_t *offsets;
    uint8_t *values;
};

/* The wishes of one chunk. */
struct group {
    uint64_t begin, end; /* of the call's */
    uint64_t chunk, first_sample;
};

static uint64_t sample_of(const struct call *c, uint64_t i) {
    return c->wishes != NULL ? c->wishes[i].sample : c->first + i;
}

static uint64_t target_of(const struct call *c, uint64_t i) {
    return c->wishes != NULL ? c->wishes[i].target : i;
}

static struct group group_at(const struct call *c, uint64_t begin) {
    const struct hr__footer *f = &c->ds->footer;
    const uint32_t samples_per_chunk = f->schema.samples_per_chunk;
    struct group g = {.begin = begin, .end = begin};
    uint32_t place, num_samples;
    hr__segment_locate(f->segments, f->num_segments, samples_per_chunk, sample_of(c, begin),
                       &g.chunk, &place);
    hr__segment_chunk(f->segments, f->num_segments, samples_per_chunk, g.chunk, &g.first_sample,
                      &num_samples);
    while (g.end < c->count && sample_of(c, g.end) - g.first_sample < num_samples)
        g.end++;
    return g;
}

static uint32_t place_of(const struct call *c, const struct group *g, uint64_t i) {
    return (uint32_t)(sample_of(c, i) - g->first_sample);
}

uint64_t hr__access_ends_bytes(const hr_dataset *ds) {
    return ds->footer.schema.samples_per_chunk * sizeof(uint64_t);
}

static hr_status open_group(const struct call *c, struct hr__access *a, const struct group *g,
                            hr_error *err) {
    hr_status st;
    if (a->ends == NULL) {
        a->ends = hr__budget_take_raw(a->fetch.budget, (size_t)hr__access_ends_bytes(c->ds),
                                      "the ends of values", &st, err);
        if (a->ends == NULL)
            return st;
        a->ends_chunk = UINT64_MAX;
    }
    st = hr__chunk_fetch_open(&a->fetch, g->chunk, err);
    if (st != HR_OK || (a->ends_chunk == g->chunk && a->ends_field == c->field))
        return st;
    a->ends_chunk = UINT64_MAX;
    st = hr__chunk_fetch_ends(&a->fetch, c->field, a->ends, err);
    if (st == HR_OK) {
        a->ends_chunk = g->chunk;
        a->ends_field = c->field;
    }
    return st;
}

/* offsets[target + 1] is the length of each value. */
static hr_status lengths_of(const struct call *c, struct hr__access *a, const struct group *g,
                            hr_error *err) {
    const hr_status st = open_group(c, a, g, err);
    for (uint64_t i = g->begin; st == HR_OK && i < g->end; i++) {
        const uint32_t place = place_of(c, g, i);
        c->offsets[target_of(c, i) + 1] =
            (int64_t)(a->ends[place] - hr__value_start(a->ends, place));
    }
    return st;
}

/* Lengths to offsets. */
static hr_status add_up(const struct call *c, hr_error *err) {
    c->offsets[0] = 0;
    for (uint64_t i = 0; i < c->count; i++)
        if (__builtin_add_overflow(c->offsets[i], c->offsets[i + 1], &c->offsets[i + 1]))
            return hr__error_set(err, HR_ERR_INVALID,
                                 "%s: the values asked for have 2^63 bytes or more; ask for fewer",
                                 hr__dataset_name(c->ds));
    return HR_OK;
}

/* What the frame at `at` holds of the wishes from *next on, of which those before are done. */
static void copy_overlaps(const struct call *c, const struct hr__access *a, const struct group *g,
                          uint64_t next, uint64_t at, uint64_t end) {
    for (uint64_t i = next; i < g->end; i++) {
        const uint32_t place = place_of(c, g, i);
        const uint64_t start = hr__value_start(a->ends, place);
        if (start >= end)
            return;
        const uint64_t from = hr__max_u64(start, at), to = hr__min_u64(a->ends[place], end);
        if (from < to)
            memcpy(c->values + c->offsets[target_of(c, i)] + (from - start),
                   a->cache.bytes + (from - at), to - from);
    }
}

static hr_status values_of(const struct call *c, struct hr__access *a, const struct group *g,
                           hr_error *err) {
    uint32_t first, count;
    uint64_t off, at = 0, next = g->begin;
    hr_status st = open_group(c, a, g, err);
    if (st != HR_OK)
        return st;
    hr__chunk_view_part(&a->fetch.view, c->field, HR__PART_VALUES, &first, &count, &off);
    for (uint32_t k = 0; k < count && st == HR_OK; k++) {
        struct hr__frame frame;
        hr__chunk_view_frame(&a->fetch.view, first + k, off, &frame);
        const uint64_t end = at + frame.decoded_bytes;
        while (next < g->end && a->ends[place_of(c, g, next)] <= at)
            next++;
        if (next == g->end)
            break;
        if (hr__value_start(a->ends, place_of(c, g, next)) < end) {
            st = hr__frame_cache_fill(&a->cache, &a->fetch, c->field, first + k, &frame, err);
            if (st == HR_OK)
                copy_overlaps(c, a, g, next, at, end);
        }
        off += frame.stored_bytes;
        at = end;
    }
    return st;
}

static hr_status check_call(const struct call *c, const uint64_t *values_bytes, hr_error *err) {
    const struct hr__schema *s = &c->ds->footer.schema;
    const char *name = hr__dataset_name(c->ds);
    if (c->field >= s->num_fields)
        return hr__error_set(err, HR_ERR_INVALID, "%s: field %u asked for, it has fields 0 to %u",
                             name, c->field, s->num_fields - 1);
    if (!hr__dtype_is_variable(s->fields[c->field].dtype))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s: all values of field %s have the same length; read it with "
                             "hr_dataset_read() or hr_dataset_gather()",
                             name, s->fields[c->field].name);
    if (c->offsets == NULL || values_bytes == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "%s: offsets and values_bytes must not be NULL",
                             name);
    return HR_OK;
}

static hr_status check_room(const struct call *c, uint64_t capacity_bytes, hr_error *err) {
    const uint64_t needed = (uint64_t)c->offsets[c->count];
    if (c->values == NULL || needed <= capacity_bytes)
        return HR_OK;
    return hr__error_set(err, HR_ERR_INVALID,
                         "%s: the values of field %s asked for have %llu bytes, and there is room "
                         "for %llu; offsets and values_bytes say how many are needed",
                         hr__dataset_name(c->ds), c->ds->footer.schema.fields[c->field].name,
                         (unsigned long long)needed, (unsigned long long)capacity_bytes);
}

static hr_status run(const struct call *c, struct hr__access *a, uint64_t capacity_bytes,
                     uint64_t *values_bytes, hr_error *err) {
    hr_status st = HR_OK;
    for (uint64_t i = 0; i < c->count;) {
        const struct group g = group_at(c, i);
        HR_TRY(lengths_of(c, a, &g, err));
        i = g.end;
    }
    HR_TRY(add_up(c, err));
    *values_bytes = (uint64_t)c->offsets[c->count];
    HR_TRY(check_room(c, capacity_bytes, err));
    for (uint64_t i = 0; i < c->count && c->values != NULL;) {
        const struct group g = group_at(c, i);
        HR_TRY(values_of(c, a, &g, err));
        i = g.end;
    }
done:
    return st;
}

hr_status hr__access_read_values(struct hr__access *a, uint32_t field, uint64_t first,
                                 uint64_t num_samples, int64_t *offsets, void *values,
                                 uint64_t capacity_bytes, uint64_t *values_bytes, hr_error *err) {
    const struct call c = {.ds = a->fetch.ds,
                           .field = field,
                           .first = first,
                           .count = num_samples,
                           .offsets = offsets,
                           .values = values};
    return run(&c, a, capacity_bytes, values_bytes, err);
}

hr_status hr_dataset_read_values(hr_dataset *ds, uint32_t field, uint64_t first,
                                 uint64_t num_samples, int64_t *offsets, void *values,
                                 uint64_t capacity_bytes, uint64_t *values_bytes, hr_error *err) {
    const struct call c = {.ds = ds,
                           .field = field,
                           .first = first,
                           .count = num_samples,
                           .offsets = offsets,
                           .values = values};
    struct hr__access_call *s;
    hr_status st = check_call(&c, values_bytes, err);
    if (st != HR_OK)
        return st;
    if (!hr__range_within(first, num_samples, ds->footer.num_samples))
        return hr__error_set(err, HR_ERR_INVALID, "%s: samples %llu to %llu asked for, it has %llu",
                             hr__dataset_name(ds), (unsigned long long)first,
                             (unsigned long long)(first + num_samples),
                             (unsigned long long)ds->footer.num_samples);
    st = hr__access_call_begin(ds, &s, err);
    if (st == HR_OK)
        st = run(&c, &s->access, capacity_bytes, values_bytes, err);
    hr__access_call_end(ds, s, st);
    return st;
}

hr_status hr_dataset_gather_values(hr_dataset *ds, uint32_t field, const uint64_t *indices,
                                   size_t num_indices, int64_t *offsets, void *values,
                                   uint64_t capacity_bytes, uint64_t *values_bytes, hr_error *err) {
    struct call c = {
        .ds = ds, .field = field, .count = num_indices, .offsets = offsets, .values = values};
    struct hr__wish *wishes = NULL;
    struct hr__access_call *s;
    hr_status st = check_call(&c, values_bytes, err);
    if (st != HR_OK)
        return st;
    if (indices == NULL && num_indices > 0)
        return hr__error_set(err, HR_ERR_INVALID, "%s: indices must not be NULL",
                             hr__dataset_name(ds));
    st = hr__access_call_begin(ds, &s, err);
    if (st != HR_OK)
        return st;
    st = hr__wishes_make(ds, &s->budget, indices, num_indices, &wishes, err);
    c.wishes = wishes;
    if (st == HR_OK)
        st = run(&c, &s->access, capacity_bytes, values_bytes, err);
    hr__wishes_free(&s->budget, wishes, num_indices);
    hr__access_call_end(ds, s, st);
    return st;
}
