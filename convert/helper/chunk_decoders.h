/*
 * Decoders of chunks that filters outside HDF5 have compressed: their public formats over buffers.
 * Input is untrusted: no decoder reads or writes a byte beyond what it is given.
 */
#ifndef HEADRACE_CHUNK_DECODERS_H
#define HEADRACE_CHUNK_DECODERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_MAX_BYTES UINT32_MAX /* HDF5 has no larger chunks */

struct chunk_params { /* what the data set says of its filter */
    const unsigned *values;
    size_t n;
};

struct chunk_decoder {
    int id; /* registered with The HDF Group */
    const char *name;
    /* Decoded bytes: at least 1, at most CHUNK_MAX_BYTES. False: the input is damaged. */
    bool (*size)(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                 size_t *out_bytes);
    /* Exactly so many. False: the input is damaged, or memory is short. */
    bool (*decode)(const struct chunk_params *params, const uint8_t *in, size_t n_bytes,
                   uint8_t *out, size_t out_bytes);
};

extern const struct chunk_decoder chunk_decoder_lzf;
extern const struct chunk_decoder chunk_decoder_lz4;
extern const struct chunk_decoder chunk_decoder_bitshuffle;
extern const struct chunk_decoder chunk_decoder_zstd;
/* NULL: this helper is built without the library. */
const struct chunk_decoder *chunk_decoder_blosc(void);

#endif
