/*
 * Tables of texts, with columns as wide as what stands in them.
 */
#ifndef HEADRACE_TEXT_TABLE_H
#define HEADRACE_TEXT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_TABLE_MAX_COLUMNS 8

typedef struct text_table {
    size_t num_columns;
    uint32_t left; /**< bits of the columns whose texts stand on the left; else on the right */
    char **cells;  /**< as they are printed, row after row */
    size_t num_cells, room;
} text_table;

/** A row of num_columns texts, as plain_put() shows them; the first is the heads. Where memory is
 * short, it is left out. */
void text_table_add(text_table *t, const char *const *cells);

/** Prints an empty line and all rows, but nothing where there are only heads; and frees them. */
void text_table_print(text_table *t);

#endif
