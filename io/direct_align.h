/*
 * The alignment that direct reads and writes of a file need.
 */
#ifndef HEADRACE_DIRECT_ALIGN_H
#define HEADRACE_DIRECT_ALIGN_H

#include <stdbool.h>
#include <stdint.h>

/* Of offset, length and buffer; 0: the file cannot be read and written past the page cache. False:
 * the kernel does not say (before Linux 6.1, or its file system does not). */
bool hr__direct_align(int fd, uint32_t *align_bytes);

#endif
