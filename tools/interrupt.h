/*
 * Ctrl-C: the first one asks the command to stop in order, the second ends it at once.
 */
#ifndef HEADRACE_INTERRUPT_H
#define HEADRACE_INTERRUPT_H

#include <stdbool.h>

/** Watch for SIGINT and SIGTERM. */
void interrupt_watch(void);

/** Whether one has come. */
bool interrupt_seen(void);

#endif
