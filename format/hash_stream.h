/*
 * XXH3-64 of bytes that come one after another: the same as hr__hash() of all of them.
 */
#ifndef HEADRACE_HASH_STREAM_H
#define HEADRACE_HASH_STREAM_H

#include "headrace/status.h"

#include <stddef.h>

struct hr__hash_stream {
    void *state;
};

hr_status hr__hash_stream_open(struct hr__hash_stream *h, hr_error *err); /* HR_ERR_NO_MEMORY */
void hr__hash_stream_add(struct hr__hash_stream *h, const void *p, size_t n_bytes);
uint64_t hr__hash_stream_value(const struct hr__hash_stream *h);
void hr__hash_stream_close(struct hr__hash_stream *h); /* a zeroed one is fine */

#endif
