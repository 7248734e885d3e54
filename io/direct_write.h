/*
 * Writing whole pages past the page cache.
 */
#ifndef HEADRACE_DIRECT_WRITE_H
#define HEADRACE_DIRECT_WRITE_H

#include "file.h"

/* The file of a descriptor, once more; *out has write_parts and close, and no path. -EOPNOTSUPP
 * where its file system does not say how it takes direct writes: network file systems would have
 * their server wait for its disk each time. 0 or -errno. */
int hr__direct_write_open(int fd, struct hr__file *out);

#endif
