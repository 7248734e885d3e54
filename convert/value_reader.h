/*
 * Inputs of which some have values of variable length, read a piece at a time by the caller's
 * thread: as many samples as fit a buffer, one at least. The lengths are looked at first.
 */
#ifndef HEADRACE_VALUE_READER_H
#define HEADRACE_VALUE_READER_H

#include "headrace/writer.h"
#include "helper_channel.h"
#include "pipeline.h"
#include "reader_shares.h"

struct hr__value_reader {
    const struct hr__inputs *in;
    struct hr__budget *budget;
    uint64_t piece_bytes, piece_samples; /* usual: no more at once */
    struct hr__reader_shares shares;
    struct hr__helper_group helpers;
    struct hr__source_reader **readers; /* of the fields */
    int64_t *offsets;                   /* piece_samples + 1 for each field of variable length */
    uint8_t *bytes;
    uint64_t room_bytes;       /* in `bytes`: more than is usual after a long value */
    hr_varlen_column *columns; /* one for each field; only those of variable length are used */
    const void **column_list;
};

/* By a plan of hr__read_plan_make(). The inputs must live longer. Close it also after a failure. */
hr_status hr__value_reader_open(struct hr__value_reader *r, const struct hr__inputs *in,
                                const struct hr__read_plan *plan, struct hr__budget *budget,
                                hr_error *err);
void hr__value_reader_close(struct hr__value_reader *r); /* a zeroed one is fine */

/* Samples from `first` on, of which there are left >= 1; valid until the next call. Blocks.
 * HR_ERR_BUDGET: one sample is longer than the budget allows; the message says which, and what
 * would do. */
hr_status hr__value_reader_next(struct hr__value_reader *r, uint64_t first, uint64_t left,
                                struct hr__range *out, hr_error *err);

#endif
