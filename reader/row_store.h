/*
 * Rows from decoded frames into batches: each sample is written once, past the caches where that is
 * possible, with the byte shuffle undone on the way (docs/architecture.md, 11).
 *
 * One table of functions for each kind of processor, chosen once as the program runs. All write the
 * same bytes; row_store_portable.c is the reference.
 */
#ifndef HEADRACE_ROW_STORE_H
#define HEADRACE_ROW_STORE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes behind a shuffled frame that may be read, and are not used. */
#define HR__ROW_SLACK_BYTES 64u

/* A sample of a chunk, and the row of the batch buffer at slot that it goes to. */
struct hr__row_target {
    uint8_t *slot;
    uint32_t row;
    uint32_t sample; /* in the chunk */
};

/* Decoded frames of one field, and where their rows go: those of targets[picks[0]],
 * targets[picks[1]], ... The frames lie one after the other, each of frame_samples samples, the
 * last of as many or fewer. */
struct hr__row_group {
    const struct hr__row_target *targets;
    const uint16_t *picks; /* NULL: 0, 1, ... */
    uint32_t num_picks;
    uint32_t first_sample; /* of the group, in the chunk */
    uint32_t num_samples;  /* of the group, at most 65,536 */
    uint32_t frame_samples;
    uint64_t field_off; /* in a slot */
    size_t row_bytes;
    uint32_t element_bytes; /* of shuffled frames: 2, 4, 8 or 16, a divisor of row_bytes */
    const uint8_t *src;     /* num_samples x row_bytes */
};

struct hr__row_store {
    const char *name;
    void (*copy)(const struct hr__row_group *group);
    void (*unshuffle)(const struct hr__row_group *group);
    /* Makes the rows that this thread stored visible to whoever synchronises with it afterwards. */
    void (*fence)(void);
};

extern const struct hr__row_store hr__row_store_portable;

/* Those that this processor can run, ending with NULL; the fastest first, the portable one last. */
const struct hr__row_store *const *hr__row_stores(void);

#endif
