/*
 * Structured arrays (records) of .npy files as sources, one for each member.
 */
#ifndef HEADRACE_NPY_RECORDS_H
#define HEADRACE_NPY_RECORDS_H

#include "flat_source.h"
#include "npy_header.h"
#include "source.h"

/* As hr__npy_sources_open() of a file whose header, header_bytes, says that it is structured, in C
 * order and along its first axis. */
hr_status hr__npy_records_open(const char *path, const struct hr__input_file *file,
                               const uint8_t *header_bytes, const struct hr__npy_header *header,
                               const struct hr__npy_options *opts, struct hr__source ***out,
                               uint32_t *num_out, hr_error *err);

#endif
