/*
 * Calls of the system and of the C library that fail in turn, put in their place at link time (the
 * list for --wrap is in tests/CMakeLists.txt). Only calls of the library and of tests are reached,
 * not those that the C library makes for itself.
 */
#ifndef HEADRACE_FAULT_CALLS_H
#define HEADRACE_FAULT_CALLS_H

#include <stdbool.h>

enum fault_kind {
    FAULT_SYSTEM,    /* files, memory maps, sockets, processes: a fitting errno */
    FAULT_MEMORY,    /* allocations and threads are refused */
    FAULT_INTERRUPT, /* calls that a signal may interrupt: EINTR */
    FAULT_SHORT      /* pread and pwrite move one byte */
};

/* From now on the nth call of the kind fails (from 0), and only that one. */
void fault_arm(enum fault_kind kind, long nth);
/* None fails any more. */
void fault_disarm(void);
/* What failed since fault_arm(), or NULL. */
const char *fault_hit(void);
/* In the place of every program that is spawned; NULL: none. Must outlive its use. */
void fault_spawn_instead(const char *program);

#endif
