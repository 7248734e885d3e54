/*
 * The hash of everything that is stored: XXH3. hash_stream.h: the same of bytes that come in parts.
 */
#ifndef HEADRACE_HASH_H
#define HEADRACE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hr__hash(const void *p, size_t n_bytes); /* XXH3-64 */
/* XXH3-128: its lower 64 bits, then the upper ones, little-endian. */
void hr__hash_wide(const void *p, size_t n_bytes, uint8_t out[16]);

#endif
