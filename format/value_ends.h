/*
 * The values of a variable-length field in one chunk (docs/format.md, 6.4): where they end, and how
 * they are cut into frames. Ends from a file are untrusted.
 */
#ifndef HEADRACE_VALUE_ENDS_H
#define HEADRACE_VALUE_ENDS_H

#include "chunk_header.h"

/* Where value i begins. */
static inline uint64_t hr__value_start(const uint64_t *ends, uint32_t i) {
    return i > 0 ? ends[i - 1] : 0;
}

/* Ends as they were decoded: ascending, every length a multiple of unit_bytes, and the field's
 * frames of values cut as they must be, the last ending at the last end. HR_ERR_CORRUPT. */
hr_status hr__value_ends_check(const struct hr__chunk_view *v, uint32_t field, const uint64_t *ends,
                               uint32_t unit_bytes, hr_error *err);

/* Values that are cut into frames as a writer does; zeroed to begin. */
struct hr__value_cut {
    uint64_t done_bytes;
    uint32_t next; /* the value that the next frame begins with, or goes on with */
};

/* Bytes of the next frame; 0: none is left. */
uint32_t hr__value_cut_next(struct hr__value_cut *cut, const uint64_t *ends, uint32_t num_values);
/* Frames of these values. */
uint64_t hr__value_frames(const uint64_t *ends, uint32_t num_values);
/* Most frames that values of n_bytes in all can take. */
uint64_t hr__value_frames_bound(uint64_t n_bytes);

#endif
