/*
 * What the system answers to reads, changed on its way (link-time --wrap). An answer is what pread,
 * preadv2 or a completion says; all of a process are counted together.
 */
#ifndef HEADRACE_FAULT_ANSWERS_H
#define HEADRACE_FAULT_ANSWERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fault_answers {
    atomic_long count;       /* answers so far */
    atomic_long hits;        /* of these, changed */
    long at, times;          /* answers from this one (from 1; 0: none) on, so many (0: 1), ... */
    int os_errno;            /* ... are this failure, or, where it is 0 ... */
    uint64_t cut_bytes;      /* ... bring at most so many bytes */
    atomic_llong delay_ns;   /* before each pread and preadv2 */
    atomic_bool cannot_tell; /* preadv2 is not supported */

    long submit_at, submit_times; /* io_submit and io_uring_submit_and_wait, in the same way */
    int submit_errno;
    long submits;
    int wait_errno;  /* waiting for completions fails with this, the next so many times */
    long wait_times; /* 0: 1 */
    int setup_errno; /* every io_setup fails with this */
    int ring_errno;  /* io_uring_queue_init fails with this, but for the first so many */
    long rings_left;
    bool no_locked_memory; /* nothing can be registered with a ring */
};

extern struct fault_answers fault_answers;

#endif
