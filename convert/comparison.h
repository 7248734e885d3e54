/*
 * Pairs of columns of the same elements compared, piece by piece, by several threads. Columns whose
 * sources share what they read (records, lines of text) are compared together, so that it is read
 * once.
 */
#ifndef HEADRACE_COMPARISON_H
#define HEADRACE_COMPARISON_H

#include "compare_side.h"
#include "compare_values.h"
#include "helper_channel.h"

#define HR__COMPARE_MAX_WORKERS 16u

struct hr__pair {
    const struct hr__column *a, *b; /* equal dtype, width and shape */
    struct hr__differences *found;  /* has room for what it is to keep, and is empty */
};

struct hr__comparison {
    const struct hr__pair *pairs;
    uint32_t num_pairs;
    uint64_t num_samples;             /* that are compared, from the first on */
    struct hr__budget *budget;        /* for buffers and readers */
    uint32_t num_threads;             /* at most */
    struct hr__helper_group *helpers; /* HR__COMPARE_MAX_WORKERS, for threads */
    void *user;
    /* About ten times a second, on the calling thread. Anything but HR_OK stops. */
    hr_status (*tell)(void *user, uint64_t done_bytes, hr_error *err);
};

/* Of one sample of all pairs. */
uint64_t hr__comparison_sample_bytes(const struct hr__comparison *c);

/* Pairs of fixed-size samples. Blocks; starts and joins threads. */
hr_status hr__comparison_run(const struct hr__comparison *c, hr_error *err);

#endif
