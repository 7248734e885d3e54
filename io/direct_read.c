/*
 * Carrying a direct read on.
 */
#define _GNU_SOURCE
#include "direct_read.h"

#include "file.h"

#include <errno.h>
#include <unistd.h>

static bool wants_more(const struct hr__direct_read *r, uint32_t align_bytes, int64_t n) {
    return n > 0 && r->done_bytes < r->n_bytes && (uint64_t)n % align_bytes == 0;
}

int64_t hr__direct_read_rest(struct hr__direct_read *r, uint32_t align_bytes) {
    int64_t n;
    uint32_t tries = 0;
    do {
        n = pread(r->fd, r->buf + r->done_bytes, r->n_bytes - r->done_bytes,
                  (off_t)(r->off + r->done_bytes));
        if (n < 0 && !hr__read_again(errno, &tries))
            return -errno;
        r->done_bytes += n > 0 ? (size_t)n : 0;
    } while (n < 0 || wants_more(r, align_bytes, n));
    return (int64_t)r->done_bytes;
}

bool hr__direct_read_answer(struct hr__direct_read *r, uint32_t align_bytes, int64_t answer,
                            int64_t *result) {
    if (answer == -EINTR || answer == -EAGAIN) {
        *result = hr__direct_read_rest(r, align_bytes);
        return false;
    }
    r->done_bytes += answer > 0 ? (size_t)answer : 0;
    *result = answer < 0 ? answer : (int64_t)r->done_bytes;
    return wants_more(r, align_bytes, answer);
}
