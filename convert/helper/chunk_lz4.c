/*
 * The LZ4 filter: decoded bytes (8, big-endian), block bytes (4, big-endian), then for each block
 * its stored bytes (4, big-endian) and an LZ4 block, or the block itself where it is not smaller.
 */
#include "chunk_decoders.h"

#include <limits.h>
#include <lz4.h>
#include <string.h>

#define HEAD_BYTES 12u

static uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool lz4_size(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                     size_t *out_bytes) {
    (void)params;
    if (n_bytes < HEAD_BYTES || get_u32(in) != 0)
        return false;
    *out_bytes = get_u32(in + 4);
    return *out_bytes > 0;
}

static bool lz4_decode(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                       uint8_t *out, size_t out_bytes) {
    const size_t block = n_bytes >= HEAD_BYTES ? get_u32(in + 8) : 0;
    size_t at = HEAD_BYTES, done = 0;
    (void)params;
    if (block == 0 || block > INT_MAX)
        return false;
    while (done < out_bytes) {
        const size_t here = out_bytes - done < block ? out_bytes - done : block;
        if (n_bytes - at < 4)
            return false;
        const size_t stored = get_u32(in + at);
        at += 4;
        if (stored > n_bytes - at || stored > INT_MAX)
            return false;
        if (stored == here)
            memcpy(out + done, in + at, here);
        else if (LZ4_decompress_safe((const char *)in + at, (char *)out + done, (int)stored,
                                     (int)here) != (int)here)
            return false;
        at += stored;
        done += here;
    }
    return true;
}

const struct chunk_decoder chunk_decoder_lz4 = {
    .id = 32004, .name = "lz4", .size = lz4_size, .decode = lz4_decode};
