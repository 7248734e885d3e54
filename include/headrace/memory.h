/*
 * Memory of the whole process: the budgets of all loaders, data sets, writers and conversions
 * together. This is the library's only process-wide setting.
 */
#ifndef HEADRACE_MEMORY_H
#define HEADRACE_MEMORY_H

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Cap what all objects of this process may hold at the same time, each of which has a budget of its
 * own besides. What would go beyond it is refused with HR_ERR_BUDGET: a loader at open, before
 * anything is allocated; others where they need more. The message names the cap, what is in use and
 * what is left. Default budgets (hr_default_budget()) are made for what is left.
 *
 * What is in use when the cap is lowered stays; nothing more is given out until it has come down.
 *
 * @param cap_bytes  0: no cap, as at the beginning
 * Threads: any, at any time. Does not block. Fork: a child keeps the cap of its parent.
 * @since 0.1
 */
HR_API void hr_memory_set_cap(uint64_t cap_bytes);

/** The cap; 0: none. Threads: any. Does not block. Fork: works. @since 0.1 */
HR_API uint64_t hr_memory_cap(void);

/**
 * Bytes that the objects of this process hold of their budgets now, whether there is a cap or not;
 * 0 when all are closed.
 * Threads: any. Does not block. Fork: a child begins with the figure of its parent, whose objects
 * it has copies of. @since 0.1
 */
HR_API uint64_t hr_memory_in_use(void);

#ifdef __cplusplus
}
#endif
#endif
