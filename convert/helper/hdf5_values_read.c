/*
 * Values of variable length into slots of shared memory. HDF5 says how long values are only by
 * reading them: it reads as many as are likely to fit, into an arena, and fewer where that is too
 * small. The file is untrusted, and so is what is asked for.
 */
#include "hdf5_values_read.h"

#include "bytes.h"
#include "checked.h"
#include "dtype.h"
#include "value_arena.h"
#include "value_slot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_TRY 1024u /* values */
#define GROWTH    4u

struct h5_values {
    struct value_arena arena;
    hid_t transfer; /* gives HDF5 the arena */
    uint8_t *references;
    size_t reference_bytes;
    uint64_t likely; /* so many values are likely to fit */
};

hr_status h5_values_open(struct h5_reader *r, hr_error *err) {
    struct h5_values *v = calloc(1, sizeof *v);
    if (v == NULL)
        return hr__error_no_memory(err, sizeof *v, "values of variable length");
    r->values = v;
    v->transfer = -1;
    v->likely = FIRST_TRY;
    v->reference_bytes = H5Tget_size(r->is.leaf.memory_type);
    v->arena.size_bytes = (size_t)r->slot_bytes;
    v->arena.bytes = malloc(v->arena.size_bytes);
    v->references = calloc(HR__SLOT_MAX_VALUES, v->reference_bytes);
    if (v->arena.bytes == NULL || v->references == NULL)
        return hr__error_no_memory(err, v->arena.size_bytes, "values of variable length");
    v->transfer = H5Pcreate(H5P_DATASET_XFER);
    if (v->transfer < 0 || !h5_bound_heaps(r->file.file) ||
        H5Pset_vlen_mem_manager(v->transfer, value_arena_take, &v->arena, value_arena_free,
                                &v->arena) < 0)
        return h5_error(err, HR_ERR_NO_MEMORY, "reading values of variable length");
    return HR_OK;
}

void h5_values_close(struct h5_values *v) {
    if (v == NULL)
        return;
    if (v->transfer >= 0)
        (void)H5Pclose(v->transfer);
    free(v->references);
    free(v->arena.bytes);
    free(v);
}

/* HR_ERR_BUDGET: the arena is too small. */
static hr_status read_references(struct h5_reader *r, uint64_t first, uint64_t n, hr_error *err) {
    struct h5_values *v = r->values;
    hsize_t start = first, count = n;
    struct h5_hyperslab slab;
    hr_status st = HR_OK;
    value_arena_empty(&v->arena);
    memset(v->references, 0, (size_t)n * v->reference_bytes);
    const bool done = h5_hyperslab_open(r->dataset, 1, &start, &count, &slab) &&
                      H5Dread(r->dataset, r->is.leaf.memory_type, slab.memory_space,
                              slab.file_space, v->transfer, v->references) >= 0;
    if (!done && v->arena.refused_bytes != 0)
        st = HR_ERR_BUDGET;
    else if (!done)
        st = h5_error(err, HR_ERR_CORRUPT, "samples %" PRIu64 " to %" PRIu64 " cannot be read",
                      first, first + n - 1);
    h5_hyperslab_close(&slab);
    return st;
}

/* A value as HDF5 left it. */
static const uint8_t *value_at(const struct h5_reader *r, uint64_t i, uint64_t *n_bytes) {
    const uint8_t *reference = r->values->references + i * r->values->reference_bytes;
    if (hr__dtype_is_variable(r->is.field.dtype)) {
        const char *text;
        memcpy(&text, reference, sizeof text);
        *n_bytes = text != NULL ? strlen(text) : 0;
        return (const uint8_t *)text;
    }
    hvl_t sequence;
    memcpy(&sequence, reference, sizeof sequence);
    if (sequence.p == NULL ||
        !hr__mul_u64(sequence.len, hr__helper_unit_bytes(&r->is.field), n_bytes))
        *n_bytes = 0;
    return sequence.p;
}

/* As many of the n values as fit the slot. */
static uint64_t put_values(const struct h5_reader *r, uint64_t n, uint8_t *slot) {
    uint64_t fitting = 0, total = 0, n_bytes;
    for (; fitting < n; fitting++) {
        (void)value_at(r, fitting, &n_bytes);
        uint64_t more;
        if (!hr__add_u64(total, n_bytes, &more) ||
            hr__value_slot_bytes(fitting + 1, more) > r->slot_bytes)
            break;
        total = more;
    }
    uint8_t *values = slot + hr__value_slot_bytes(fitting, 0);
    total = 0;
    for (uint64_t i = 0; i < fitting; i++) {
        const uint8_t *value = value_at(r, i, &n_bytes);
        if (n_bytes > 0)
            memcpy(values + total, value, (size_t)n_bytes);
        total += n_bytes;
        hr__put_u64(slot + i * sizeof total, total);
    }
    return fitting;
}

/* After n values of so many bytes. */
static void learn(struct h5_values *v, uint64_t n) {
    const uint64_t each = v->arena.used_bytes / n + 16;
    const uint64_t fitting = v->arena.size_bytes / 8 * 7 / each;
    v->likely = hr__max_u64(1, hr__min_u64(fitting, n * GROWTH));
}

/* Fewer than n, after the arena was too small: HDF5 makes values in their order. */
static uint64_t fewer(const struct h5_values *v, uint64_t n) {
    return hr__max_u64(1, hr__min_u64(v->arena.num_given, n / 2));
}

hr_status h5_values_read(struct h5_reader *r, uint32_t slot, uint64_t first, uint64_t *n,
                         hr_error *err) {
    struct h5_values *v = r->values;
    uint8_t *to = r->shared + slot * r->slot_bytes;
    uint64_t trying = hr__min_u64(hr__min_u64(*n, HR__SLOT_MAX_VALUES), v->likely);
    hr_status st;
    while ((st = read_references(r, first, trying, err)) == HR_ERR_BUDGET) {
        if (trying == 1) {
            *n = 0;
            hr__put_u64(to, v->arena.used_bytes + v->arena.refused_bytes);
            return HR_OK;
        }
        trying = fewer(v, trying);
    }
    if (st != HR_OK)
        return st;
    *n = put_values(r, trying, to);
    if (*n == 0)
        hr__put_u64(to, v->arena.used_bytes);
    learn(v, trying);
    return HR_OK;
}
