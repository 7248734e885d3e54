/*
 * Control groups of this process.
 */
#include "cgroup.h"

#include "proc_file.h"

#include <stdio.h>
#include <string.h>

/* cgroup v1 says "no limit" as a number near 2^63. */
#define NO_LIMIT_V1 (UINT64_C(1) << 60)

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

/* A line of /proc/self/cgroup that is about memory: "N:...,memory,...:/path" or "0::/path". */
static bool take_line(char *line, bool v1, struct hr__cgroup *out) {
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return false;
    *group++ = 0;
    controllers++;
    if (v1 ? !lists(controllers, "memory") : controllers[0] != 0)
        return false;
    out->v1 = v1;
    if (strcmp(group, "/") == 0)
        group = "";
    return snprintf(out->path, sizeof(out->path), "%s", group) < (int)sizeof(out->path);
}

bool hr__cgroup_find(const char *root, bool v1, struct hr__cgroup *out) {
    char text[HR__PROC_TEXT_BYTES];
    if (!hr__proc_text(root, "/proc/self", "cgroup", text))
        return false;
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = 0;
        if (take_line(line, v1, out))
            return true;
    }
    return false;
}

bool hr__cgroup_up(struct hr__cgroup *group) {
    char *slash = strrchr(group->path, '/');
    if (slash == NULL)
        return false;
    *slash = 0;
    return true;
}

void hr__cgroup_folder(const struct hr__cgroup *group, char out[HR__CGROUP_FOLDER_BYTES]) {
    snprintf(out, HR__CGROUP_FOLDER_BYTES, "/sys/fs/cgroup%s%s", group->v1 ? "/memory" : "",
             group->path);
}

uint64_t hr__cgroup_limit(const char *root, const struct hr__cgroup *group) {
    char folder[HR__CGROUP_FOLDER_BYTES];
    hr__cgroup_folder(group, folder);
    uint64_t limit =
        hr__proc_number(root, folder, group->v1 ? "memory.limit_in_bytes" : "memory.max");
    return group->v1 && limit >= NO_LIMIT_V1 ? UINT64_MAX : limit;
}

const char *hr__cgroup_events_name(bool v1) {
    return v1 ? "memory.oom_control" : "memory.events";
}

const char *hr__cgroup_peak_name(bool v1) {
    return v1 ? "memory.max_usage_in_bytes" : "memory.peak";
}
