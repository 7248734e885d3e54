/*
 * Compressing the chunks of an HDF5 data set, as many at once as there are threads.
 */
#ifndef HEADRACE_CHUNK_PACK_H
#define HEADRACE_CHUNK_PACK_H

#include "hdf5_chunks.h"

struct pack {
    const struct hr__chunks *chunks;
    uint64_t chunk_bytes;
    uint32_t shuffle_bytes; /* of an element; 1: there is no shuffle filter */
    uint32_t level;
    uint32_t num_threads;
};

struct packed_chunk {
    uint8_t *bytes; /* malloc'ed */
    uint64_t n_bytes;
    uint32_t filter_mask; /* as of H5Dwrite_chunk() */
};

/* rows: the bytes of chunks first .. first + n - 1, n at least 1. Free *out afterwards, if HR_OK.
 */
hr_status chunks_pack(const struct pack *p, uint64_t first, uint64_t n, const uint8_t *rows,
                      struct packed_chunk *out, hr_error *err);
void chunks_pack_free(struct packed_chunk *chunks, uint64_t n);

#endif
