/*
 * Memory limits of this process. Everything read here comes from the kernel, but what is missing or
 * strange counts as "no limit".
 */
#define _GNU_SOURCE
#include "memory_limit.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* cgroup v1 says "no limit" as a number near 2^63. */
#define NO_LIMIT_V1 (UINT64_C(1) << 60)

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* The first number in a file; UINT64_MAX for "max", and for what cannot be read. */
static uint64_t read_number(const char *root, const char *folder, const char *name) {
    char path[PATH_MAX];
    uint64_t value = UINT64_MAX;
    if (snprintf(path, sizeof(path), "%s%s/%s", root, folder, name) >= (int)sizeof(path))
        return UINT64_MAX;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return UINT64_MAX;
    if (fscanf(f, "%" SCNu64, &value) != 1)
        value = UINT64_MAX;
    fclose(f);
    return value;
}

/* "KEY value" or "KEY: value kB" in a file. */
static uint64_t read_key(const char *root, const char *folder, const char *name, const char *key,
                         uint64_t unit) {
    char path[PATH_MAX], line[256];
    uint64_t value = UINT64_MAX, found;
    size_t key_bytes = strlen(key);
    if (snprintf(path, sizeof(path), "%s%s/%s", root, folder, name) >= (int)sizeof(path))
        return UINT64_MAX;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return UINT64_MAX;
    while (value == UINT64_MAX && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, key, key_bytes) == 0 &&
            sscanf(line + key_bytes, ": %" SCNu64, &found) == 1)
            value = found * unit;
        else if (strncmp(line, key, key_bytes) == 0 &&
                 sscanf(line + key_bytes, " %" SCNu64, &found) == 1)
            value = found * unit;
    fclose(f);
    return value;
}

struct cgroup {
    bool v1;
    char path[PATH_MAX / 2];
};

/* A name is in a list with commas between. */
static bool lists(const char *names, const char *name) {
    size_t n = strlen(name);
    for (const char *at = names; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, n) == 0 && (at[n] == 0 || at[n] == ','))
            return true;
    }
    return false;
}

/* The line of /proc/self/cgroup that is about memory: "N:...,memory,...:/path" or "0::/path". */
static bool find_cgroup(const char *root, bool v1, struct cgroup *out) {
    char path[PATH_MAX], line[PATH_MAX / 2];
    bool found = false;
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = 0;
        controllers++;
        found =
            v1 ? lists(controllers, "memory") : strncmp(line, "0", 2) == 0 || controllers[0] == 0;
        if (found) {
            out->v1 = v1;
            snprintf(out->path, sizeof(out->path), "%s", strcmp(group, "/") == 0 ? "" : group);
        }
    }
    fclose(f);
    return found;
}

/* The smallest limit of a group and its ancestors. *anonymous: of the group that has it. */
static uint64_t group_limit(const char *root, const struct cgroup *group, uint64_t *anonymous) {
    char folder[PATH_MAX];
    uint64_t least = UINT64_MAX;
    struct cgroup at = *group;
    for (;;) {
        snprintf(folder, sizeof(folder), "/sys/fs/cgroup%s%s", group->v1 ? "/memory" : "", at.path);
        uint64_t limit =
            read_number(root, folder, group->v1 ? "memory.limit_in_bytes" : "memory.max");
        if (group->v1 && limit >= NO_LIMIT_V1)
            limit = UINT64_MAX;
        if (limit < least) {
            least = limit;
            *anonymous = read_key(root, folder, "memory.stat", group->v1 ? "total_rss" : "anon", 1);
        }
        char *slash = strrchr(at.path, '/');
        if (slash == NULL)
            return least;
        *slash = 0;
    }
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
    struct cgroup group;
    uint64_t anonymous = UINT64_MAX;
    *out = (struct hr__memory_limit){.cgroup_limit_bytes = UINT64_MAX};
    for (int v1 = 0; v1 <= 1; v1++)
        if (find_cgroup(root, v1 != 0, &group)) {
            uint64_t seen = UINT64_MAX, limit = group_limit(root, &group, &seen);
            if (limit < out->cgroup_limit_bytes) {
                out->cgroup_limit_bytes = limit;
                anonymous = seen;
            }
        }
    out->available_bytes = read_key(root, "/proc", "meminfo", "MemAvailable", 1024);
    uint64_t address = or_zero(read_key(root, "/proc/self", "status", "VmSize", 1024));
    uint64_t data = or_zero(read_key(root, "/proc/self", "status", "VmData", 1024));
    out->rlimit_left_bytes = smaller(left_of(RLIMIT_AS, address), left_of(RLIMIT_DATA, data));
    if (anonymous == UINT64_MAX)
        anonymous = read_key(root, "/proc/self", "status", "RssAnon", 1024);
    out->anonymous_used_bytes = or_zero(anonymous);
    out->smallest_bytes =
        smaller(out->cgroup_limit_bytes, smaller(out->available_bytes, out->rlimit_left_bytes));
}
