/*
 * What a trial found, for the schema (docs/format.md, 7.2, storage).
 */
#ifndef HEADRACE_TRIAL_STORY_H
#define HEADRACE_TRIAL_STORY_H

#include "codec_choice.h"
#include "codec_trial.h"

struct hr__trial_story {
    const struct hr__trial_wishes *wishes;
    const char *goal; /* its name */
    const struct hr__candidate *candidates;
    uint32_t num_candidates;
    const struct hr__candidate *best; /* of them */
};

/* {"reason": ..., "optimize": ..., "disk_bytes_per_s": ..., "candidates": [...]}, malloc'ed;
 * candidates that were not tried are left out. */
hr_status hr__trial_explain(const struct hr__trial_story *story, char **out, hr_error *err);

#endif
