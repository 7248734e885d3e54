/*
 * --finish and --check-finite, as `plan` and `epoch` share them, and what the check has found.
 */
#ifndef HEADRACE_FINISH_ARGS_H
#define HEADRACE_FINISH_ARGS_H

#include "options.h"

#include "headrace/loader.h"

#include <jansson.h>

#define FINISH_ARGS_MAX 256

typedef struct finish_args {
    hr_finish entries[FINISH_ARGS_MAX];
    uint32_t count;
    bool check_finite;
} finish_args;

/** FIELD=WORD[,WORD...] of optarg, which is cut in place; false after a report. */
bool finish_args_take(const options *o, finish_args *a);

/** With the data set open: the check of each field that is delivered as floating-point numbers is
 * added, where it was asked for, and all of it put into opts. false after a report. */
bool finish_args_apply(const char *command, finish_args *a, const hr_dataset *ds,
                       hr_loader_options *opts);

/** A line on what the check of all batches found, if there was one. */
void finish_args_print(const hr_dataset *ds, const hr_loader_options *opts, hr_loader *loader);

/** The same as a list; NULL if there was no check. */
json_t *finish_args_json(const hr_dataset *ds, const hr_loader_options *opts, hr_loader *loader);

#endif
