/*
 * The memory of batches on the host: what they are decoded into and finished into, and what a GPU
 * reads from when it was pinned.
 */
#ifndef HEADRACE_RING_H
#define HEADRACE_RING_H

#include "headrace/status.h"

#include <stddef.h>

/* Bytes that a ring of n_bytes really takes: what is charged to the budget, and pinned. */
size_t hr__ring_bytes(size_t n_bytes);
/* Zeroed memory, on huge pages where they can be had, aligned to at least 4,096 bytes; the caller's
 * until hr__ring_free(). HR_ERR_NO_MEMORY. */
hr_status hr__ring_alloc(size_t n_bytes, void **out, hr_error *err);
/* Of a ring that will be filled here and there only: small pages, of which those that nothing is
 * written to take no memory. Before the first write. */
void hr__ring_sparse(void *ring, size_t n_bytes);
/* Gives the whole pages in [p, p + n_bytes), part of a ring, back to the system; they are zero
 * afterwards. */
void hr__ring_discard(void *p, size_t n_bytes);
void hr__ring_free(void *ring, size_t n_bytes); /* NULL is fine */

#endif
