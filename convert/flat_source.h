/*
 * A source whose samples lie one after the other in a file, as they are or compressed as one
 * stream: .npy, IDX and raw binary.
 */
#ifndef HEADRACE_FLAT_SOURCE_H
#define HEADRACE_FLAT_SOURCE_H

#include "input_file.h"
#include "npy_header.h"
#include "source.h"

struct hr__flat_source {
    struct hr__source base;
    struct hr__element element;
    uint64_t elements_per_sample;
    uint64_t data_off;
    char *path;
    char *name;
    char numpy_dtype[HR__NUMPY_DTYPE_BYTES];
    char note[96];
    _Atomic uint64_t surplus_bytes; /* of a compressed file: info.surplus_bytes */
};
/* The same bytes as samples of one element each, which are handed out as they are. */
struct hr__npy_header hr__npy_header_of_elements(const struct hr__npy_header *array);

/* How many bytes the file has behind the array. HR_ERR_CORRUPT: it is too short for it. */
hr_status hr__flat_surplus(const char *path, const struct hr__input_file *file,
                           const struct hr__npy_header *array, uint64_t *out, hr_error *err);

/* What the samples are: element, shape, num_samples, sizes, data_off of a .npy header, whether or
 * not there is one. A file that is too short for them is HR_ERR_CORRUPT; a longer one gets a note.
 * numpy_dtype: copied, or NULL. The file stays the caller's. */
hr_status hr__flat_source_make(const char *path, const struct hr__input_file *file,
                               const struct hr__npy_header *array, const char *numpy_dtype,
                               struct hr__source **out, hr_error *err);

/* The same for other kinds of source to begin from: whether the file is long enough is theirs. */
hr_status hr__flat_source_new(const char *path, const struct hr__input_file *file,
                              const struct hr__npy_header *array, const char *numpy_dtype,
                              struct hr__flat_source **out, hr_error *err);
void hr__flat_source_close(struct hr__source *source); /* NULL is fine */

/* gzip_source.c: as hr__flat_source_make() for a file that gzip has compressed; that it is too
 * short is found when it is read. */
hr_status hr__gzip_source_make(const char *path, const struct hr__input_file *file,
                               const struct hr__npy_header *array, struct hr__source **out,
                               hr_error *err);

#endif
