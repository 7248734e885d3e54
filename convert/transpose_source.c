/*
 * Rows of a sparse matrix that is stored by columns. What the inner sources hand out is untrusted,
 * but for its lengths.
 *
 * Invariants
 *   1. Rows are put together when a reader is first asked for one, so that a conversion can be
 *      stopped meanwhile; the inner readers are open only for that.
 *   2. Where that fails nothing of it is kept: with a larger budget it can be tried again.
 */
#include "transpose_source.h"

#include "checked.h"
#include "error.h"
#include "matrix_columns.h"
#include "sparse_index.h"
#include "transpose.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WANTED_BYTES (UINT64_C(256) << 20) /* for rows: with as much no file is needed, mostly */
#define LEAST_BYTES  (UINT64_C(4) << 20)
#define ROOM_BYTES   (LEAST_BYTES / 2) /* of these, not for the inner readers */

struct transpose_source {
    struct hr__source base;
    struct hr__by_columns in;
    hr_dtype element;
    struct hr__axis_options opts;
    atomic_bool stopped;
};

struct transpose_reader {
    struct transpose_source *src;
    struct hr__budget *budget;
    struct hr__helper_group *helpers;
    bool filled;
    struct hr__transpose rows;
};

/* What a reader of a source needs, or of none. */
static uint64_t least_of(const struct hr__source *source) {
    return source != NULL ? source->info.reader_bytes : 0;
}

/* --- entries -------------------------------------------------------------------------------- */

static hr_status check_row(const struct transpose_source *src, uint64_t column, uint64_t row,
                           hr_error *err) {
    if (row < src->in.num_rows)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "%s:/%s: column %" PRIu64 " has a value in a row that is none of %" PRIu64
                         "; write the file anew",
                         src->base.info.path, src->base.info.member, column, src->in.num_rows);
}

static hr_status count_entries(struct transpose_reader *r, const struct hr__columns *rows,
                               uint64_t first, uint64_t n, hr_error *err) {
    const hr_dtype dtype = rows->src->info.element_dtype;
    const uint64_t width = hr_dtype_bytes(dtype);
    for (uint64_t c = 0; c < n; c++)
        for (uint64_t at = (uint64_t)rows->offsets[c]; at < (uint64_t)rows->offsets[c + 1];
             at += width) {
            const uint64_t row = hr__sparse_index_at(rows->bytes + at, dtype);
            const hr_status st = check_row(r->src, first + c, row, err);
            if (st != HR_OK)
                return st;
            hr__transpose_count(&r->rows, row);
        }
    return HR_OK;
}

/* values: NULL where what is put is the column's number. */
static hr_status put_entries(struct transpose_reader *r, const struct hr__columns *rows,
                             const struct hr__columns *values, uint64_t first, uint64_t n,
                             hr_error *err) {
    const hr_dtype dtype = rows->src->info.element_dtype;
    const uint64_t width = hr_dtype_bytes(dtype), value_width = hr_dtype_bytes(r->src->element);
    uint8_t number[sizeof(uint64_t)];
    for (uint64_t c = 0; c < n; c++) {
        const uint64_t begin = (uint64_t)rows->offsets[c], end = (uint64_t)rows->offsets[c + 1];
        const uint8_t *value = values == NULL ? number : values->bytes + values->offsets[c];
        if (values == NULL)
            hr__sparse_index_put(number, r->src->element, first + c);
        for (uint64_t at = begin; at < end; at += width) {
            const uint64_t row = hr__sparse_index_at(rows->bytes + at, dtype);
            hr_status st = check_row(r->src, first + c, row, err);
            if (st == HR_OK)
                st = hr__transpose_put(&r->rows, row, value, err);
            if (st != HR_OK)
                return st;
            value += values == NULL ? 0 : value_width;
        }
    }
    return HR_OK;
}

/* Each column has as many values as rows. */
static hr_status check_lengths(const struct transpose_source *src, const struct hr__columns *rows,
                               const struct hr__columns *values, uint64_t first, uint64_t n,
                               hr_error *err) {
    const uint64_t width = hr_dtype_bytes(rows->src->info.element_dtype);
    const uint64_t value_width = hr_dtype_bytes(src->element);
    for (uint64_t c = 0; c < n; c++) {
        const uint64_t has = (uint64_t)(rows->offsets[c + 1] - rows->offsets[c]) / width;
        const uint64_t other =
            (uint64_t)(values->offsets[c + 1] - values->offsets[c]) / value_width;
        if (has != other)
            return hr__error_set(err, HR_ERR_DATA,
                                 "%s:/%s: column %" PRIu64 " has %" PRIu64 " values in %" PRIu64
                                 " rows; convert it when nothing writes to it",
                                 src->base.info.path, src->base.info.member, first + c, other, has);
    }
    return HR_OK;
}

