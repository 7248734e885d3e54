/*
 * The alignment that direct reads and writes of a file need.
 */
#ifndef HEADRACE_DIRECT_ALIGN_H
#define HEADRACE_DIRECT_ALIGN_H

#include <stdbool.h>
#include <stdint.h>

/* Of offset, length and buffer, as the kernel tells it (Linux 6.1 and later); 0: the file cannot be
 * read and written past the page cache, or the kernel does not say. *told: it says. */
uint32_t hr__direct_align(int fd, bool *told);

#endif
