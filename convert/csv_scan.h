/*
 * The first pass over a CSV file: what its columns are called and hold, how many rows there are,
 * and where runs of them (pieces) begin, so that several threads can read them. Memory is bounded,
 * however large the file is: pieces grow. Files are untrusted.
 */
#ifndef HEADRACE_CSV_SCAN_H
#define HEADRACE_CSV_SCAN_H

#include "csv_number.h"
#include "line_reader.h"

#define HR__CSV_MAX_COLUMNS 65536u

struct hr__csv_column {
    const char *name;   /* NULL: there is no header */
    bool found[5];      /* by enum hr__csv_kind */
    char text[28];      /* the first cell that is no number, or too large, cut off */
    uint64_t text_line; /* where it stands */
};

struct hr__csv_place {
    uint64_t off;  /* of the line in what the file holds */
    uint64_t line; /* its number, from 1 on */
};

struct hr__csv_layout {
    char separator;
    uint32_t num_columns;
    struct hr__csv_column *columns;
    char *names; /* of the columns; NULL: there is no header */
    bool counts; /* the first line is 0, 1, 2, ..., maybe behind an empty cell: then a header */
    uint64_t num_rows;
    uint64_t max_line_bytes;
    uint64_t piece_rows; /* of each piece but the last */
    size_t num_pieces, places_room;
    struct hr__csv_place *places;
};

/* classify: columns are looked at, and so is that all rows have as many cells. HR_ERR_DATA,
 * HR_ERR_UNSUPPORTED: the message has the line. Free it also after a failure. */
hr_status hr__csv_scan(struct hr__input_stream *stream, bool classify, struct hr__csv_layout *out,
                       hr_error *err);
void hr__csv_layout_free(struct hr__csv_layout *layout); /* a zeroed one is fine */

/* HR_ERR_DATA: "PATH, line N: what". */
hr_status hr__csv_line_error(const char *path, uint64_t line, const char *what, hr_error *err);

#endif