/* Columns from `first` on, with their values unless these are NULL. *n: how many. */
static hr_status read_piece(const struct transpose_source *src, struct hr__columns *rows,
                            struct hr__columns *values, uint64_t first, uint64_t *n,
                            hr_error *err) {
    hr_status st;
    *n = hr__min_u64(rows->src->info.num_samples - first, HR__PIECE_COLUMNS);
    if (atomic_load(&src->stopped))
        return hr__error_set(err, HR_ERR_CANCELLED, "%s: reading was stopped", src->base.info.path);
    HR_TRY(hr__columns_begin(rows, first, n, err));
    if (values != NULL)
        HR_TRY(hr__columns_begin(values, first, n, err));
    HR_TRY(hr__columns_read(rows, first, *n, err));
    if (values != NULL) {
        HR_TRY(hr__columns_read(values, first, *n, err));
        HR_TRY(check_lengths(src, rows, values, first, *n, err));
    }
done:
    return st;
}

static hr_status count_all(struct transpose_reader *r, struct hr__columns *rows, hr_error *err) {
    hr_status st = HR_OK;
    for (uint64_t first = 0, n; first < rows->src->info.num_samples; first += n) {
        HR_TRY(read_piece(r->src, rows, NULL, first, &n, err));
        HR_TRY(count_entries(r, rows, first, n, err));
    }
done:
    return st;
}

static hr_status put_all(struct transpose_reader *r, struct hr__columns *rows,
                         struct hr__columns *values, hr_error *err) {
    hr_status st = HR_OK;
    for (uint64_t first = 0, n; first < rows->src->info.num_samples; first += n) {
        HR_TRY(read_piece(r->src, rows, values, first, &n, err));
        HR_TRY(put_entries(r, rows, values, first, n, err));
    }
done:
    return st;
}

/* Of the values of the longest column, whose rows had room. */
static uint64_t longest_bytes(const struct transpose_source *src, const struct hr__columns *rows) {
    const uint64_t width = hr_dtype_bytes(rows->src->info.element_dtype);
    return rows->room_bytes > HR__COLUMNS_BYTES
               ? rows->room_bytes / width * hr_dtype_bytes(src->element)
               : HR__COLUMNS_BYTES;
}

/* --- the reader ----------------------------------------------------------------------------- */

static hr_status fill_from(struct transpose_reader *r, struct hr__columns *rows,
                           struct hr__columns *values, hr_error *err) {
    const struct transpose_source *src = r->src;
    hr_status st;
    HR_TRY(hr__transpose_open(&r->rows, src->in.num_rows, (uint32_t)hr_dtype_bytes(src->element),
                              r->budget, err));
    HR_TRY(hr__columns_open(rows, src->in.rows, r->budget, r->helpers,
                            least_of(src->in.values) + ROOM_BYTES, err));
    if (src->in.values != NULL)
        HR_TRY(hr__columns_open(values, src->in.values, r->budget, r->helpers, ROOM_BYTES, err));
    HR_TRY(count_all(r, rows, err));
    if (src->in.values != NULL) /* now, of what rows would else take */
        HR_TRY(hr__columns_room(values, longest_bytes(src, rows), err));
    HR_TRY(hr__transpose_place(&r->rows, src->opts.output, src->opts.check_space,
                               src->base.info.path, err));
    HR_TRY(put_all(r, rows, src->in.values != NULL ? values : NULL, err));
    st = hr__transpose_finish(&r->rows, err);
done:
    return st;
}

static hr_status fill(struct transpose_reader *r, hr_error *err) {
    struct hr__columns rows = {0}, values = {0};
    if (r->filled)
        return HR_OK;
    const hr_status st = fill_from(r, &rows, &values, err);
    hr__columns_close(&rows);
    hr__columns_close(&values);
    r->filled = st == HR_OK;
    if (st != HR_OK)
        hr__transpose_close(&r->rows);
    return st;
}

static hr_status check_range(const struct transpose_source *src, uint64_t first, uint64_t n,
                             hr_error *err) {
    return hr__source_check_range(&src->base, src->base.info.path, first, n, err);
}

static hr_status fetch(struct hr__source_reader *reader, uint64_t first, uint64_t n, uint64_t *out,
                       hr_error *err) {
    struct transpose_reader *r = (struct transpose_reader *)reader;
    uint64_t end = 0;
    hr_status st;
    HR_TRY(check_range(r->src, first, n, err));
    HR_TRY(fill(r, err));
    HR_TRY(hr__transpose_load(&r->rows, first, &end, err));
    *out = hr__min_u64(n, end - first);
done:
    return st;
}

