/*
 * Lengths of values of variable length (docs/format.md, 7.3): accumulators of uint64 values, of
 * which the zeros are the empty ones, and their sum. JSON that was read is untrusted.
 */
#include "checked.h"
#include "error.h"
#include "json_text.h"
#include "statistics_internal.h"

#include <math.h>

#define PIECE_VALUES 512u

struct hr__statistics *hr__lengths_new(void) {
    return hr__statistics_new(HR_UINT64, false);
}

void hr__lengths_add(struct hr__statistics *s, const uint64_t *ends, uint64_t n, uint64_t start) {
    uint64_t lengths[PIECE_VALUES], sum = n > 0 ? ends[n - 1] - start : 0;
    for (uint64_t at = 0; at < n;) {
        const uint64_t count = hr__min_u64(n - at, PIECE_VALUES);
        for (uint64_t i = 0; i < count; start = ends[at + i++])
            lengths[i] = ends[at + i] - start;
        hr__moments_add(s, (const uint8_t *)lengths, 0, count, 1);
        at += count;
    }
    if (!hr__add_u64(s->total, sum, &s->total))
        s->total = UINT64_MAX;
}

uint64_t hr__lengths_total(const struct hr__statistics *s) {
    return s->total;
}

void hr__lengths_get(const struct hr__statistics *s, hr_length_statistics *out) {
    *out = (hr_length_statistics){.struct_bytes = sizeof(*out),
                                  .valid = 1,
                                  .num_values = s->values,
                                  .num_empty = s->zeros,
                                  .total_bytes = s->total};
    if (s->values == 0)
        return;
    out->min_bytes = s->min_bits;
    out->max_bytes = s->max_bits;
    out->mean_bytes = s->mean;
    out->std_bytes = sqrt(s->m2 / (double)s->values);
}

json_t *hr__lengths_to_json(const struct hr__statistics *s) {
    json_t *o = json_object();
    int bad = json_object_set_new(o, "values", hr__json_u64(s->values)) |
              json_object_set_new(o, "empty", hr__json_u64(s->zeros)) |
              json_object_set_new(o, "total_bytes", hr__json_u64(s->total));
    if (s->values > 0)
        bad |= json_object_set_new(o, "min", hr__json_u64(s->min_bits)) |
               json_object_set_new(o, "max", hr__json_u64(s->max_bits)) |
               json_object_set_new(o, "mean", hr__json_real(s->mean)) |
               json_object_set_new(o, "m2", hr__json_real(s->m2));
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

/* Mean and sum of squares are of a writer's arithmetic: only what would mislead is refused. */
static bool are_possible(const struct hr__statistics *s) {
    const double slack = 1 + 1e-9;
    return s->zeros <= s->values && s->min_bits <= s->max_bits && s->max_bits <= s->total &&
           s->mean * slack >= s->min && s->mean <= s->max * slack && s->m2 >= 0 && isfinite(s->m2);
}

static bool get_all(struct hr__statistics *s, const json_t *o) {
    if (!hr__json_get_u64(json_object_get(o, "values"), &s->values) ||
        !hr__json_get_u64(json_object_get(o, "empty"), &s->zeros) ||
        !hr__json_get_u64(json_object_get(o, "total_bytes"), &s->total))
        return false;
    s->finite = s->values;
    if (s->values == 0)
        return true;
    if (!hr__json_get_u64(json_object_get(o, "min"), &s->min_bits) ||
        !hr__json_get_u64(json_object_get(o, "max"), &s->max_bits) ||
        !hr__json_get_real(json_object_get(o, "mean"), &s->mean) ||
        !hr__json_get_real(json_object_get(o, "m2"), &s->m2))
        return false;
    s->min = (double)s->min_bits;
    s->max = (double)s->max_bits;
    return are_possible(s);
}

hr_status hr__lengths_from_json(const json_t *json, struct hr__statistics **out, hr_error *err) {
    *out = NULL;
    struct hr__statistics *s = hr__lengths_new();
    if (s == NULL)
        return hr__error_no_memory(err, sizeof(*s), "statistics");
    if (!get_all(s, json)) {
        hr__statistics_free(s);
        return hr__error_set(err, HR_ERR_CORRUPT, "its lengths are malformed");
    }
    *out = s;
    return HR_OK;
}
