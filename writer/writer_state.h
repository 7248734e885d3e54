/*
 * A writer's state, and what the files of its life share: writer_open.c, writer_rows.c, writer.c.
 *
 * Invariants:
 *  1. the target's name is touched by hr__commit_name() only, and a target that is appended to only
 *     as append.h says;
 *  2. nothing is written before the job record, and the record only when storage is chosen: until
 *     then full row buffers are held back for the trial;
 *  3. the first failure is kept, and every later call returns it;
 *  4. until it is settled how many samples a chunk holds, there are early rows (early_rows.h) and
 *     nothing else: no plan, no pool, no chunk.
 */
#ifndef HEADRACE_WRITER_STATE_H
#define HEADRACE_WRITER_STATE_H

#include "append.h"
#include "early_rows.h"
#include "partial_file.h"
#include "resume.h"
#include "writer_internal.h"

#include <sys/types.h>

struct hr_writer {
    pid_t pid;
    bool replace;
    bool resume;  /* go on with what is there */
    bool settled; /* samples per chunk are known, and all that follows from them */
    bool begun;   /* the job record is on disk, storage is chosen */
    bool committed;
    bool published;   /* a superblock of this commit may be on the disk */
    hr_error failure; /* status HR_OK: none */

    struct hr__partial_file partial; /* of an append the target itself */
    struct hr__append append;
    struct hr__budget budget;
    struct hr__schema schema;
    struct hr__trial_wishes wishes;
    struct hr__chunk_plan plan;
    struct hr__job job;
    struct hr__chunk_sink sink;
    struct hr__compress_pool pool;
    struct hr__early_rows early; /* until it is settled */
    uint64_t given_budget_bytes; /* 0: default */
    struct hr__writer_share share;
    uint64_t chunk_bytes;
    uint64_t there_mean_bytes; /* of a sample, in the first chunk of a job that is resumed */
    uint32_t max_threads;

    struct hr__chunk_rows *filling; /* NULL: the next row takes a new buffer */
    struct hr__chunk_rows *held[HR__TRIAL_CHUNKS];
    uint32_t num_held;
    uint32_t trial_chunks; /* begin with so many; 0: nothing is tried */

    uint64_t num_chunks; /* numbers given so far */
    uint64_t num_samples;
    uint64_t values_bytes; /* of these, of variable length */
    uint64_t resumed_samples;
    double trial_ratio;
    uint64_t needed_bytes; /* of the budget, as planned */
};

/* writer.c: keeps *why as the writer's failure, if it is the first. Returns the first. */
hr_status hr__writer_fail(hr_writer *w, hr_status st, hr_error *why, hr_error *err);
/* May this call go on? */
hr_status hr__writer_check_usable(const hr_writer *w, hr_error *err);

/* writer_open.c. When samples per chunk are known: budget, plan and threads; then the job that is
 * in the partial file is gone on with, or it is emptied. */
hr_status hr__writer_make_memory(hr_writer *w, hr_error *err);
hr_status hr__writer_open_job(hr_writer *w, const struct hr__resume_watch *watch, hr_error *err);

/* writer_rows.c. Chooses storage, writes the job record, and lets go what was held back. */
hr_status hr__writer_begin(hr_writer *w, hr_error *err);
/* The early rows choose samples per chunk, and go where all rows go. */
hr_status hr__writer_settle_early(hr_writer *w, hr_error *err);
/* The buffer being filled is complete. */
hr_status hr__writer_finish_rows(hr_writer *w, hr_error *err);

#endif
