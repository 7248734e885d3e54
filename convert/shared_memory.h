/*
 * Memory shared with a helper process: allocated and sealed here, so that no helper can shrink it
 * under us, and its pages exist before it is handed over.
 */
#ifndef HEADRACE_SHARED_MEMORY_H
#define HEADRACE_SHARED_MEMORY_H

#include "headrace/status.h"

#include <stdbool.h>

/* Maps n_bytes, writable here or for reading only. *fd is the caller's to hand over and to close,
 * also after a failure (-1: none). Unmap with munmap(). */
hr_status hr__shared_memory_make(uint64_t n_bytes, bool writable, uint8_t **map, int *fd,
                                 hr_error *err);

#endif
