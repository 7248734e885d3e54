/*
 * Chunks of filters outside HDF5: byte 0 chooses the decoder, bytes 1 to 5 are the parameters.
 */
#include "chunk_decoders.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES    6u
#define MAX_OUT_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    static const struct chunk_decoder *const decoders[] = {
        &chunk_decoder_lzf, &chunk_decoder_lz4, &chunk_decoder_bitshuffle, &chunk_decoder_zstd};
    size_t out_bytes = 0;
    if (n_bytes < HEAD_BYTES)
        return 0;
    const struct chunk_decoder *d = decoders[data[0] % 4];
    const unsigned values[5] = {0, data[1] % 16u, data[2], data[3] * 8u + data[4] % 2u, data[5]};
    const struct chunk_params params = {values, data[1] / 16u % 6u};
    /* Of exactly that size, so that a sanitizer sees every byte too far. */
    const size_t in_bytes = n_bytes - HEAD_BYTES;
    uint8_t *in = malloc(in_bytes + (in_bytes == 0));
    if (in == NULL)
        return 0;
    memcpy(in, data + HEAD_BYTES, in_bytes);
    if (d->size(&params, in, in_bytes, &out_bytes)) {
        if (out_bytes == 0 || out_bytes > CHUNK_MAX_BYTES)
            abort();
        uint8_t *out = out_bytes <= MAX_OUT_BYTES ? malloc(out_bytes) : NULL;
        if (out != NULL)
            (void)d->decode(&params, in, in_bytes, out, out_bytes);
        free(out);
    }
    free(in);
    return 0;
}
