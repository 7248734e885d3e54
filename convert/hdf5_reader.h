/*
 * One reader of one HDF5 data set or one array of a .npz archive: a helper process of its own and
 * the memory its rows cross in.
 */
#ifndef HEADRACE_HDF5_READER_H
#define HEADRACE_HDF5_READER_H

#include "helper_protocol.h"
#include "source.h"

#include <stdatomic.h>

struct hr__hdf5_target {
    const char *path;
    struct hr__helper_field field; /* as listed */
    struct hr__hdf5_options opts;
    bool elements;              /* of a .npz: in the order of the file; `field` says so */
    const char *noun;           /* of what is read, for messages; NULL: "sample" */
    const char *program;        /* NULL: the helper that belongs to this library */
    const atomic_bool *stopped; /* NULL, or true when long reads are to end */
};

struct hr__hdf5_reader;

/* The smallest budget with which each chunk is decoded once. */
uint64_t hr__hdf5_reader_least_bytes(const struct hr__helper_field *f);
/* What a reader takes where it can. */
uint64_t hr__hdf5_reader_wanted_bytes(const struct hr__helper_field *f);

/* *target must outlive the reader. */
hr_status hr__hdf5_reader_open(const struct hr__hdf5_target *target, struct hr__budget *budget,
                               struct hr__hdf5_reader **out, hr_error *err);
/* As hr__source_ops.read. */
hr_status hr__hdf5_reader_read(struct hr__hdf5_reader *r, uint64_t first, uint64_t n, void *dst,
                               hr_error *err);
void hr__hdf5_reader_close(struct hr__hdf5_reader *r);

#endif
