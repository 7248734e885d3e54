/*
 * Going on with an interrupted job, or behind a commit: chunks that are there are decoded.
 */
#ifndef HEADRACE_RESUME_H
#define HEADRACE_RESUME_H

#include "chunk_sink.h"
#include "job.h"

/* Whom to tell of each chunk that is kept. */
struct hr__resume_watch {
    void *user;
    int (*on_resume)(void *user, uint64_t done_samples); /* non-zero: stop; may be NULL */
};

/* Reads the chunks of the job from job->first_chunk_off on as long as they are whole, and puts them
 * into the sink; then cuts the file behind the last. rows and encoder are lent. HR_ERR_IO,
 * HR_ERR_NO_MEMORY; HR_ERR_BUDGET (a chunk is larger than there is room for), HR_ERR_CANCELLED: all
 * chunks are still there. */
hr_status hr__resume_chunks(const struct hr__job *job, struct hr__chunk_sink *sink,
                            struct hr__chunk_encoder *encoder, struct hr__chunk_rows *rows,
                            const struct hr__resume_watch *watch, hr_error *err);

/* Decoded bytes of a sample in the first chunk of the job that is in a file; 0: it has none that is
 * whole. HR_ERR_IO, HR_ERR_NO_MEMORY. */
hr_status hr__resume_mean(const struct hr__file *file, const struct hr__schema *schema,
                          const struct hr__job_peeked *job, uint64_t *mean_bytes, hr_error *err);

/* A partial file may have been committed and not renamed: what its superblocks refer to goes. */
hr_status hr__superblocks_clear(const struct hr__file *file, hr_error *err);

/* Decodes the chunk after those of the sink, which stands where the index entry says, into rows.
 * HR_ERR_CORRUPT, HR_ERR_IO, HR_ERR_NO_MEMORY, HR_ERR_BUDGET. */
hr_status hr__resume_last_chunk(const struct hr__job *job, struct hr__chunk_sink *sink,
                                struct hr__chunk_encoder *encoder,
                                const struct hr__index_entry *entry, uint32_t num_samples,
                                struct hr__chunk_rows *rows, hr_error *err);

#endif
