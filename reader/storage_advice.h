/*
 * Whether the data stored in another way would load faster: what the trials found when they were
 * converted, as the file's footer has it (docs/format.md, 7.2). Untrusted; nothing is guessed.
 */
#ifndef HEADRACE_STORAGE_ADVICE_H
#define HEADRACE_STORAGE_ADVICE_H

#include "loader_config.h"

#define HR__OTHER_STORAGE_BYTES 96u

struct hr__advice {
    double faster; /* 0: there is none */
    double larger;
    char other[HR__OTHER_STORAGE_BYTES];
};

/* Of the threads' time, what storage changes. */
struct hr__storage_shares {
    double decode, copy; /* decoding frames; copying stored bytes */
};

/* The one change of one field that helps most, if it helps by a tenth. disk: reading limits, so
 * smaller is faster as far as decoding follows; otherwise decoding does. What is promised is a
 * bound: something else may limit first. */
void hr__storage_advice(const struct hr__loader_config *c, bool disk,
                        const struct hr__storage_shares *shares, struct hr__advice *out);

#endif
