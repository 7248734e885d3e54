/*
 * What `head` was asked for, and its images: on the terminal, or as PNG files.
 */
#ifndef HEADRACE_HEAD_JOB_H
#define HEADRACE_HEAD_JOB_H

#include "args.h"
#include "head_field.h"
#include "options.h"
#include "terminal.h"

#include <jansson.h>

typedef struct head_job {
    options_files files;
    uint64_t budget_bytes, first;
    uint32_t count;
    const char *names[ARGS_MAX_LIST];
    uint32_t num_names;
    const char *png;
    bool numbers, force, json, help;
    terminal term;
    hr_dataset *ds;
    uint32_t num_pngs;
    json_t *fields;
} head_job;

/** Shows the samples of a field that are images, or writes them where there is job->png. */
hr_status head_images(head_job *job, head_field *v, hr_error *err);

/** --png names one file, not a folder. */
bool head_png_is_file(const char *path);

#endif
