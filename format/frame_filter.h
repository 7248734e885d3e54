/*
 * Filters of frames (docs/format.md, 6.3): what their numbers mean, applied and undone.
 */
#ifndef HEADRACE_FRAME_FILTER_H
#define HEADRACE_FRAME_FILTER_H

#include "chunk_header.h"

#include <stdbool.h>

/* The name in a schema; NULL: no filter has this number. */
const char *hr__filter_name(uint32_t filter);
/* False: none has this name. */
bool hr__filter_from_name(const char *name, uint8_t *out);
/* HR__FEATURE_* that a file with such frames lists. */
uint32_t hr__filter_features(uint32_t filter);
bool hr__filter_has_delta(uint32_t filter);

/* A filter of the format may have these parameters in a frame of n_bytes. */
bool hr__filter_fits(uint32_t filter, uint32_t element_bytes, uint32_t distance_bytes,
                     uint32_t n_bytes);

/* From here on the parameters fit. */

/* It is undone where the bytes are; others from one place to another. */
bool hr__filter_is_in_place(uint32_t filter);
/* out := in with the frame's filter undone: in == out where it is undone in place, else they do not
 * overlap. */
void hr__filter_undo(const struct hr__frame *frame, const uint8_t *in, uint8_t *out);
/* out := in with the filter applied; none of the three overlap. scratch: n_bytes. */
void hr__filter_apply(const struct hr__storage *how, const uint8_t *in, uint32_t n_bytes,
                      uint8_t *scratch, uint8_t *out);

/* Where a filtered frame of n_bytes is to be cut for the compressor: into pieces of so many bytes,
 * the last of which may be shorter. n_bytes: nowhere. */
uint32_t hr__filter_piece_bytes(const struct hr__storage *how, uint32_t n_bytes);

#endif
