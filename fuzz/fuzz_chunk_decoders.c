/*
 * Chunks of HDF5: byte 0 chooses a decoder of a filter outside it, or its own pipeline; bytes 1 to
 * 5 are the parameters.
 */
#include "chunk_decoders.h"
#include "chunk_pipeline.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES    6u
#define MAX_OUT_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

/* Byte 1: filters, two bits each; 2: bytes of an element; 3: those left out, and whether decoded
 * bytes stay where they come; 4 and 5: bytes of a chunk. */
static int run_pipeline(const uint8_t *data, size_t n_bytes) {
    const unsigned value = data[2];
    struct chunk_pipeline p = {0};
    struct chunk_unpacker u;
    const uint64_t chunk_bytes = data[4] * 256u + data[5];
    for (unsigned i = 0; i < 3; i++)
        (void)chunk_pipeline_add(&p, data[1] >> 2 * i & 3, &value, 1);
    uint8_t *out = malloc(chunk_bytes + (chunk_bytes == 0));
    const size_t stored_bytes = n_bytes - HEAD_BYTES;
    if (out != NULL && chunk_unpacker_open(&u, chunk_bytes) && stored_bytes <= u.room_bytes) {
        memcpy(u.buffers[0], data + HEAD_BYTES, stored_bytes);
        (void)chunk_unpack(&u, &p, data[3] & 7u, stored_bytes, data[3] >= 128 ? NULL : out);
    }
    if (out != NULL)
        chunk_unpacker_close(&u);
    free(out);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    static const struct chunk_decoder *const decoders[] = {
        &chunk_decoder_lzf, &chunk_decoder_lz4, &chunk_decoder_bitshuffle, &chunk_decoder_zstd};
    size_t out_bytes = 0;
    if (n_bytes < HEAD_BYTES)
        return 0;
    if (data[0] % 5 == 4)
        return run_pipeline(data, n_bytes);
    const struct chunk_decoder *d = decoders[data[0] % 5];
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
