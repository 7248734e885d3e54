/*
 * A conversion, as its own files see it.
 */
#ifndef HEADRACE_CONVERT_JOB_H
#define HEADRACE_CONVERT_JOB_H

#include "input_fetch.h"
#include "pipeline.h"
#include "shuffle_rows.h"
#include "value_reader.h"

struct hr__convert_job {
    hr_convert_options opts;
    struct hr__inputs inputs;
    bool
        fetched; /* the writer's threads read the inputs; else the plan and the pipeline are used */
    struct hr__input_fetch fetch;
    bool has_values; /* some of variable length: they are read by `values` */
    struct hr__value_reader values;
    struct hr__read_plan plan;
    struct hr__budget budget;         /* of reading and shuffling; the rest is the writer's */
    bool shuffled;                    /* and not only said to be, as of samples without bytes */
    struct hr__shuffle_layout layout; /* of the writer's samples */
    char *provenance_json;            /* or NULL */
    hr_writer *writer;
    struct hr__pipeline *pipeline;
    uint64_t num_samples;
    uint64_t resumed_samples;
    uint64_t old_samples; /* that the output has before an append, */
    uint64_t old_bytes;   /* decoded */
    uint64_t total_bytes; /* decoded */
    int64_t told_ns;      /* when progress was told last; 0: never */
    bool space_checked;
};

static inline bool hr__convert_is_append(const struct hr__convert_job *job) {
    return (job->opts.flags & HR_CONVERT_APPEND) != 0;
}

/* num_samples, layout, shuffled, has_values, total_bytes. HR_ERR_UNSUPPORTED: they are too many, or
 * cannot be shuffled. */
hr_status hr__convert_measure(struct hr__convert_job *job, hr_error *err);

/* Decoded bytes of the inputs' first samples; values of variable length are taken to be of one
 * length. */
uint64_t hr__convert_bytes_of(const struct hr__convert_job *job, uint64_t samples);

/* Opens the writer, and divides the budget between it, reading and shuffling: plan, budget,
 * resumed_samples. HR_ERR_BUDGET says what would do; else as hr_writer_open(). */
hr_status hr__convert_open_writer(struct hr__convert_job *job, hr_error *err);

/* Told of samples that the writer has again, while what an interrupted conversion left is read. */
int hr__convert_on_resume(void *user, uint64_t written);

#endif
