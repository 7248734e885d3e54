/*
 * What info says of values of variable length.
 */
#ifndef HEADRACE_INFO_LENGTHS_H
#define HEADRACE_INFO_LENGTHS_H

#include "headrace/dataset.h"

#include <jansson.h>

/* null for a field of fixed size, and where the figures are not known. */
json_t *info_lengths_json(const hr_dataset *ds, uint32_t field);
/* Decoded bytes of a field over all samples. */
uint64_t info_decoded_bytes(const hr_dataset *ds, uint32_t field);
/* A table, where there is such a field. */
void info_lengths_print(const hr_dataset *ds);

#endif
