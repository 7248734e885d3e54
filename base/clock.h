/*
 * Times in nanoseconds: monotonic, and of the processor.
 */
#ifndef HEADRACE_CLOCK_H
#define HEADRACE_CLOCK_H

#include <stdint.h>

int64_t hr__now_ns(void);
/* Processor time that the calling thread has taken. */
int64_t hr__thread_cpu_ns(void);

#endif
