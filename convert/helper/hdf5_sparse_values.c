/*
 * What the rows of a sparse matrix hold, into slots: their values, or the columns of these. Every
 * start and every column is untrusted.
 */
#include "hdf5_sparse.h"

#include "bytes.h"
#include "checked.h"
#include "sparse_index.h"
#include "value_slot.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ROWS 4096u /* at once */

struct hr__helper_field h5_sparse_values_field(const struct h5_sparse *s,
                                               const struct h5_sparse_part *part) {
    const hr_dtype dtype = part->is.field.dtype;
    const bool columns = s->kind == H5_SPARSE_CSC;
    return (struct hr__helper_field){
        .rank = columns ? 1 : 0,
        .shape = {columns ? s->num_columns : 0},
        .dtype = dtype == HR_BOOL ? HR_UINT8 : dtype, /* sequences of these there are none of */
        .flags = HR__HELPER_VARIABLE | HR__HELPER_SPARSE | (columns ? HR__HELPER_BY_COLUMNS : 0),
        .num_samples = s->field.num_samples,
        .granule_samples = 1,
        .chunk_bytes = s->field.chunk_bytes,
        .chunk_row_bytes = s->field.chunk_row_bytes};
}

static hr_status check_columns(const struct h5_sparse *s, uint64_t row, const uint8_t *columns,
                               uint64_t n, hr_error *err) {
    const hr_dtype dtype = s->columns.is.field.dtype;
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t column = hr__sparse_index_at(columns + i * hr_dtype_bytes(dtype), dtype);
        if (column >= s->num_columns)
            return h5_sparse_bad_column(s, row, (int64_t)column, err);
    }
    return HR_OK;
}

static hr_status read_starts(struct h5_sparse *s, uint64_t first, uint64_t n, hr_error *err) {
    if (s->some_starts == NULL)
        s->some_starts = calloc(MOST_ROWS + 1, sizeof *s->some_starts);
    if (s->some_starts == NULL)
        return hr__error_no_memory(err, MOST_ROWS * sizeof *s->some_starts, "starts of rows");
    hr_status st = h5_sparse_part_read(&s->starts, "indptr", H5T_NATIVE_INT64, first, n + 1,
                                       s->some_starts, sizeof *s->some_starts, err);
    for (uint64_t i = 0; st == HR_OK && i < n; i++)
        st = h5_sparse_row_check(s, first + i, s->some_starts[i], s->some_starts[i + 1], err);
    return st;
}

/* As many of n rows as fit. */
static uint64_t put_ends(const struct h5_sparse *s, uint64_t n, uint64_t width, uint8_t *slot,
                         uint64_t slot_bytes) {
    uint64_t fitting = 0;
    for (; fitting < n; fitting++) {
        const uint64_t values = (uint64_t)(s->some_starts[fitting + 1] - s->some_starts[0]);
        if (values > slot_bytes / width ||
            hr__value_slot_bytes(fitting + 1, values * width) > slot_bytes)
            break;
        hr__put_u64(slot + fitting * sizeof(uint64_t), values * width);
    }
    return fitting;
}

hr_status h5_sparse_values_read(struct h5_sparse *s, uint64_t first, uint64_t *n, uint8_t *slot,
                                uint64_t slot_bytes, hr_error *err) {
    const struct h5_sparse_part *part = s->read_columns ? &s->columns : &s->values;
    const uint64_t width = hr_dtype_bytes(part->is.field.dtype);
    hr_status st = HR_OK;
    HR_TRY(read_starts(s, first, hr__min_u64(*n, MOST_ROWS), err));
    *n = put_ends(s, hr__min_u64(*n, MOST_ROWS), width, slot, slot_bytes);
    const uint64_t begin = (uint64_t)s->some_starts[0];
    if (*n == 0) {
        hr__put_u64(slot, ((uint64_t)s->some_starts[1] - begin) * width);
        return HR_OK;
    }
    const uint64_t total = (uint64_t)s->some_starts[*n] - begin;
    uint8_t *values = slot + hr__value_slot_bytes(*n, 0);
    if (total == 0)
        return HR_OK;
    HR_TRY(h5_sparse_part_read(part, s->read_columns ? "indices" : "data",
                               part->is.leaf.memory_type, begin, total, values, (size_t)width,
                               err));
    for (uint64_t i = 0; st == HR_OK && s->read_columns && i < *n; i++)
        st = check_columns(s, first + i, values + ((uint64_t)s->some_starts[i] - begin) * width,
                           (uint64_t)(s->some_starts[i + 1] - s->some_starts[i]), err);
done:
    return st;
}
