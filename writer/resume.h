/*
 * Going on with an interrupted job.
 */
#ifndef HEADRACE_RESUME_H
#define HEADRACE_RESUME_H

#include "chunk_sink.h"
#include "job.h"

/* Reads the chunks of the job from job->first_chunk_off on as long as they are whole, and puts them
 * into the sink; then cuts the file behind the last. rows and encoder are lent. HR_ERR_IO,
 * HR_ERR_NO_MEMORY, HR_ERR_BUDGET. */
hr_status hr__resume_chunks(const struct hr__job *job, struct hr__chunk_sink *sink,
                            struct hr__chunk_encoder *encoder, struct hr__chunk_rows *rows,
                            hr_error *err);

#endif
