/*
 * A source whose samples lie one after the other in a file, uncompressed: .npy and raw binary.
 */
#ifndef HEADRACE_FLAT_SOURCE_H
#define HEADRACE_FLAT_SOURCE_H

#include "input_file.h"
#include "npy_header.h"
#include "source.h"

/* What the samples are: element, shape, num_samples, sizes, data_off of a .npy header, whether or
 * not there is one. A file that is too short for them is HR_ERR_CORRUPT; a longer one gets a note.
 * numpy_dtype: copied, or NULL. The file stays the caller's. */
hr_status hr__flat_source_make(const char *path, const struct hr__input_file *file,
                               const struct hr__npy_header *array, const char *numpy_dtype,
                               struct hr__source **out, hr_error *err);

#endif
