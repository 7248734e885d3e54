/*
 * The soft RLIMIT_DATA, lowered so that allocations fail before a limit ends the process, and put
 * back. What is mapped already and not yet touched can still become resident.
 */
#ifndef HEADRACE_HARD_LIMIT_H
#define HEADRACE_HARD_LIMIT_H

#include "memory_use.h"

struct hr__hard_limit {
    bool set;
    uint64_t before_bytes, now_bytes; /* the soft limit; UINT64_MAX: none */
};

/* Lets the process map as much more as lies between what is used of its limit and level_bytes (0:
 * the limit less a fiftieth). note: what was set, in words; n_bytes of the caller's.
 * HR_ERR_INVALID, HR_ERR_UNSUPPORTED. */
hr_status hr__hard_limit_set(const struct hr__memory_use *use, uint64_t level_bytes,
                             struct hr__hard_limit *out, char *note, size_t n_bytes, hr_error *err);
/* Unless somebody else has changed it meanwhile. */
void hr__hard_limit_put_back(struct hr__hard_limit *hard);

#endif
