/*
 * Rows of a matrix that came by columns. An entry in the file is its row, counted from the first
 * one of its bucket (u32), and its value.
 */
#include "transpose.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"
#include "piece_pool.h"
#include "spill_file.h"

#include <string.h>

#define ROW_BYTES        4u
#define MOST_PIECE_BYTES (UINT64_C(64) << 10)
#define MAX_BUCKETS      (UINT64_C(1) << 20)

struct hr__transpose_bucket {
    uint64_t first_row, end_row;
    uint64_t first_value, num_values;
    uint64_t num_put;
    uint64_t sum; /* of the hashes of its pieces */
};

static const struct hr__spill_use spill_use = {.suffix = ".rows",
                                               .purpose = "turning columns into rows"};

static uint64_t entry_bytes(const struct hr__transpose *t) {
    return ROW_BYTES + t->width;
}

hr_status hr__transpose_open(struct hr__transpose *t, uint64_t num_rows, uint32_t width,
                             struct hr__budget *budget, hr_error *err) {
    hr_status st = HR_OK;
    *t = (struct hr__transpose){.budget = budget, .num_rows = num_rows, .width = width};
    t->starts = hr__budget_take(budget, (size_t)((num_rows + 1) * sizeof *t->starts),
                                "where the rows of a sparse matrix begin", &st, err);
    return st;
}

static void free_values(struct hr__transpose *t) {
    hr__budget_free(t->budget, t->values, (size_t)t->values_bytes);
    t->values = NULL;
    t->values_bytes = 0;
    t->loaded = t->num_buckets;
}

static void free_pieces(struct hr__transpose *t) {
    hr__budget_free(t->budget, t->pieces, (size_t)t->pieces_bytes);
    t->pieces = NULL;
    t->pieces_bytes = 0;
}

static size_t buckets_bytes(const struct hr__transpose *t) {
    return (size_t)t->num_buckets * sizeof *t->buckets;
}

void hr__transpose_close(struct hr__transpose *t) {
    if (t->budget == NULL)
        return;
    free_values(t);
    free_pieces(t);
    hr__budget_free(t->budget, t->buckets, buckets_bytes(t));
    hr__budget_free(t->budget, t->starts, (size_t)((t->num_rows + 1) * sizeof *t->starts));
    hr__file_close(&t->file);
    *t = (struct hr__transpose){0};
}

/* --- buckets -------------------------------------------------------------------------------- */

