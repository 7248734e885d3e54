/*
 * What is told after a conversion: bad data are seen now, not on day two of a training.
 */
#include "convert_report.h"

#include "error.h"

#include <stdio.h>

static void note_field(const hr_convert_options *opts, const char *name, const hr_statistics *s) {
    char line[512], inf[128] = "";
    int n = snprintf(line, sizeof line, "warning: field %s has ", name);
    if (s->num_nan > 0)
        n += snprintf(line + n, sizeof line - (size_t)n, "%llu NaN (the first in sample %llu)",
                      (unsigned long long)s->num_nan, (unsigned long long)s->first_nan_sample);
    if (s->num_inf > 0)
        snprintf(inf, sizeof inf, "%s%llu Inf (the first in sample %llu)",
                 s->num_nan > 0 ? " and " : "", (unsigned long long)s->num_inf,
                 (unsigned long long)s->first_inf_sample);
    snprintf(line + n, sizeof line - (size_t)n, "%s", inf);
    if (opts->on_note != NULL)
        opts->on_note(opts->user, line);
}

hr_status hr__convert_report(const hr_convert_options *opts, hr_convert_result *result,
                             hr_error *err) {
    hr_dataset *ds = NULL;
    hr_open_options open_opts = HR_OPEN_OPTIONS_INIT;
    open_opts.budget_bytes = opts->budget_bytes;
    hr_status st;
    HR_TRY(hr_dataset_open(opts->output, &open_opts, &ds, err));
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
            note_field(opts, field.name, &s);
    }
done:
    hr_dataset_close(ds);
    if (st != HR_OK)
        hr__error_prefix(err, "%s was made, but cannot be read", opts->output);
    return st;
}
