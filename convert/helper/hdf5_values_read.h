/*
 * Values of variable length of one data set.
 */
#ifndef HEADRACE_HDF5_VALUES_READ_H
#define HEADRACE_HDF5_VALUES_READ_H

#include "helper.h"

/* Of a reader that is open, with all that reading takes. */
hr_status h5_values_open(struct h5_reader *r, hr_error *err);
void h5_values_close(struct h5_values *v); /* NULL is fine */
/* As many as fit of *n samples that exist, into a slot (value_slot.h); 0: the first one does not,
 * and the slot says how many bytes it has. */
hr_status h5_values_read(struct h5_reader *r, uint32_t slot, uint64_t first, uint64_t *n,
                         hr_error *err);

#endif
