/*
 * The decoded frames of one block of a row buffer, one after the other (docs/format.md, 6.3, 6.4).
 */
#ifndef HEADRACE_BLOCK_SOURCE_H
#define HEADRACE_BLOCK_SOURCE_H

#include "chunk_builder.h"

struct hr__block_source {
    const struct hr__chunk_plan *plan;
    const struct hr__chunk_rows *rows;
    uint32_t field;
    uint32_t part;         /* enum hr__part_of_field */
    uint64_t sample_bytes; /* 0: values of variable length */
    uint64_t block_bytes;
    uint64_t done_bytes;
    struct hr__value_cut cut;
    uint32_t value; /* that the next frame begins with or in */
};

struct hr__block_source hr__block_source_of(const struct hr__chunk_plan *plan,
                                            const struct hr__chunk_rows *rows, uint32_t field,
                                            uint32_t part);
/* Bytes of the next frame, at *src: in the row buffer, or in gathered (HR__MAX_FRAME_BYTES, needed
 * for values of variable length only). 0: none is left. */
uint32_t hr__block_source_next(struct hr__block_source *b, uint8_t *gathered, const uint8_t **src);

/* Decoded bytes of a field in these rows, of a variable-length one those of its values. */
uint64_t hr__rows_field_bytes(const struct hr__chunk_plan *plan, const struct hr__chunk_rows *rows,
                              uint32_t field);
/* Frames of all blocks of these rows. */
uint64_t hr__rows_frames(const struct hr__chunk_plan *plan, const struct hr__chunk_rows *rows);

#endif
