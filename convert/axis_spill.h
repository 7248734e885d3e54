/*
 * An array on its way through a temporary file, OUTPUT.axis: what is in the order of the input is
 * written in the order of panels. What is read from the file is untrusted.
 *
 * Invariants
 *   1. In the file panel p lies at p x panel_samples x sample_bytes: its piece of every line, in
 * order.
 *   2. hashes[p] covers all pieces of panel p that have been written, in order, each with the one
 * before.
 */
#ifndef HEADRACE_AXIS_SPILL_H
#define HEADRACE_AXIS_SPILL_H

#include "axis_plan.h"
#include "file.h"

/* Reads n_bytes of the array at off: multiples of the unit, from the beginning to the end. */
struct hr__axis_input {
    hr_status (*read)(void *ctx, uint64_t off, uint64_t n_bytes, void *dst, hr_error *err);
    void *ctx;
};

struct hr__axis_spill {
    const struct hr__axis_layout *layout;
    const struct hr__axis_plan *plan;
    struct hr__file file;
    uint64_t *hashes; /* num_panels */
    uint8_t *stage;   /* plan->stage_bytes */
};

/* Reads the whole input once. block: plan->buffer_bytes, only while it runs. */
hr_status hr__axis_spill_fill(struct hr__axis_spill *s, const struct hr__axis_input *input,
                              uint8_t *block, hr_error *err);

/* A panel as it would lie in the input. HR_ERR_CORRUPT: it is not what was written. */
hr_status hr__axis_spill_read(const struct hr__axis_spill *s, uint64_t panel, uint8_t *dst,
                              hr_error *err);

#endif
