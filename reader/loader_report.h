/*
 * From what was counted to what is said of it.
 */
#ifndef HEADRACE_LOADER_REPORT_H
#define HEADRACE_LOADER_REPORT_H

#include "headrace/report.h"

/* What limits, from the figures of a report; of a budget, what was given up. */
enum hr__given_up { HR__GAVE_NOTHING, HR__GAVE_THREADS, HR__GAVE_READS, HR__GAVE_BATCHES };
hr_limit hr__report_limit(const hr_loader_report_info *r, int64_t wait_first_ns,
                          enum hr__given_up *given_up);

/* What the threads waited for room in the ring, of the time that there was; once they have ended,
 * they wait too. 0 to 1. */
double hr__report_for_room(const hr_loader_report_info *r);

/* Fills sentence, from everything else in r. */
void hr__report_sentence(hr_loader_report_info *r, enum hr__given_up given_up);

#endif
