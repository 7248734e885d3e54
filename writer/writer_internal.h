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

#endif
