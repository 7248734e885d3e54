/*
 * Values of variable length in a slot of shared memory: where each ends (u64, bytes behind the last
 * of these numbers), then the values, one after the other. Both sides of the helper's socket.
 */
#ifndef HEADRACE_VALUE_SLOT_H
#define HEADRACE_VALUE_SLOT_H

#include "headrace/status.h"

#include <stddef.h>

#define HR__SLOT_MAX_VALUES 16384u /* in one slot */

/* What n <= HR__SLOT_MAX_VALUES values of n_bytes together take; UINT64_MAX: more than there can
 * be. */
uint64_t hr__value_slot_bytes(uint64_t n, uint64_t n_bytes);

/* As many of n values as fit a slot, at least one of n > 0, which must fit. Value i is
 * bytes[offsets[i] - offsets[0]] up to offsets[i + 1]. */
uint64_t hr__value_slot_fits(const int64_t *offsets, uint64_t n, uint64_t slot_bytes);
/* Fills a slot with n values that fit it. */
void hr__value_slot_put(const int64_t *offsets, uint64_t n, const uint8_t *bytes, uint8_t *slot);

/* The other way: copies the ends of n values out of an untrusted slot of slot_bytes, which may
 * change meanwhile, so that what was checked is what is used: they ascend, lie in the slot, and
 * every value is a multiple of unit_bytes. HR_ERR_INVALID. */
hr_status hr__value_slot_take(const uint8_t *slot, uint64_t slot_bytes, uint64_t n,
                              uint32_t unit_bytes, uint64_t *ends, hr_error *err);
/* Where the values of a slot with n of them begin. */
const uint8_t *hr__value_slot_values(const uint8_t *slot, uint64_t n);

#endif
