/*
 * Rows from decoded frames into batches: each sample is written once, past the caches where that is
 * possible, with the byte shuffle undone on the way (docs/order.md has the measurements).
 *
 * One implementation is chosen when the library is built: row_store_sse2.c or row_store_portable.c.
 */
#ifndef HEADRACE_ROW_STORE_H
#define HEADRACE_ROW_STORE_H

#include <stddef.h>
#include <stdint.h>

/* Where the samples of one chunk go: sample r to row[r] of the batch buffer at slot[r], or nowhere
 * where slot[r] is NULL. */
struct hr__row_targets {
    uint8_t **slot;
    uint32_t *row;
};

/* Rows first .. first + count - 1 of the targets, for a field that begins at field_off of each slot
 * and has row_bytes per sample. src: count rows one after the other. */
void hr__rows_copy(const struct hr__row_targets *t, uint32_t first, uint32_t count,
                   uint64_t field_off, size_t row_bytes, const uint8_t *src);

/* The same from a byte-shuffled frame of count x row_bytes bytes; element_bytes 2, 4, 8 or 16, a
 * divisor of row_bytes. */
void hr__rows_unshuffle(const struct hr__row_targets *t, uint32_t first, uint32_t count,
                        uint64_t field_off, size_t row_bytes, uint32_t element_bytes,
                        const uint8_t *src);

/* Makes all rows stored by this thread visible to whoever synchronises with it afterwards. */
void hr__rows_fence(void);

#endif
