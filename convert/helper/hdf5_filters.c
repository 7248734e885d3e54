/*
 * Filters outside HDF5: those that are read, and the names of the others. Chunks are untrusted.
 */
#include "chunk_decoders.h"
#include "helper.h"

#include <string.h>

/* Replaces the chunk by what it decodes to; 0: it cannot be. */
static size_t decode(const struct chunk_decoder *d, unsigned flags, size_t num_values,
                     const unsigned *values, size_t n_bytes, size_t *buf_bytes, void **buf) {
    const struct chunk_params params = {values, num_values};
    size_t out_bytes = 0;
    if ((flags & H5Z_FLAG_REVERSE) == 0 || !d->size(&params, *buf, n_bytes, &out_bytes))
        return 0;
    uint8_t *out = H5allocate_memory(out_bytes, false);
    if (out == NULL)
        return 0;
    if (!d->decode(&params, *buf, n_bytes, out, out_bytes)) {
        (void)H5free_memory(out);
        return 0;
    }
    (void)H5free_memory(*buf);
    *buf = out;
    *buf_bytes = out_bytes;
    return out_bytes;
}

static size_t lzf(unsigned flags, size_t n, const unsigned values[], size_t n_bytes,
                  size_t *buf_bytes, void **buf) {
    return decode(&chunk_decoder_lzf, flags, n, values, n_bytes, buf_bytes, buf);
}

static size_t lz4(unsigned flags, size_t n, const unsigned values[], size_t n_bytes,
                  size_t *buf_bytes, void **buf) {
    return decode(&chunk_decoder_lz4, flags, n, values, n_bytes, buf_bytes, buf);
}

static size_t bitshuffle(unsigned flags, size_t n, const unsigned values[], size_t n_bytes,
                         size_t *buf_bytes, void **buf) {
    return decode(&chunk_decoder_bitshuffle, flags, n, values, n_bytes, buf_bytes, buf);
}

static size_t zstd(unsigned flags, size_t n, const unsigned values[], size_t n_bytes,
                   size_t *buf_bytes, void **buf) {
    return decode(&chunk_decoder_zstd, flags, n, values, n_bytes, buf_bytes, buf);
}

static size_t blosc(unsigned flags, size_t n, const unsigned values[], size_t n_bytes,
                    size_t *buf_bytes, void **buf) {
    return decode(chunk_decoder_blosc(), flags, n, values, n_bytes, buf_bytes, buf);
}

static bool add(const struct chunk_decoder *d, H5Z_func_t function) {
    const H5Z_class2_t filter = {.version = H5Z_CLASS_T_VERS,
                                 .id = d->id,
                                 .encoder_present = 0,
                                 .decoder_present = 1,
                                 .name = d->name,
                                 .filter = function};
    return H5Zregister(&filter) >= 0;
}

bool h5_filters_register(void) {
    return add(&chunk_decoder_lzf, lzf) && add(&chunk_decoder_lz4, lz4) &&
           add(&chunk_decoder_bitshuffle, bitshuffle) && add(&chunk_decoder_zstd, zstd) &&
           (chunk_decoder_blosc() == NULL || add(chunk_decoder_blosc(), blosc));
}

const char *h5_filter_name(int id) {
    static const struct {
        int id;
        const char *name;
    } names[] = {
        {305, "LZO"},          {307, "BZIP2"},
        {32000, "LZF"},        {32001, "Blosc"},
        {32002, "MAFISC"},     {32003, "Snappy"},
        {32004, "LZ4"},        {32005, "APAX"},
        {32006, "CBF"},        {32007, "JPEG-XR"},
        {32008, "bitshuffle"}, {32009, "SPDP"},
        {32010, "LPC-Rice"},   {32011, "CCSDS-123"},
        {32012, "JPEG-LS"},    {32013, "zfp"},
        {32014, "fpzip"},      {32015, "Zstandard"},
        {32016, "B3D"},        {32017, "SZ"},
        {32018, "FCIDECOMP"},  {32019, "JPEG"},
        {32020, "VBZ"},        {32021, "FAPEC"},
        {32022, "BitGroom"},   {32023, "Granular BitRound"},
        {32024, "SZ3"},        {32025, "Delta-Rice"},
        {32026, "Blosc2"},     {32027, "FLAC"},
        {32028, "SPERR"},      {32029, "TERSE/PROLIX"},
        {32030, "FFMPEG"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].id == id)
            return names[i].name;
    }
    return NULL;
}
