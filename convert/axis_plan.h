/*
 * How an array is read whose samples are not one after the other: in panels, runs of samples that
 * memory holds, so that every byte of the input is read once. A pure function of its input.
 */
#ifndef HEADRACE_AXIS_PLAN_H
#define HEADRACE_AXIS_PLAN_H

#include "axis_layout.h"

/* From this length on a panel's pieces are read where they lie. A disk takes about 0.1 ms for one
 * read and 0.5 ns for each byte; the temporary file costs each byte two more passes, 1 ns. So reads
 * of 100 KB cost the same, and shorter ones more; at 64 KiB pages that two panels share are 1/16.
 */
#define HR__AXIS_MIN_RUN_BYTES (UINT64_C(64) << 10)

struct hr__axis_plan {
    uint64_t panel_samples; /* of each panel but the last; at least 1 */
    uint64_t num_panels;
    uint64_t buffer_bytes; /* for one panel, and for one block */
    bool spilled;          /* by way of a temporary file */
    /* With the file: blocks of the input, each of whole lines, or a part of one line. */
    uint64_t block_lines;
    uint64_t block_panels; /* of one line; num_panels: whole lines */
    uint64_t stage_bytes;  /* in which a block's pieces of one panel are put together */
    uint64_t own_bytes;    /* all that a reader holds */
};

enum hr__axis_access {
    HR__AXIS_IN_ORDER,  /* the input can be read from the beginning to the end */
    HR__AXIS_LONG_RUNS, /* from any place on, where that is fast */
    HR__AXIS_ANYWHERE   /* from any place on, and there is no room for a file */
};

/* unit_bytes: the input is read in multiples of it: an element, or all that belongs to one entry of
 * the slowest axis. The least of memory is taken where room_bytes is less. */
void hr__axis_plan_make(const struct hr__axis_layout *l, uint64_t unit_bytes,
                        enum hr__axis_access access, uint64_t room_bytes,
                        struct hr__axis_plan *out);

/* Samples of a panel. */
uint64_t hr__axis_plan_samples(const struct hr__axis_plan *p, const struct hr__axis_layout *l,
                               uint64_t panel);

#endif
