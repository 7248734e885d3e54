/*
 * The one sum over all budgets of the process, and its cap (include/headrace/memory.h). It is the
 * only state that the library keeps outside of objects. Budgets (budget.h) count in it; nothing
 * else calls it. Threads: any; lock-free.
 */
#ifndef HEADRACE_MEMORY_CAP_H
#define HEADRACE_MEMORY_CAP_H

#include "headrace/memory.h"

/* HR_ERR_BUDGET: "WHAT needs N MiB, M MiB of the process-wide cap of L MiB are left; ..." */
hr_status hr__memory_take(uint64_t n_bytes, const char *what, hr_error *err);
void hr__memory_give_back(uint64_t n_bytes);

/* UINT64_MAX: no cap. */
uint64_t hr__memory_left(void);

#endif
