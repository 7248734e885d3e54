/*
 * What is read through a helper: one HDF5 data set, one matrix, or one array of a .npz archive.
 */
#ifndef HEADRACE_HELPER_TARGET_H
#define HEADRACE_HELPER_TARGET_H

#include "helper_protocol.h"
#include "source.h"

#include <stdatomic.h>

struct hr__helper_target {
    const char *path;
    struct hr__helper_field field; /* as listed */
    struct hr__helper_options opts;
    bool elements;              /* of a .npz: in the order of the file; `field` says so */
    bool records;               /* whole ones; `field` says so */
    const char *noun;           /* of what is read, for messages; NULL: "sample" */
    const char *program;        /* NULL: the helper that belongs to this library */
    const atomic_bool *stopped; /* NULL, or true when long reads are to end */
};

#endif
