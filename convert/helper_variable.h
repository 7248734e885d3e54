/*
 * One reader of values of variable length of one HDF5 data set or matrix, through a helper.
 */
#ifndef HEADRACE_HELPER_VARIABLE_H
#define HEADRACE_HELPER_VARIABLE_H

#include "helper_channel.h"

struct hr__helper_variable;

/* The smallest budget, for values that are not long, and what a reader takes where it can. */
uint64_t hr__helper_variable_least_bytes(const struct hr__helper_field *f);
uint64_t hr__helper_variable_wanted_bytes(const struct hr__helper_field *f);

/* As hr__helper_reader_open(). */
hr_status hr__helper_variable_open(const struct hr__helper_target *target,
                                   struct hr__budget *budget, struct hr__helper_group *group,
                                   struct hr__helper_variable **out, hr_error *err);
/* As hr__source_ops.fetch and .read_values. */
hr_status hr__helper_variable_fetch(struct hr__helper_variable *r, uint64_t first, uint64_t n,
                                    uint64_t *out, hr_error *err);
hr_status hr__helper_variable_read(struct hr__helper_variable *r, uint64_t first, uint64_t n,
                                   int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                                   hr_error *err);
void hr__helper_variable_close(struct hr__helper_variable *r); /* NULL is fine */

#endif
