/*
 * Decoding of chunks that HDF5's own filters shuffle, deflate and fletcher32 have made: one buffer
 * to another, without the HDF5 library. Stored bytes and parameters are untrusted.
 */
#ifndef HEADRACE_CHUNK_PIPELINE_H
#define HEADRACE_CHUNK_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_MAX_STEPS 3u /* each filter once */

enum chunk_filter { /* as HDF5 numbers them */
                    CHUNK_DEFLATE = 1,
                    CHUNK_SHUFFLE = 2,
                    CHUNK_FLETCHER32 = 3
};

/* In the order of writing. Zeros: none. */
struct chunk_pipeline {
    uint32_t num_steps;
    enum chunk_filter steps[CHUNK_MAX_STEPS];
    uint32_t element_bytes; /* of the shuffle */
};

/* values: what the data set says of the filter. False: it cannot be decoded here. It can be where
 * each filter comes once, with values that HDF5 takes, and the shuffle before deflate. */
bool chunk_pipeline_add(struct chunk_pipeline *p, int filter, const unsigned *values, size_t n);

struct chunk_unpacker {
    uint64_t chunk_bytes; /* of every chunk, decoded */
    uint64_t room_bytes;  /* stored bytes of a chunk, at most */
    void *inflater;
    uint8_t *buffers[2]; /* of room_bytes; the first is for stored bytes, both are overwritten */
};

/* False: memory is short. Close it in either case. */
bool chunk_unpacker_open(struct chunk_unpacker *u, uint64_t chunk_bytes);
void chunk_unpacker_close(struct chunk_unpacker *u);

/* The first n_bytes of buffers[0], at most room_bytes, decoded into chunk_bytes at out, or, where
 * it is NULL, in one of the buffers: where they are. mask: bit i is set where step i was left out.
 * NULL: the chunk is damaged. */
const uint8_t *chunk_unpack(struct chunk_unpacker *u, const struct chunk_pipeline *p, uint32_t mask,
                            uint64_t n_bytes, uint8_t *out);

#endif
