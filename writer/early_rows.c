/*
 * The first rows of a writer.
 */
#include "early_rows.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH_CHUNKS 4u
#define LEAST_ROOM    4096u

struct growing {
    uint8_t *bytes;
    size_t used, room;
};

struct hr__early_column {
    struct growing rows;     /* or values */
    struct growing offsets;  /* of values of variable length: int64_t, one more than samples */
    hr_varlen_column varlen; /* both, for the writer */
};

hr_status hr__early_rows_init(struct hr__early_rows *e, const struct hr__schema *schema,
                              uint64_t chunk_bytes, uint64_t budget_bytes, hr_error *err) {
    *e = (struct hr__early_rows){.schema = schema, .chunk_bytes = chunk_bytes};
    e->columns = calloc(schema->num_fields, sizeof *e->columns);
    if (e->columns == NULL)
        return hr__error_no_memory(err, schema->num_fields * sizeof *e->columns, "early rows");
    hr__budget_init(&e->budget, budget_bytes);
    return HR_OK;
}

static void growing_free(struct hr__early_rows *e, struct growing *g) {
    hr__budget_free(&e->budget, g->bytes, g->room);
    *g = (struct growing){0};
}

void hr__early_rows_free(struct hr__early_rows *e) {
    for (uint32_t f = 0; e->columns != NULL && f < e->schema->num_fields; f++) {
        growing_free(e, &e->columns[f].rows);
        growing_free(e, &e->columns[f].offsets);
    }
    if (e->columns != NULL)
        hr__budget_close(&e->budget);
    free(e->columns);
    *e = (struct hr__early_rows){0};
}

/* Room for n_bytes more. */
static hr_status grow(struct hr__early_rows *e, struct growing *g, uint64_t n_bytes,
                      hr_error *err) {
    hr_status st = HR_OK;
    if (n_bytes <= g->room - g->used)
        return HR_OK;
    const uint64_t room =
        hr__max_u64(hr__max_u64(2 * (uint64_t)g->room, g->used + n_bytes), LEAST_ROOM);
    struct growing larger = {.used = g->used, .room = (size_t)room};
    larger.bytes = hr__budget_take_raw(&e->budget, larger.room, "the first rows", &st, err);
    if (larger.bytes == NULL)
        return st;
    if (g->used > 0)
        memcpy(larger.bytes, g->bytes, g->used);
    growing_free(e, g);
    *g = larger;
    return HR_OK;
}

static hr_status put(struct hr__early_rows *e, struct growing *g, const void *bytes,
                     uint64_t n_bytes, hr_error *err) {
    if (n_bytes == 0)
        return HR_OK;
    const hr_status st = grow(e, g, n_bytes, err);
    if (st != HR_OK)
        return st;
    memcpy(g->bytes + g->used, bytes, n_bytes);
    g->used += n_bytes;
    return HR_OK;
}

static hr_status add_variable(struct hr__early_rows *e, struct hr__early_column *column,
                              const hr_varlen_column *from, uint64_t n, hr_error *err) {
    hr_status st;
    const int64_t zero = 0, base = (int64_t)column->rows.used - from->offsets[0];
    if (column->offsets.used == 0)
        HR_TRY(put(e, &column->offsets, &zero, sizeof zero, err));
    HR_TRY(grow(e, &column->offsets, n * sizeof(int64_t), err));
    for (uint64_t i = 1; i <= n; i++) {
        const int64_t end = from->offsets[i] + base;
        HR_TRY(put(e, &column->offsets, &end, sizeof end, err));
    }
    st = put(e, &column->rows, (const uint8_t *)from->values + from->offsets[0],
             (uint64_t)(from->offsets[n] - from->offsets[0]), err);
done:
    return st;
}

/* Of row i of the columns. */
static uint64_t row_bytes(const struct hr__early_rows *e, const void *const *columns, uint64_t i) {
    uint64_t n = e->schema->sample_bytes;
    for (uint32_t f = 0; f < e->schema->num_fields; f++)
        if (hr__dtype_is_variable(e->schema->fields[f].dtype)) {
            const hr_varlen_column *c = columns[f];
            n += (uint64_t)(c->offsets[i + 1] - c->offsets[i]);
        }
    return n;
}

bool hr__early_rows_full(const struct hr__early_rows *e) {
    return e->num_samples >= HR__MAX_SAMPLES_PER_CHUNK ||
           e->num_bytes / ENOUGH_CHUNKS >= e->chunk_bytes;
}

hr_status hr__early_rows_add(struct hr__early_rows *e, const void *const *columns, uint64_t n,
                             uint64_t *took, hr_error *err) {
    uint64_t take = 0;
    hr_status st = HR_OK;
    for (; take < n && !hr__early_rows_full(e); take++) {
        e->num_bytes += row_bytes(e, columns, take);
        e->num_samples++;
    }
    for (uint32_t f = 0; f < e->schema->num_fields && st == HR_OK && take > 0; f++) {
        const struct hr__schema_field *field = &e->schema->fields[f];
        st = hr__dtype_is_variable(field->dtype)
                 ? add_variable(e, &e->columns[f], columns[f], take, err)
                 : put(e, &e->columns[f].rows, columns[f], take * field->sample_bytes, err);
    }
    *took = take;
    return st;
}

uint32_t hr__early_rows_samples_per_chunk(const struct hr__early_rows *e) {
    const uint64_t mean_bytes = hr__ceil_div(e->num_bytes, hr__max_u64(e->num_samples, 1));
    return hr__samples_per_chunk(mean_bytes, e->chunk_bytes);
}

void hr__early_rows_columns(const struct hr__early_rows *e, const void **pointers) {
    for (uint32_t f = 0; f < e->schema->num_fields; f++) {
        struct hr__early_column *c = &e->columns[f];
        c->varlen = (hr_varlen_column){(const int64_t *)(const void *)c->offsets.bytes,
                                       c->rows.bytes, c->rows.used};
        pointers[f] = hr__dtype_is_variable(e->schema->fields[f].dtype) ? (const void *)&c->varlen
                                                                        : c->rows.bytes;
    }
}

uint64_t hr__early_rows_held_bytes(const struct hr__early_rows *e) {
    return atomic_load(&e->budget.reserved_bytes);
}
