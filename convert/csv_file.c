/*
 * Pieces of a CSV file, parsed. Files are untrusted, also after they were scanned.
 */
#define _GNU_SOURCE
#include "csv_file.h"

#include "checked.h"
#include "csv_cells.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_ALIGN_BYTES 64u

struct cursor {
    struct hr__cursor base;
    struct hr__budget *budget;
    uint64_t table_bytes;
    struct hr__input_stream stream;
    struct hr__line_reader lines;
    locale_t locale;
    uint8_t *table;
};

/* ---- cursors ---- */

static void free_cursor(struct hr__cursor *cursor) {
    struct cursor *c = (struct cursor *)cursor;
    if (c->table != NULL)
        hr__budget_free(c->budget, c->table, c->table_bytes);
    if (c->locale != (locale_t)0)
        freelocale(c->locale);
    hr__line_reader_close(&c->lines);
    hr__input_stream_close(&c->stream);
    free(c);
}

static hr_status fill_cursor(struct hr__cursor *cursor, void *file, struct hr__budget *budget,
                             hr_error *err) {
    struct cursor *c = (struct cursor *)cursor;
    const struct hr__csv_file *f = file;
    hr_status st;
    c->budget = budget;
    HR_TRY(hr__input_stream_open(f->path, f->gzip, &c->stream, err));
    HR_TRY(hr__input_file_check_same(&c->stream.file, &f->fingerprint, err));
    HR_TRY(hr__line_reader_open(&c->lines, &c->stream, c->budget, err));
    c->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    c->table_bytes = hr__max_u64(f->table_bytes, 1);
    if (c->locale == (locale_t)0)
        return hr__error_no_memory(err, 0, "the C locale");
    c->table = hr__budget_take(c->budget, c->table_bytes, "parsed rows", &st, err);
done:
    return st;
}

static const struct hr__cursor_ops cursor_ops = {
    .cursor_bytes = sizeof(struct cursor), .fill = fill_cursor, .free = free_cursor};

/* ---- the file ---- */

static void free_file(struct hr__csv_file *f) {
    hr__cursor_pool_close(&f->pool);
    hr__csv_layout_free(&f->layout);
    free(f->fields);
    free(f->path);
    free(f);
}

hr_status hr__csv_file_open(const char *path, bool gzip, bool classify, struct hr__csv_file **out,
                            hr_error *err) {
    struct hr__input_stream stream = {0};
    hr_status st;
    *out = NULL;
    struct hr__csv_file *f = calloc(1, sizeof *f);
    if (f == NULL)
        return hr__error_no_memory(err, sizeof *f, "a source");
    f->gzip = gzip;
    f->path = strdup(path);
    if (f->path == NULL) {
        st = hr__error_no_memory(err, strlen(path), "a source's name");
        goto done;
    }
    HR_TRY(hr__cursor_pool_init(&f->pool, &cursor_ops, f, err));
    HR_TRY(hr__input_stream_open(f->path, gzip, &stream, err));
    f->fingerprint = (hr_source_fingerprint){f->path, stream.file.size_bytes, stream.file.mtime_ns};
    HR_TRY(hr__csv_scan(&stream, classify, &f->layout, err));
    *out = f;
    f = NULL;
done:
    hr__input_stream_close(&stream);
    if (f != NULL)
        free_file(f);
    return st;
}

void hr__csv_file_release(struct hr__csv_file *f) {
    if (f != NULL && hr__cursor_pool_release(&f->pool))
        free_file(f);
}

hr_status hr__csv_file_add_field(struct hr__csv_file *f, uint32_t first, uint32_t count,
                                 hr_dtype dtype, hr_error *err) {
    struct hr__csv_field *grown = realloc(f->fields, ((size_t)f->num_fields + 1) * sizeof *grown);
    if (grown == NULL)
        return hr__error_no_memory(err, sizeof *grown, "a list of fields");
    const uint32_t element_bytes = hr_dtype_bytes(dtype);
    f->fields = grown;
    f->fields[f->num_fields++] =
        (struct hr__csv_field){first, count, dtype, element_bytes, f->table_bytes};
    f->table_bytes +=
        hr__round_up((uint64_t)count * element_bytes * f->layout.piece_rows, FIELD_ALIGN_BYTES);
    return HR_OK;
}

uint64_t hr__csv_file_reader_bytes(const struct hr__csv_file *f) {
    /* A buffer that grows is there twice, half as large. */
    return f->table_bytes + hr__max_u64(HR__LINE_BLOCK_BYTES, 3 * f->layout.max_line_bytes) +
           sizeof(struct cursor);
}

