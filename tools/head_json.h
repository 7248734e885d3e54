/*
 * Samples as JSON.
 */
#ifndef HEADRACE_HEAD_JSON_H
#define HEADRACE_HEAD_JSON_H

#include "headrace/types.h"

#include <jansson.h>

#define HEAD_JSON_ELEMENTS 1000 /* of a sample: more are left out */

/** The elements of one sample in C order, at most HEAD_JSON_ELEMENTS. */
json_t *head_sample_json(const hr_field *field, const uint8_t *sample);

/** Elements of one sample. */
uint64_t head_elements(const hr_field *field);

#endif
