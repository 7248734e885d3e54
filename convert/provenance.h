/*
 * What a data set says of its making, and of the data sets that it was made of (docs/format.md,
 * 7.2).
 */
#ifndef HEADRACE_PROVENANCE_H
#define HEADRACE_PROVENANCE_H

#include "inputs.h"

/* A JSON object as text, malloc'ed, or NULL where there is nothing to say. */
hr_status hr__provenance_make(const hr_convert_options *opts, const struct hr__inputs *in,
                              char **out, hr_error *err);

#endif
