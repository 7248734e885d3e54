/*
 * A loader at work for a short while, and what that lets one expect of a whole epoch.
 */
#ifndef HEADRACE_TRIAL_H
#define HEADRACE_TRIAL_H

#include "headrace/report.h"
#include "sketch.h"
#include "watch.h"

struct hr__trial {
    int64_t took_ns;        /* from the open until it was stopped */
    int64_t first_batch_ns; /* from the open; -1: none came in time */
    int64_t epoch_ns;       /* from the open to the end of the first epoch; -1: not in time */
    uint64_t visits;        /* done by then, at least 1 */
    double visits_per_s;    /* once its memory was in use, as far as the time sufficed for that */
    double read_bytes;      /* of a visit */
    int64_t wait_first_ns;  /* for the first batch */
    hr_loader_report_info report;
};

/* Runs for run_ns from the open on, or until so many visits are done, or its epochs are over; and
 * longer where nothing is done by then. Batches are given back at once. HR_ERR_CANCELLED, or as
 * hr_loader_open() and hr_loader_next(). */
hr_status hr__trial_run(hr_dataset *ds, const hr_loader_options *opts, int64_t run_ns,
                        uint64_t most_visits, const struct hr__watch *watch, struct hr__trial *out,
                        hr_error *err);

/* Visits of the rank in an epoch, and those that its first batch needs. */
uint64_t hr__epoch_visits(const struct hr__sketch *s);
uint64_t hr__first_batch_visits(const struct hr__sketch *s);

/* From the open, in an epoch of that many visits: until so many of them are done. */
int64_t hr__trial_expects_ns(const struct hr__trial *t, uint64_t visits);

/* What limits, and the sentence: decided also where there were few visits or no batch; never the
 * consumer, who took every batch as it came; and of what was read, without what is in flight. */
void hr__trial_judge(struct hr__trial *t);

#endif
