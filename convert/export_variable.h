/*
 * Fields of variable length on the way to a sink: read a piece at a time, with the lengths looked
 * at first, so that memory holds as many values as fit, one at least.
 */
#ifndef HEADRACE_EXPORT_VARIABLE_H
#define HEADRACE_EXPORT_VARIABLE_H

#include "export_job.h"

struct hr__values_piece {
    uint64_t first;         /* sample of the data set */
    uint64_t n;             /* samples, at least 1 */
    const int64_t *offsets; /* n + 1: value i is bytes[offsets[i]] up to offsets[i + 1] */
    const uint8_t *bytes;   /* NULL: only lengths were asked for */
};

/* Valid during the call only. */
typedef hr_status (*hr__values_take)(void *arg, const struct hr__values_piece *piece,
                                     hr_error *err);

/* All samples of the job, in order; their bytes count as progress. HR_ERR_BUDGET: a value is longer
 * than the budget allows. */
hr_status hr__export_lengths(struct hr__export_job *job, const struct hr__export_item *item,
                             hr__values_take take, void *arg, hr_error *err);
hr_status hr__export_values(struct hr__export_job *job, const struct hr__export_item *item,
                            hr__values_take take, void *arg, hr_error *err);

/* Sets what all values take, and the longest one. */
hr_status hr__export_measure(struct hr__export_job *job, struct hr__export_item *item,
                             hr_error *err);

#endif
