/*
 * Reading columns. How long they are is told before their values are read, so that these have room.
 */
#include "matrix_columns.h"

#include "error.h"

hr_status hr__columns_room(struct hr__columns *c, uint64_t n_bytes, hr_error *err) {
    hr_status st = HR_OK;
    if (n_bytes <= c->room_bytes)
        return HR_OK;
    hr__budget_free(c->budget, c->bytes, (size_t)c->room_bytes);
    c->room_bytes = 0;
    c->bytes =
        hr__budget_take_raw(c->budget, (size_t)n_bytes, "columns of a sparse matrix", &st, err);
    if (c->bytes != NULL)
        c->room_bytes = n_bytes;
    return st;
}

hr_status hr__columns_open(struct hr__columns *c, struct hr__source *src, struct hr__budget *budget,
                           struct hr__helper_group *helpers, uint64_t kept_bytes, hr_error *err) {
    *c = (struct hr__columns){.src = src, .budget = budget};
    hr_status st = HR_OK;
    c->offsets = hr__budget_take(budget, (HR__PIECE_COLUMNS + 1) * sizeof *c->offsets,
                                 "lengths of columns", &st, err);
    if (st == HR_OK)
        st = hr__columns_room(c, HR__COLUMNS_BYTES, err);
    if (st == HR_OK)
        st = hr__budget_reserve(budget, kept_bytes, "rows of a sparse matrix", err);
    if (st != HR_OK)
        return st;
    st = src->ops->open_reader(src, budget, helpers, &c->reader, err);
    hr__budget_release(budget, kept_bytes);
    return st;
}

void hr__columns_close(struct hr__columns *c) {
    if (c->src == NULL)
        return;
    c->src->ops->close_reader(c->reader);
    hr__budget_free(c->budget, c->bytes, (size_t)c->room_bytes);
    hr__budget_free(c->budget, c->offsets, (HR__PIECE_COLUMNS + 1) * sizeof *c->offsets);
    *c = (struct hr__columns){0};
}

hr_status hr__columns_begin(struct hr__columns *c, uint64_t first, uint64_t *n, hr_error *err) {
    hr_status st;
    HR_TRY(c->src->ops->fetch(c->reader, first, *n, n, err));
    HR_TRY(c->src->ops->read_values(c->reader, first, *n, c->offsets, NULL, 0, err));
    while (*n > 1 && (uint64_t)c->offsets[*n] > c->room_bytes)
        --*n;
done:
    return st;
}

hr_status hr__columns_read(struct hr__columns *c, uint64_t first, uint64_t n, hr_error *err) {
    const uint64_t n_bytes = (uint64_t)c->offsets[n];
    const hr_status st = hr__columns_room(c, n_bytes, err);
    if (st != HR_OK || n_bytes == 0)
        return st;
    return c->src->ops->read_values(c->reader, first, n, c->offsets, c->bytes, n_bytes, err);
}
