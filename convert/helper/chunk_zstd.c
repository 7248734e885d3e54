/*
 * The Zstandard filter: one frame that says its size.
 */
#include "chunk_decoders.h"

#include <zstd.h>

static bool zstd_size(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                      size_t *out_bytes) {
    const unsigned long long n = ZSTD_getFrameContentSize(in, n_bytes); /* errors are huge */
    (void)params;
    *out_bytes = (size_t)n;
    return n > 0 && n <= CHUNK_MAX_BYTES;
}

static bool zstd_decode(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                        uint8_t *out, size_t out_bytes) {
    (void)params;
    return ZSTD_decompress(out, out_bytes, in, n_bytes) == out_bytes;
}

const struct chunk_decoder chunk_decoder_zstd = {
    .id = 32015, .name = "zstd", .size = zstd_size, .decode = zstd_decode};
