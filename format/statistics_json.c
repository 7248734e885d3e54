/*
 * Statistics as JSON (docs/format.md, 7.3). JSON that was read is untrusted.
 */
#include "dtype.h"
#include "error.h"
#include "json_text.h"
#include "statistics_internal.h"

#include <stdlib.h>

/* The bits of an integer, by the signedness of the dtype. */
static json_t *integer_json(const struct hr__statistics *s, uint64_t bits) {
    return hr__dtype_is_signed(s->dtype) ? hr__json_i64((int64_t)bits) : hr__json_u64(bits);
}

static bool integer_get(const struct hr__statistics *s, const json_t *json, uint64_t *bits) {
    int64_t v = 0;
    if (!hr__dtype_is_signed(s->dtype))
        return hr__json_get_u64(json, bits);
    bool ok = hr__json_get_i64(json, &v);
    *bits = (uint64_t)v;
    return ok;
}

/* a < b as integers of the dtype. */
static bool precedes(const struct hr__statistics *s, uint64_t a, uint64_t b) {
    return hr__dtype_is_signed(s->dtype) ? (int64_t)a < (int64_t)b : a < b;
}

static json_t *index_json(uint64_t v) {
    return v == UINT64_MAX ? json_null() : hr__json_u64(v);
}

/* The n distinct values, ascending and malloc'ed; NULL: out of memory. */
static uint64_t *sorted_values(const struct hr__statistics *s, uint32_t *n) {
    *n = hr__distinct_set_count(&s->distinct);
    uint64_t *values = malloc((*n > 0 ? *n : 1) * sizeof(*values));
    if (values != NULL)
        hr__distinct_set_sorted(&s->distinct, hr__dtype_is_signed(s->dtype), values);
    return values;
}

/* Where the range of consecutive integers ends that begins at value i. */
static uint32_t range_end(const uint64_t *values, uint32_t n, uint32_t i) {
    do
        i++;
    while (i < n && values[i] == values[i - 1] + 1);
    return i;
}

bool hr__statistics_num_ranges(const struct hr__statistics *s, uint32_t *out) {
    uint32_t n;
    *out = 0;
    if (!s->labels || s->distinct.overflow)
        return true;
    uint64_t *values = sorted_values(s, &n);
    for (uint32_t i = 0; values != NULL && i < n; i = range_end(values, n, i))
        ++*out;
    free(values);
    return values != NULL;
}

/* The distinct values as [first, last] ranges of consecutive integers; NULL: out of memory. */
static json_t *ranges_json(const struct hr__statistics *s) {
    uint32_t n;
    uint64_t *values = sorted_values(s, &n);
    json_t *ranges = json_array();
    bool ok = values != NULL && ranges != NULL;
    for (uint32_t i = 0, end; ok && i < n; i = end) {
        end = range_end(values, n, i);
        json_t *range = json_array();
        ok = range != NULL && json_array_append_new(range, integer_json(s, values[i])) == 0 &&
             json_array_append_new(range, integer_json(s, values[end - 1])) == 0 &&
             json_array_append(ranges, range) == 0;
        json_decref(range);
    }
    free(values);
    if (!ok)
        json_decref(ranges);
    return ok ? ranges : NULL;
}

static json_t *run_json(const struct hr__statistics *s, const struct hr__run *run) {
    json_t *pair = json_array();
    if (pair == NULL || json_array_append_new(pair, integer_json(s, run->value)) != 0 ||
        json_array_append_new(pair, hr__json_u64(run->samples)) != 0) {
        json_decref(pair);
        return NULL;
    }
    return pair;
}

