/*
 * Whether an output is one of the inputs.
 */
#ifndef HEADRACE_OUTPUT_CHECK_H
#define HEADRACE_OUTPUT_CHECK_H

#include "file.h"

/* HR_ERR_INVALID if output, or output.partial, is the file that is open as `input`, or is a
 * folder. */
hr_status hr__output_check(const char *output, const struct hr__file *input, hr_error *err);

#endif
