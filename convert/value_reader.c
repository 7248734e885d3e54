/*
 * Pieces of inputs with values of variable length. How long values are is untrusted: lengths that
 * do not fit the budget are refused before the values are read.
 */
#include "value_reader.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"

#include <stdlib.h>

#define COLUMN_ALIGN_BYTES 64u
#define SHARES             4u /* of the budget, of which one is for reading */

static bool is_variable(const struct hr__value_reader *r, uint32_t field) {
    return hr__dtype_is_variable(r->in->fields[field].source->info.dtype);
}

/* Readers take half of what the buffers leave, where they can do with that: the rest is for long
 * values. */
static hr_status make_shares(struct hr__value_reader *r, hr_error *err) {
    const uint64_t kept = hr__budget_left(r->budget) / 2;
    if (hr__budget_reserve(r->budget, kept, "long values", NULL) == HR_OK) {
        const hr_status st = hr__reader_shares_make(r->in, 1, r->budget, &r->shares, err);
        hr__budget_release(r->budget, kept);
        if (st != HR_ERR_BUDGET)
            return st;
    }
    return hr__reader_shares_make(r->in, 1, r->budget, &r->shares, err);
}

static hr_status open_readers(struct hr__value_reader *r, hr_error *err) {
    hr_status st = make_shares(r, err);
    for (uint32_t i = 0; st == HR_OK && i < r->in->num_fields; i++) {
        struct hr__source *src = r->in->fields[i].source;
        struct hr__budget *share = hr__reader_shares_of(&r->shares, 0, i);
        st = src->ops->open_reader(src, share, &r->helpers, &r->readers[i], err);
    }
    return st;
}

static hr_status take(struct hr__budget *budget, uint64_t n_bytes, void **out, hr_error *err) {
    hr_status st = HR_OK;
    *out = hr__budget_take_raw(budget, (size_t)n_bytes, "values to convert", &st, err);
    return st;
}

hr_status hr__value_reader_open(struct hr__value_reader *r, const struct hr__inputs *in,
                                const struct hr__read_plan *plan, struct hr__budget *budget,
                                hr_error *err) {
    const uint64_t offsets_bytes = hr__read_plan_offsets_bytes(in, plan->range_samples);
    void *taken;
    hr_status st;
    *r = (struct hr__value_reader){.in = in,
                                   .budget = budget,
                                   .piece_bytes = plan->buffer_bytes - offsets_bytes,
                                   .piece_samples = plan->range_samples};
    r->readers = calloc(in->num_fields, sizeof *r->readers);
    r->columns = calloc(in->num_fields, sizeof *r->columns);
    r->column_list = calloc(in->num_fields, sizeof *r->column_list);
    if (r->readers == NULL || r->columns == NULL || r->column_list == NULL)
        return hr__error_no_memory(err, in->num_fields * sizeof *r->columns, "columns");
    HR_TRY(take(budget, offsets_bytes, &taken, err));
    r->offsets = taken;
    HR_TRY(take(budget, r->piece_bytes, &taken, err));
    r->bytes = taken;
    r->room_bytes = r->piece_bytes;
    HR_TRY(open_readers(r, err));
    for (uint32_t i = 0, k = 0; i < in->num_fields; i++)
        if (is_variable(r, i))
            r->columns[i].offsets = r->offsets + k++ * (r->piece_samples + 1);
done:
    return st;
}

static void free_bytes(struct hr__value_reader *r) {
    if (r->bytes != NULL)
        hr__budget_free(r->budget, r->bytes, (size_t)r->room_bytes);
    r->bytes = NULL;
    r->room_bytes = 0;
}

void hr__value_reader_close(struct hr__value_reader *r) {
    if (r->in == NULL)
        return;
    free_bytes(r);
    if (r->offsets != NULL)
        hr__budget_free(r->budget, r->offsets,
                        (size_t)hr__read_plan_offsets_bytes(r->in, r->piece_samples));
    for (uint32_t i = 0; r->readers != NULL && i < r->in->num_fields; i++)
        r->in->fields[i].source->ops->close_reader(r->readers[i]);
    hr__reader_shares_close(&r->shares);
    free(r->column_list);
    free(r->columns);
    free(r->readers);
    *r = (struct hr__value_reader){0};
}

/* Not beyond the pieces of the sources, so that each is read once. */
static uint64_t most_samples(const struct hr__value_reader *r, uint64_t first, uint64_t left) {
    uint64_t n = hr__min_u64(left, r->piece_samples);
    for (uint32_t i = 0; i < r->in->num_fields; i++) {
        const struct hr__source *src = r->in->fields[i].source;
        if (src->ops->piece_end != NULL)
            n = hr__min_u64(n, src->ops->piece_end(src, first) - first);
    }
    return n;
}

static int64_t *offsets_of(const struct hr__value_reader *r, uint32_t field) {
    return r->offsets + (r->columns[field].offsets - r->offsets);
}

/* A long value may take more than the share of its reader, which is told step by step what it
 * lacks. */
