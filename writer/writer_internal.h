/*
 * A writer, as its own files and tests see it.
 */
#ifndef HEADRACE_WRITER_INTERNAL_H
#define HEADRACE_WRITER_INTERNAL_H

#include "codec_trial.h"
#include "compress_pool.h"
#include "file.h"
#include "job.h"

#include "headrace/writer.h"

/* hr_writer_open() on the folder given, which outlives the writer. */
hr_status hr__writer_open_in(const struct hr__folder_ops *folder, const char *path,
                             const hr_field *fields, uint32_t num_fields,
                             const hr_writer_options *opts, hr_writer **out, hr_error *err);

/* Lowers the limit of the writer's budget to the most that it will take, and returns that: what it
 * was given beyond is its caller's again. Only before the first append. */
uint64_t hr__writer_keep_to_need(hr_writer *w);

#endif
