/*
 * A visit while its chunk is decoded into the batches.
 */
#ifndef HEADRACE_VISIT_H
#define HEADRACE_VISIT_H

#include "loader.h"

struct hr__visit {
    struct hr__worker *w;
    struct hr__read *r;
    const uint8_t *bytes; /* of the chunk */
    struct hr__chunk_view view;
    uint32_t first_sample, end_sample; /* all targets are of samples of the chunk within these */
};

/* The frames of a block, one after the other. */
struct hr__visit_frames {
    const struct hr__visit *v;
    uint32_t next, end;
    uint64_t off;
};
struct hr__visit_frames hr__visit_frames_of(const struct hr__visit *v, uint32_t field,
                                            uint32_t part);
bool hr__visit_frames_next(struct hr__visit_frames *f, struct hr__frame *out);

/* A frame's bytes as they were before the filter, into dst. */
hr_status hr__visit_frame_plain(struct hr__visit *v, const struct hr__frame *frame, uint8_t *dst,
                                hr_error *err);
/* Stored bytes of a block that was gone through, by the share of its samples that are delivered. */
void hr__visit_count_wanted(const struct hr__visit *v, uint64_t block_bytes);

/* visit_values.c: the values of a variable-length field, the i-th of the configuration. */
hr_status hr__visit_values(struct hr__visit *v, uint32_t i, hr_error *err);

#endif
