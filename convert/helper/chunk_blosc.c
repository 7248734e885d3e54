/*
 * The Blosc filter (of version 1), by its library.
 */
#include "chunk_decoders.h"

#include <blosc.h>

static bool blosc_size(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                       size_t *out_bytes) {
    (void)params;
    return blosc_cbuffer_validate(in, n_bytes, out_bytes) == 0 && *out_bytes > 0 &&
           *out_bytes <= CHUNK_MAX_BYTES;
}

static bool blosc_decode(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                         uint8_t *out, size_t out_bytes) {
    size_t checked;
    (void)params;
    if (blosc_cbuffer_validate(in, n_bytes, &checked) != 0 || checked != out_bytes)
        return false;
    const int n = blosc_decompress_ctx(in, out, out_bytes, 1); /* in this thread */
    return n >= 0 && (size_t)n == out_bytes;
}

static const struct chunk_decoder decoder = {
    .id = 32001, .name = "blosc", .size = blosc_size, .decode = blosc_decode};

const struct chunk_decoder *chunk_decoder_blosc(void) {
    return &decoder;
}
