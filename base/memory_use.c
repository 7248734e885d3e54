/*
 * What is used of each limit. Of control groups, that with the least headroom of all ancestors.
 */
#include "memory_use.h"

#include "cgroup.h"
#include "checked.h"
#include "options.h"
#include "proc_file.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define USED_V1 "memory.usage_in_bytes"
#define USED_V2 "memory.current"

static uint64_t or_zero(uint64_t v) {
    return v == UINT64_MAX ? 0 : v;
}

static uint64_t less(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

uint64_t hr__limit_needed(const struct hr__limit_use *limit) {
    return less(limit->used_bytes, limit->reclaimable_bytes);
}

void hr__copy_end(char *out, size_t capacity_bytes, const char *text) {
    size_t n = strlen(text);
    snprintf(out, capacity_bytes, "%s", n < capacity_bytes ? text : text + n - capacity_bytes + 1);
}

static const struct hr__limit_use no_limit = {
    .kind = HR_MEMORY_LIMIT_NONE,
    .limit_bytes = UINT64_MAX,
    .used_bytes = UINT64_MAX,
    .reclaimable_bytes = UINT64_MAX,
    .headroom_bytes = UINT64_MAX,
};

static struct hr__limit_use limit_use(hr_memory_limit_kind kind, const char *name, uint64_t limit,
                                      uint64_t used, uint64_t reclaimable) {
    struct hr__limit_use u = {.kind = kind,
                              .limit_bytes = limit,
                              .used_bytes = used,
                              .reclaimable_bytes = hr__min_u64(reclaimable, used)};
    u.headroom_bytes = less(limit, hr__limit_needed(&u));
    hr__copy_end(u.name, sizeof(u.name), name);
    return u;
}

static void keep_lesser(struct hr__limit_use *least, const struct hr__limit_use *other) {
    if (other->headroom_bytes < least->headroom_bytes)
        *least = *other;
}

/* File pages that can be dropped at once: dirty ones have to be written first, and those that are
 * locked are in neither list. */
static uint64_t reclaimable_of(const char *stat, bool v1) {
    uint64_t cache = or_zero(hr__text_value(stat, v1 ? "total_inactive_file" : "inactive_file")) +
                     or_zero(hr__text_value(stat, v1 ? "total_active_file" : "active_file"));
    uint64_t busy = or_zero(hr__text_value(stat, v1 ? "total_dirty" : "file_dirty")) +
                    or_zero(hr__text_value(stat, v1 ? "total_writeback" : "file_writeback"));
    return less(cache, busy);
}

static void read_group(const char *root, const struct hr__cgroup *group,
                       struct hr__limit_use *least) {
    char folder[HR__CGROUP_FOLDER_BYTES], stat[HR__PROC_TEXT_BYTES];
    const uint64_t limit = hr__cgroup_limit(root, group);
    if (limit == UINT64_MAX)
        return;
    hr__cgroup_folder(group, folder);
    const uint64_t used = hr__proc_number(root, folder, group->v1 ? USED_V1 : USED_V2);
    if (used == UINT64_MAX)
        return;
    hr__proc_text(root, folder, "memory.stat", stat);
    const struct hr__limit_use u =
        limit_use(group->v1 ? HR_MEMORY_LIMIT_CGROUP_V1 : HR_MEMORY_LIMIT_CGROUP_V2, folder, limit,
                  used, reclaimable_of(stat, group->v1));
    keep_lesser(least, &u);
}

static uint64_t oom_kills_of(const char *root, const struct hr__cgroup *group) {
    char folder[HR__CGROUP_FOLDER_BYTES], text[HR__PROC_TEXT_BYTES];
    hr__cgroup_folder(group, folder);
    hr__proc_text(root, folder, hr__cgroup_events_name(group->v1), text);
    return hr__text_value(text, "oom_kill");
}

bool hr__own_cgroup(const char *root, struct hr__cgroup *out) {
    for (int v1 = 1; v1 >= 0; v1--)
        if (hr__cgroup_find(root, v1 != 0, out))
            do {
                if (oom_kills_of(root, out) != UINT64_MAX)
                    return true;
            } while (hr__cgroup_up(out));
    return false;
}

static void read_groups(const char *root, struct hr__memory_use *out) {
    struct hr__cgroup group;
    for (int v1 = 0; v1 <= 1; v1++)
        if (hr__cgroup_find(root, v1 != 0, &group))
            do
                read_group(root, &group, &out->ending);
            while (hr__cgroup_up(&group));
    out->oom_kills = hr__own_cgroup(root, &group) ? oom_kills_of(root, &group) : UINT64_MAX;
}

static void read_machine(const char *root, struct hr__memory_use *out) {
    char text[HR__PROC_TEXT_BYTES];
    hr__proc_text(root, "/proc", "meminfo", text);
    out->machine_bytes = hr__text_kib(text, "MemTotal");
    out->available_bytes = hr__text_kib(text, "MemAvailable");
    if (out->machine_bytes == UINT64_MAX || out->available_bytes == UINT64_MAX)
        return;
    const uint64_t free_bytes = hr__text_kib(text, "MemFree");
    const uint64_t used =
        less(out->machine_bytes, free_bytes != UINT64_MAX ? free_bytes : out->available_bytes);
    const uint64_t needed = less(out->machine_bytes, out->available_bytes);
    const struct hr__limit_use u =
        limit_use(HR_MEMORY_LIMIT_MACHINE, "machine", out->machine_bytes, used, less(used, needed));
    keep_lesser(&out->ending, &u);
}

static struct hr__limit_use read_rlimit(int resource, uint64_t used) {
    struct rlimit r;
    if (used == UINT64_MAX || getrlimit(resource, &r) != 0 || r.rlim_cur == RLIM_INFINITY)
        return no_limit;
    const bool is_address = resource == RLIMIT_AS;
    return limit_use(is_address ? HR_MEMORY_LIMIT_RLIMIT_AS : HR_MEMORY_LIMIT_RLIMIT_DATA,
                     is_address ? "RLIMIT_AS" : "RLIMIT_DATA", (uint64_t)r.rlim_cur, used, 0);
}

void hr__memory_use_read(const char *root, struct hr__memory_use *out) {
    char text[HR__PROC_TEXT_BYTES];
    hr__proc_text(root, "/proc/self", "status", text);
    *out = (struct hr__memory_use){
        .resident_bytes = hr__text_kib(text, "VmRSS"),
        .anonymous_bytes = hr__text_kib(text, "RssAnon"),
        .peak_resident_bytes = hr__text_kib(text, "VmHWM"),
        .data_bytes = hr__text_kib(text, "VmData"),
        .ending = no_limit,
        .address = read_rlimit(RLIMIT_AS, hr__text_kib(text, "VmSize")),
    };
    out->data = read_rlimit(RLIMIT_DATA, out->data_bytes);
    read_groups(root, out);
    read_machine(root, out);
}

static uint64_t status_kib(const char *root, const char *key) {
    char text[HR__PROC_TEXT_BYTES];
    hr__proc_text(root, "/proc/self", "status", text);
    return hr__text_kib(text, key);
}

static uint64_t machine_used(const char *root, uint64_t machine_bytes) {
    char text[HR__PROC_TEXT_BYTES];
    hr__proc_text(root, "/proc", "meminfo", text);
    const uint64_t free_bytes = hr__text_kib(text, "MemFree");
    return free_bytes != UINT64_MAX ? less(machine_bytes, free_bytes) : UINT64_MAX;
}

int hr__limit_used_open(const char *root, const struct hr__limit_use *limit) {
    if (limit->kind != HR_MEMORY_LIMIT_CGROUP_V1 && limit->kind != HR_MEMORY_LIMIT_CGROUP_V2)
        return -1;
    return hr__proc_open(root, limit->name,
                         limit->kind == HR_MEMORY_LIMIT_CGROUP_V1 ? USED_V1 : USED_V2);
}

uint64_t hr__limit_used_now(const char *root, const struct hr__limit_use *limit, int fd) {
    if (fd >= 0)
        return hr__proc_number_at(fd);
    switch (limit->kind) {
    case HR_MEMORY_LIMIT_MACHINE:
        return machine_used(root, limit->limit_bytes);
    case HR_MEMORY_LIMIT_RLIMIT_AS:
        return status_kib(root, "VmSize");
    case HR_MEMORY_LIMIT_RLIMIT_DATA:
        return status_kib(root, "VmData");
    default:
        return UINT64_MAX;
    }
}

const struct hr__limit_use *hr__least_headroom(const struct hr__memory_use *use, bool with_data) {
    const struct hr__limit_use *least = &use->ending;
    if (use->address.headroom_bytes < least->headroom_bytes)
        least = &use->address;
    if (with_data && use->data.headroom_bytes < least->headroom_bytes)
        least = &use->data;
    return least;
}

hr_status hr_process_memory_read(hr_process_memory *out, hr_error *err) {
    struct hr__memory_use use;
    hr_status st = hr__result_check(out, offsetof(hr_process_memory, resident_bytes), sizeof(*out),
                                    "hr_process_memory", err);
    if (st != HR_OK)
        return st;
    hr__memory_use_read("", &use);
    const struct hr__limit_use *limit = hr__least_headroom(&use, true);
    hr_process_memory m = {
        .struct_bytes = sizeof(m),
        .limit_kind = limit->kind,
        .resident_bytes = use.resident_bytes,
        .anonymous_bytes = use.anonymous_bytes,
        .peak_resident_bytes = use.peak_resident_bytes,
        .headrace_bytes = hr_memory_in_use(),
        .limit_bytes = limit->limit_bytes,
        .used_bytes = limit->used_bytes,
        .reclaimable_bytes = limit->reclaimable_bytes,
        .headroom_bytes = limit->headroom_bytes,
        .oom_kills = use.oom_kills,
        .machine_bytes = use.machine_bytes,
        .machine_available_bytes = use.available_bytes,
    };
    memcpy(m.limit_name, limit->name, sizeof(m.limit_name));
    hr__result_copy(out, &m, sizeof(m));
    return HR_OK;
}

const char *hr_memory_limit_kind_name(hr_memory_limit_kind kind) {
    static const char *const names[] = {"none",      "cgroup v2",   "cgroup v1",
                                        "RLIMIT_AS", "RLIMIT_DATA", "machine"};
    const size_t i = (size_t)kind;
    return names[i < sizeof(names) / sizeof(names[0]) ? i : 0];
}
