/*
 * Two columns of the same elements compared, piece by piece, by several threads.
 */
#ifndef HEADRACE_COMPARE_PAIR_H
#define HEADRACE_COMPARE_PAIR_H

#include "compare_side.h"
#include "compare_values.h"

struct hr__pair {
    const struct hr__column *a, *b; /* equal dtype, width and shape */
    uint64_t num_samples;           /* that are compared, from the first on */
    struct hr__budget *budget;      /* for buffers and readers */
    uint32_t num_threads;           /* at most */
    void *user;
    /* About ten times a second, on the calling thread. Anything but HR_OK stops. */
    hr_status (*tell)(void *user, uint64_t done_bytes, hr_error *err);
};

/* *out has room for what it is to keep, and is empty. Blocks; starts and joins threads. */
hr_status hr__pair_compare(const struct hr__pair *pair, struct hr__differences *out, hr_error *err);

#endif
