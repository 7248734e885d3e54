/*
 * Options of a caller who may be older or newer than this library.
 */
#ifndef HEADRACE_CONVERT_OPTIONS_H
#define HEADRACE_CONVERT_OPTIONS_H

#include "headrace/compare.h"

/* Copies, fills what the caller does not know with defaults, checks. HR_ERR_INVALID. */
hr_status hr__convert_options_resolve(const hr_convert_options *opts, hr_convert_options *out,
                                      hr_error *err);
hr_status hr__export_options_resolve(const hr_export_options *opts, hr_export_options *out,
                                     hr_error *err);
hr_status hr__export_npy_options_resolve(const hr_export_options *opts, hr_export_options *out,
                                         hr_error *err);
hr_status hr__compare_options_resolve(const hr_compare_options *opts, hr_compare_options *out,
                                      hr_error *err);

#endif
