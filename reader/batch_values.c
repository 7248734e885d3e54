/*
 * Values of variable length from the order in which they come to the order of the rows.
 */
#include "batch_values.h"

#include "checked.h"
#include "error.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define ALIGN_BYTES 256u
#define HEAD_BYTES  64u /* the counter, in a cache line of its own */
#define SIGMAS      6.0
#define MOST_BYTES  (UINT64_MAX / 8)

struct place {
    uint64_t off, n_bytes;
};

/* What a batch of random samples hardly ever exceeds. */
static uint64_t ample_bytes(const hr_length_statistics *s, uint32_t num_rows) {
    const double n = num_rows;
    const double ample = n * s->mean_bytes + SIGMAS * sqrt(n) * s->std_bytes + (double)s->max_bytes;
    return ample < (double)MOST_BYTES ? (uint64_t)ample : MOST_BYTES;
}

static hr_length_statistics lengths_of(const struct hr__schema_field *f) {
    hr_length_statistics s = {0};
    if (f->statistics != NULL)
        hr__lengths_get(f->statistics, &s);
    return s;
}

static hr_status given_capacity(const struct hr__schema_field *f, uint64_t given_bytes,
                                uint64_t *out, hr_error *err) {
    *out = given_bytes;
    if (given_bytes <= MOST_BYTES)
        return HR_OK;
    return hr__error_set(err, HR_ERR_INVALID,
                         "max_value_bytes (--max-bytes) is %llu, expected at most 2^61: the bytes "
                         "that a batch's values of field %s may have together",
                         (unsigned long long)given_bytes, f->name);
}

hr_status hr__value_capacity(const struct hr__schema_field *f, const hr_loader_options *o,
                             uint32_t num_rows, uint64_t *out, hr_error *err) {
    const hr_length_statistics s = lengths_of(f);
    if (o->max_value_bytes != 0)
        return given_capacity(f, o->max_value_bytes, out, err);
    if (s.valid == 0)
        return hr__error_set(
            err, HR_ERR_INVALID,
            "field %s has values of variable length, and the file does not say how "
            "long they are; give max_value_bytes (--max-bytes), which a batch's "
            "values of the field may have together",
            f->name);
    if (!hr__mul_u64(s.max_bytes, num_rows, out) || *out > MOST_BYTES)
        return hr__error_set(err, HR_ERR_BUDGET,
                             "%u values of field %s, the longest of which has %llu bytes, do not "
                             "fit any memory; give max_value_bytes (--max-bytes): %llu are ample "
                             "for samples in random order",
                             num_rows, f->name, (unsigned long long)s.max_bytes,
                             (unsigned long long)ample_bytes(&s, num_rows));
    *out = hr__max_u64(*out, 1);
    return HR_OK;
}

void hr__values_advice(const hr_dataset *ds, const uint32_t *fields, const uint64_t *capacities,
                       uint32_t num_fields, uint32_t num_rows, char *out, size_t room_bytes) {
    uint32_t most = 0;
    for (uint32_t i = 1; i < num_fields; i++)
        most = capacities[i] > capacities[most] ? i : most;
    out[0] = '\0';
    if (capacities[most] == 0)
        return;
    const struct hr__schema_field *f = &ds->footer.schema.fields[fields[most]];
    const hr_length_statistics s = lengths_of(f);
    const int n = snprintf(out, room_bytes,
                           "; or a smaller max_value_bytes (--max-bytes), now %llu for field %.64s",
                           (unsigned long long)capacities[most], f->name);
    if (s.valid != 0 && n > 0 && (size_t)n < room_bytes)
        snprintf(out + n, room_bytes - (size_t)n,
                 ": its mean is %.0f bytes, the longest value %llu, so %llu are ample for samples "
                 "in random order",
                 s.mean_bytes, (unsigned long long)s.max_bytes,
                 (unsigned long long)ample_bytes(&s, num_rows));
}

static uint64_t places_bytes(uint32_t num_rows) {
    return hr__round_up(num_rows * (uint64_t)sizeof(struct place), ALIGN_BYTES);
}

uint64_t hr__values_slot_bytes(uint32_t num_rows, uint64_t capacity_bytes) {
    return HEAD_BYTES + places_bytes(num_rows) + capacity_bytes;
}

uint64_t hr__values_offsets_bytes(uint32_t num_rows) {
    return hr__round_up((num_rows + UINT64_C(1)) * sizeof(int64_t), ALIGN_BYTES);
}

uint64_t hr__values_out_bytes(uint32_t num_rows, uint64_t capacity_bytes) {
    return hr__values_offsets_bytes(num_rows) + capacity_bytes;
}

static _Atomic uint64_t *counter_of(const uint8_t *values) {
    return (_Atomic uint64_t *)(uintptr_t)values;
}

static struct place *places_of(const uint8_t *values) {
    return (struct place *)(uintptr_t)(values + HEAD_BYTES);
}

void hr__values_reset(uint8_t *values) {
    atomic_store_explicit(counter_of(values), 0, memory_order_relaxed);
}

uint64_t hr__values_taken(const uint8_t *values) {
    return atomic_load_explicit(counter_of(values), memory_order_relaxed);
}

uint8_t *hr__values_take(uint8_t *values, uint32_t num_rows, uint64_t capacity_bytes, uint32_t row,
                         uint64_t n_bytes) {
    const uint64_t off =
        atomic_fetch_add_explicit(counter_of(values), n_bytes, memory_order_relaxed);
    if (!hr__range_within(off, n_bytes, capacity_bytes))
        return NULL;
    places_of(values)[row] = (struct place){off, n_bytes};
    return values + HEAD_BYTES + places_bytes(num_rows) + off;
}

void hr__values_pack(const uint8_t *values, uint32_t num_rows, uint32_t first_row, uint32_t n,
                     uint8_t *out) {
    const struct place *places = places_of(values);
    const uint8_t *from = values + HEAD_BYTES + places_bytes(num_rows);
    int64_t *offsets = (int64_t *)(void *)out;
    uint8_t *to = out + hr__values_offsets_bytes(num_rows);
    uint64_t at = 0;
    for (uint32_t r = 0; r < first_row; r++)
        at += places[r].n_bytes;
    if (first_row == 0)
        offsets[0] = 0;
    for (uint32_t r = first_row; r < first_row + n; r++) {
        memcpy(to + at, from + places[r].off, places[r].n_bytes);
        at += places[r].n_bytes;
        offsets[r + 1] = (int64_t)at;
    }
}
