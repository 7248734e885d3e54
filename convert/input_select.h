/*
 * Which of the inputs' fields and samples are meant, and under what names: `kept_fields`,
 * `renames`, `first_sample` and `end_sample` of the options.
 */
#ifndef HEADRACE_INPUT_SELECT_H
#define HEADRACE_INPUT_SELECT_H

#include "input_fields.h"

/* Lists are there, entries are not NULL, nothing is said twice. HR_ERR_INVALID. */
hr_status hr__input_select_check(const hr_convert_options *opts, hr_error *err);

/* Leaves only the entries of the kept fields, in the order of these, under their new names. The
 * sources of the others are closed. HR_ERR_NOT_FOUND: no input gives a field of that name;
 * HR_ERR_INVALID: two fields would have one name. */
hr_status hr__input_select_fields(const hr_convert_options *opts, struct hr__input_entries *e,
                                  hr_error *err);

/* Leaves only the samples of the range. HR_ERR_INVALID: there are not so many. */
hr_status hr__input_select_samples(const hr_convert_options *opts, struct hr__inputs *in,
                                   hr_error *err);

#endif
