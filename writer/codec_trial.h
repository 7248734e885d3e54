/*
 * Choosing codec, level and filter of each field by trying them on real chunks; the rule is in
 * codec_choice.h.
 *
 * What is tried: raw, and zstd at the levels of the goal (speed: -5 to 3; balanced: -5 to 9; size:
 * 1 to 19) with the filters of field_filters.h, as far as the options leave it open. At the first
 * level (1, balanced 3, size 9) all filters are tried; of those that do best there by the goal's
 * first figure, three go on to the other levels, and no filter does. Of more than 64 fields only
 * the first level is tried, with few filters.
 *
 * How long: on frames of about 1 MiB in all, each field according to its share of a sample, each
 * at least one frame. The first level is always tried; the others as long as there is time: one
 * second for all fields (size: three), divided likewise, and where it is known how much will be
 * written, a twentieth of the processor time that this takes (but 0.1 s at least; balanced 0.3 s,
 * size 3 s). A candidate for which the time ends is left out. One that is far from the best so far
 * after an eighth of the frames is not tried on the others.
 *
 * By whom: candidates of a field are tried side by side, each by one of the pool's threads, at most
 * one for each processor and eight in all: so each is timed on one core, as busy as those of a
 * loader are.
 */
#ifndef HEADRACE_CODEC_TRIAL_H
#define HEADRACE_CODEC_TRIAL_H

#include "compress_pool.h"

#include "headrace/writer.h"

#define HR__TRIAL_CHUNKS 4u

struct hr__trial_wishes {
    int32_t codec;  /* hr_codec */
    int32_t filter; /* hr_filter */
    int32_t level;  /* 0: tried */
    hr_optimize goal;
    uint64_t disk_bytes_per_s; /* above 0 */
    uint64_t expected_bytes;   /* decoded, of all that will be written; 0: not known */
};

/* There is something to be tried: some field has more than one candidate. */
bool hr__trial_needed(const struct hr__schema *schema, const struct hr__trial_wishes *wishes);

/* The highest level that may be tried or chosen. */
int32_t hr__trial_max_level(const struct hr__trial_wishes *wishes);

/* Sets storage of every field of schema, with the reason. rows: num_rows chunks, may be none.
 * *ratio: decoded / stored bytes of what was tried; 0 if nothing was. Memory for two frames and a
 * decoder must be left in the pool's budget; with more of it, more of its threads take part.
 * Nothing may be submitted to the pool. */
hr_status hr__trial_choose(struct hr__schema *schema, const struct hr__trial_wishes *wishes,
                           struct hr__compress_pool *pool, struct hr__chunk_rows *const *rows,
                           uint32_t num_rows, double *ratio, hr_error *err);

#endif
