/*
 * Where pages are to lie: two calls of the system, made here rather than by a library for them.
 */
#define _GNU_SOURCE
#include "numa.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD_BITS (8 * sizeof(unsigned long))

/* Of the calling thread. 0, -EBUSY: it has one, or -errno. */
static int own_policy(void) {
    int mode = MPOL_DEFAULT;
    if (syscall(SYS_get_mempolicy, &mode, NULL, 0ul, NULL, 0ul) != 0)
        return -errno;
    return mode == MPOL_DEFAULT ? 0 : -EBUSY;
}

int hr__numa_interleave(const struct hr__numa *n, void *memory, size_t n_bytes) {
    unsigned long nodes[HR__MAX_NODES / WORD_BITS] = {0};
    int rc = own_policy();
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < n->num_nodes; i++)
        nodes[n->nodes[i].id / WORD_BITS] |= 1ul << n->nodes[i].id % WORD_BITS;
    /* The kernel takes one bit less than it is told. */
    return syscall(SYS_mbind, memory, (unsigned long)n_bytes, (unsigned long)MPOL_INTERLEAVE, nodes,
                   (unsigned long)HR__MAX_NODES + 1, 0ul) == 0
               ? 0
               : -errno;
}
