/*
 * Threads that are named, have all signals blocked, and are joined by whoever made them; mutexes
 * and condition variables on the monotonic clock.
 */
#ifndef HEADRACE_THREAD_H
#define HEADRACE_THREAD_H

#include "headrace/status.h"

#include <pthread.h>
#include <stdbool.h>

struct hr__thread {
    pthread_t id;
    bool started;
};

/* name: at most 15 characters. HR_ERR_NO_MEMORY if the system refuses. */
hr_status hr__thread_start(struct hr__thread *t, const char *name, void *(*run)(void *), void *arg,
                           hr_error *err);
/* Nothing for a thread that was not started. */
void hr__thread_join(struct hr__thread *t);

typedef pthread_mutex_t hr__mutex;
typedef pthread_cond_t hr__cond;

hr_status hr__mutex_init(hr__mutex *m, hr_error *err);
hr_status hr__cond_init(hr__cond *c, hr_error *err); /* waits on CLOCK_MONOTONIC */

/* deadline_ns: hr__now_ns() scale, -1 for ever. False: the deadline has passed. */
bool hr__cond_wait_until(hr__cond *c, hr__mutex *m, int64_t deadline_ns);

#endif
