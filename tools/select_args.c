/*
 * Which fields and samples are converted.
 */
#define _GNU_SOURCE
#include "select_args.h"

#include "report.h"

#include <stdlib.h>
#include <string.h>

static bool no_memory(const options *o) {
    report_failure(o->command, "not enough memory");
    return false;
}

/* A copy of optarg that lives as long as a; or NULL. */
static char *copy_argument(select_args *a) {
    char **grown = realloc(a->texts, (a->num_texts + 1) * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    a->texts = grown;
    char *copy = strdup(optarg);
    if (copy != NULL) {
        a->texts[a->num_texts++] = copy;
    }
    return copy;
}

bool select_args_fields(const options *o, select_args *a) {
    args_error err;
    char *list = copy_argument(a);
    if (list == NULL) {
        return no_memory(o);
    }
    if (!args_list(list, a->names, ARGS_MAX_LIST, &a->num_names, &err)) {
        report_usage(o->command, "--fields: %s", err.message);
        return false;
    }
    return true;
}

bool select_args_rename(const options *o, select_args *a) {
    char *from = copy_argument(a);
    hr_convert_rename *grown = realloc(a->renames, (a->num_renames + 1) * sizeof *grown);
    if (grown != NULL) {
        a->renames = grown;
    }
    if (from == NULL || grown == NULL) {
        return no_memory(o);
    }
    char *to = strchr(from, '=');
    if (to == NULL || to == from || to[1] == '\0') {
        report_usage(o->command, "--rename: '%s' is not OLD=NEW", optarg);
        return false;
    }
    *to++ = '\0';
    a->renames[a->num_renames++] = (hr_convert_rename){from, to};
    return true;
}

bool select_args_range(const options *o, select_args *a) {
    return options_range(o, "range", &a->first, &a->end);
}

void select_args_apply(const select_args *a, hr_convert_options *opts) {
    opts->kept_fields = a->num_names > 0 ? a->names : NULL;
    opts->num_kept_fields = a->num_names;
    opts->renames = a->renames;
    opts->num_renames = a->num_renames;
    opts->first_sample = a->first;
    opts->end_sample = a->end;
}

void select_args_free(select_args *a) {
    for (size_t i = 0; i < a->num_texts; i++) {
        free(a->texts[i]);
    }
    free(a->texts);
    free(a->renames);
    *a = (select_args){0};
}
