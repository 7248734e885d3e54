/*
 * Headers, kinds of columns, places of rows.
 */
#define _GNU_SOURCE
#include "csv_scan.h"

#include "checked.h"
#include "csv_cells.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET_BYTES    (UINT64_C(64) << 20) /* of the lines; one is at most 16 MiB */
#define PIECE_BYTES     (UINT64_C(256) << 10)
#define MAX_PIECE_ROWS  (UINT64_C(1) << 16)
#define MADE_NAME_BYTES 16u
#define MAX_PLACES      ((size_t)1 << 16)

struct scan {
    const char *path;
    struct hr__csv_layout *layout;
    struct hr__line_reader lines;
    struct hr__line line;
    uint64_t number; /* of the line */
    bool classify;
};

hr_status hr__csv_line_error(const char *path, uint64_t line, const char *what, hr_error *err) {
    return hr__error_set(err, HR_ERR_DATA, "%.200s, line %llu: %s", path, (unsigned long long)line,
                         what);
}

/* ---- lines ---- */

/* The next that is not blank. */
static hr_status next_line(struct scan *s, hr_error *err) {
    hr_status st;
    do {
        st = hr__line_reader_next(&s->lines, &s->line, err);
        s->number++;
    } while (st == HR_OK && hr__csv_is_blank(s->line.text, s->line.n, s->layout->separator));
    if (st == HR_OK)
        s->layout->max_line_bytes = hr__max_u64(s->layout->max_line_bytes, s->line.n + 2);
    return st;
}

/* Every second place is forgotten where there are too many. */
static hr_status add_place(struct scan *s, hr_error *err) {
    struct hr__csv_layout *l = s->layout;
    if (l->num_pieces == MAX_PLACES) {
        for (size_t i = 0; i < MAX_PLACES / 2; i++)
            l->places[i] = l->places[2 * i];
        l->num_pieces = MAX_PLACES / 2;
        l->piece_rows *= 2; /* which this row is a multiple of, too */
    }
    if (l->num_pieces == l->places_room) {
        const size_t room = l->places_room == 0 ? 64 : l->places_room * 2;
        struct hr__csv_place *grown = realloc(l->places, room * sizeof *grown);
        if (grown == NULL)
            return hr__error_no_memory(err, room * sizeof *grown, "the places of rows");
        l->places = grown;
        l->places_room = room;
    }
    l->places[l->num_pieces++] = (struct hr__csv_place){s->line.off, s->number};
    return HR_OK;
}

/* ---- cells ---- */

static hr_status wrong_count(const struct scan *s, uint32_t found, hr_error *err) {
    char what[160];
    snprintf(what, sizeof what, "%u cells were found, %u are expected, as in the first line", found,
             s->layout->num_columns);
    return hr__csv_line_error(s->path, s->number, what, err);
}

static void note_text(struct hr__csv_column *column, const struct hr__csv_cell *cell,
                      uint64_t line) {
    if (column->text_line != 0)
        return;
    const size_t n = hr__min_u64(cell->n, sizeof column->text - 1);
    memcpy(column->text, cell->text, n);
    column->text[n] = '\0';
    column->text_line = line;
}

static hr_status look_at_row(struct scan *s, hr_error *err) {
    struct hr__csv_layout *l = s->layout;
    struct hr__csv_cells cells;
    struct hr__csv_cell cell;
    uint32_t i = 0;
    hr__csv_cells_begin(&cells, s->line.text, s->line.n, l->separator);
    for (; hr__csv_cells_next(&cells, &cell); i++) {
        if (i == l->num_columns)
            return wrong_count(s, i + 1, err);
        const enum hr__csv_kind kind = hr__csv_classify(cell.text, cell.n);
        l->columns[i].found[kind] = true;
        if (kind == HR__CSV_TEXT || kind == HR__CSV_LARGE)
            note_text(&l->columns[i], &cell, s->number);
    }
    if (cells.damaged)
        return hr__csv_line_error(s->path, s->number, "a quoted cell does not end in its line",
                                  err);
    return i == l->num_columns ? HR_OK : wrong_count(s, i, err);
}

static hr_status add_row(struct scan *s, hr_error *err) {
    hr_status st = HR_OK;
    if (s->layout->num_rows % s->layout->piece_rows == 0)
        st = add_place(s, err);
    if (st == HR_OK && s->classify)
        st = look_at_row(s, err);
    s->layout->num_rows++;
    return st;
}

/* ---- the first line ---- */

static bool is_count(const struct hr__csv_cell *cell, uint32_t count) {
    char text[16];
    const int n = snprintf(text, sizeof text, "%u", count);
    return cell->n == (size_t)n && memcmp(cell->text, text, cell->n) == 0;
}

/* A cell that is no number makes it a header; and so does an empty cell before 0, 1, 2, ..., which
 * is how tables without names are written with their index. */
