/*
 * Layouts of arrays whose samples are not one after the other.
 */
#include "axis_layout.h"

#include "checked.h"
#include "error.h"
#include "strided_copy.h"

/* The axis that is meant, or rank: none. */
static uint32_t resolve(const struct hr__axis_array *array, int32_t axis) {
    int64_t rank = array->rank;
    int64_t at = axis < 0 ? rank + axis : axis;
    if (rank == 1)
        return 0;
    return at >= 0 && at < rank ? (uint32_t)at : array->rank;
}

bool hr__axis_layout_is_plain(const struct hr__axis_array *array, int32_t axis) {
    return !array->fortran && resolve(array, axis) == 0;
}

/* Distances in the samples: of each axis of the array, in C order of a sample. */
static bool measure(const struct hr__axis_array *array, uint32_t axis, struct hr__axis_layout *l,
                    uint64_t *distances) {
    bool fits = true;
    l->sample_bytes = array->width_bytes;
    for (uint32_t i = array->rank; i-- > 0;) {
        if (i == axis)
            continue;
        distances[i] = l->sample_bytes;
        fits = fits && hr__mul_u64(l->sample_bytes, array->shape[i], &l->sample_bytes);
    }
    distances[axis] = l->sample_bytes;
    return fits && hr__mul_u64(l->sample_bytes, l->num_samples, &l->total_bytes) &&
           l->total_bytes <= INT64_MAX;
}

hr_status hr__axis_layout_make(const struct hr__axis_array *array, int32_t axis,
                               struct hr__axis_layout *out, hr_error *err) {
    uint64_t distances[HR_MAX_RANK + 1];
    uint32_t at = resolve(array, axis);
    *out = (struct hr__axis_layout){.width_bytes = array->width_bytes, .rank = array->rank - 1};
    if (at == array->rank)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the array has %u axes, so there is none of number %d; give an axis "
                             "from %d to %d",
                             array->rank, axis, -(int)array->rank, (int)array->rank - 1);
    out->num_samples = array->shape[at];
    if (!measure(array, at, out, distances))
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "the array is larger than 8 EiB");
    for (uint32_t i = 0, n = 0; i < array->rank; i++)
        if (i != at)
            out->shape[n++] = array->shape[i];
    out->outer = 1;
    out->inner_bytes = array->width_bytes;
    out->sample_at = array->fortran ? array->rank - 1 - at : at;
    for (uint32_t k = 0; k < array->rank; k++) {
        uint32_t i = array->fortran ? array->rank - 1 - k : k;
        out->file_shape[k] = array->shape[i];
        out->to[k] = distances[i];
        if (out->sample_bytes > 0 && k < out->sample_at)
            out->outer *= array->shape[i];
        if (out->sample_bytes > 0 && k > out->sample_at)
            out->inner_bytes *= array->shape[i];
    }
    return HR_OK;
}

void hr__axis_layout_gather(const struct hr__axis_layout *l, const uint8_t *panel,
                            uint64_t panel_samples, uint64_t first, uint64_t n, uint8_t *dst) {
    struct hr__strided_axis axes[HR_MAX_RANK + 1];
    uint64_t from = l->width_bytes;
    for (uint32_t k = l->rank + 1; k-- > 0;) {
        bool samples = k == l->sample_at;
        axes[k] = (struct hr__strided_axis){samples ? n : l->file_shape[k], from, l->to[k]};
        from *= samples ? panel_samples : l->file_shape[k];
    }
    hr__strided_copy(axes, l->rank + 1, l->width_bytes, panel + first * l->inner_bytes, dst);
}
