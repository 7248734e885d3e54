/*
 * Options of hr_join(), and the files that they name.
 */
#include "cpu.h"
#include "default_budget.h"
#include "error.h"
#include "input_paths.h"
#include "join_internal.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PARTS (1u << 20)

static hr_status check(const hr_join_options *o, hr_error *err) {
    const uint32_t known =
        HR_JOIN_REPLACE | HR_JOIN_RESUME | HR_JOIN_NO_SPACE_CHECK | HR_JOIN_FIRST_ATTRIBUTES;
    if ((o->flags & ~known) != 0)
        return hr__error_set(err, HR_ERR_INVALID, "unknown flags 0x%x", o->flags & ~known);
    if (o->output == NULL || o->output[0] == '\0')
        return hr__error_set(err, HR_ERR_INVALID, "the output has no name");
    if (o->num_parts == 0 || o->num_parts > MAX_PARTS || o->parts == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "%u parts are given, expected 1 to %u",
                             o->parts != NULL ? o->num_parts : 0, MAX_PARTS);
    return HR_OK;
}

hr_status hr__join_options_resolve(const hr_join_options *opts, hr_join_options *out,
                                   hr_error *err) {
    *out = (hr_join_options)HR_JOIN_OPTIONS_INIT;
    const hr_status st = hr__options_copy(opts, offsetof(hr_join_options, budget_bytes), out,
                                          sizeof *out, "hr_join_options", err);
    if (st != HR_OK)
        return st;
    if (out->budget_bytes == 0)
        out->budget_bytes = hr_default_budget();
    if (out->num_threads == 0)
        out->num_threads = hr__cpu_count();
    return check(out, err);
}

/* The names are moved. */
static hr_status add_files(struct hr__join_files *files, struct hr__input_paths *found,
                           hr_error *err) {
    char **grown = realloc(files->paths, (files->n + found->n) * sizeof *grown);
    if (grown == NULL)
        return hr__error_no_memory(err, found->n * sizeof *grown, "a list of files");
    files->paths = grown;
    memcpy(grown + files->n, found->paths, found->n * sizeof *grown);
    files->n += found->n;
    found->n = 0;
    return HR_OK;
}

hr_status hr__join_files_find(const hr_join_options *opts, struct hr__join_files *out,
                              hr_error *err) {
    hr_status st = HR_OK;
    *out = (struct hr__join_files){0};
    for (uint32_t i = 0; i < opts->num_parts && st == HR_OK; i++) {
        struct hr__input_paths found;
        st = hr__input_paths_find_parts(opts->parts[i], &found, err);
        if (st == HR_OK)
            st = add_files(out, &found, err);
        hr__input_paths_free(&found);
    }
    if (st != HR_OK)
        hr__join_files_free(out);
    return st;
}

void hr__join_files_free(struct hr__join_files *files) {
    for (size_t i = 0; i < files->n; i++)
        free(files->paths[i]);
    free(files->paths);
    *files = (struct hr__join_files){0};
}
