/*
 * Threads that begin together and share out turns until the time is up.
 */
#ifndef HEADRACE_CREW_H
#define HEADRACE_CREW_H

#include "headrace/status.h"
#include "watch.h"

struct hr__crew_job {
    const void *user;
    /* Once for each thread, before the clock starts: its own state. */
    hr_status (*begin)(const void *user, void **mine, hr_error *err);
    /* One turn, of a count that all threads share: the bytes that are done since the last one. */
    hr_status (*work)(const void *user, void *mine, uint64_t turn, uint64_t *bytes, hr_error *err);
    void (*end)(void *mine);
};

/* Runs for run_ns, after a fifth of it to warm up, and longer where nothing is done by then: bytes
 * per second, all threads together. HR_ERR_CANCELLED, HR_ERR_NO_MEMORY, or the first failure of the
 * job, which must not do nothing for ever. */
hr_status hr__crew_run(const struct hr__crew_job *job, uint32_t num_threads, int64_t run_ns,
                       const struct hr__watch *watch, double *bytes_per_s, hr_error *err);

#endif
