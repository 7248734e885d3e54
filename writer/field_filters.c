/*
 * The filters that are worth trying on a field.
 */
#include "field_filters.h"

#include "dtype.h"
#include "frame_filter.h"

#define MAX_CHANNELS 4u /* entries of a last axis that make up a pixel */

uint8_t hr__filter_number(int32_t filter) {
    return (uint8_t)(filter - HR_FILTER_NONE);
}

struct distances {
    uint64_t near_bytes, row_bytes; /* 0: none */
};

static struct distances distances_of(const struct hr__schema_field *f) {
    if (hr__dtype_is_variable(f->dtype))
        return (struct distances){hr__value_unit_bytes(f), 0};
    const uint64_t width = f->num_elements > 0 ? f->sample_bytes / f->num_elements : 0;
    const uint64_t last = f->rank > 0 ? f->shape[f->rank - 1] : 1;
    if (f->rank == 0)
        return (struct distances){width, 0};
    if (f->rank == 1 || last > MAX_CHANNELS)
        return (struct distances){width, last * width};
    return (struct distances){last * width, f->shape[f->rank - 2] * last * width};
}

static uint64_t frame_bytes(const struct hr__schema_field *f) {
    const uint32_t samples = hr__frame_samples(f->sample_bytes);
    return samples > 0 ? samples * f->sample_bytes : HR__MAX_FRAME_BYTES;
}

/* Of elements of one byte the byte shuffle is nothing. */
static uint8_t without_byte_shuffle(uint8_t number) {
    return number == HR__FILTER_BYTE_SHUFFLE         ? HR__FILTER_NONE
           : number == HR__FILTER_DELTA_BYTE_SHUFFLE ? HR__FILTER_DELTA
                                                     : number;
}

static bool is_open(uint8_t number, uint32_t e, int32_t filter, bool few) {
    if (e == 1 && without_byte_shuffle(number) != number)
        return false;
    if (filter != HR_FILTER_AUTO) {
        const uint8_t wanted = hr__filter_number(filter);
        return number == (e == 1 ? without_byte_shuffle(wanted) : wanted);
    }
    if (few)
        return number == HR__FILTER_NONE || number == HR__FILTER_DELTA_BYTE_SHUFFLE ||
               number == (e == 1 ? HR__FILTER_BIT_SHUFFLE : HR__FILTER_BYTE_SHUFFLE);
    return true;
}

uint32_t hr__field_filters(const struct hr__schema_field *field, int32_t filter, bool few,
                           struct hr__storage out[HR__MAX_FIELD_FILTERS]) {
    const hr_dtype dtype = field->element_dtype != 0 ? field->element_dtype : field->dtype;
    const uint32_t e = hr__dtype_shuffle_bytes(dtype);
    const struct distances d = distances_of(field);
    const uint64_t row_bytes = few || d.row_bytes == d.near_bytes ? 0 : d.row_bytes;
    uint32_t n = 0;
    for (uint8_t number = HR__FILTER_NONE; hr__filter_name(number) != NULL; number++) {
        struct hr__storage how = {.filter = number};
        how.element_bytes = number == HR__FILTER_NONE ? 0 : (uint8_t)e;
        if (!is_open(number, e, filter, few))
            continue;
        if (!hr__filter_has_delta(number))
            out[n++] = how;
        for (int near = 1; near >= 0 && hr__filter_has_delta(number); near--) {
            const uint64_t distance_bytes = near ? d.near_bytes : row_bytes;
            how.distance_bytes = (uint32_t)distance_bytes;
            if (distance_bytes > 0 && distance_bytes < frame_bytes(field))
                out[n++] = how;
        }
    }
    if (n == 0)
        out[n++] = (struct hr__storage){.filter = HR__FILTER_NONE};
    return n;
}
