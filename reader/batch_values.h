/*
 * Values of variable length in batches.
 *
 * In a slot of the ring a field has: how many bytes are taken, where the value of each row lies,
 * and the values in the order in which workers brought them. When the batch is whole, workers pack
 * them into memory of the hr_batch: offsets, then the values in the order of the rows. So what is
 * delivered does not depend on who was first, and both are as large as a batch may become.
 */
#ifndef HEADRACE_BATCH_VALUES_H
#define HEADRACE_BATCH_VALUES_H

#include "dataset.h"

#include "headrace/loader.h"

/* What a chunk of a data set with such fields counts with at least (docs/order.md, 4). */
#define HR__VARIABLE_CHUNK_BYTES 262144u

/* Most bytes that the values of a batch of num_rows may have, by the options and the lengths that
 * the file tells; at least 1. HR_ERR_INVALID: it tells none, and the options do not either. */
hr_status hr__value_capacity(const struct hr__schema_field *f, const hr_loader_options *o,
                             uint32_t num_rows, uint64_t *out, hr_error *err);

/* What of a batch's memory values of variable length take, and how much would be ample; "" where
 * there are none. The field that takes most is named. */
void hr__values_advice(const hr_dataset *ds, const uint32_t *fields, const uint64_t *capacities,
                       uint32_t num_fields, uint32_t num_rows, char *out, size_t room_bytes);

/* Bytes of a field in a slot, and in the memory of an hr_batch. */
uint64_t hr__values_slot_bytes(uint32_t num_rows, uint64_t capacity_bytes);
uint64_t hr__values_out_bytes(uint32_t num_rows, uint64_t capacity_bytes);
/* Of the latter those before the values: num_rows + 1 offsets. */
uint64_t hr__values_offsets_bytes(uint32_t num_rows);

/* `values`: where a field begins in a slot, num_rows: of a full batch. */

/* Before the first row comes. */
void hr__values_reset(uint8_t *values);
/* Room for the value of a row; any thread, each row once. NULL: there is none. */
uint8_t *hr__values_take(uint8_t *values, uint32_t num_rows, uint64_t capacity_bytes, uint32_t row,
                         uint64_t n_bytes);
/* Bytes asked for so far. */
uint64_t hr__values_taken(const uint8_t *values);
/* Rows first_row .. first_row + n - 1 into `out`, where the field begins in an hr_batch; all rows
 * are there. Any threads, each row once. */
void hr__values_pack(const uint8_t *values, uint32_t num_rows, uint32_t first_row, uint32_t n,
                     uint8_t *out);

#endif
