/*
 * Chunks of a data set, spread evenly over it, held in memory as they are stored: what the
 * benchmarks of internals work on, so that no disk is in the way.
 */
#ifndef HEADRACE_CHUNK_SAMPLE_H
#define HEADRACE_CHUNK_SAMPLE_H

#include "dataset.h"
#include "frame_codec.h"

struct sample_frame {
    struct hr__frame frame;
    const uint8_t *stored;
    uint32_t field;
};

/* Frames first_frame[c] .. first_frame[c + 1] - 1 are those of chunk c of the sample. */
struct chunk_sample {
    hr_dataset *ds;
    uint8_t *bytes;
    struct sample_frame *frames;
    size_t *first_frame;
    size_t num_chunks, num_frames, frame_room;
    uint64_t stored_bytes, decoded_bytes; /* of the frames */
};

/* At most max_bytes of stored chunks (one at least). only: a field's name, or NULL for all. */
hr_status chunk_sample_load(const char *path, const char *only, uint64_t max_bytes,
                            struct chunk_sample *out, hr_error *err);
void chunk_sample_free(struct chunk_sample *s); /* a zeroed one is fine */

#endif
