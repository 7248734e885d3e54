/*
 * Statistics of a field (docs/format.md, 7.3): labels and their runs, merging, and what is shown.
 * Counts and moments are in statistics_moments.c.
 */
#include "statistics_internal.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool hr__statistics_wanted(hr_dtype dtype) {
    return hr__dtype_is_integer(dtype) || hr__dtype_is_real(dtype) || hr__dtype_is_complex(dtype);
}

struct hr__statistics *hr__statistics_new(hr_dtype dtype, bool labels) {
    struct hr__statistics *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->dtype = dtype;
    s->labels = labels;
    hr__statistics_reset(s);
    return s;
}

void hr__statistics_free(struct hr__statistics *s) {
    if (s != NULL)
        hr__distinct_set_free(&s->distinct);
    free(s);
}

void hr__statistics_reset(struct hr__statistics *s) {
    struct hr__statistics empty = {.dtype = s->dtype,
                                   .labels = s->labels,
                                   .first_nan = UINT64_MAX,
                                   .first_inf = UINT64_MAX,
                                   .distinct = s->distinct};
    hr__distinct_set_clear(&empty.distinct);
    *s = empty;
}

/* An integer element as 64 bits, sign-extended if its type is signed. */
static uint64_t integer_bits(hr_dtype dtype, const uint8_t *p) {
    int8_t i8;
    int16_t i16;
    int32_t i32;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (dtype) {
    case HR_INT8:
        memcpy(&i8, p, 1);
        return (uint64_t)(int64_t)i8;
    case HR_INT16:
        memcpy(&i16, p, 2);
        return (uint64_t)(int64_t)i16;
    case HR_INT32:
        memcpy(&i32, p, 4);
        return (uint64_t)(int64_t)i32;
    case HR_UINT16:
        memcpy(&u16, p, 2);
        return u16;
    case HR_UINT32:
        memcpy(&u32, p, 4);
        return u32;
    case HR_INT64:
    case HR_UINT64:
        memcpy(&u64, p, 8);
        return u64;
    default:
        return p[0];
    }
}

static void end_run(struct hr__statistics *s) {
    if (s->last_run.samples > s->longest_run)
        s->longest_run = s->last_run.samples;
    if (s->runs == 1)
        s->first_run = s->last_run;
}

static hr_status add_labels(struct hr__statistics *s, const uint8_t *data, uint64_t count,
                            hr_error *err) {
    size_t size = hr_dtype_bytes(s->dtype);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t v = integer_bits(s->dtype, data + i * size);
        if (s->runs > 0 && v == s->last_run.value) {
            s->last_run.samples++;
            continue;
        }
        end_run(s);
        s->runs++;
        s->last_run = (struct hr__run){v, 1};
        hr_status st = hr__distinct_set_add(&s->distinct, v, err);
        if (st != HR_OK)
            return st;
    }
    end_run(s);
    return HR_OK;
}

hr_status hr__statistics_add(struct hr__statistics *s, const void *data, uint64_t first_sample,
                             uint64_t num_samples, uint64_t num_elements, hr_error *err) {
    uint64_t count = num_samples * num_elements;
    if (count == 0)
        return HR_OK;
    hr__moments_add(s, data, first_sample, count, num_elements);
    return s->labels ? add_labels(s, data, count, err) : HR_OK;
}

/* Runs of a followed by those of b: the last of a and the first of b may be one. */
static void merge_runs(struct hr__statistics *a, const struct hr__statistics *b) {
    if (b->runs == 0)
        return;
    if (a->runs == 0) {
        a->runs = b->runs;
        a->longest_run = b->longest_run;
        a->first_run = b->first_run;
        a->last_run = b->last_run;
        return;
    }
    bool joined = a->last_run.value == b->first_run.value;
    uint64_t joint = a->last_run.samples + b->first_run.samples;
    a->longest_run = a->longest_run > b->longest_run ? a->longest_run : b->longest_run;
    if (joined && joint > a->longest_run)
        a->longest_run = joint;
    if (joined && a->runs == 1)
        a->first_run.samples = joint;
    a->last_run = b->last_run;
    if (joined && b->runs == 1)
        a->last_run.samples = joint;
    a->runs += b->runs - joined;
}

hr_status hr__statistics_merge(struct hr__statistics *a, const struct hr__statistics *b,
                               hr_error *err) {
    hr__moments_merge(a, b);
    if (!hr__add_u64(a->total, b->total, &a->total))
        a->total = UINT64_MAX;
    if (!a->labels)
        return HR_OK;
    merge_runs(a, b);
    return hr__distinct_set_merge(&a->distinct, &b->distinct, err);
}

static uint64_t moved(uint64_t sample, uint64_t first_sample) {
    return sample > UINT64_MAX - first_sample ? UINT64_MAX : sample + first_sample;
}

hr_status hr__statistics_append(struct hr__statistics *a, const struct hr__statistics *b,
                                uint64_t first_sample, hr_error *err) {
    struct hr__statistics later = *b; /* its sets are only read */
    later.first_nan = moved(b->first_nan, first_sample);
    later.first_inf = moved(b->first_inf, first_sample);
    if (a->labels && !b->labels) {
        hr__distinct_set_free(&a->distinct);
        a->labels = false;
    }
    return hr__statistics_merge(a, &later, err);
}

uint64_t hr__statistics_held_bytes(const struct hr__statistics *s) {
    return sizeof(*s) + s->distinct.capacity * sizeof(*s->distinct.slots) +
           s->distinct.ranges_room * sizeof(*s->distinct.ranges);
}

static bool looks_sorted(const struct hr__statistics *s) {
    uint64_t distinct = hr__distinct_set_count(&s->distinct);
    return s->labels && !s->distinct.overflow && distinct >= 2 && s->values >= 4 * distinct &&
           s->runs <= 2 * distinct;
}

void hr__statistics_get(const struct hr__statistics *s, hr_statistics *out) {
    bool moments = s->finite > 0 && !hr__dtype_is_complex(s->dtype);
    *out = (hr_statistics){.struct_bytes = sizeof(*out),
                           .valid = 1,
                           .has_moments = moments,
                           .has_labels = s->labels,
                           .num_values = s->values,
                           .num_zeros = s->zeros,
                           .num_nan = s->nan,
                           .num_inf = s->inf,
                           .first_nan_sample = s->first_nan,
                           .first_inf_sample = s->first_inf,
                           .longest_run_samples = s->longest_run,
                           .num_runs = s->runs,
                           .num_distinct = hr__distinct_set_count(&s->distinct),
                           .distinct_overflow = s->distinct.overflow,
                           .looks_sorted = looks_sorted(s)};
    if (!moments)
        return;
    out->min = s->min;
    out->max = s->max;
    out->mean = s->mean;
    out->std = sqrt(s->m2 / (double)s->finite);
    if (hr__dtype_is_integer(s->dtype)) {
        out->min_int = (int64_t)s->min_bits;
        out->max_int = (int64_t)s->max_bits;
        out->min_uint = s->min_bits;
        out->max_uint = s->max_bits;
    }
}
