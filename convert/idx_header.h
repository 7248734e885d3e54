/*
 * Headers of IDX files, the format of MNIST: two zero bytes, a type, the number of dimensions, and
 * so many 32-bit sizes; numbers are big-endian. Input is untrusted. No I/O.
 */
#ifndef HEADRACE_IDX_HEADER_H
#define HEADRACE_IDX_HEADER_H

#include "npy_header.h"

#define HR__IDX_MAX_HEADER_BYTES (4u + 4u * (HR_MAX_RANK + 1u))

/* Begins with two zeros, a type, and at least one dimension. */
bool hr__idx_is(const uint8_t *bytes, size_t n_bytes);

/* bytes: the first HR__IDX_MAX_HEADER_BYTES of a file, or all. As hr__npy_header_parse(). */
hr_status hr__idx_header_parse(const uint8_t *bytes, size_t n_bytes, struct hr__npy_header *out,
                               hr_error *err);

/* How long a name is without what marks IDX files, such as "-idx3-ubyte" or ".idx"; the whole
 * length where nothing does. */
size_t hr__idx_name_base(const char *name);

#endif
