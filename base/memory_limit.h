/*
 * How much memory this process may use: cgroup v2 and v1 with all ancestors, MemAvailable,
 * RLIMIT_AS, RLIMIT_DATA. Files under /proc and /sys are read with a root prefix for tests.
 */
#ifndef HEADRACE_MEMORY_LIMIT_H
#define HEADRACE_MEMORY_LIMIT_H

#include <stdint.h>

struct hr__memory_limit {
    uint64_t cgroup_limit_bytes;   /* smallest of the group and its ancestors; UINT64_MAX: none */
    uint64_t available_bytes;      /* MemAvailable; UINT64_MAX: unknown */
    uint64_t rlimit_left_bytes;    /* of RLIMIT_AS and RLIMIT_DATA; UINT64_MAX: none */
    uint64_t anonymous_used_bytes; /* of the cgroup if limited, else of this process (RssAnon) */
    uint64_t smallest_bytes;       /* of the first three */
};

/* root: "" for the running system. Never fails: what cannot be read counts as no limit. */
void hr__memory_limit_read(const char *root, struct hr__memory_limit *out);

/* The largest file that is better read and written through the page cache: half of what it can hold
 * beside what is in use now. */
uint64_t hr__page_cache_share(const char *root);

#endif