static hr_status count_columns(struct scan *s, bool *is_header, hr_error *err) {
    struct hr__csv_cells cells;
    struct hr__csv_cell cell;
    uint32_t n = 0, counted = 0;
    bool first_empty = false;
    *is_header = false;
    hr__csv_cells_begin(&cells, s->line.text, s->line.n, s->layout->separator);
    while (hr__csv_cells_next(&cells, &cell)) {
        if (++n > HR__CSV_MAX_COLUMNS)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "%s has more than %u columns; save it as .npy", s->path,
                                 HR__CSV_MAX_COLUMNS);
        *is_header = *is_header || hr__csv_classify(cell.text, cell.n) == HR__CSV_TEXT;
        first_empty = first_empty || (n == 1 && cell.n == 0);
        counted += is_count(&cell, counted);
    }
    s->layout->counts = n > 1 && counted == n - first_empty;
    *is_header = *is_header || (first_empty && s->layout->counts);
    if (cells.damaged)
        return hr__csv_line_error(s->path, s->number, "a quoted cell does not end in its line",
                                  err);
    s->layout->num_columns = n;
    s->layout->columns = calloc(n, sizeof *s->layout->columns);
    return s->layout->columns != NULL
               ? HR_OK
               : hr__error_no_memory(err, n * sizeof *s->layout->columns, "columns");
}

/* Without its quotes; a name that is empty becomes "column_3". Returns the end of what it wrote. */
static char *copy_name(const struct hr__csv_cell *cell, uint32_t column, char *to) {
    if (cell->n == 0)
        return to + snprintf(to, MADE_NAME_BYTES, "column_%u", column + 1) + 1;
    for (size_t i = 0; i < cell->n; i++) {
        *to++ = cell->text[i];
        i += cell->text[i] == '"' && i + 1 < cell->n && cell->text[i + 1] == '"';
    }
    *to++ = '\0';
    return to;
}

static hr_status take_names(struct scan *s, hr_error *err) {
    struct hr__csv_layout *l = s->layout;
    struct hr__csv_cells cells;
    struct hr__csv_cell cell;
    const size_t room = s->line.n + (size_t)l->num_columns * MADE_NAME_BYTES + 1;
    l->names = malloc(room);
    if (l->names == NULL)
        return hr__error_no_memory(err, room, "the names of columns");
    char *next = l->names;
    hr__csv_cells_begin(&cells, s->line.text, s->line.n, l->separator);
    for (uint32_t i = 0; hr__csv_cells_next(&cells, &cell); i++) {
        l->columns[i].name = next;
        next = copy_name(&cell, i, next);
    }
    return HR_OK;
}

/* The next line that is not blank, of which there must be one. */
static hr_status first_line(struct scan *s, hr_error *err) {
    const hr_status st = next_line(s, err);
    return st != HR_END_OF_EPOCH
               ? st
               : hr__error_set(err, HR_ERR_DATA, "%s has no line that is not blank", s->path);
}

/* Refuses what is no lines of UTF-8. */
static hr_status check_encoding(const struct scan *s, hr_error *err) {
    const unsigned char *p = (const unsigned char *)s->line.text;
    if (s->line.n >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "%s is UTF-16; save it as UTF-8", s->path);
    if (memchr(p, '\r', s->line.n) != NULL && memchr(p, '"', s->line.n) == NULL)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "%s has lines that end in a carriage return alone; save it with line "
                             "feeds",
                             s->path);
    return HR_OK;
}

static hr_status begin(struct scan *s, hr_error *err) {
    static const char mark[] = {'\xef', '\xbb', '\xbf'}; /* that some programs put before UTF-8 */
    bool is_header;
    hr_status st;
    HR_TRY(first_line(s, err));
    HR_TRY(check_encoding(s, err));
    if (s->line.off == 0 && s->line.n >= sizeof mark && memcmp(s->line.text, mark, 3) == 0)
        s->line = (struct hr__line){s->line.text + 3, s->line.n - 3, 3};
    if (hr__csv_is_blank(s->line.text, s->line.n, ','))
        HR_TRY(first_line(s, err));
    s->layout->separator = hr__csv_separator(s->line.text, s->line.n);
    s->layout->piece_rows = hr__min_u64(PIECE_BYTES / (s->line.n + 1) + 1, MAX_PIECE_ROWS);
    HR_TRY(count_columns(s, &is_header, err));
    HR_TRY(is_header ? take_names(s, err) : add_row(s, err));
done:
    return st;
}

hr_status hr__csv_scan(struct hr__input_stream *stream, bool classify, struct hr__csv_layout *out,
                       hr_error *err) {
    struct scan s = {.path = stream->path, .layout = out, .classify = classify};
    struct hr__budget budget;
    hr_status st;
    *out = (struct hr__csv_layout){0};
    hr__budget_init(&budget, BUDGET_BYTES);
    HR_TRY(hr__line_reader_open(&s.lines, stream, &budget, err));
    HR_TRY(begin(&s, err));
    while ((st = next_line(&s, err)) == HR_OK)
        HR_TRY(add_row(&s, err));
    if (st == HR_END_OF_EPOCH)
        st = HR_OK;
done:
    hr__line_reader_close(&s.lines);
    hr__budget_close(&budget);
    return st;
}

void hr__csv_layout_free(struct hr__csv_layout *layout) {
    free(layout->columns);
    free(layout->names);
    free(layout->places);
    *layout = (struct hr__csv_layout){0};
}
