/*
 * The options of convert that choose fields and samples: --fields, --rename, --range.
 */
#ifndef HEADRACE_SELECT_ARGS_H
#define HEADRACE_SELECT_ARGS_H

#include "args.h"
#include "options.h"

#include "headrace/convert.h"

/** Zeroed at first; released by select_args_free(). */
typedef struct select_args {
    char **texts; /**< copies of arguments, in which names end with a zero */
    size_t num_texts;
    const char *names[ARGS_MAX_LIST];
    uint32_t num_names;
    hr_convert_rename *renames;
    uint32_t num_renames;
    uint64_t first, end;
} select_args;

/** Each takes optarg; false after a report. */
bool select_args_fields(const options *o, select_args *a);
bool select_args_rename(const options *o, select_args *a);
bool select_args_range(const options *o, select_args *a);

/** Points opts at what was taken. */
void select_args_apply(const select_args *a, hr_convert_options *opts);
void select_args_free(select_args *a);

#endif
