/*
 * The memory of readers, divided: no reader takes what another one cannot do without.
 */
#ifndef HEADRACE_READER_SHARES_H
#define HEADRACE_READER_SHARES_H

#include "inputs.h"

struct hr__reader_shares {
    struct hr__budget *parent, *list; /* list: of each reader, one for each field */
    uint32_t num_fields;
    uint32_t num_readers; /* for which there is enough: 1 at least */
    uint64_t charged_bytes;
};

/* For at most max_readers of every field, of what is left of the budget: each gets what it needs
 * at least, and as much of what it wants as is left for it. What fields without a share take for
 * cursors is left to them. HR_ERR_BUDGET: not even one. */
hr_status hr__reader_shares_make(const struct hr__inputs *in, uint32_t max_readers,
                                 struct hr__budget *budget, struct hr__reader_shares *out,
                                 hr_error *err);

/* What a reader of a field may use: its share, or the budget itself where it needs none. */
struct hr__budget *hr__reader_shares_of(const struct hr__reader_shares *s, uint32_t reader,
                                        uint32_t field);

/* Of the only reader, whose share of a field was too small: it gets what was refused to it last, or
 * as much again as it has, where that is more and can be had, until what it does not use is taken
 * back. Where the budget has less left, it gets that. HR_ERR_BUDGET: the budget has it, and the
 * process-wide cap has not. */
hr_status hr__reader_shares_lend(struct hr__reader_shares *s, uint32_t field, hr_error *err);
void hr__reader_shares_take_back(struct hr__reader_shares *s, uint32_t field);

void hr__reader_shares_close(struct hr__reader_shares *s); /* a zeroed one is fine */

#endif
