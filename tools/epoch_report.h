/*
 * The library's report of an epoch, as text and as JSON (docs/report.md).
 */
#ifndef HEADRACE_EPOCH_REPORT_H
#define HEADRACE_EPOCH_REPORT_H

#include "headrace/report.h"

#include <jansson.h>

/** Prints sentence and table on stdout. */
void epoch_report_print(const hr_loader_report_info *r);

/** The same as a JSON object; NULL without memory. */
json_t *epoch_report_json(const hr_loader_report_info *r);

#endif
