/*
 * Threads that begin together and share out chunks until the time is up.
 */
#ifndef HEADRACE_CREW_H
#define HEADRACE_CREW_H

#include "headrace/status.h"

#include <stddef.h>

struct crew_job {
    size_t num_chunks;
    const void *user;
    /* Once for each thread, before the clock starts: its own state, or NULL. */
    void *(*begin)(const void *user);
    /* One chunk: bytes done, or 0 on failure. */
    uint64_t (*work)(const void *user, void *mine, size_t chunk);
    void (*end)(void *mine); /* NULL is fine */
};

/* Runs for about `seconds` (0.2 s more to warm up); bytes per second, all threads together. */
hr_status crew_run(const struct crew_job *job, uint32_t num_threads, double seconds,
                   double *bytes_per_s, hr_error *err);

#endif
