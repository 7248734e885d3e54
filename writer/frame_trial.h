/*
 * One thread's part of a codec trial: frames are compressed as a candidate would, and the time to
 * decode them is taken.
 */
#ifndef HEADRACE_FRAME_TRIAL_H
#define HEADRACE_FRAME_TRIAL_H

#include "chunk_encoder.h"
#include "codec_choice.h"

struct hr__frame_trial {
    struct hr__chunk_encoder *encoder;
    struct hr__frame_decoder decoder;
    uint64_t decoder_bytes; /* of the budget; 0: none */
    uint8_t *decoded;
    uint8_t *plain;
};

/* Memory for a decoder and two frames is charged to the encoder's budget. Close it also after a
 * failure. */
hr_status hr__frame_trial_open(struct hr__frame_trial *t, struct hr__chunk_encoder *encoder,
                               hr_error *err);
void hr__frame_trial_close(struct hr__frame_trial *t); /* a zeroed one is fine */

/* Adds the n bytes of a frame to the candidate's figures. */
hr_status hr__frame_trial_add(struct hr__frame_trial *t, const uint8_t *src, uint32_t n,
                              struct hr__candidate *c, hr_error *err);

#endif
