/*
 * Memory at the ends of the last epochs, and what it says of growth.
 */
#ifndef HEADRACE_EPOCH_GROWTH_H
#define HEADRACE_EPOCH_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

#define HR__MOST_EPOCHS 64u

struct hr__epoch_memory {
    uint64_t epoch;
    uint64_t resident_bytes, headrace_bytes; /* when it was last seen */
};

/* In the order of their numbers; the last one was going on. */
struct hr__epochs {
    uint32_t count;
    struct hr__epoch_memory at[HR__MOST_EPOCHS];
};

/* An epoch before the last one noted changes nothing: a second loader may be behind. */
void hr__epochs_note(struct hr__epochs *e, const struct hr__epoch_memory *now);

/* How much the process without what Headrace held has grown in each of its last epochs, as far back
 * as it has grown about as fast. False: it has not, or too few epochs have ended. */
struct hr__growth {
    double bytes_per_epoch;
    uint64_t first_epoch; /* that grew so */
};
bool hr__epochs_growth(const struct hr__epochs *e, struct hr__growth *out);

#endif
