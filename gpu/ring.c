/*
 * Rings are kept by a forked child (which may read a batch it was handed before), so they are not
 * MADV_DONTFORK here.
 */
#define _GNU_SOURCE
#include "ring.h"

#include "checked.h"
#include "error.h"

#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define PAGE_BYTES      ((size_t)4096)

/* Below a few huge pages their rounding would cost more than they give. */
static size_t granule(size_t n_bytes) {
    return n_bytes >= 4 * HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : PAGE_BYTES;
}

size_t hr__ring_bytes(size_t n_bytes) {
    return (size_t)hr__round_up(n_bytes, granule(n_bytes));
}

hr_status hr__ring_alloc(size_t n_bytes, void **out, hr_error *err) {
    size_t size = hr__ring_bytes(n_bytes), align = granule(n_bytes);
    *out = NULL;
    /* Address space for one granule more, so that the ring can begin on one; the rest goes back. */
    uint8_t *p = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return hr__error_no_memory(err, size, "the batch ring");
    uint8_t *ring = (uint8_t *)hr__round_up((uintptr_t)p, align);
    if (ring > p)
        munmap(p, (size_t)(ring - p));
    if (ring < p + align)
        munmap(ring + size, (size_t)(p + align - ring));
    if (align == HUGE_PAGE_BYTES)
        (void)madvise(ring, size, MADV_HUGEPAGE); /* advice: small pages do as well */
    *out = ring;
    return HR_OK;
}

void hr__ring_sparse(void *ring, size_t n_bytes) {
    (void)madvise(ring, hr__ring_bytes(n_bytes), MADV_NOHUGEPAGE); /* advice, too */
}

void hr__ring_discard(void *p, size_t n_bytes) {
    const uintptr_t begin = (uintptr_t)hr__round_up((uintptr_t)p, PAGE_BYTES);
    const uintptr_t end = ((uintptr_t)p + n_bytes) / PAGE_BYTES * PAGE_BYTES;
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* else they stay until the end */
}

void hr__ring_free(void *ring, size_t n_bytes) {
    if (ring != NULL)
        munmap(ring, hr__ring_bytes(n_bytes));
}
