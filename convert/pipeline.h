/*
 * Reading ahead: threads read ranges of samples of all fields, the caller gets them in order.
 *
 * Ranges are dealt to threads by a ticket: each takes the next one when a buffer for it is free.
 * Range i goes to buffer i mod num_buffers.
 * Threads: open, next, release and close belong to one thread, the caller's.
 */
#ifndef HEADRACE_PIPELINE_H
#define HEADRACE_PIPELINE_H

#include "read_plan.h"

struct hr__pipeline;

struct hr__range {
    uint64_t first;
    uint64_t num_samples;
    const void *const *columns; /* one for each field; valid until released */
};

/* What is done with each range by the thread that has read it, before the caller gets it: ranges in
 * any order, side by side. */
struct hr__range_work {
    void (*run)(void *user, const struct hr__range *range);
    void *user;
};

/* Begins to read at first_sample. The inputs must live longer. work: NULL for none. Fewer readers
 * than planned are used where the budget has no room for what they need themselves. */
hr_status hr__pipeline_open(const struct hr__inputs *in, const struct hr__read_plan *plan,
                            uint64_t first_sample, const struct hr__range_work *work,
                            struct hr__budget *budget, struct hr__pipeline **out, hr_error *err);

/* The next range: HR_OK; HR_TIMEOUT: not there yet; HR_END_OF_EPOCH: there is no more; or what
 * reading it gave. */
hr_status hr__pipeline_next(struct hr__pipeline *p, int64_t timeout_ns, struct hr__range *out,
                            hr_error *err);

/* Gives the range of the last next() back. */
void hr__pipeline_release(struct hr__pipeline *p);

/* Waits for reads that are under way. NULL is fine. */
void hr__pipeline_close(struct hr__pipeline *p);

#endif
