/*
 * Columns of a matrix that is stored by columns, as samples of variable length of a source, read
 * some at a time.
 */
#ifndef HEADRACE_MATRIX_COLUMNS_H
#define HEADRACE_MATRIX_COLUMNS_H

#include "source.h"

#define HR__PIECE_COLUMNS 4096u                 /* read at once, at most */
#define HR__COLUMNS_BYTES (UINT64_C(256) << 10) /* of these, but where one is longer */

struct hr__columns {
    struct hr__source *src;
    struct hr__source_reader *reader;
    struct hr__budget *budget;
    int64_t *offsets; /* HR__PIECE_COLUMNS + 1 */
    uint8_t *bytes;
    uint64_t room_bytes;
};

/* kept_bytes of the budget are not for the reader, which takes what it can. Close it also after a
 * failure. */
hr_status hr__columns_open(struct hr__columns *c, struct hr__source *src, struct hr__budget *budget,
                           struct hr__helper_group *helpers, uint64_t kept_bytes, hr_error *err);
void hr__columns_close(struct hr__columns *c); /* a zeroed one is fine */

/* Room for columns of n_bytes; what is at hand is lost where there is not as much. */
hr_status hr__columns_room(struct hr__columns *c, uint64_t n_bytes, hr_error *err);

/* Of *n columns as many as are at hand at once and have room, but one at least: their lengths. */
hr_status hr__columns_begin(struct hr__columns *c, uint64_t first, uint64_t *n, hr_error *err);
/* n columns that have begun. */
hr_status hr__columns_read(struct hr__columns *c, uint64_t first, uint64_t n, hr_error *err);

#endif
