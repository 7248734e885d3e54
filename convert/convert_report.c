/*
 * What is told after a conversion: bad data are seen now, not on day two of a training.
 */
#include "convert_report.h"

#include "error.h"
#include "shuffle.h"

#include <stdio.h>

/* "12 NaN (the first in sample 7)", and of shuffled samples where it was before. */
static void count_text(const struct hr__permutation *shuffle, const char *what, uint64_t count,
                       uint64_t first, char out[160]) {
    int n = snprintf(out, 160, "%llu %s (the first in sample %llu", (unsigned long long)count, what,
                     (unsigned long long)first);
    if (shuffle != NULL)
        n += snprintf(out + n, 160 - (size_t)n, ", which was %llu before the shuffle",
                      (unsigned long long)hr__permutation_invert(shuffle, first));
    snprintf(out + n, 160 - (size_t)n, ")");
}

static void note_field(const hr_convert_options *opts, const struct hr__permutation *shuffle,
                       const char *name, const hr_statistics *s) {
    char line[640], nan[160] = "", inf[160] = "";
    if (s->num_nan > 0)
        count_text(shuffle, "NaN", s->num_nan, s->first_nan_sample, nan);
    if (s->num_inf > 0)
        count_text(shuffle, "Inf", s->num_inf, s->first_inf_sample, inf);
    snprintf(line, sizeof line, "warning: field %s has %s%s%s", name, nan,
             nan[0] != '\0' && inf[0] != '\0' ? " and " : "", inf);
    if (opts->on_note != NULL)
        opts->on_note(opts->user, line);
}

/* Statistics may be larger than the budget. Then they are read as they were written: their text as
 * a whole, beside it. */
static hr_status open_made(const hr_convert_options *opts, hr_dataset **out, hr_error *err) {
    hr_open_options open_opts = HR_OPEN_OPTIONS_INIT;
    open_opts.budget_bytes = opts->budget_bytes;
    hr_status st = hr_dataset_open(opts->output, &open_opts, out, err);
    if (st != HR_ERR_BUDGET)
        return st;
    open_opts.budget_bytes = UINT64_MAX;
    return hr_dataset_open(opts->output, &open_opts, out, err);
}

hr_status hr__convert_report(const hr_convert_options *opts, hr_convert_result *result,
                             hr_error *err) {
    hr_dataset *ds = NULL;
    struct hr__permutation shuffle;
    hr_status st;
    HR_TRY(open_made(opts, &ds, err));
    const bool shuffled = (opts->flags & HR_CONVERT_SHUFFLE) != 0 && hr_dataset_num_samples(ds) > 0;
    if (shuffled)
        hr__shuffle_permutation(&shuffle, hr_dataset_num_samples(ds), opts->shuffle_seed);
    for (uint32_t i = 0; i < hr_dataset_num_fields(ds); i++) {
        hr_field field;
        hr_statistics s = {.struct_bytes = sizeof s};
        HR_TRY(hr_dataset_field(ds, i, &field, err));
        HR_TRY(hr_dataset_statistics(ds, i, &s, err));
        if (!s.valid)
            continue;
        result->num_nan += s.num_nan;
        result->num_inf += s.num_inf;
        if (s.num_nan > 0 || s.num_inf > 0)
            note_field(opts, shuffled ? &shuffle : NULL, field.name, &s);
    }
done:
    hr_dataset_close(ds);
    if (st != HR_OK)
        hr__error_prefix(err, "%s was made, but cannot be read", opts->output);
    return st;
}
