/*
 * Memory of the whole process: the budgets of all loaders, data sets, writers and conversions
 * together, whose cap is the library's only process-wide setting; and what the process uses, and
 * what limits it (docs/memory.md).
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

/**
 * The memory budget that objects get which are given none: a quarter of the smallest of the cgroup
 * limit (v2 or v1, ancestors included), available memory, what is left of RLIMIT_AS and
 * RLIMIT_DATA, and what hr_memory_set_cap() leaves; at least 16 MiB and at most 1 GiB. A loader or
 * writer that needs more than this takes up to half of that smallest limit. Reads /proc and /sys.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API uint64_t hr_default_budget(void);

/** Who set a limit. The values are frozen. */
typedef enum hr_memory_limit_kind {
    HR_MEMORY_LIMIT_NONE = 0,        /**< none is known */
    HR_MEMORY_LIMIT_CGROUP_V2 = 1,   /**< a control group: a container, a batch system, systemd */
    HR_MEMORY_LIMIT_CGROUP_V1 = 2,   /**< the same, in the older hierarchy */
    HR_MEMORY_LIMIT_RLIMIT_AS = 3,   /**< address space (ulimit -v): allocations fail at it */
    HR_MEMORY_LIMIT_RLIMIT_DATA = 4, /**< private writable memory (ulimit -d): likewise */
    HR_MEMORY_LIMIT_MACHINE = 5      /**< the machine's memory, which all processes share */
} hr_memory_limit_kind;

#define HR_MEMORY_NAME_BYTES 384

/** This process, and the limit that it will come to first. Unknown figures are UINT64_MAX. */
typedef struct hr_process_memory {
    uint32_t struct_bytes;            /**< set by the caller */
    hr_memory_limit_kind limit_kind;  /**< of the limit with the least headroom */
    uint64_t resident_bytes;          /**< of this process, in memory now */
    uint64_t anonymous_bytes;         /**< of it, what is no file's: heap, arrays, stacks */
    uint64_t peak_resident_bytes;     /**< the most that were ever resident */
    uint64_t headrace_bytes;          /**< hr_memory_in_use() */
    uint64_t limit_bytes;             /**< the limit; of the machine: its memory */
    uint64_t used_bytes;              /**< counted against it: by all processes that share it, page
                                       * cache included; of an rlimit: mapped, touched or not */
    uint64_t reclaimable_bytes;       /**< of these, the page cache that the kernel takes back when
                                       * it must: active and inactive file pages, but those that are
                                       * dirty or under writeback; of the machine: what MemAvailable
                                       * counts beyond MemFree; of an rlimit: 0 */
    uint64_t headroom_bytes;          /**< limit - (used - reclaimable); 0 at least */
    uint64_t oom_kills;               /**< processes of this process's own control group that the
                                       * kernel has ended for want of memory */
    uint64_t machine_bytes;           /**< MemTotal: what most tools show, limit or not */
    uint64_t machine_available_bytes; /**< MemAvailable */
    char limit_name[HR_MEMORY_NAME_BYTES]; /**< the control group's folder (of one too long the
                                            * end), "RLIMIT_AS", "RLIMIT_DATA", "machine", "" */
} hr_process_memory;

/**
 * Read what this process uses, and the limit that it will come to first: that with the least
 * headroom of its control groups (versions 1 and 2, all ancestors), RLIMIT_AS, RLIMIT_DATA and the
 * machine. What cannot be read counts as no limit. Reads files under /proc and /sys: some 100
 * microseconds. Allocates nothing.
 *
 * @param out  struct_bytes set by the caller; the rest filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID
 * Threads: any. Fork: works. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_process_memory_read(hr_process_memory *out, hr_error *err);

/** "cgroup v2", "cgroup v1", "RLIMIT_AS", "RLIMIT_DATA", "machine", or "none". Never NULL; valid
 * for ever. Threads: any. Fork: works. @since 0.1 */
HR_API const char *hr_memory_limit_kind_name(hr_memory_limit_kind kind);

#ifdef __cplusplus
}
#endif
#endif
