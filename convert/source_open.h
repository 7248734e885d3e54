/*
 * Any file as sources: what it is, is told by its first bytes, then by its name.
 */
#ifndef HEADRACE_SOURCE_OPEN_H
#define HEADRACE_SOURCE_OPEN_H

#include "source.h"

/* The sources in a file: one for .npy, IDX and raw binary, one for each field of the others.
 * member: NULL, or the path in the file. as_one: one field is wanted, of all columns of CSV. *out
 * is malloc'ed. left_out: added to, or NULL. HR_ERR_UNSUPPORTED says what the file is. */
hr_status hr__sources_open(const char *path, const char *member, bool as_one,
                           const hr_convert_options *opts, struct hr__left_out *left_out,
                           struct hr__source ***out, uint32_t *num_out, hr_error *err);

void hr__sources_close(struct hr__source **sources, uint32_t n);

#endif
