/*
 * Groups that are a sparse matrix: AnnData's CSR and CSC, and the matrix of a 10x file, whose rows
 * here are its cells. Each group is one field, the rows of the matrix with their zeros; of CSC it
 * has the columns, which the library puts together to rows. Untrusted.
 *
 * Names in the code are those of CSR; of CSC read "column" for "row", and the other way round.
 */
#ifndef HEADRACE_HDF5_SPARSE_H
#define HEADRACE_HDF5_SPARSE_H

#include "helper.h"

enum h5_sparse_kind {
    H5_SPARSE_NONE, /* any other group */
    H5_SPARSE_CSR,
    H5_SPARSE_CSC, /* read by columns */
    H5_SPARSE_10X  /* CSC of genes x cells: read along the cells, it is CSR */
};

/* One of the three data sets of the group: one axis of numbers. */
struct h5_sparse_part {
    hid_t dataset; /* -1: none */
    struct h5_described is;
};

struct h5_sparse {
    struct hr__helper_field field; /* all but member and name */
    enum h5_sparse_kind kind;
    struct h5_sparse_part values, columns, starts; /* `data`, `indices`, `indptr` */
    uint64_t num_columns, num_values;
    bool read_columns;             /* of what rows hold: `indices`, else `data` */
    uint8_t *seen;                 /* a bit for each column: the row at hand has a value there */
    int64_t *some_starts, *places; /* pieces of `indptr` and `indices` */
    uint8_t *some_values;          /* of `data`, those at places */
};

/* By its attributes and members alone. */
enum h5_sparse_kind h5_sparse_find(hid_t group);

hr_status h5_sparse_open(const struct h5_file *f, hid_t group, struct h5_sparse *out,
                         hr_error *err);
void h5_sparse_close(struct h5_sparse *s);
/* hdf5_sparse_read.c: what reading has made for itself. */
void h5_sparse_free_room(struct h5_sparse *s);

/* What a person calls an entry of `indptr`, and of `indices`. */
const char *h5_sparse_row(const struct h5_sparse *s);
const char *h5_sparse_column(const struct h5_sparse *s);

/* An attribute that says how the group is stored, not what it holds. */
bool h5_sparse_is_encoding(const char *attribute);

/* hdf5_sparse_values.c: what the rows hold. As many as fit of *n rows that exist, into a slot; as
 * h5_values_read(). */
struct hr__helper_field h5_sparse_values_field(const struct h5_sparse *s,
                                               const struct h5_sparse_part *part);
hr_status h5_sparse_values_read(struct h5_sparse *s, uint64_t first, uint64_t *n, uint8_t *slot,
                                uint64_t slot_bytes, hr_error *err);

/* hdf5_sparse_read.c: entries first .. first + n - 1, as elements of memory_type, of width bytes
 * each. */
hr_status h5_sparse_part_read(const struct h5_sparse_part *p, const char *name, hid_t memory_type,
                              uint64_t first, uint64_t n, void *dst, size_t width, hr_error *err);
/* Whether a row begins and ends where it can. */
hr_status h5_sparse_row_check(const struct h5_sparse *s, uint64_t row, int64_t start, int64_t end,
                              hr_error *err);
/* A column of a row that the matrix does not have. */
hr_status h5_sparse_bad_column(const struct h5_sparse *s, uint64_t row, int64_t column,
                               hr_error *err);

/* The same file: rows that exist, to dst. Allocates what reading takes when first called. */
hr_status h5_sparse_read(struct h5_sparse *s, uint64_t first, uint64_t n, uint8_t *dst,
                         hr_error *err);

#endif