static hr_status fetch_field(struct hr__value_reader *r, uint32_t field, uint64_t first,
                             uint64_t *n, hr_error *err) {
    const struct hr__source_ops *ops = r->in->fields[field].source->ops;
    const struct hr__budget *share = hr__reader_shares_of(&r->shares, 0, field);
    hr_status st = ops->fetch(r->readers[field], first, *n, n, err);
    if (st != HR_ERR_BUDGET || share == r->budget)
        return st;
    for (uint64_t had = 0; st == HR_ERR_BUDGET && share->limit_bytes != had;) {
        had = share->limit_bytes;
        const hr_status lent = hr__reader_shares_lend(&r->shares, field, err);
        if (lent != HR_OK) {
            hr__error_prefix(err, "the field %s, sample %llu", r->in->fields[field].name,
                             (unsigned long long)first);
            return lent;
        }
        if (share->limit_bytes != had)
            st = ops->fetch(r->readers[field], first, *n, n, err);
    }
    hr__reader_shares_take_back(&r->shares, field);
    return st;
}

/* What the readers hold at once of the fields, so that nothing is read twice. */
static hr_status fetch(struct hr__value_reader *r, uint64_t first, uint64_t *n, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < r->in->num_fields; i++)
        if (is_variable(r, i) && r->in->fields[i].source->ops->fetch != NULL)
            st = fetch_field(r, i, first, n, err);
    return st;
}

static hr_status read_lengths(struct hr__value_reader *r, uint64_t first, uint64_t n,
                              hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && i < r->in->num_fields; i++)
        if (is_variable(r, i))
            st = r->in->fields[i].source->ops->read_values(r->readers[i], first, n,
                                                           offsets_of(r, i), NULL, 0, err);
    return st;
}

static uint64_t column_bytes(const struct hr__value_reader *r, uint32_t field, uint64_t n) {
    return is_variable(r, field) ? (uint64_t)r->columns[field].offsets[n]
                                 : n * r->in->fields[field].source->info.sample_bytes;
}

/* Of the first n samples whose lengths are known; UINT64_MAX: more than there can be. */
static uint64_t piece_bytes(const struct hr__value_reader *r, uint64_t n) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < r->in->num_fields; i++)
        if (!hr__add_u64(total, hr__round_up(column_bytes(r, i, n), COLUMN_ALIGN_BYTES), &total))
            return UINT64_MAX;
    return total;
}

/* Of n samples as many as fit, at least one. */
static uint64_t fitting_samples(const struct hr__value_reader *r, uint64_t n) {
    uint64_t low = 1, high = n;
    while (low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        if (piece_bytes(r, middle) <= r->piece_bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static hr_status refuse_sample(const struct hr__value_reader *r, uint64_t sample, uint64_t n_bytes,
                               hr_error *err) {
    const uint64_t other = atomic_load(&r->budget->reserved_bytes);
    uint32_t longest = 0;
    for (uint32_t i = 1; i < r->in->num_fields; i++)
        if (column_bytes(r, i, 1) > column_bytes(r, longest, 1))
            longest = i;
    return hr__error_set(err, HR_ERR_BUDGET,
                         "the field %s of sample %llu has %llu bytes; of the budget reading has "
                         "%llu bytes, and readers take %llu of these; give a budget of %.0f bytes",
                         r->in->fields[longest].name, (unsigned long long)sample,
                         (unsigned long long)column_bytes(r, longest, 1),
                         (unsigned long long)r->budget->limit_bytes, (unsigned long long)other,
                         ((double)n_bytes + (double)other) * SHARES);
}

/* A single sample may be longer than a piece. */
static hr_status make_room(struct hr__value_reader *r, uint64_t first, uint64_t n_bytes,
                           hr_error *err) {
    void *taken;
    if (n_bytes <= r->room_bytes)
        return HR_OK;
    free_bytes(r);
    const hr_status st = take(r->budget, n_bytes, &taken, err);
    if (st == HR_ERR_BUDGET && n_bytes > hr__budget_left(r->budget))
        return refuse_sample(r, first, n_bytes, err);
    if (st == HR_OK) {
        r->bytes = taken;
        r->room_bytes = n_bytes;
    }
    return st;
}

static hr_status read_field(struct hr__value_reader *r, uint32_t field, uint64_t first, uint64_t n,
                            uint8_t *to, hr_error *err) {
    const struct hr__source_ops *ops = r->in->fields[field].source->ops;
    if (!is_variable(r, field)) {
        r->column_list[field] = to;
        return ops->read(r->readers[field], first, n, to, err);
    }
    hr_varlen_column *c = &r->columns[field];
    c->values = to;
    c->values_bytes = column_bytes(r, field, n);
    r->column_list[field] = c;
    return ops->read_values(r->readers[field], first, n, offsets_of(r, field), to, c->values_bytes,
                            err);
}

hr_status hr__value_reader_next(struct hr__value_reader *r, uint64_t first, uint64_t left,
                                struct hr__range *out, hr_error *err) {
    uint64_t n = most_samples(r, first, left), at = 0;
    hr_status st;
    HR_TRY(fetch(r, first, &n, err));
    HR_TRY(read_lengths(r, first, n, err));
    n = fitting_samples(r, n);
    HR_TRY(make_room(r, first, piece_bytes(r, n), err));
    for (uint32_t i = 0; i < r->in->num_fields; i++) {
        const uint64_t column = hr__round_up(column_bytes(r, i, n), COLUMN_ALIGN_BYTES);
        HR_TRY(read_field(r, i, first, n, r->bytes + at, err));
        at += column;
    }
    *out = (struct hr__range){.first = first, .num_samples = n, .columns = r->column_list};
done:
    return st;
}
