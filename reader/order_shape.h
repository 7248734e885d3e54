/*
 * The numbers that an order's parameters decide, before any table is made; for order.c only.
 */
#ifndef HEADRACE_ORDER_SHAPE_H
#define HEADRACE_ORDER_SHAPE_H

#include "order_internal.h"

/* Checks every rule of docs/order.md, 4. HR_ERR_INVALID. */
hr_status hr__order_shape_make(const struct hr__order_params *params, struct hr__order_shape *out,
                               hr_error *err);
/* Bytes of an hr__order, with its tables or without. */
uint64_t hr__order_tables_bytes(const struct hr__order_shape *shape, uint32_t samples_per_chunk,
                                bool with_tables);
uint64_t hr__order_count_batches(const struct hr__order_params *params,
                                 const struct hr__order_shape *shape);
/* Samples that the last chunk of a segment has fewer than S. */
uint64_t hr__segment_padding(const struct hr__segment *segment, uint32_t samples_per_chunk);

#endif
