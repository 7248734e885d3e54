/*
 * The cells of a line of CSV. Input is untrusted. No I/O.
 *
 * Cells are divided by one character; spaces around them do not count. A cell in double quotes may
 * hold that character, and a quote as two.
 */
#ifndef HEADRACE_CSV_CELLS_H
#define HEADRACE_CSV_CELLS_H

#include <stdbool.h>
#include <stddef.h>

struct hr__csv_cell {
    const char *text; /* in the line; without the quotes around it, with doubled ones inside */
    size_t n;
};

struct hr__csv_cells {
    const char *at, *end;
    char separator;
    bool more;    /* a cell follows, which may be empty */
    bool damaged; /* a quote is not closed, or something stands behind it */
};

/* line: n characters without those that end it. */
void hr__csv_cells_begin(struct hr__csv_cells *c, const char *line, size_t n, char separator);

/* The next cell; false at the end, or where the line is damaged. */
bool hr__csv_cells_next(struct hr__csv_cells *c, struct hr__csv_cell *out);

/* Tab, semicolon or comma: the first of these that stands outside quotes; comma where none does. */
char hr__csv_separator(const char *line, size_t n);

/* Nothing but spaces, and no separator among them, which is no row. Before the first row there is
 * no separator: 0. */
bool hr__csv_is_blank(const char *line, size_t n, char separator);

#endif