static json_t *labels_json(const struct hr__statistics *s) {
    json_t *o = json_object();
    int bad =
        json_object_set_new(o, "runs", hr__json_u64(s->runs)) |
        json_object_set_new(o, "longest_run", hr__json_u64(s->longest_run)) |
        json_object_set_new(o, "first_run", run_json(s, &s->first_run)) |
        json_object_set_new(o, "last_run", run_json(s, &s->last_run)) |
        json_object_set_new(o, "distinct", hr__json_u64(hr__distinct_set_count(&s->distinct))) |
        json_object_set_new(o, "overflow", json_boolean(s->distinct.overflow));
    if (!s->distinct.overflow)
        bad |= json_object_set_new(o, "ranges", ranges_json(s));
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

static int set_moments(json_t *o, const struct hr__statistics *s) {
    bool integer = hr__dtype_is_integer(s->dtype);
    return json_object_set_new(o, "min",
                               integer ? integer_json(s, s->min_bits) : hr__json_real(s->min)) |
           json_object_set_new(o, "max",
                               integer ? integer_json(s, s->max_bits) : hr__json_real(s->max)) |
           json_object_set_new(o, "mean", hr__json_real(s->mean)) |
           json_object_set_new(o, "m2", hr__json_real(s->m2));
}

json_t *hr__statistics_to_json(const struct hr__statistics *s, bool with_labels) {
    json_t *o = json_object();
    int bad = json_object_set_new(o, "values", hr__json_u64(s->values)) |
              json_object_set_new(o, "zeros", hr__json_u64(s->zeros)) |
              json_object_set_new(o, "nan", hr__json_u64(s->nan)) |
              json_object_set_new(o, "inf", hr__json_u64(s->inf)) |
              json_object_set_new(o, "finite", hr__json_u64(s->finite)) |
              json_object_set_new(o, "first_nan", index_json(s->first_nan)) |
              json_object_set_new(o, "first_inf", index_json(s->first_inf));
    if (s->finite > 0 && !hr__dtype_is_complex(s->dtype))
        bad |= set_moments(o, s);
    if (s->labels && with_labels)
        bad |= json_object_set_new(o, "labels", labels_json(s));
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

static bool get_index(const json_t *json, uint64_t *out) {
    *out = UINT64_MAX;
    return json == NULL || json_is_null(json) || hr__json_get_u64(json, out);
}

static bool get_run(const struct hr__statistics *s, const json_t *json, struct hr__run *out) {
    return json_array_size(json) == 2 && integer_get(s, json_array_get(json, 0), &out->value) &&
           hr__json_get_u64(json_array_get(json, 1), &out->samples);
}

/* Ranges back into the set. They ascend and do not overlap, so none of their values repeats.
 * *st: HR_ERR_NO_MEMORY. */
static bool get_ranges(struct hr__statistics *s, const json_t *ranges, hr_status *st,
                       hr_error *err) {
    size_t i;
    json_t *range;
    uint64_t first, last, before = 0;
    if (!json_is_array(ranges))
        return false;
    json_array_foreach(ranges, i, range) {
        if (json_array_size(range) != 2 || !integer_get(s, json_array_get(range, 0), &first) ||
            !integer_get(s, json_array_get(range, 1), &last) || precedes(s, last, first) ||
            (i > 0 && !precedes(s, before, first)))
            return false;
        before = last;
        *st = hr__distinct_set_add_range(&s->distinct, first, last, err);
        if (*st != HR_OK || s->distinct.overflow)
            return *st != HR_OK;
    }
    return true;
}

static bool get_labels(struct hr__statistics *s, const json_t *o, hr_status *st, hr_error *err) {
    uint64_t distinct = 0;
    const json_t *overflow = json_object_get(o, "overflow");
    if (!hr__json_get_u64(json_object_get(o, "runs"), &s->runs) ||
        !hr__json_get_u64(json_object_get(o, "longest_run"), &s->longest_run) ||
        !get_run(s, json_object_get(o, "first_run"), &s->first_run) ||
        !get_run(s, json_object_get(o, "last_run"), &s->last_run) ||
        !hr__json_get_u64(json_object_get(o, "distinct"), &distinct) || !json_is_boolean(overflow))
        return false;
    if (json_is_true(overflow)) {
        s->distinct.overflow = true;
        return true;
    }
    return get_ranges(s, json_object_get(o, "ranges"), st, err) &&
           (*st != HR_OK || hr__distinct_set_count(&s->distinct) == distinct);
}

static bool get_moments(struct hr__statistics *s, const json_t *o) {
    const json_t *min = json_object_get(o, "min"), *max = json_object_get(o, "max");
    if (!hr__json_get_real(json_object_get(o, "mean"), &s->mean) ||
        !hr__json_get_real(json_object_get(o, "m2"), &s->m2))
        return false;
    if (!hr__dtype_is_integer(s->dtype))
        return hr__json_get_real(min, &s->min) && hr__json_get_real(max, &s->max);
    if (!integer_get(s, min, &s->min_bits) || !integer_get(s, max, &s->max_bits))
        return false;
    bool is_signed = hr__dtype_is_signed(s->dtype);
    s->min = is_signed ? (double)(int64_t)s->min_bits : (double)s->min_bits;
    s->max = is_signed ? (double)(int64_t)s->max_bits : (double)s->max_bits;
    return true;
}

static bool get_all(struct hr__statistics *s, const json_t *o, hr_status *st, hr_error *err) {
    return hr__json_get_u64(json_object_get(o, "values"), &s->values) &&
           hr__json_get_u64(json_object_get(o, "zeros"), &s->zeros) &&
           hr__json_get_u64(json_object_get(o, "nan"), &s->nan) &&
           hr__json_get_u64(json_object_get(o, "inf"), &s->inf) &&
           hr__json_get_u64(json_object_get(o, "finite"), &s->finite) &&
           get_index(json_object_get(o, "first_nan"), &s->first_nan) &&
           get_index(json_object_get(o, "first_inf"), &s->first_inf) &&
           (s->finite == 0 || hr__dtype_is_complex(s->dtype) || get_moments(s, o)) &&
           (!s->labels || get_labels(s, json_object_get(o, "labels"), st, err));
}

hr_status hr__statistics_from_json(const json_t *json, hr_dtype dtype, bool labels,
                                   struct hr__statistics **out, hr_error *err) {
    hr_status st = HR_OK;
    *out = NULL;
    struct hr__statistics *s = hr__statistics_new(dtype, labels);
    if (s == NULL)
        return hr__error_no_memory(err, sizeof(*s), "statistics");
    if (!get_all(s, json, &st, err) && st == HR_OK)
        st = hr__error_set(err, HR_ERR_CORRUPT, "its statistics are malformed");
    if (st != HR_OK) {
        hr__statistics_free(s);
        return st;
    }
    *out = s;
    return HR_OK;
}
