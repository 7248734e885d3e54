/*
 * Sizes, rates and durations as people read them.
 */
#ifndef HEADRACE_SIZES_H
#define HEADRACE_SIZES_H

#include <stdint.h>

#define SIZES_TEXT_BYTES 56

/** A text with room of its own, so that several fit one printf. */
typedef struct sizes_text {
    char text[SIZES_TEXT_BYTES];
} sizes_text;

sizes_text sizes_bytes(uint64_t bytes);                   /**< "512 B", "1.50 GiB" */
sizes_text sizes_rate(double bytes_per_s);                /**< "812 MiB/s" */
sizes_text sizes_count(uint64_t count);                   /**< "8,123,411" */
sizes_text sizes_of(uint64_t count, const char *noun);    /**< "1 sample", "2,000 samples" */
sizes_text sizes_samples(uint64_t first, uint64_t count); /**< "sample 3", "samples 3 to 5" */
sizes_text sizes_duration(int64_t ns); /**< "850 ms", "2.4 s", "3:07", "1:02:03" */

#endif
