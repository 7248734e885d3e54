/*
 * What kind of samples a source has, for people.
 */
#include "source_type.h"

#include "dtype.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

/* "float32 (28, 28)", cut off where it is long. */
static void print_type(const struct hr__source_info *info, char *out, size_t room) {
    int n = snprintf(out, room, "%s", hr_dtype_name(info->dtype));
    if (hr__dtype_is_variable(info->dtype)) {
        if (info->element_dtype != 0)
            snprintf(out + n, room - (size_t)n, " of %s", hr_dtype_name(info->element_dtype));
        return;
    }
    if (hr_dtype_bytes(info->dtype) == 0)
        n += snprintf(out + n, room - (size_t)n, " of %u bytes", info->width_bytes);
    n += snprintf(out + n, room - (size_t)n, " (");
    for (uint32_t i = 0; i < info->rank && (size_t)n + 30 < room; i++)
        n += snprintf(out + n, room - (size_t)n, i == 0 ? "%llu" : ", %llu",
                      (unsigned long long)info->shape[i]);
    snprintf(out + n, room - (size_t)n, ")");
}

hr_status hr__source_check_same(const struct hr__source_info *a, const struct hr__source_info *b,
                                hr_error *err) {
    if (a->dtype == b->dtype && a->element_dtype == b->element_dtype &&
        a->width_bytes == b->width_bytes && a->rank == b->rank &&
        memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0)
        return HR_OK;
    char type_a[120], type_b[120];
    print_type(a, type_a, sizeof type_a);
    print_type(b, type_b, sizeof type_b);
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "these would be parts of one field, but differ: %.100s has samples of %s, "
                         "%.100s of %s; if they are different fields, name them: --field NAME=FILE",
                         a->path, type_a, b->path, type_b);
}
