/*
 * Mergeable statistics of a field (docs/format.md, 7.3). Deterministic: the same chunks in the same
 * order give the same bits.
 */
#ifndef HEADRACE_STATISTICS_H
#define HEADRACE_STATISTICS_H

#include "headrace/types.h"

#include <stdbool.h>

struct hr__statistics; /* opaque: accumulators, and the set of distinct labels */

/* NULL if memory is short. labels: the field is integer with one element per sample. Memory use is
 * bounded: at most about 1.5 MiB with labels, 256 bytes without. */
struct hr__statistics *hr__statistics_new(hr_dtype dtype, bool labels);
void hr__statistics_free(struct hr__statistics *s);
void hr__statistics_reset(struct hr__statistics *s);
/* False for types without statistics (bytes and text). */
bool hr__statistics_wanted(hr_dtype dtype);

/* Add num_samples samples of num_elements elements each; first_sample is the index of the first.
 * HR_ERR_NO_MEMORY only. */
hr_status hr__statistics_add(struct hr__statistics *s, const void *data, uint64_t first_sample,
                             uint64_t num_samples, uint64_t num_elements, hr_error *err);
/* a := a followed by b. */
hr_status hr__statistics_merge(struct hr__statistics *a, const struct hr__statistics *b,
                               hr_error *err);
/* The same, where b counted its samples from 0 and those of a end at first_sample. Figures of
 * labels are left only where both have them. */
hr_status hr__statistics_append(struct hr__statistics *a, const struct hr__statistics *b,
                                uint64_t first_sample, hr_error *err);
/* Of memory in use. */
uint64_t hr__statistics_held_bytes(const struct hr__statistics *s);
/* out->struct_bytes is respected as hr_dataset_statistics() says. */
void hr__statistics_get(const struct hr__statistics *s, hr_statistics *out);

/* Lengths of the values of a variable-length field: the accumulators of uint64 values, and their
 * sum. NULL if memory is short. */
struct hr__statistics *hr__lengths_new(void);
/* The next n values, of which the first begins at `start` and each ends at its entry in ends. */
void hr__lengths_add(struct hr__statistics *s, const uint64_t *ends, uint64_t n, uint64_t start);
/* UINT64_MAX where it is more. */
uint64_t hr__lengths_total(const struct hr__statistics *s);
void hr__lengths_get(const struct hr__statistics *s, hr_length_statistics *out);

/* To and from jansson objects; used by schema_json.c only. */
struct json_t;
struct json_t *hr__lengths_to_json(const struct hr__statistics *s);
hr_status hr__lengths_from_json(const struct json_t *json, struct hr__statistics **out,
                                hr_error *err);
struct json_t *hr__statistics_to_json(const struct hr__statistics *s, bool with_labels);
/* Ranges of consecutive values that its labels are printed as. False: out of memory. */
bool hr__statistics_num_ranges(const struct hr__statistics *s, uint32_t *out);
hr_status hr__statistics_from_json(const struct json_t *json, hr_dtype dtype, bool labels,
                                   struct hr__statistics **out, hr_error *err);

#endif
