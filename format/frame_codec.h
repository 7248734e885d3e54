/*
 * Frames: filter and codec (docs/format.md, 6.3). Stored bytes are untrusted.
 * Contexts are per thread; nothing is allocated after hr__frame_decoder_init().
 */
#ifndef HEADRACE_FRAME_CODEC_H
#define HEADRACE_FRAME_CODEC_H

#include "chunk_header.h"

struct hr__frame_decoder {
    void *zstd;
};
hr_status hr__frame_decoder_init(struct hr__frame_decoder *d, hr_error *err);
void hr__frame_decoder_free(struct hr__frame_decoder *d);

/* Hash, then codec. Without the filter's inverse: dst gets decoded_bytes bytes as they were before
 * compression, filtered if the frame is. HR_ERR_CORRUPT. `features`: HR__FEATURE_* of the file. */
hr_status hr__frame_decode(struct hr__frame_decoder *d, const struct hr__frame *frame,
                           const uint8_t *stored, uint32_t features, uint8_t *dst, hr_error *err);
/* Only the hash. */
hr_status hr__frame_check(const struct hr__frame *frame, const uint8_t *stored, hr_error *err);

struct hr__frame_encoder {
    void *zstd;
    uint8_t *filtered; /* HR__MAX_FRAME_BYTES */
};
hr_status hr__frame_encoder_init(struct hr__frame_encoder *e, hr_error *err);
void hr__frame_encoder_free(struct hr__frame_encoder *e);
/* Most bytes that encoding n_bytes needs in dst. */
size_t hr__frame_bound(size_t n_bytes);
/* Encodes src as `storage` says, without the filter where it does not fit n_bytes, raw where that
 * is not smaller. Fills out but for off. */
hr_status hr__frame_encode(struct hr__frame_encoder *e, const struct hr__storage *storage,
                           const uint8_t *src, uint32_t n_bytes, uint8_t *dst, size_t dst_bytes,
                           struct hr__frame *out, hr_error *err);

#endif
