/*
 * What is told after a conversion.
 */
#ifndef HEADRACE_CONVERT_REPORT_H
#define HEADRACE_CONVERT_REPORT_H

#include "headrace/convert.h"

/* Opens the new data set and notes every field with NaN or Inf; counts them into result. */
hr_status hr__convert_report(const hr_convert_options *opts, hr_convert_result *result,
                             hr_error *err);

#endif
