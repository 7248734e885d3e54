/*
 * Memory limits of this process. Everything read here comes from the kernel, but what is missing or
 * strange counts as "no limit".
 */
#include "memory_limit.h"

#include "cgroup.h"
#include "checked.h"
#include "proc_file.h"

#include <sys/resource.h>

/* The smallest limit of a group and its ancestors. *anonymous: of the group that has it. */
static uint64_t group_limit(const char *root, struct hr__cgroup group, uint64_t *anonymous) {
    char folder[HR__CGROUP_FOLDER_BYTES], text[HR__PROC_TEXT_BYTES];
    uint64_t least = UINT64_MAX;
    do {
        uint64_t limit = hr__cgroup_limit(root, &group);
        if (limit >= least)
            continue;
        least = limit;
        hr__cgroup_folder(&group, folder);
        hr__proc_text(root, folder, "memory.stat", text);
        *anonymous = hr__text_value(text, group.v1 ? "total_rss" : "anon");
    } while (hr__cgroup_up(&group));
    return least;
}

static uint64_t left_of(int resource, uint64_t used) {
    struct rlimit r;
    if (getrlimit(resource, &r) != 0 || r.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return (uint64_t)r.rlim_cur > used ? (uint64_t)r.rlim_cur - used : 0;
}

static uint64_t or_zero(uint64_t v) {
    return v == UINT64_MAX ? 0 : v;
}

void hr__memory_limit_read(const char *root, struct hr__memory_limit *out) {
    struct hr__cgroup group;
    char text[HR__PROC_TEXT_BYTES];
    uint64_t anonymous = UINT64_MAX;
    *out = (struct hr__memory_limit){.cgroup_limit_bytes = UINT64_MAX};
    for (int v1 = 0; v1 <= 1; v1++)
        if (hr__cgroup_find(root, v1 != 0, &group)) {
            uint64_t seen = UINT64_MAX, limit = group_limit(root, group, &seen);
            if (limit < out->cgroup_limit_bytes) {
                out->cgroup_limit_bytes = limit;
                anonymous = seen;
            }
        }
    hr__proc_text(root, "/proc", "meminfo", text);
    out->available_bytes = hr__text_kib(text, "MemAvailable");
    hr__proc_text(root, "/proc/self", "status", text);
    uint64_t address = or_zero(hr__text_kib(text, "VmSize"));
    uint64_t data = or_zero(hr__text_kib(text, "VmData"));
    out->rlimit_left_bytes = hr__min_u64(left_of(RLIMIT_AS, address), left_of(RLIMIT_DATA, data));
    if (anonymous == UINT64_MAX)
        anonymous = hr__text_kib(text, "RssAnon");
    out->anonymous_used_bytes = or_zero(anonymous);
    out->smallest_bytes = hr__min_u64(out->cgroup_limit_bytes,
                                      hr__min_u64(out->available_bytes, out->rlimit_left_bytes));
}

uint64_t hr__page_cache_share(const char *root) {
    struct hr__memory_limit limit;
    hr__memory_limit_read(root, &limit);
    uint64_t room = limit.available_bytes;
    if (limit.cgroup_limit_bytes != UINT64_MAX) {
        const uint64_t used = hr__min_u64(limit.anonymous_used_bytes, limit.cgroup_limit_bytes);
        room = hr__min_u64(room, limit.cgroup_limit_bytes - used);
    }
    return room / 2;
}
