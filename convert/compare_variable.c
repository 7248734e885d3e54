/*
 * Values are read a few samples at a time: as many as fit the budget, with the lengths looked at
 * first.
 */
#include "compare_variable.h"

#include "checked.h"
#include "error.h"

#include <string.h>

#define MAX_SAMPLES UINT64_C(4096)

struct values { /* of one side */
    int64_t offsets[MAX_SAMPLES + 1];
    uint8_t *bytes;
    uint64_t n_bytes;
};

struct variable {
    const struct hr__comparison *all;
    const struct hr__pair *pair;
    struct hr__column_reader a_reader, b_reader;
    struct values *a, *b;
};

bool hr__column_is_variable(const struct hr__column *c) {
    return c->field.dtype == HR_VAR_BYTES || c->field.dtype == HR_VAR_UTF8;
}

static void keep(struct variable *v, uint64_t sample, const uint8_t *a, uint64_t a_bytes,
                 const uint8_t *b, uint64_t b_bytes) {
    struct hr__differences *d = v->pair->found;
    d->num_different++;
    if (d->n == d->room)
        return;
    uint64_t from = 0, both = hr__min_u64(a_bytes, b_bytes);
    const uint64_t width = hr__max_u64(hr_dtype_bytes(v->pair->a->field.element_dtype), 1);
    if (hr__max_u64(a_bytes, b_bytes) > HR_DIFFERENCE_BYTES)
        while (from < both && a[from] == b[from])
            from++;
    from -= from % width; /* numbers of a sequence are kept whole */
    hr_difference *one = &d->list[d->n++];
    *one = (hr_difference){.sample = sample, .first_byte = from};
    one->a_bytes = (uint32_t)hr__min_u64(a_bytes - from, HR_DIFFERENCE_BYTES);
    one->b_bytes = (uint32_t)hr__min_u64(b_bytes - from, HR_DIFFERENCE_BYTES);
    memcpy(one->a, a + from, one->a_bytes);
    memcpy(one->b, b + from, one->b_bytes);
}

static void compare_values(struct variable *v, uint64_t first, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        uint64_t a_bytes = (uint64_t)(v->a->offsets[i + 1] - v->a->offsets[i]);
        uint64_t b_bytes = (uint64_t)(v->b->offsets[i + 1] - v->b->offsets[i]);
        const uint8_t *a = v->a->bytes + v->a->offsets[i], *b = v->b->bytes + v->b->offsets[i];
        if (a_bytes != b_bytes || memcmp(a, b, (size_t)a_bytes) != 0)
            keep(v, first + i, a, a_bytes, b, b_bytes);
    }
}

static hr_status read_lengths(const struct hr__column_reader *r, uint64_t first, uint64_t n,
                              struct values *out, hr_error *err) {
    return hr__column_read_values(r, first, n, out->offsets, NULL, 0, &out->n_bytes, err);
}

static hr_status read_values(const struct hr__column_reader *r, uint64_t first, uint64_t n,
                             struct hr__budget *budget, struct values *out, hr_error *err) {
    hr_status st;
    uint64_t capacity = out->n_bytes;
    out->bytes = hr__budget_take_raw(budget, (size_t)capacity + 1, "values to compare", &st, err);
    if (out->bytes == NULL)
        return st;
    return hr__column_read_values(r, first, n, out->offsets, out->bytes, capacity, &out->n_bytes,
                                  err);
}

/* As many of *n samples as half of what is left of the budget holds, at least one. */
static hr_status choose_samples(struct variable *v, uint64_t first, uint64_t *n, hr_error *err) {
    struct hr__budget *budget = v->all->budget;
    hr_status st = hr__column_fetch(&v->a_reader, first, *n, n, err);
    if (st == HR_OK)
        st = hr__column_fetch(&v->b_reader, first, *n, n, err);
    for (; st == HR_OK; *n = hr__max_u64(*n / 2, 1)) {
        st = read_lengths(&v->a_reader, first, *n, v->a, err);
        if (st == HR_OK)
            st = read_lengths(&v->b_reader, first, *n, v->b, err);
        if (*n == 1 || v->a->n_bytes + v->b->n_bytes <= hr__budget_left(budget) / 2)
            break;
    }
    return st;
}

static hr_status compare_piece(struct variable *v, uint64_t first, uint64_t *n, hr_error *err) {
    struct hr__budget *budget = v->all->budget;
    uint64_t a_room = 0, b_room = 0;
    hr_status st;
    HR_TRY(choose_samples(v, first, n, err));
    a_room = v->a->n_bytes + 1;
    b_room = v->b->n_bytes + 1;
    HR_TRY(read_values(&v->a_reader, first, *n, budget, v->a, err));
    HR_TRY(read_values(&v->b_reader, first, *n, budget, v->b, err));
    compare_values(v, first, *n);
done:
    hr__budget_free(budget, v->a->bytes, (size_t)a_room);
    hr__budget_free(budget, v->b->bytes, (size_t)b_room);
    v->a->bytes = v->b->bytes = NULL;
    return st;
}

/* The first reader leaves the second what it cannot do without. */
static hr_status open_readers(struct variable *v, hr_error *err) {
    const struct hr__pair *p = v->pair;
    struct hr__budget *budget = v->all->budget;
    const uint64_t kept = p->b->source != NULL ? p->b->source->info.reader_bytes : 0;
    hr_status st = hr__budget_reserve(budget, kept, "reading values to compare", err);
    if (st != HR_OK)
        return st;
    st = hr__column_reader_open(p->a, budget, v->all->helpers, &v->a_reader, err);
    hr__budget_release(budget, kept);
    return st == HR_OK ? hr__column_reader_open(p->b, budget, v->all->helpers, &v->b_reader, err)
                       : st;
}

static hr_status compare_all(struct variable *v, uint64_t *num_bytes, hr_error *err) {
    const struct hr__comparison *all = v->all;
    hr_status st;
    HR_TRY(open_readers(v, err));
    for (uint64_t first = 0, n; first < all->num_samples; first += n) {
        n = hr__min_u64(MAX_SAMPLES, all->num_samples - first);
        HR_TRY(compare_piece(v, first, &n, err));
        *num_bytes += v->a->n_bytes;
        HR_TRY(all->tell(all->user, *num_bytes, err));
    }
done:
    hr__column_reader_close(&v->b_reader);
    hr__column_reader_close(&v->a_reader);
    return st;
}

hr_status hr__comparison_run_variable(const struct hr__comparison *c, uint64_t *num_bytes,
                                      hr_error *err) {
    struct variable v = {.all = c, .pair = &c->pairs[0]};
    const size_t room = 2 * sizeof *v.a;
    hr_status st = HR_OK;
    *num_bytes = 0;
    v.a = hr__budget_take(c->budget, room, "the lengths of values", &st, err);
    if (v.a == NULL)
        return st;
    v.b = v.a + 1;
    st = compare_all(&v, num_bytes, err);
    hr__budget_free(c->budget, v.a, room);
    return st;
}
