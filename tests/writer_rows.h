/*
 * Deterministic rows for tests of the writer: every byte is a function of field, sample and place.
 */
#ifndef HEADRACE_WRITER_ROWS_H
#define HEADRACE_WRITER_ROWS_H

#include "headrace/writer.h"

#define ROWS_MAX_FIELDS 24

/* A float32 image, an int32 label, a uint8 flag field of three: the usual set. */
extern const hr_field rows_fields[3];
#define ROWS_NUM_FIELDS 3

uint64_t rows_sample_bytes(const hr_field *field);
void rows_fill(const hr_field *field, uint32_t number, uint64_t first, uint64_t n, uint8_t *dst);

/* Appends samples first .. first + n - 1 of all fields, at most `step` a call. */
hr_status rows_append(hr_writer *w, const hr_field *fields, uint32_t num_fields, uint64_t first,
                      uint64_t n, uint64_t step, hr_error *err);

/* The columns hold exactly samples 0 .. n - 1. */
int rows_equal(const hr_field *fields, uint32_t num_fields, uint64_t n, uint8_t *const *columns);

#endif
