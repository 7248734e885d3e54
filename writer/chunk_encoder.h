/*
 * One chunk's rows to the bytes that are stored, and its statistics. One encoder belongs to one
 * thread; nothing is allocated for a chunk.
 */
#ifndef HEADRACE_CHUNK_ENCODER_H
#define HEADRACE_CHUNK_ENCODER_H

#include "chunk_builder.h"
#include "frame_codec.h"

/* Whose chunks these are. */
struct hr__chunk_identity {
    uint8_t uuid[16];
    uint8_t job_id[16];
    uint64_t commit_seq;
};

struct hr__chunk_encoder {
    const struct hr__chunk_plan *plan;
    struct hr__budget *budget;
    struct hr__frame_encoder frame_encoder;
    uint8_t *stored;   /* plan->stored_bytes */
    uint8_t *gathered; /* HR__MAX_FRAME_BYTES; NULL without fields of variable length */
    struct hr__frame *frames;
    uint32_t *frames_per_block;
    struct hr__statistics **statistics; /* num_fields; NULL where a field has none */
    void **columns;                     /* num_fields: room for fetching rows */
    uint64_t other_bytes;               /* reserved for contexts and statistics */
};

/* How the ends of a field's values are stored, where the values are compressed. */
extern const struct hr__storage hr__ends_storage;

/* Bytes that hr__chunk_encoder_init() takes from the budget. */
uint64_t hr__chunk_encoder_bytes(const struct hr__chunk_plan *plan, int32_t level);
hr_status hr__chunk_encoder_init(struct hr__chunk_encoder *e, const struct hr__chunk_plan *plan,
                                 int32_t level, struct hr__budget *budget, hr_error *err);
void hr__chunk_encoder_free(struct hr__chunk_encoder *e); /* a zeroed encoder is fine */

/* Fills e->stored with whole pages (*pages of them) and e->statistics. */
hr_status hr__chunk_encode(struct hr__chunk_encoder *e, const struct hr__chunk_identity *identity,
                           const struct hr__chunk_rows *rows, uint32_t *pages, hr_error *err);

/* Only the statistics of the chunk, without its counted samples. */
hr_status hr__chunk_encoder_measure(struct hr__chunk_encoder *e, const struct hr__chunk_rows *rows,
                                    hr_error *err);

#endif
