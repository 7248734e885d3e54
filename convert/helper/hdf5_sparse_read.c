/*
 * Rows of a sparse matrix, with their zeros. Every start and every column is untrusted.
 *
 * Invariants:
 * 1. A row's values lie between starts that ascend and end inside `data`, and are no more than its
 *    columns: what is read for a row is bounded by the row.
 * 2. No column of a row has two values: whether these were to be added is not said in the file.
 */
#include "hdf5_sparse.h"

#include "checked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_ROWS   4096u
#define PIECE_VALUES 65536u

void h5_sparse_free_room(struct h5_sparse *s) {
    free(s->some_starts);
    free(s->places);
    free(s->some_values);
    free(s->seen);
    s->some_starts = s->places = NULL;
    s->some_values = s->seen = NULL;
}

/* All of it, or none. */
static hr_status make_room(struct h5_sparse *s, hr_error *err) {
    if (s->seen != NULL)
        return HR_OK;
    const uint64_t bits = hr__ceil_div(s->num_columns, 8) + 1;
    s->some_starts = calloc(PIECE_ROWS + 1, sizeof *s->some_starts);
    s->places = calloc(PIECE_VALUES, sizeof *s->places);
    s->some_values = calloc(PIECE_VALUES, hr_dtype_bytes(s->field.dtype));
    s->seen = calloc(1, (size_t)bits);
    if (s->some_starts != NULL && s->places != NULL && s->some_values != NULL && s->seen != NULL)
        return HR_OK;
    h5_sparse_free_room(s);
    return hr__error_no_memory(err, bits, "reading a sparse matrix");
}

hr_status h5_sparse_part_read(const struct h5_sparse_part *p, const char *name, hid_t memory_type,
                              uint64_t first, uint64_t n, void *dst, size_t width, hr_error *err) {
    hsize_t start = first, count = n;
    struct h5_hyperslab slab;
    hr_status st = HR_OK;
    if (p->is.leaves_holes)
        memset(dst, 0, (size_t)n * width);
    if (!h5_hyperslab_open(p->dataset, 1, &start, &count, &slab) ||
        H5Dread(p->dataset, memory_type, slab.memory_space, slab.file_space, H5P_DEFAULT, dst) < 0)
        st = h5_error(err, HR_ERR_CORRUPT,
                      "entries %" PRIu64 " to %" PRIu64 " of its %s cannot be read", first,
                      first + n - 1, name);
    h5_hyperslab_close(&slab);
    return st;
}

/* Invariant 1. start, end: of this row. */
hr_status h5_sparse_row_check(const struct h5_sparse *s, uint64_t row, int64_t start, int64_t end,
                              hr_error *err) {
    if (start < 0 || end < start || (uint64_t)end > s->num_values || (row == 0 && start != 0))
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "%s %" PRIu64 " is said to begin at value %" PRId64
                             " and to end at %" PRId64 " of %" PRIu64
                             "; indptr should begin at 0 and ascend; write the file anew",
                             h5_sparse_row(s), row, start, end, s->num_values);
    if ((uint64_t)(end - start) > s->num_columns)
        return hr__error_set(err, HR_ERR_DATA,
                             "%s %" PRIu64 " holds %" PRId64 " values for %" PRIu64
                             " %ss; add up those of one place: adata.X.sum_duplicates()",
                             h5_sparse_row(s), row, end - start, s->num_columns,
                             h5_sparse_column(s));
    return HR_OK;
}

hr_status h5_sparse_bad_column(const struct h5_sparse *s, uint64_t row, int64_t column,
                               hr_error *err) {
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "%s %" PRIu64 " has a value in %s %" PRId64 " of %" PRIu64
                         "; write the file anew",
                         h5_sparse_row(s), row, h5_sparse_column(s), column, s->num_columns);
}

static void put(uint8_t *dst, const uint8_t *src, size_t width) {
    switch (width) {
    case 1:
        *dst = *src;
        break;
    case 2:
        memcpy(dst, src, 2);
        break;
    case 4:
        memcpy(dst, src, 4);
        break;
    case 8:
        memcpy(dst, src, 8);
        break;
    default:
        memcpy(dst, src, width);
    }
}