static hr_status read_values(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                             int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                             hr_error *err) {
    struct transpose_reader *r = (struct transpose_reader *)reader;
    const struct hr__transpose *t = &r->rows;
    hr_status st;
    HR_TRY(check_range(r->src, first, n, err));
    HR_TRY(fill(r, err));
    for (uint64_t i = 0; i <= n; i++)
        offsets[i] = (int64_t)((t->starts[first + i] - t->starts[first]) * t->width);
    if (values == NULL)
        return HR_OK;
    if ((uint64_t)offsets[n] > room_bytes)
        return hr__error_set(err, HR_ERR_INVALID, "%s: no room for what its rows hold",
                             r->src->base.info.path);
    for (uint64_t row = first, end; row < first + n; row = end) {
        HR_TRY(hr__transpose_load(&r->rows, row, &end, err));
        end = hr__min_u64(end, first + n);
        const uint64_t n_bytes = (uint64_t)(offsets[end - first] - offsets[row - first]);
        if (n_bytes > 0)
            memcpy(values + offsets[row - first], hr__transpose_values(t, row), (size_t)n_bytes);
    }
done:
    return st;
}

static void close_reader(struct hr__source_reader *reader) {
    struct transpose_reader *r = (struct transpose_reader *)reader;
    if (r == NULL)
        return;
    hr__transpose_close(&r->rows);
    free(r);
}

static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    struct transpose_reader *r = calloc(1, sizeof *r);
    *out = (struct hr__source_reader *)r;
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a reader of a source");
    r->src = (struct transpose_source *)source;
    r->budget = budget;
    r->helpers = helpers;
    return HR_OK;
}

/* --- the source ----------------------------------------------------------------------------- */

static void stop(struct hr__source *source) {
    struct transpose_source *src = (struct transpose_source *)source;
    atomic_store(&src->stopped, true);
    src->in.rows->ops->stop(src->in.rows);
    if (src->in.values != NULL)
        src->in.values->ops->stop(src->in.values);
}

static void close_source(struct hr__source *source) {
    struct transpose_source *src = (struct transpose_source *)source;
    if (src == NULL)
        return;
    src->in.rows->ops->close(src->in.rows);
    if (src->in.values != NULL)
        src->in.values->ops->close(src->in.values);
    free(src);
}

static const struct hr__source_ops transpose_ops = {
    .name = "rows of a matrix by columns",
    .open_reader = open_reader,
    .read_values = read_values,
    .fetch = fetch,
    .close_reader = close_reader,
    .stop = stop,
    .close = close_source,
};

/* What the inner readers take, what tells the rows, and some rows. */
static void set_memory(struct transpose_source *src) {
    struct hr__source_info *info = &src->base.info;
    const struct hr__source_info *rows = &src->in.rows->info;
    const uint64_t starts = src->in.num_rows * sizeof(uint64_t);
    const uint64_t values_wanted =
        src->in.values != NULL ? src->in.values->info.reader_wanted_bytes : 0;
    uint64_t *least = &info->reader_bytes, *wanted = &info->reader_wanted_bytes;
    if (!hr__add_u64(rows->reader_bytes, least_of(src->in.values), least) ||
        !hr__add_u64(*least, starts + LEAST_BYTES, least))
        *least = UINT64_MAX;
    if (!hr__add_u64(rows->reader_wanted_bytes, values_wanted, wanted) ||
        !hr__add_u64(*wanted, starts + WANTED_BYTES, wanted))
        *wanted = UINT64_MAX;
}

hr_status hr__transpose_source_make(const struct hr__by_columns *in,
                                    const struct hr__axis_options *opts, struct hr__source **out,
                                    hr_error *err) {
    struct transpose_source *src = calloc(1, sizeof *src);
    if (src == NULL)
        return hr__error_no_memory(err, sizeof *src, "a source");
    const struct hr__source_info *inner = in->values != NULL ? &in->values->info : &in->rows->info;
    src->base.ops = &transpose_ops;
    src->base.info = *inner;
    src->in = *in;
    src->opts = *opts;
    src->element = inner->element_dtype;
    if (in->values == NULL)
        src->element = hr__sparse_index_dtype(inner->element_dtype, inner->num_samples);
    src->base.info.element_dtype = src->element;
    src->base.info.num_samples = in->num_rows;
    src->base.info.rank = 0;
    memset(src->base.info.shape, 0, sizeof src->base.info.shape);
    src->base.info.is_stream = true;
    src->base.info.max_readers = 1;
    set_memory(src);
    *out = &src->base;
    return HR_OK;
}
