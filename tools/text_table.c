/*
 * Measuring and printing.
 */
#define _GNU_SOURCE
#include "text_table.h"

#include "plain.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static char *plain_copy(const char *text) {
    char *out = NULL;
    size_t n_bytes;
    FILE *f = open_memstream(&out, &n_bytes);
    if (f == NULL) {
        return NULL;
    }
    plain_put(text, f);
    if (fclose(f) != 0) {
        free(out);
        return NULL;
    }
    return out;
}

static bool make_room(text_table *t) {
    if (t->room - t->num_cells >= t->num_columns) {
        return true;
    }
    const size_t room = t->room == 0 ? 8 * t->num_columns : t->room * 2;
    char **grown = realloc(t->cells, room * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    t->cells = grown;
    t->room = room;
    return true;
}

void text_table_add(text_table *t, const char *const *cells) {
    if (!make_room(t)) {
        return;
    }
    for (size_t i = 0; i < t->num_columns; i++) {
        t->cells[t->num_cells + i] = plain_copy(cells[i]);
    }
    t->num_cells += t->num_columns;
}

/* Characters of UTF-8. */
static int columns_of(const char *text) {
    int n = 0;
    for (; text != NULL && *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static void print_cell(const text_table *t, size_t column, const char *text, int width) {
    const bool left = (t->left >> column & 1u) != 0, last = column + 1 == t->num_columns;
    const int padding = width - columns_of(text);
    printf("%s%*s%s%*s", column > 0 ? "  " : "", left ? 0 : padding, "", text != NULL ? text : "",
           left && !last ? padding : 0, "");
    if (last) {
        putchar('\n');
    }
}

void text_table_print(text_table *t) {
    int widths[TEXT_TABLE_MAX_COLUMNS] = {0};
    const bool shown = t->num_cells > t->num_columns;
    if (shown) {
        putchar('\n');
    }
    for (size_t i = 0; i < t->num_cells; i++) {
        const int n = columns_of(t->cells[i]), column = (int)(i % t->num_columns);
        widths[column] = n > widths[column] ? n : widths[column];
    }
    for (size_t i = 0; i < t->num_cells; i++) {
        if (shown) {
            print_cell(t, i % t->num_columns, t->cells[i], widths[i % t->num_columns]);
        }
        free(t->cells[i]);
    }
    free(t->cells);
    *t = (text_table){0};
}