/* Values from .. to - 1 of the piece belong to this row. */
static hr_status scatter(struct h5_sparse *s, uint64_t row, size_t from, size_t to, uint8_t *dst,
                         hr_error *err) {
    const size_t width = hr_dtype_bytes(s->field.dtype);
    for (size_t i = from; i < to; i++) {
        const int64_t column = s->places[i];
        if (column < 0 || (uint64_t)column >= s->num_columns)
            return h5_sparse_bad_column(s, row, column, err);
        uint8_t *bits = &s->seen[column / 8];
        const uint8_t bit = (uint8_t)(1u << (column % 8));
        if ((*bits & bit) != 0)
            return hr__error_set(err, HR_ERR_DATA,
                                 "%s %" PRIu64 " has two values in %s %" PRId64
                                 "; add them up: adata.X.sum_duplicates()",
                                 h5_sparse_row(s), row, h5_sparse_column(s), column);
        *bits |= bit;
        put(dst + (size_t)column * width, s->some_values + i * width, width);
    }
    return HR_OK;
}

/* A bit for each column of the row that comes next. */
static void forget_columns(struct h5_sparse *s) {
    memset(s->seen, 0, (size_t)hr__ceil_div(s->num_columns, 8));
}

/* Values at .. at + n - 1. *row: that of the first, then of the last, counted from `first`, to
 * which dst and some_starts belong. */
static hr_status read_piece(struct h5_sparse *s, uint64_t first, uint64_t at, uint64_t n,
                            uint64_t *row, uint8_t *dst, hr_error *err) {
    hr_status st;
    HR_TRY(h5_sparse_part_read(&s->columns, "indices", H5T_NATIVE_INT64, at, n, s->places,
                               sizeof *s->places, err));
    HR_TRY(h5_sparse_part_read(&s->values, "data", s->values.is.leaf.memory_type, at, n,
                               s->some_values, hr_dtype_bytes(s->field.dtype), err));
    for (uint64_t done = 0; done < n;) {
        for (; (uint64_t)s->some_starts[*row + 1] <= at + done; (*row)++)
            forget_columns(s);
        const uint64_t end = hr__min_u64(n, (uint64_t)s->some_starts[*row + 1] - at);
        HR_TRY(scatter(s, first + *row, (size_t)done, (size_t)end,
                       dst + *row * s->field.sample_bytes, err));
        done = end;
    }
done:
    return st;
}

static hr_status read_values(struct h5_sparse *s, uint64_t first, uint64_t n, uint8_t *dst,
                             hr_error *err) {
    const uint64_t end = (uint64_t)s->some_starts[n];
    hr_status st = HR_OK;
    uint64_t row = 0;
    forget_columns(s);
    for (uint64_t at = (uint64_t)s->some_starts[0]; st == HR_OK && at < end; at += PIECE_VALUES)
        st = read_piece(s, first, at, hr__min_u64(PIECE_VALUES, end - at), &row, dst, err);
    return st;
}

static hr_status read_rows(struct h5_sparse *s, uint64_t first, uint64_t n, uint8_t *dst,
                           hr_error *err) {
    hr_status st = h5_sparse_part_read(&s->starts, "indptr", H5T_NATIVE_INT64, first, n + 1,
                                       s->some_starts, sizeof *s->some_starts, err);
    for (uint64_t i = 0; st == HR_OK && i < n; i++)
        st = h5_sparse_row_check(s, first + i, s->some_starts[i], s->some_starts[i + 1], err);
    return st == HR_OK ? read_values(s, first, n, dst, err) : st;
}

hr_status h5_sparse_read(struct h5_sparse *s, uint64_t first, uint64_t n, uint8_t *dst,
                         hr_error *err) {
    hr_status st = make_room(s, err);
    if (st == HR_OK)
        memset(dst, 0, (size_t)(n * s->field.sample_bytes));
    while (st == HR_OK && n > 0) {
        const uint64_t rows = hr__min_u64(PIECE_ROWS, n);
        st = read_rows(s, first, rows, dst, err);
        first += rows;
        n -= rows;
        dst += rows * s->field.sample_bytes;
    }
    return st;
}
