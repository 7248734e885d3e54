/*
 * A source of what the rows of a sparse matrix hold that is stored by columns: the columns in which
 * a row has values, in ascending order, or these values. The columns are read twice, to count what
 * each row has and to put it together (transpose.h); values once.
 */
#ifndef HEADRACE_TRANSPOSE_SOURCE_H
#define HEADRACE_TRANSPOSE_SOURCE_H

#include "source.h"

/* What is stored by columns: the rows in which each has values, and the values; sources of as many
 * samples. */
struct hr__by_columns {
    struct hr__source *rows;
    struct hr__source *values; /* NULL: the columns are wanted, not the values */
    uint64_t num_rows;
};

/* On HR_OK both belong to *out; else they stay the caller's. HR_ERR_NO_MEMORY. */
hr_status hr__transpose_source_make(const struct hr__by_columns *in,
                                    const struct hr__axis_options *opts, struct hr__source **out,
                                    hr_error *err);

#endif
