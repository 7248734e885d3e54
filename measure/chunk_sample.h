/*
 * Chunks of a data set, spread evenly over it, held in memory as they are stored, so that no disk
 * is in the way of what is measured.
 */
#ifndef HEADRACE_CHUNK_SAMPLE_H
#define HEADRACE_CHUNK_SAMPLE_H

#include "dataset.h"

struct hr__sample_frame {
    struct hr__frame frame;
    const uint8_t *stored;
    uint32_t field;
    uint32_t features; /* HR__FEATURE_* of its file */
};

/* Frames first_frame[c] .. first_frame[c + 1] - 1 are those of chunk c of the sample. */
struct hr__chunk_sample {
    const hr_dataset *ds;
    struct hr__budget *budget;
    uint8_t *bytes;
    size_t num_bytes; /* whole pages, as they are read */
    size_t num_chunks, num_frames;
    size_t *first_frame;
    struct hr__sample_frame *frames; /* and first_frame behind them */
    size_t table_bytes;
    uint64_t stored_bytes, decoded_bytes; /* of the frames */
};

/* At most max_bytes of stored chunks (one chunk at least), charged to the budget, as are the tables
 * of their frames. The data set and the budget must outlive the sample. HR_ERR_INVALID where there
 * is no byte to decode. */
hr_status hr__chunk_sample_load(const hr_dataset *ds, uint64_t max_bytes, struct hr__budget *budget,
                                struct hr__chunk_sample *out, hr_error *err);
/* Which chunk of the data set chunk i of the sample is. */
uint64_t hr__chunk_sample_number(const struct hr__chunk_sample *s, size_t i);
void hr__chunk_sample_free(struct hr__chunk_sample *s); /* a zeroed one is fine */

#endif
