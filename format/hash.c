/*
 * The hash, by xxHash.
 */
#include "hash.h"

#include "bytes.h"

#include <xxhash.h>

uint64_t hr__hash(const void *p, size_t n_bytes) {
    return XXH3_64bits(p, n_bytes);
}

void hr__hash_wide(const void *p, size_t n_bytes, uint8_t out[16]) {
    const XXH128_hash_t hash = XXH3_128bits(p, n_bytes);
    hr__put_u64(out, hash.low64);
    hr__put_u64(out + 8, hash.high64);
}
