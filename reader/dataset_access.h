/*
 * Random access that keeps its scratch from one read to the next, and the chunk that it read last:
 * whoever reads several fields chunk by chunk reads each chunk's header once.
 */
#ifndef HEADRACE_DATASET_ACCESS_H
#define HEADRACE_DATASET_ACCESS_H

#include "chunk_fetch.h"

/* What one access charges to its budget, but for headers of chunks with very many frames. */
#define HR__ACCESS_BYTES                                                                           \
    (HR__CHUNK_HEAD_BYTES + HR__MAX_STORED_FRAME_BYTES + UINT64_C(2) * HR__MAX_FRAME_BYTES)

/* The last frame that was not decoded straight into the caller's memory: the next run of rows often
 * lies in the same one. */
struct hr__frame_cache {
    uint8_t *bytes; /* HR__MAX_FRAME_BYTES */
    uint64_t chunk; /* UINT64_MAX: empty */
    uint32_t frame;
};

struct hr__access {
    struct hr__chunk_fetch fetch;
    struct hr__frame_cache cache;
    uint64_t
        *ends; /* of the values of ends_field in ends_chunk, room for S; NULL: none were read */
    uint64_t ends_chunk;
    uint32_t ends_field;
};

/* For one thread at a time. On failure it is still to be ended. */
hr_status hr__access_begin(struct hr__access *a, const hr_dataset *ds, struct hr__budget *budget,
                           hr_error *err);
void hr__access_end(struct hr__access *a); /* a zeroed one is fine */

/* dataset_calls.c: a call of the API has a budget of its own, so that calls of many threads do not
 * refuse each other. A few of them are kept by the data set for the next call, with the chunk and
 * the frame that were read last: who reads one sample after the other decodes each frame once. */
struct hr__access_call {
    struct hr__budget budget;
    struct hr__access access;
};

/* Threads: any. */
hr_status hr__access_call_begin(hr_dataset *ds, struct hr__access_call **out, hr_error *err);
/* st: of the call. NULL is fine. */
void hr__access_call_end(hr_dataset *ds, struct hr__access_call *c, hr_status st);
void hr__access_calls_close(hr_dataset *ds);

/* A frame of the chunk at hand, numbered from the chunk's first, into cache->bytes. */
hr_status hr__frame_cache_fill(struct hr__frame_cache *cache, struct hr__chunk_fetch *f,
                               uint32_t field, uint32_t number, const struct hr__frame *frame,
                               hr_error *err);

/* As hr_dataset_read(); the caller has seen to it that the samples exist and fit dst. */
hr_status hr__access_read(struct hr__access *a, uint32_t field, uint64_t first,
                          uint64_t num_samples, uint8_t *dst, hr_error *err);

/* What the first read of values charges besides, for good. */
uint64_t hr__access_ends_bytes(const hr_dataset *ds);

/* As hr_dataset_read_values(), of a field of variable length and samples that exist. */
hr_status hr__access_read_values(struct hr__access *a, uint32_t field, uint64_t first,
                                 uint64_t num_samples, int64_t *offsets, void *values,
                                 uint64_t capacity_bytes, uint64_t *values_bytes, hr_error *err);

#endif
