/*
 * One direct read, as the queues past the page cache carry it on: a result may be cut at any
 * multiple of the alignment, and only one that is not, or 0, is the end of the file.
 */
#ifndef HEADRACE_DIRECT_READ_H
#define HEADRACE_DIRECT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hr__direct_read {
    uint64_t tag;
    int fd;
    uint8_t *buf;
    size_t n_bytes;
    uint64_t off;
    size_t done_bytes;
};

/* What the kernel answered: bytes or -errno. True: the rest is to be asked for; false: the read is
 * finished, with *result. After EINTR and EAGAIN the rest is read here and now. */
bool hr__direct_read_answer(struct hr__direct_read *r, uint32_t align_bytes, int64_t answer,
                            int64_t *result);

/* Reads what is missing here and now. Bytes in all, or -errno. */
int64_t hr__direct_read_rest(struct hr__direct_read *r, uint32_t align_bytes);

#endif
