/*
 * Sorted lists of samples.
 */
#include "sorted_wishes.h"

#include "checked.h"
#include "error.h"

#include <stdlib.h>

static int by_sample(const void *a, const void *b) {
    const struct hr__wish *x = a, *y = b;
    if (x->sample != y->sample)
        return x->sample < y->sample ? -1 : 1;
    return x->target < y->target ? -1 : x->target > y->target;
}

hr_status hr__wishes_make(const hr_dataset *ds, struct hr__budget *budget, const uint64_t *indices,
                          size_t n, struct hr__wish **out, hr_error *err) {
    uint64_t n_bytes;
    hr_status st;
    if (!hr__mul_u64(n, sizeof(**out), &n_bytes))
        return hr__error_set(err, HR_ERR_INVALID, "%zu indices are too many", n);
    for (size_t i = 0; i < n; i++)
        if (indices[i] >= ds->footer.num_samples)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "%s: index %zu is sample %llu, it has %llu samples",
                                 hr__dataset_name(ds), i, (unsigned long long)indices[i],
                                 (unsigned long long)ds->footer.num_samples);
    struct hr__wish *w =
        hr__budget_take_raw(budget, (size_t)n_bytes, "a sorted list of indices", &st, err);
    if (w == NULL)
        return st;
    for (size_t i = 0; i < n; i++)
        w[i] = (struct hr__wish){indices[i], i};
    qsort(w, n, sizeof(*w), by_sample);
    *out = w;
    return HR_OK;
}

void hr__wishes_free(struct hr__budget *budget, struct hr__wish *wishes, size_t n) {
    hr__budget_free(budget, wishes, n * sizeof(*wishes));
}
