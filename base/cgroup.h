/*
 * This process's control groups, versions 2 and 1, and their ancestors, as far as they limit
 * memory. Files are read below a root, as in proc_file.h.
 */
#ifndef HEADRACE_CGROUP_H
#define HEADRACE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#define HR__CGROUP_PATH_BYTES   2048u
#define HR__CGROUP_FOLDER_BYTES 4096u

struct hr__cgroup {
    bool v1;
    char path[HR__CGROUP_PATH_BYTES]; /* "" for the root of the hierarchy */
};

/* The group of this process that is about memory. False: there is none. A container may see the
 * path that its host has, and its own group as the root: the folder of such a path is missing. */
bool hr__cgroup_find(const char *root, bool v1, struct hr__cgroup *out);

/* Goes up to the parent. False: it is the root already. */
bool hr__cgroup_up(struct hr__cgroup *group);

/* "/sys/fs/cgroup/..." */
void hr__cgroup_folder(const struct hr__cgroup *group, char out[HR__CGROUP_FOLDER_BYTES]);

/* UINT64_MAX: no limit of its own, or it cannot be read. */
uint64_t hr__cgroup_limit(const char *root, const struct hr__cgroup *group);

/* The file that counts processes ended for want of memory, and that of the most ever used. */
const char *hr__cgroup_events_name(bool v1);
const char *hr__cgroup_peak_name(bool v1);

#endif
