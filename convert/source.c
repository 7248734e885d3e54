/*
 * What all sources check alike.
 */
#include "source.h"

#include "checked.h"
#include "error.h"

hr_status hr__source_check_range(const struct hr__source *src, const char *what, uint64_t first,
                                 uint64_t n, hr_error *err) {
    if (hr__range_within(first, n, src->info.num_samples))
        return HR_OK;
    return hr__error_set(err, HR_ERR_INVALID, "%s has %llu samples only", what,
                         (unsigned long long)src->info.num_samples);
}
