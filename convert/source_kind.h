/*
 * What kind of source a file is, by its first bytes and its name. Files are untrusted.
 */
#ifndef HEADRACE_SOURCE_KIND_H
#define HEADRACE_SOURCE_KIND_H

#include "headrace/status.h"

#include <stdbool.h>

enum hr__kind {
    HR__KIND_UNKNOWN,
    HR__KIND_NPY,
    HR__KIND_HDF5,
    HR__KIND_ZIP,
    HR__KIND_HEADRACE,
    HR__KIND_IDX,
    HR__KIND_CSV
};

struct hr__source_kind {
    enum hr__kind kind;
    bool gzip; /* gzip has compressed it; kind is that of what it holds */
};

/* raw: a dtype for raw binary is given, so only what is certain, or said by its name, is another
 * kind. HR_ERR_UNSUPPORTED: a kind that is not read where gzip has compressed it. */
hr_status hr__source_kind_find(const char *path, bool raw, struct hr__source_kind *out,
                               hr_error *err);

#endif
