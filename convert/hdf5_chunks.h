/*
 * How an array that is written is cut into chunks: runs of its bytes that follow on each other, so
 * that they can be handed over as a stream. A pure function of the array's figures, the same on
 * both sides of the helper's socket.
 */
#ifndef HEADRACE_HDF5_CHUNKS_H
#define HEADRACE_HDF5_CHUNKS_H

#include "helper_protocol.h"

/* Of whole rows, or of a part of one where a row is larger. HDF5's cache for the chunks of a data
 * set holds 1 MiB unless a program asks for more: a few of these. */
#define HR__CHUNK_TARGET_BYTES (UINT64_C(128) << 10)

/* Along the axes before `cut` a chunk has one entry, along `cut` `each`, along those after it all.
 * Axis 0 is that of the samples. */
struct hr__chunks {
    uint32_t rank;
    uint64_t dims[HR_MAX_RANK + 1];
    uint32_t cut;
    uint64_t each;
    uint64_t step_bytes;  /* of one entry along `cut` */
    uint64_t chunk_bytes; /* of a whole one */
    uint64_t per_outer;   /* chunks along `cut` */
    uint64_t count;       /* 0: the array has no bytes */
};

/* One chunk. */
struct hr__chunk_run {
    uint64_t n_bytes; /* fewer than chunk_bytes at the end of `cut` */
    uint64_t entries; /* along `cut` */
    uint64_t at[HR_MAX_RANK + 1];
};

/* f is valid (hr__helper_field_valid()). */
void hr__chunks_make(const struct hr__helper_field *f, struct hr__chunks *out);

/* i: below count. */
void hr__chunks_run(const struct hr__chunks *c, uint64_t i, struct hr__chunk_run *out);

/* Bytes of chunks first .. first + n - 1; 0: there are not so many. */
uint64_t hr__chunks_bytes(const struct hr__chunks *c, uint64_t first, uint64_t n);

#endif
