/*
 * What options say of a shuffle.
 */
#ifndef HEADRACE_SHUFFLE_OPTIONS_H
#define HEADRACE_SHUFFLE_OPTIONS_H

#include "inputs.h"

#include <jansson.h>

/* HR_ERR_INVALID: a seed or an index field without HR_CONVERT_SHUFFLE, or one whose name is not
 * UTF-8. */
hr_status hr__shuffle_options_check(const hr_convert_options *opts, hr_error *err);

/* HR_ERR_INVALID: the index field has the name of a field. */
hr_status hr__shuffle_check_index(const hr_convert_options *opts, const struct hr__inputs *in,
                                  hr_error *err);

/* Of options that ask for a shuffle, what the provenance says of it (docs/format.md, 7.2). NULL: no
 * memory. */
json_t *hr__shuffle_provenance(const hr_convert_options *opts);

#endif
