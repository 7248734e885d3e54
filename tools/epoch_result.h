/*
 * What `headrace epoch` found, and how it is printed.
 */
#ifndef HEADRACE_EPOCH_RESULT_H
#define HEADRACE_EPOCH_RESULT_H

#include "loader_args.h"

#include "headrace/report.h"

typedef struct epoch_result {
    const hr_dataset *ds;
    const loader_args *loader;
    hr_loader *open;  /* the loader, to be asked what it has checked */
    uint64_t epochs;  /* whose last batch was delivered */
    uint64_t padding; /* samples delivered that only fill up */
    int64_t took_ns;
    hr_loader_info info;
    bool report; /* limits are printed, too */
    hr_loader_report_info limits;
} epoch_result;

void epoch_result_print(const epoch_result *r);

/** EXIT_DONE, or an exit code after a report. */
int epoch_result_print_json(const epoch_result *r);

#endif
