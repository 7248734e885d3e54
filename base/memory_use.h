/*
 * What this process uses of memory, and of each limit that is set to it. Files under /proc and /sys
 * are read below a root, as in proc_file.h; nothing is allocated.
 */
#ifndef HEADRACE_MEMORY_USE_H
#define HEADRACE_MEMORY_USE_H

#include "cgroup.h"

#include "headrace/memory.h"

#include <stdbool.h>
#include <stddef.h>

/* A limit as hr_process_memory tells it. limit_bytes UINT64_MAX: there is none. */
struct hr__limit_use {
    hr_memory_limit_kind kind;
    uint64_t limit_bytes, used_bytes, reclaimable_bytes, headroom_bytes;
    char name[HR_MEMORY_NAME_BYTES];
};

struct hr__memory_use {
    uint64_t resident_bytes, anonymous_bytes, peak_resident_bytes; /* UINT64_MAX: unknown */
    uint64_t data_bytes;                                           /* as RLIMIT_DATA counts */
    uint64_t machine_bytes, available_bytes;
    uint64_t oom_kills;           /* of the process's own group */
    struct hr__limit_use ending;  /* control groups or machine: what ends processes */
    struct hr__limit_use address; /* RLIMIT_AS */
    struct hr__limit_use data;    /* RLIMIT_DATA */
};

/* Never fails: what cannot be read counts as no limit. */
void hr__memory_use_read(const char *root, struct hr__memory_use *out);

/* The one with the least headroom. */
const struct hr__limit_use *hr__least_headroom(const struct hr__memory_use *use, bool with_data);

/* What is used of a limit that was read before; UINT64_MAX: that cannot be read. fd: of a control
 * group, from hr__limit_used_open(), which is -1 for the others. */
int hr__limit_used_open(const char *root, const struct hr__limit_use *limit);
uint64_t hr__limit_used_now(const char *root, const struct hr__limit_use *limit, int fd);

/* used - reclaimable. */
uint64_t hr__limit_needed(const struct hr__limit_use *limit);

/* Of a text that does not fit, the end. */
void hr__copy_end(char *out, size_t capacity_bytes, const char *text);

/* This process's own group, or the nearest ancestor, that counts processes which were ended for
 * want of memory. False: none. */
bool hr__own_cgroup(const char *root, struct hr__cgroup *out);

#endif
