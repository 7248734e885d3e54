/*
 * Machines whose memory is nearer to some processors than to others: which nodes there are, which
 * of them each thread of a group belongs to, and where memory is to be. A machine with one node, or
 * a process that may use one only, is none of them.
 */
#ifndef HEADRACE_NUMA_H
#define HEADRACE_NUMA_H

#include "headrace/status.h"

#include <stdbool.h>
#include <stddef.h>

#define HR__MAX_CPUS  8192u
#define HR__MAX_NODES 1024u /* numbers of nodes are below */

/* As the kernel has them in its calls. */
struct hr__cpus {
    unsigned long words[HR__MAX_CPUS / (8 * sizeof(unsigned long))];
};

/* "0-3,8\n", as the kernel writes lists; "" is the empty set. False: it is no list, or names what
 * is beyond HR__MAX_CPUS. */
bool hr__cpus_parse(const char *text, struct hr__cpus *out);
bool hr__cpus_has(const struct hr__cpus *c, uint32_t cpu);
uint32_t hr__cpus_count(const struct hr__cpus *c);
/* Those that the calling thread may run on. False: the system does not say. */
bool hr__cpus_allowed(struct hr__cpus *out);

struct hr__numa_node {
    uint32_t id; /* the kernel's number */
    uint32_t num_cpus;
    struct hr__cpus cpus; /* that the process may use; at least one */
};

struct hr__numa {
    uint32_t num_nodes; /* 2 or more */
    struct hr__numa_node nodes[];
};

/* The nodes below `sysfs` ("/sys") with processors of `allowed`, in ascending order. NULL where
 * they are fewer than two, where the folder does not say, or without memory: then there is nothing
 * to be done. The caller frees it. */
struct hr__numa *hr__numa_read(const char *sysfs, const struct hr__cpus *allowed);

/* The index of the node that the calling thread runs on; 0 where that is not known. */
uint32_t hr__numa_home(const struct hr__numa *n);

/* node_of[t]: the index of the node of thread t, in proportion to their processors, so that any
 * first few of the threads are spread alike; of nodes that come to the same, `home` is first.
 * Returns how many nodes have threads. 0 or 1: no thread is to be placed; as where there are fewer
 * threads than nodes, which the scheduler spreads better, over all processes. */
uint32_t hr__numa_place(const struct hr__numa *n, uint32_t home, uint32_t num_threads,
                        uint32_t *node_of);

/* The calling thread runs on the node's processors only. 0 or -errno. */
int hr__numa_run_on(const struct hr__numa_node *node);

/* Pages of memory that nobody has touched yet will lie on all nodes in turn. 0; -EBUSY: the process
 * was given a policy of its own (numactl), which is left alone; -errno: the system refuses, as many
 * containers do. */
int hr__numa_interleave(const struct hr__numa *n, void *memory, size_t n_bytes);
/* The same, and they will lie on one node, the kernel's number, as long as it has room. */
int hr__numa_prefer(uint32_t node, void *memory, size_t n_bytes);

/* The node that a device on the PCI bus ("0000:3b:00.0") is next to; false: the system does not
 * say, as on machines with one. */
bool hr__numa_of_pci(const char *sysfs, const char *pci, uint32_t *node);

#endif
