/*
 * The budget of an object that was given none.
 */
#ifndef HEADRACE_DEFAULT_BUDGET_H
#define HEADRACE_DEFAULT_BUDGET_H

#include "headrace/memory.h" /* hr_default_budget() */

/* What a default may stretch to where it must: half of the smallest limit. */
uint64_t hr__stretched_budget(void);

#endif
