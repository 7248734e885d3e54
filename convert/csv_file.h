/*
 * A CSV file whose columns are sources. Readers share cursors (cursor_pool.h), whose pieces are
 * runs of lines: each is parsed once for all fields.
 */
#ifndef HEADRACE_CSV_FILE_H
#define HEADRACE_CSV_FILE_H

#include "csv_scan.h"
#include "cursor_pool.h"
#include "source.h"

/* Columns that are a field. */
struct hr__csv_field {
    uint32_t first, count;
    hr_dtype dtype;
    uint32_t element_bytes;
    uint64_t table_off; /* of its rows in a parsed piece */
};

struct hr__csv_file {
    char *path;
    hr_source_fingerprint fingerprint;
    bool gzip;
    struct hr__csv_layout layout;
    uint32_t num_fields;
    struct hr__csv_field *fields; /* by their first column */
    uint64_t table_bytes;         /* of a parsed piece */
    struct hr__cursor_pool pool;
};

/* Scans the file. It has no fields yet; one source is counted, the caller itself. */
hr_status hr__csv_file_open(const char *path, bool gzip, bool classify, struct hr__csv_file **out,
                            hr_error *err);
void hr__csv_file_release(
    struct hr__csv_file *f); /* one source less; the last frees. NULL is fine. */

/* Adds a field behind those that are there, whose columns are before its own. */
hr_status hr__csv_file_add_field(struct hr__csv_file *f, uint32_t first, uint32_t count,
                                 hr_dtype dtype, hr_error *err);

/* What readers of all fields take together in one thread. */
uint64_t hr__csv_file_reader_bytes(const struct hr__csv_file *f);

/* For a reader, which has entered the pool: rows that exist. HR_ERR_DATA names line and column. */
hr_status hr__csv_file_read(struct hr__csv_file *f, uint32_t field, uint64_t first, uint64_t n,
                            uint8_t *dst, hr_error *err);

/* The column's name in quotes, or its number. */
void hr__csv_column_name(const struct hr__csv_layout *layout, uint32_t column, char out[80]);

#endif
