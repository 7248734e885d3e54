/*
 * A folder like /sys of a machine with the memory nodes that a test wants.
 */
#ifndef HEADRACE_FAKE_NODES_H
#define HEADRACE_FAKE_NODES_H

struct fake_node {
    const char *name;    /* "node0" */
    const char *cpulist; /* NULL: the file is missing */
};

/* The folder below made_path() is made anew; online: the list of nodes, or NULL: no such file.
 * nodes: up to one without a name. Returns its path, which stays valid until the next call. */
const char *fake_nodes(const char *online, const struct fake_node *nodes);

/* Puts a device on the PCI bus of such a machine, next to a node: "1", or "-1" for none. */
void fake_nodes_pci(const char *sysfs, const char *pci, const char *node);

#endif
