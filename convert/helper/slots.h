/*
 * The shared memory in which rows go to libheadrace.
 */
#ifndef HEADRACE_SOURCE_SLOTS_H
#define HEADRACE_SOURCE_SLOTS_H

#include "helper_protocol.h"

/* Maps HR__HELPER_NUM_SLOTS slots of slot_bytes each. HR_ERR_INVALID: fd is no such memory. */
hr_status slots_map(int fd, uint64_t slot_bytes, uint8_t **out, hr_error *err);
void slots_unmap(uint8_t *slots, uint64_t slot_bytes); /* NULL is fine */

#endif
