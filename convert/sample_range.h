/*
 * A range of samples as callers give it: first .. end - 1; an end of 0 is that of all samples.
 */
#ifndef HEADRACE_SAMPLE_RANGE_H
#define HEADRACE_SAMPLE_RANGE_H

#include "headrace/status.h"

/* HR_ERR_INVALID: it is empty, whatever it is a range of. */
hr_status hr__sample_range_check(uint64_t first, uint64_t end, hr_error *err);

/* How many samples it has. HR_ERR_INVALID: of total ones there are not so many; whose: "the inputs
 * have", for the message. */
hr_status hr__sample_range_count(uint64_t first, uint64_t end, uint64_t total, const char *whose,
                                 uint64_t *out, hr_error *err);

#endif
