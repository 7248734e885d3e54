/*
 * What options say of a shuffle.
 */
#ifndef HEADRACE_SHUFFLE_OPTIONS_H
#define HEADRACE_SHUFFLE_OPTIONS_H

#include "inputs.h"

/* HR_ERR_INVALID: a seed or an index field without HR_CONVERT_SHUFFLE, or one whose name is not
 * UTF-8. */
hr_status hr__shuffle_options_check(const hr_convert_options *opts, hr_error *err);

/* HR_ERR_INVALID: the index field has the name of a field. */
hr_status hr__shuffle_check_index(const hr_convert_options *opts, const struct hr__inputs *in,
                                  hr_error *err);

/* A JSON object for the data set's provenance (docs/format.md, 7.2), malloc'ed; NULL where nothing
 * is shuffled. */
hr_status hr__shuffle_provenance(const hr_convert_options *opts, char **out, hr_error *err);

#endif
