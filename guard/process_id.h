/*
 * Who a process is, in words that outlive it: the machine's boot, the process number and the tick
 * at which it began. Nothing is allocated.
 */
#ifndef HEADRACE_PROCESS_ID_H
#define HEADRACE_PROCESS_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HR__BOOT_ID_BYTES 40u

struct hr__process_id {
    char boot_id[HR__BOOT_ID_BYTES]; /* "": unknown */
    uint64_t pid, start_ticks;       /* start_ticks UINT64_MAX: unknown */
    uint64_t pid_space; /* number of the name space in which pid is meant; 0: unknown */
};

void hr__process_id_own(struct hr__process_id *out);

/* A process of this boot and this name space runs. One that has ended and is not yet waited for
 * does not. */
bool hr__process_runs(const struct hr__process_id *id);

/* The arguments with blanks between, as many as fit. */
void hr__process_command(char *out, size_t capacity_bytes);

#endif
