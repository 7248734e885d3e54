/*
 * Which of a field's candidates is stored: rules over figures, without measuring anything.
 *
 * Reading and decoding run side by side, so a decoded byte is delivered as slowly as the slowest of
 * them: max(decode time / 4 cores, stored size / the disk's rate, 0.25 ns: no consumer is faster).
 *
 * A goal looks at three figures, less is better. Candidates whose first figure is within a margin
 * of the least are equal; of these, those whose second one is within its margin; of these, those
 * whose decode time on one core (at least 0.25 ns) is within 20 % of the least are equal; of these
 * the simplest is chosen: raw before zstd, no filter before a filter and those in the order of
 * their numbers, then the shorter distance, then the lowest level. zstd that made nothing smaller
 * is chosen only where nothing else was tried.
 *
 *     goal      first figure                     margin  second figure           margin
 *     speed     time to deliver a byte           5 %     stored size             3 %
 *     balanced  time to deliver x stored size    5 %     time to deliver a byte  5 %
 *     size      stored size                      1 %     time to deliver a byte  5 %
 *
 * So speed never delivers 5 % slower than the fastest that was tried. The floor and the margins
 * keep noise in the measured times out of the choice; sizes have none, but a slower level for less
 * than 1 % is not worth its time.
 */
#ifndef HEADRACE_CODEC_CHOICE_H
#define HEADRACE_CODEC_CHOICE_H

#include "headrace/writer.h"

#include <stdbool.h>

#define HR__MAX_CANDIDATES           48u
#define HR__DEFAULT_DISK_BYTES_PER_S UINT64_C(1000000000)

/* decoded_bytes 0: it was not tried. */
struct hr__candidate {
    uint8_t codec; /* of the format */
    uint8_t filter;
    uint8_t element_bytes;
    int32_t level; /* of zstd, else 0 */
    uint32_t distance_bytes;
    uint64_t decoded_bytes;
    uint64_t stored_bytes;
    int64_t decode_ns; /* of decoded_bytes, on one core */
};

/* Time to deliver one decoded byte. The candidate was tried. */
double hr__candidate_deliver_ns(const struct hr__candidate *c, uint64_t disk_bytes_per_s);

/* What the goal looks at first; less is better. The candidate was tried. */
double hr__candidate_figure(const struct hr__candidate *c, hr_optimize goal,
                            uint64_t disk_bytes_per_s);

/* The one that is chosen of those that were tried; the simplest of all if none can be. n: 1 to
 * HR__MAX_CANDIDATES. */
const struct hr__candidate *hr__candidate_choose(const struct hr__candidate *c, uint32_t n,
                                                 hr_optimize goal, uint64_t disk_bytes_per_s);

#endif
