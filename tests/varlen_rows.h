/*
 * Deterministic rows with values of variable length: every byte is a function of field, sample and
 * place.
 */
#ifndef HEADRACE_VARLEN_ROWS_H
#define HEADRACE_VARLEN_ROWS_H

#include "headrace/dataset.h"
#include "headrace/writer.h"

/* A text, an int32 label, bytes of which now and then many, a sequence of int32. */
#define VARLEN_NUM_FIELDS 4
extern const hr_field varlen_fields[VARLEN_NUM_FIELDS];

/* Bytes of sample i of a field (the label's: 4), and the bytes themselves. */
uint64_t varlen_length(uint32_t field, uint64_t sample);
void varlen_fill(uint32_t field, uint64_t sample, uint8_t *dst);

/* Appends samples first .. first + n - 1, at most `step` a call. */
hr_status varlen_append(hr_writer *w, uint64_t first, uint64_t n, uint64_t step, hr_error *err);

/* Reads n samples of every field, in ranges of `step`, and then some by gather. HR_ERR_DATA: an
 * answer without an error is not what was written. */
hr_status varlen_read(hr_dataset *ds, uint64_t n, uint64_t step, hr_error *err);

#endif
