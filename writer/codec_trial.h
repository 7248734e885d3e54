/*
 * Choosing codec and filter of each field by trying them on real chunks.
 *
 * The rule: reading and decoding run side by side, so a byte is delivered as slowly as the slowest
 * of them: max(decode time / 4 cores, stored size at 1 GB/s, 0.25 ns: no consumer is faster). The
 * candidates are tried from the simplest to the most complex; one replaces the best so far if it is
 * at least 5 % faster, or within 5 % of it and at least 5 % smaller. The floor and the margins keep
 * noise in the measured times out of the choice.
 */
#ifndef HEADRACE_CODEC_TRIAL_H
#define HEADRACE_CODEC_TRIAL_H

#include "chunk_encoder.h"

#include "headrace/writer.h"

#define HR__TRIAL_CHUNKS 4u

struct hr__trial_wishes {
    int32_t codec;  /* hr_codec, 0: HR_CODEC_AUTO */
    int32_t filter; /* hr_filter, 0: HR_FILTER_AUTO */
    int32_t level;
};

/* There is something to be tried: some field has more than one candidate. */
bool hr__trial_needed(const struct hr__schema *schema, const struct hr__trial_wishes *wishes);

/* Sets storage of every field of schema, with the reason. rows: num_rows chunks, may be none.
 * *ratio: decoded / stored bytes of what was tried; 0 if nothing was. Memory for two frames and a
 * decoder must be left in the budget. */
hr_status hr__trial_choose(struct hr__schema *schema, const struct hr__trial_wishes *wishes,
                           struct hr__chunk_encoder *encoder, struct hr__chunk_rows *const *rows,
                           uint32_t num_rows, double *ratio, hr_error *err);

#endif
