/*
 * Guards over a made-up root (made_root.h), for tests.
 */
#ifndef HEADRACE_MADE_GUARD_H
#define HEADRACE_MADE_GUARD_H

#include "guard.h"

/* A guard that looks every few milliseconds. */
hr_guard_options made_guard_options(void);
hr_guard *made_guard_open(const hr_guard_options *o);

hr_guard_info made_guard_state(hr_guard *g);
/* Until so many more looks have been begun and ended. */
void made_guard_await_looks(hr_guard *g, uint64_t n);
/* A millisecond. */
void made_guard_nap(void);

#endif
