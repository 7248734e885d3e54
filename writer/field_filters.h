/*
 * The filters that are worth trying on a field, from its dtype and shape.
 *
 * A delta is the difference to the element before: to the pixel before, where the last axis has at
 * most four entries (colours, coordinates). Or to the row before, which is the sample before where
 * a sample is a row. Of images the row before is the better neighbour and quicker to undo, of
 * series the element.
 */
#ifndef HEADRACE_FIELD_FILTERS_H
#define HEADRACE_FIELD_FILTERS_H

#include "headrace/writer.h"

#include "schema.h"

#include <stdbool.h>

/* None, two shuffles, and at two distances: a delta, and one with each of the shuffles. */
#define HR__MAX_FIELD_FILTERS 9u

/* The number in the format of an hr_filter that is not HR_FILTER_AUTO. */
uint8_t hr__filter_number(int32_t filter);

/* Those that `filter`, an hr_filter, leaves open, the plainest first: how many, at least one. Codec
 * and level are 0. few: only those that do most for a column of a table, and one distance. */
uint32_t hr__field_filters(const struct hr__schema_field *field, int32_t filter, bool few,
                           struct hr__storage out[HR__MAX_FIELD_FILTERS]);

#endif