/* The row behind the bucket that begins at a row. */
static uint64_t bucket_end(const struct hr__transpose *t, uint64_t first, uint64_t most_values) {
    uint64_t low = first + 1;
    uint64_t high = hr__min_u64(t->num_rows, first + UINT32_MAX);
    while (low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        if (t->starts[middle] - t->starts[first] <= most_values)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static uint64_t count_buckets(const struct hr__transpose *t, uint64_t most_values) {
    uint64_t n = 0;
    for (uint64_t row = 0; row < t->num_rows && n <= MAX_BUCKETS; n++)
        row = bucket_end(t, row, most_values);
    return n;
}

static hr_status make_buckets(struct hr__transpose *t, uint64_t most_values, hr_error *err) {
    hr_status st = HR_OK;
    t->num_buckets = count_buckets(t, most_values);
    t->loaded = t->num_buckets;
    if (t->num_buckets > MAX_BUCKETS)
        return hr__error_set(err, HR_ERR_BUDGET,
                             "the budget has room for %llu values of a sparse matrix, which makes "
                             "too many pieces of it; give a larger one",
                             (unsigned long long)most_values);
    t->buckets = hr__budget_take(t->budget, buckets_bytes(t), "a table of rows", &st, err);
    if (t->buckets == NULL)
        return st;
    for (uint64_t i = 0, row = 0; i < t->num_buckets; i++) {
        struct hr__transpose_bucket *b = &t->buckets[i];
        b->first_row = row;
        b->end_row = row = bucket_end(t, row, most_values);
        b->first_value = t->starts[b->first_row];
        b->num_values = t->starts[b->end_row] - b->first_value;
    }
    return HR_OK;
}

static uint64_t bucket_of(const struct hr__transpose *t, uint64_t row) {
    uint64_t low = 0, high = t->num_buckets - 1;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (row < t->buckets[middle].end_row)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static hr_status take_values(struct hr__transpose *t, uint64_t num_values, hr_error *err) {
    hr_status st = HR_OK;
    const uint64_t n_bytes = hr__max_u64(num_values * t->width, 1);
    if (n_bytes <= t->values_bytes)
        return HR_OK;
    free_values(t);
    t->values =
        hr__budget_take_raw(t->budget, (size_t)n_bytes, "rows of a sparse matrix", &st, err);
    if (t->values != NULL)
        t->values_bytes = n_bytes;
    return st;
}

/* Half of what is left, a piece for each bucket. */
static hr_status make_pieces(struct hr__transpose *t, hr_error *err) {
    hr_status st = HR_OK;
    const uint64_t each =
        hr__min_u64(hr__budget_left(t->budget) / 2 / t->num_buckets, MOST_PIECE_BYTES);
    t->piece_entries = hr__max_u64(each / entry_bytes(t), 1);
    t->pieces_bytes = t->num_buckets * t->piece_entries * entry_bytes(t);
    t->pieces = hr__budget_take_raw(t->budget, (size_t)t->pieces_bytes,
                                    "pieces of a temporary file", &st, err);
    if (t->pieces == NULL)
        t->pieces_bytes = 0;
    return st;
}

static hr_status open_file(struct hr__transpose *t, const char *output, bool check_space,
                           const char *name, hr_error *err) {
    const uint64_t n_bytes = t->starts[t->num_rows] * entry_bytes(t);
    if (output == NULL)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "%s: it is stored by columns, and its rows are larger than the memory "
                             "for them; convert it first",
                             name);
    return hr__spill_file_open(&hr__posix_folder, output, &spill_use, check_space ? n_bytes : 0,
                               &t->file, err);
}

hr_status hr__transpose_place(struct hr__transpose *t, const char *output, bool check_space,
                              const char *name, hr_error *err) {
    hr_status st;
    for (uint64_t row = 0; row < t->num_rows; row++)
        t->starts[row + 1] += t->starts[row];
    const uint64_t fitting = hr__budget_left(t->budget) / 2 / t->width;
    HR_TRY(make_buckets(t, fitting, err));
    if (t->num_buckets == 1)
        return take_values(t, t->buckets[0].num_values, err);
    if (t->num_buckets > 1) {
        HR_TRY(open_file(t, output, check_space, name, err));
        st = make_pieces(t, err);
    }
done:
    return st;
}

/* --- putting -------------------------------------------------------------------------------- */

static void put_in_memory(struct hr__transpose *t, const struct hr__transpose_bucket *b,
                          uint64_t row, const uint8_t *value) {
    uint8_t *to = t->values + (t->starts[row]++ - b->first_value) * t->width;
    switch (t->width) {
    case 4:
        memcpy(to, value, 4);
        break;
    case 8:
        memcpy(to, value, 8);
        break;
    default:
        memcpy(to, value, t->width);
    }
}

static hr_status changed(hr_error *err) {
    return hr__error_set(err, HR_ERR_DATA,
                         "its rows have other values than when they were counted; convert it when "
                         "nothing writes to it");
}

/* Each start stands where the next row begins: they go back by one row. That they ascend is what
 * all reading relies on. */
static hr_status restore_starts(struct hr__transpose *t, const struct hr__transpose_bucket *b,
                                hr_error *err) {
    uint64_t before = b->first_value;
    for (uint64_t row = b->first_row; row < b->end_row; row++) {
        const uint64_t next = t->starts[row];
        if (next < before)
            return changed(err);
        t->starts[row] = before;
        before = next;
    }
    return before == b->first_value + b->num_values ? HR_OK : changed(err);
}

static hr_status write_piece(struct hr__transpose *t, struct hr__transpose_bucket *b, uint64_t n,
                             hr_error *err) {
    const uint64_t number = (b->num_put - 1) / t->piece_entries;
    const uint8_t *bytes =
        t->pieces + (uint64_t)(b - t->buckets) * t->piece_entries * entry_bytes(t);
    const size_t n_bytes = (size_t)(n * entry_bytes(t));
    b->sum += hr__piece_hash(bytes, n_bytes, number);
    return hr__file_write_all(&t->file, bytes, n_bytes,
                              (b->first_value + number * t->piece_entries) * entry_bytes(t), err);
}

static hr_status put_in_file(struct hr__transpose *t, struct hr__transpose_bucket *b, uint64_t row,
                             const uint8_t *value, hr_error *err) {
    const uint64_t in_piece = b->num_put % t->piece_entries;
    uint8_t *entry =
        t->pieces + ((uint64_t)(b - t->buckets) * t->piece_entries + in_piece) * entry_bytes(t);
    hr__put_u32(entry, (uint32_t)(row - b->first_row));
    memcpy(entry + ROW_BYTES, value, t->width);
    b->num_put++;
    return in_piece + 1 == t->piece_entries ? write_piece(t, b, t->piece_entries, err) : HR_OK;
}

hr_status hr__transpose_put(struct hr__transpose *t, uint64_t row, const uint8_t *value,
                            hr_error *err) {
    struct hr__transpose_bucket *b = &t->buckets[bucket_of(t, row)];
    t->not_put -= hr__transpose_mix(row);
    if (t->num_buckets > 1)
        return b->num_put < b->num_values ? put_in_file(t, b, row, value, err) : changed(err);
    if (t->starts[row] - b->first_value >= b->num_values)
        return changed(err);
    b->num_put++;
    put_in_memory(t, b, row, value);
    return HR_OK;
}

hr_status hr__transpose_finish(struct hr__transpose *t, hr_error *err) {
    hr_status st = HR_OK;
    if (t->not_put != 0)
        return changed(err);
    for (uint64_t i = 0; t->num_buckets > 1 && i < t->num_buckets && st == HR_OK; i++) {
        struct hr__transpose_bucket *b = &t->buckets[i];
        const uint64_t n = b->num_put % t->piece_entries;
        if (n > 0)
            st = write_piece(t, b, n, err);
    }
    free_pieces(t);
    if (st == HR_OK && t->num_buckets == 1) {
        st = restore_starts(t, &t->buckets[0], err);
        t->loaded = st == HR_OK ? 0 : t->num_buckets;
    }
    return st;
}

/* --- loading -------------------------------------------------------------------------------- */

/* Of one piece. Rows are checked here, as a value is put to its place before the sum is known. */
static hr_status take_piece(struct hr__transpose *t, const struct hr__transpose_bucket *b,
                            const uint8_t *bytes, uint64_t n, uint64_t off, hr_error *err) {
    const uint64_t end_value = b->first_value + b->num_values;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *entry = bytes + i * entry_bytes(t);
        const uint64_t row = b->first_row + hr__get_u32(entry);
        if (row >= b->end_row || t->starts[row] >= end_value)
            return hr__spill_file_damaged(&t->file, off + i * entry_bytes(t), err);
        put_in_memory(t, b, row, entry + ROW_BYTES);
    }
    return HR_OK;
}

static hr_status read_pieces(struct hr__transpose *t, const struct hr__transpose_bucket *b,
                             hr_error *err) {
    const uint64_t base = b->first_value * entry_bytes(t);
    uint64_t sum = 0;
    for (uint64_t done = 0; done < b->num_values; done += t->piece_entries) {
        const uint64_t n = hr__min_u64(t->piece_entries, b->num_values - done);
        const uint64_t off = base + done * entry_bytes(t);
        const size_t n_bytes = (size_t)(n * entry_bytes(t));
        hr_status st = hr__spill_file_read(&t->file, t->pieces, n_bytes, off, err);
        if (st != HR_OK)
            return st;
        sum += hr__piece_hash(t->pieces, n_bytes, done / t->piece_entries);
        st = take_piece(t, b, t->pieces, n, off, err);
        if (st != HR_OK)
            return st;
    }
    return sum == b->sum ? HR_OK : hr__spill_file_damaged(&t->file, base, err);
}

static hr_status load_bucket(struct hr__transpose *t, uint64_t bucket, hr_error *err) {
    const struct hr__transpose_bucket *b = &t->buckets[bucket];
    hr_status st;
    t->loaded = t->num_buckets;
    if (t->pieces == NULL) {
        st = HR_OK;
        t->pieces_bytes = t->piece_entries * entry_bytes(t);
        t->pieces = hr__budget_take_raw(t->budget, (size_t)t->pieces_bytes,
                                        "a piece of a temporary file", &st, err);
        if (t->pieces == NULL) {
            t->pieces_bytes = 0;
            return st;
        }
    }
    HR_TRY(take_values(t, b->num_values, err));
    HR_TRY(read_pieces(t, b, err));
    HR_TRY(restore_starts(t, b, err));
    t->loaded = bucket;
done:
    return st;
}

hr_status hr__transpose_load(struct hr__transpose *t, uint64_t row, uint64_t *end, hr_error *err) {
    const uint64_t bucket = bucket_of(t, row);
    const hr_status st = t->loaded == bucket ? HR_OK : load_bucket(t, bucket, err);
    *end = t->buckets[bucket].end_row;
    return st;
}

const uint8_t *hr__transpose_values(const struct hr__transpose *t, uint64_t row) {
    return t->values + (t->starts[row] - t->buckets[t->loaded].first_value) * t->width;
}
