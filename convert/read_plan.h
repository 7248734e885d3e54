/*
 * How a conversion divides its memory: how many samples are read at once, by how many readers, into
 * how many buffers. A pure function of its input.
 */
#ifndef HEADRACE_READ_PLAN_H
#define HEADRACE_READ_PLAN_H

#include "inputs.h"

struct hr__read_plan {
    uint64_t sample_bytes;  /* of all fields */
    uint64_t buffer_bytes;  /* of one range: every field begins at a multiple of 64 */
    uint64_t range_samples; /* read at once; the last range may be shorter */
    uint32_t num_readers;
    uint32_t num_buffers; /* above num_readers where the budget allows: then they need not wait */
};

/* budget_bytes: what buffers may take, and as much again cursors. max_readers: at least 1. It
 * always succeeds: the smallest plan is one buffer of one sample, which may be more than the
 * budget. With values of variable length it is one buffer for value_reader.h: the offsets of
 * range_samples samples, and the rest of buffer_bytes for the samples. */
void hr__read_plan_make(const struct hr__inputs *in, uint64_t budget_bytes, uint32_t max_readers,
                        struct hr__read_plan *out);

/* Readers that are useful for these inputs, when max_helpers processes may run. */
uint32_t hr__read_plan_readers(const struct hr__inputs *in, uint32_t max_helpers);

/* All that reading by a plan takes: its buffers, one reader of every field, and all cursors.
 * UINT64_MAX: more than there can be. */
uint64_t hr__read_plan_bytes(const struct hr__inputs *in, const struct hr__read_plan *plan);

/* Of values of variable length: what the offsets of all such fields take. */
uint64_t hr__read_plan_offsets_bytes(const struct hr__inputs *in, uint64_t range_samples);

/* Where a field's samples begin in a buffer. */
uint64_t hr__read_plan_field_off(const struct hr__inputs *in, uint64_t range_samples,
                                 uint32_t field);

#endif
