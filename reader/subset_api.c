/*
 * Subsets: the public interface. Ranges and lists come from a user.
 */
#include "checked.h"
#include "error.h"
#include "subset.h"

static hr_status range_refused(const hr_dataset *ds, uint64_t first, uint64_t end, uint64_t step,
                               hr_error *err) {
    const uint64_t total = hr_dataset_num_samples(ds);
    if (step == 0)
        return hr__error_set(err, HR_ERR_INVALID, "the step of a range is 0, expected 1 or more");
    if (end > total)
        return hr__error_set(
            err, HR_ERR_INVALID,
            "%s: a range up to sample %llu was asked for, it has %llu samples; end it there",
            hr__dataset_name(ds), (unsigned long long)end, (unsigned long long)total);
    return hr__error_set(err, HR_ERR_INVALID,
                         "%s: no sample is in the range from %llu up to, without, %llu (it has "
                         "%llu samples); begin it earlier",
                         hr__dataset_name(ds), (unsigned long long)first, (unsigned long long)end,
                         (unsigned long long)total);
}

hr_status hr_subset_from_range(const hr_dataset *ds, uint64_t first, uint64_t end, uint64_t step,
                               hr_subset **out, hr_error *err) {
    if (out != NULL)
        *out = NULL;
    if (ds == NULL || out == NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_subset_from_range: ds and out must not be NULL");
    if (end == UINT64_MAX)
        end = ds->footer.num_samples;
    if (step == 0 || end > ds->footer.num_samples || first >= end)
        return range_refused(ds, first, end, step, err);
    return hr__subset_range(ds, first, step, hr__ceil_div(end - first, step), out, err);
}

/* Negative ones, as other programs have them, are shown as such. last: the one before. */
static hr_status entry_refused(const hr_dataset *ds, uint64_t number, uint64_t index, uint64_t last,
                               hr_error *err) {
    const uint64_t total = hr_dataset_num_samples(ds);
    if (index > INT64_MAX)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s: index %llu of the subset is %lld, expected 0 to %llu; leave it "
                             "out",
                             hr__dataset_name(ds), (unsigned long long)number, (long long)index,
                             (unsigned long long)total - 1);
    if (index >= total)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s: index %llu of the subset is sample %llu, it has %llu samples; is "
                             "the list one of another data set?",
                             hr__dataset_name(ds), (unsigned long long)number,
                             (unsigned long long)index, (unsigned long long)total);
    return hr__error_set(err, HR_ERR_INVALID,
                         "%s: index %llu of the subset is %llu, after %llu: expected ascending "
                         "ones, none twice; sort them, the loader shuffles",
                         hr__dataset_name(ds), (unsigned long long)number,
                         (unsigned long long)index, (unsigned long long)last);
}

hr_status hr__subset_add_list(struct hr__subset_maker *m, const uint64_t *indices, uint64_t n,
                              hr_error *err) {
    const uint64_t total = m->ds->footer.num_samples;
    uint64_t last = m->run > 0 ? m->first + (m->run - 1) * m->step : 0;
    for (uint64_t i = 0; i < n; i++) {
        if (indices[i] >= total || (m->count > 0 && indices[i] <= last))
            return entry_refused(m->ds, m->count, indices[i], last, err);
        last = indices[i];
        hr__subset_add(m, last);
    }
    return HR_OK;
}

hr_status hr__subset_empty(const hr_dataset *ds, hr_error *err) {
    return hr__error_set(err, HR_ERR_INVALID,
                         "%s: a subset of no samples was asked for; name one or more",
                         hr__dataset_name(ds));
}

hr_status hr_subset_from_indices(const hr_dataset *ds, const uint64_t *indices,
                                 uint64_t num_indices, hr_subset **out, hr_error *err) {
    struct hr__subset_maker m;
    if (out != NULL)
        *out = NULL;
    if (ds == NULL || out == NULL || (indices == NULL && num_indices > 0))
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_subset_from_indices: ds, indices and out must not be NULL");
    if (num_indices == 0)
        return hr__subset_empty(ds, err);
    hr_status st = hr__subset_begin(ds, num_indices, UINT64_MAX, &m, err);
    if (st != HR_OK)
        return st;
    st = hr__subset_add_list(&m, indices, num_indices, err);
    if (st == HR_OK)
        *out = hr__subset_finish(&m);
    hr__subset_abandon(&m);
    return st;
}

uint64_t hr_subset_num_samples(const hr_subset *s) {
    return s->num_samples;
}

hr_status hr_subset_indices(const hr_subset *s, uint64_t first, uint64_t count, uint64_t *out,
                            hr_error *err) {
    if (!hr__range_within(first, count, s->num_samples))
        return hr__error_set(err, HR_ERR_INVALID,
                             "%llu samples from number %llu on were asked for, the subset has %llu",
                             (unsigned long long)count, (unsigned long long)first,
                             (unsigned long long)s->num_samples);
    if (out == NULL && count > 0)
        return hr__error_set(err, HR_ERR_INVALID, "hr_subset_indices: out must not be NULL");
    hr__subset_list(s, first, count, out);
    return HR_OK;
}
