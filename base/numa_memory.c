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

#define MASK_WORDS (HR__MAX_NODES / WORD_BITS)

static void mask_add(unsigned long nodes[MASK_WORDS], uint32_t id) {
    nodes[id / WORD_BITS] |= 1ul << id % WORD_BITS;
}

static int bind_memory(void *memory, size_t n_bytes, int mode,
                       const unsigned long nodes[MASK_WORDS]) {
    const int rc = own_policy();
    if (rc != 0)
        return rc;
    /* The kernel takes one bit less than it is told. */
    return syscall(SYS_mbind, memory, (unsigned long)n_bytes, (unsigned long)mode, nodes,
                   (unsigned long)HR__MAX_NODES + 1, 0ul) == 0
               ? 0
               : -errno;
}

int hr__numa_interleave(const struct hr__numa *n, void *memory, size_t n_bytes) {
    unsigned long nodes[MASK_WORDS] = {0};
    for (uint32_t i = 0; i < n->num_nodes; i++)
        mask_add(nodes, n->nodes[i].id);
    return bind_memory(memory, n_bytes, MPOL_INTERLEAVE, nodes);
}

int hr__numa_prefer(uint32_t node, void *memory, size_t n_bytes) {
    unsigned long nodes[MASK_WORDS] = {0};
    mask_add(nodes, node);
    return bind_memory(memory, n_bytes, MPOL_PREFERRED, nodes);
}
