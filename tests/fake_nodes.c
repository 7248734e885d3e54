/*
 * A folder like /sys.
 */
#define _GNU_SOURCE
#include "fake_nodes.h"

#include "made_dataset.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void make_folder(const char *path) {
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        abort();
}

static void write_text(const char *folder, const char *name, const char *text) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (f == NULL || fprintf(f, "%s\n", text) < 0 || fclose(f) != 0)
        abort();
}

const char *fake_nodes(const char *online, const struct fake_node *nodes) {
    static char sysfs[PATH_MAX / 2];
    static int number;
    char path[PATH_MAX];
    char name[16];
    snprintf(name, sizeof(name), "sys%d", number++);
    snprintf(sysfs, sizeof(sysfs), "%s", made_path(name));
    make_folder(sysfs);
    static const char *const levels[] = {"", "/devices", "/devices/system", "/devices/system/node"};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", sysfs, levels[i]);
        make_folder(path);
    }
    if (online != NULL)
        write_text(path, "online", online);
    for (; nodes->name != NULL; nodes++) {
        char node[PATH_MAX];
        snprintf(node, sizeof(node), "%.2000s/devices/system/node/%s", sysfs, nodes->name);
        make_folder(node);
        if (nodes->cpulist != NULL)
            write_text(node, "cpulist", nodes->cpulist);
    }
    return sysfs;
}

void fake_nodes_pci(const char *sysfs, const char *pci, const char *node) {
    char path[PATH_MAX];
    const char *const levels[] = {"/bus", "/bus/pci", "/bus/pci/devices"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", sysfs, levels[i]);
        make_folder(path);
    }
    snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sysfs, pci);
    make_folder(path);
    write_text(path, "numa_node", node);
}
