/*
 * Monotonic time in nanoseconds.
 */
#ifndef HEADRACE_CLOCK_H
#define HEADRACE_CLOCK_H

#include <stdint.h>

int64_t hr__now_ns(void);

#endif
