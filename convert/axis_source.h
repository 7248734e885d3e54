/*
 * A source whose samples are not one after the other in its input: of an array in Fortran order, or
 * along another axis than the first. Panels of samples are read, or brought together through a
 * temporary file, and put in order in memory (axis_plan.h).
 */
#ifndef HEADRACE_AXIS_SOURCE_H
#define HEADRACE_AXIS_SOURCE_H

#include "axis_layout.h"
#include "numpy_dtype.h"
#include "source.h"

/* The array that an input is. */
struct hr__axis_input_array {
    struct hr__axis_array array;
    struct hr__element element; /* as the input hands it out */
    bool anywhere;              /* the input can be read from any place on; else once, in order */
};

/* *inner hands the array out in the order of the file, whatever it takes for a sample; on HR_OK it
 * belongs to *out, which may be where it stands; else *out is left alone. HR_ERR_INVALID: there is
 * no such axis. */
hr_status hr__axis_source_make(struct hr__source *inner, const struct hr__axis_input_array *array,
                               const struct hr__axis_options *opts, struct hr__source **out,
                               hr_error *err);

#endif
