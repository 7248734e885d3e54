/*
 * Memory for reads.
 */
#define _GNU_SOURCE
#include "io_queue.h"

#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

/* Address space for n_bytes that begins at a huge page, where that is worth it. */
static uint8_t *map_aligned(size_t n_bytes) {
    size_t spare = n_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : 0;
    uint8_t *p =
        mmap(NULL, n_bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t skip = spare > 0 ? -(uintptr_t)p % HUGE_PAGE_BYTES : 0;
    if (skip > 0)
        (void)munmap(p, skip);
    if (spare - skip > 0)
        (void)munmap(p + skip + n_bytes, spare - skip);
    return p + skip;
}

void *hr__read_buffers_alloc(size_t n_bytes) {
    if (n_bytes > SIZE_MAX - HUGE_PAGE_BYTES)
        return NULL;
    uint8_t *p = map_aligned(n_bytes);
    if (p == NULL)
        return NULL;
    (void)madvise(p, n_bytes, MADV_DONTFORK);
    (void)madvise(p, n_bytes, MADV_HUGEPAGE);
    return p;
}

void hr__read_buffers_free(void *buffers, size_t n_bytes) {
    (void)munmap(buffers, n_bytes);
}
