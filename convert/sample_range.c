/*
 * Ranges of samples, checked.
 */
#include "sample_range.h"

#include "error.h"

#include <inttypes.h>

hr_status hr__sample_range_check(uint64_t first, uint64_t end, hr_error *err) {
    if (end == 0 || first < end)
        return HR_OK;
    return hr__error_set(err, HR_ERR_INVALID,
                         "the range of samples %" PRIu64 ":%" PRIu64
                         " is empty; its end is not included",
                         first, end);
}

hr_status hr__sample_range_count(uint64_t first, uint64_t end, uint64_t total, const char *whose,
                                 uint64_t *out, hr_error *err) {
    const uint64_t last = end != 0 ? end : total;
    *out = total;
    if (first == 0 && end == 0)
        return HR_OK;
    if (last > total || first >= last)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the range of samples begins at %" PRIu64 " and ends before %" PRIu64
                             ", but %s %" PRIu64 " samples",
                             first, last, whose, total);
    *out = last - first;
    return HR_OK;
}