/* ---- reading ---- */

void hr__csv_column_name(const struct hr__csv_layout *layout, uint32_t column, char out[80]) {
    if (layout->columns[column].name != NULL)
        snprintf(out, 80, "column '%.60s'", layout->columns[column].name);
    else
        snprintf(out, 80, "column %u", column + 1);
}

static hr_status bad_cell(const struct hr__csv_file *f, uint64_t line, uint32_t column,
                          const struct hr__csv_cell *cell, const char *why, hr_error *err) {
    char name[80], what[256];
    hr__csv_column_name(&f->layout, column, name);
    snprintf(what, sizeof what, "%s: '%.*s' %s", name, (int)hr__min_u64(cell->n, 40), cell->text,
             why);
    return hr__csv_line_error(f->path, line, what, err);
}

static hr_status parse_row(const struct hr__csv_file *f, struct cursor *c,
                           const struct hr__line *line, uint64_t number, uint64_t row,
                           hr_error *err) {
    struct hr__csv_cells cells;
    struct hr__csv_cell cell;
    uint32_t column = 0, k = 0;
    hr__csv_cells_begin(&cells, line->text, line->n, f->layout.separator);
    for (; hr__csv_cells_next(&cells, &cell); column++) {
        while (k < f->num_fields && column >= f->fields[k].first + f->fields[k].count)
            k++;
        if (k == f->num_fields || column < f->fields[k].first)
            continue;
        const struct hr__csv_field *field = &f->fields[k];
        const uint64_t place = row * field->count + (column - field->first);
        const char *why = hr__csv_store(cell.text, cell.n, field->dtype, c->locale,
                                        c->table + field->table_off + place * field->element_bytes);
        if (why != NULL)
            return bad_cell(f, number, column, &cell, why, err);
    }
    if (!cells.damaged && column == f->layout.num_columns)
        return HR_OK;
    return hr__csv_line_error(f->path, number,
                              cells.damaged ? "a quoted cell does not end in its line"
                                            : "it has another number of cells than the first line",
                              err);
}

static hr_status parse_piece(const struct hr__csv_file *f, struct cursor *c, uint64_t piece,
                             hr_error *err) {
    const struct hr__csv_layout *l = &f->layout;
    const uint64_t n = hr__min_u64(l->piece_rows, l->num_rows - piece * l->piece_rows);
    struct hr__line line;
    uint64_t number = l->places[piece].line;
    hr__line_reader_seek(&c->lines, l->places[piece].off);
    for (uint64_t row = 0; row < n; number++) {
        hr_status st = hr__line_reader_next(&c->lines, &line, err);
        if (st == HR_END_OF_EPOCH)
            st = hr__csv_line_error(f->path, number, "the file ends here, and had more rows before",
                                    err);
        if (st == HR_OK && hr__csv_is_blank(line.text, line.n, l->separator))
            continue;
        if (st == HR_OK)
            st = parse_row(f, c, &line, number, row, err);
        if (st != HR_OK)
            return st;
        row++;
    }
    return HR_OK;
}

static hr_status read_piece(const struct hr__csv_file *f, struct cursor *c, uint32_t field,
                            uint64_t piece, uint64_t from, uint64_t n, uint8_t *dst,
                            hr_error *err) {
    const struct hr__csv_field *which = &f->fields[field];
    const uint64_t sample_bytes = (uint64_t)which->count * which->element_bytes;
    if (c->base.piece != piece) {
        c->base.piece = UINT64_MAX;
        const hr_status st = parse_piece(f, c, piece, err);
        if (st != HR_OK)
            return st;
        c->base.piece = piece;
    }
    memcpy(dst, c->table + which->table_off + from * sample_bytes, n * sample_bytes);
    return HR_OK;
}

hr_status hr__csv_file_read(struct hr__csv_file *f, uint32_t field, uint64_t first, uint64_t n,
                            uint8_t *dst, hr_error *err) {
    const struct hr__csv_field *which = &f->fields[field];
    const uint64_t piece_rows = f->layout.piece_rows;
    hr_status st = HR_OK;
    while (n > 0 && st == HR_OK) {
        const uint64_t piece = first / piece_rows, from = first % piece_rows;
        const uint64_t here = hr__min_u64(n, piece_rows - from);
        struct cursor *c = (struct cursor *)hr__cursor_pool_take(&f->pool, piece);
        st = read_piece(f, c, field, piece, from, here, dst, err);
        hr__cursor_pool_give(&f->pool, &c->base);
        dst += here * which->count * which->element_bytes;
        first += here;
        n -= here;
    }
    return st;
}
