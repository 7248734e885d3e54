/*
 * A writer, as its own files and tests see it.
 */
#ifndef HEADRACE_WRITER_INTERNAL_H
#define HEADRACE_WRITER_INTERNAL_H

#include "codec_trial.h"
#include "compress_pool.h"
#include "file.h"
#include "job.h"
#include "writer_plan.h"

#include "headrace/writer.h"

/* hr_writer_open() on the folder given, which outlives the writer. */
hr_status hr__writer_open_in(const struct hr__folder_ops *folder, const char *path,
                             const hr_field *fields, uint32_t num_fields,
                             const hr_writer_options *opts, hr_writer **out, hr_error *err);

/* hr_writer_open() with a share of a budget. */
hr_status hr__writer_open_shared(const char *path, const hr_field *fields, uint32_t num_fields,
                                 const hr_writer_options *opts,
                                 const struct hr__writer_share *share, hr_writer **out,
                                 hr_error *err);

/* About how many bytes, decoded, will be written: the trial of codecs takes a small part of the
 * time of that. Only before the first row. */
void hr__writer_expect(hr_writer *w, uint64_t n_bytes);

/* Number of threads that encode: the calls of a row source have numbers below it. */
uint32_t hr__writer_threads(const hr_writer *w);

/* Samples that the writer's threads fetch, instead of hr_writer_append(). At first those by which
 * storage is chosen, or all num_samples where they are fewer; none where it is chosen. */
hr_status hr__writer_fetch_first(hr_writer *w, const struct hr__row_source *source,
                                 uint64_t num_samples, hr_error *err);
/* Then all others, num_samples of them: begins with them. Nothing may be appended any more. The
 * source must live until they are written, or the writer is closed. */
hr_status hr__writer_fetch_rest(hr_writer *w, const struct hr__row_source *source,
                                uint64_t num_samples, hr_error *err);
/* Waits until they are written: HR_OK; HR_TIMEOUT: not yet; or the first failure. *begun: samples
 * of the data set that are fetched, or being fetched. */
hr_status hr__writer_fetch_wait(hr_writer *w, int64_t timeout_ns, uint64_t *begun, hr_error *err);

/* Lowers the limit of the writer's budget to the most that it will take, and returns that: what it
 * was given beyond is its caller's again. Only before the first append. */
uint64_t hr__writer_keep_to_need(hr_writer *w);

#endif
