/*
 * Threads, mutexes and condition variables.
 */
#define _GNU_SOURCE
#include "thread.h"

#include "error.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

/* A mutex that is waited for awake for a while (a hundred looks at most): to fall asleep takes much
 * longer than what is done under one. */
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define HELD_BRIEFLY PTHREAD_MUTEX_ADAPTIVE_NP
#else
#define HELD_BRIEFLY PTHREAD_MUTEX_NORMAL
#endif

hr_status hr__thread_start(struct hr__thread *t, const char *name, void *(*run)(void *), void *arg,
                           hr_error *err) {
    sigset_t all, before;
    sigfillset(&all); /* signals are the program's affair, not ours */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&t->id, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return hr__error_set(err, HR_ERR_NO_MEMORY,
                             "the system refused a thread (errno %d); use fewer threads, or raise "
                             "the limit of processes",
                             rc);
    t->started = true;
    (void)pthread_setname_np(t->id, name);
    return HR_OK;
}

void hr__thread_join(struct hr__thread *t) {
    if (t->started)
        pthread_join(t->id, NULL);
    t->started = false;
}

hr_status hr__mutex_init(hr__mutex *m, hr_error *err) {
    pthread_mutexattr_t attr;
    if (pthread_mutexattr_init(&attr) != 0)
        return hr__error_no_memory(err, sizeof(*m), "a mutex");
    pthread_mutexattr_settype(&attr, HELD_BRIEFLY);
    int rc = pthread_mutex_init(m, &attr);
    pthread_mutexattr_destroy(&attr);
    if (rc != 0)
        return hr__error_no_memory(err, sizeof(*m), "a mutex");
    return HR_OK;
}

hr_status hr__cond_init(hr__cond *c, hr_error *err) {
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return hr__error_no_memory(err, sizeof(*c), "a condition variable");
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
    if (rc != 0)
        return hr__error_no_memory(err, sizeof(*c), "a condition variable");
    return HR_OK;
}

bool hr__cond_wait_until(hr__cond *c, hr__mutex *m, int64_t deadline_ns) {
    if (deadline_ns < 0) {
        pthread_cond_wait(c, m);
        return true;
    }
    struct timespec ts = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                          .tv_nsec = (long)(deadline_ns % 1000000000)};
    return pthread_cond_timedwait(c, m, &ts) != ETIMEDOUT;
}
