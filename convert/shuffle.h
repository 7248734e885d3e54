/*
 * permutation/1 (docs/order.md, 3.1): all samples of the inputs, each once, appended to a writer in
 * the order of their new places; in memory, or by way of a temporary file.
 */
#ifndef HEADRACE_SHUFFLE_H
#define HEADRACE_SHUFFLE_H

#include "file.h"
#include "permutation.h"
#include "read_plan.h"
#include "shuffle_plan.h"

struct hr__shuffle_job {
    const struct hr__inputs *inputs;
    const struct hr__shuffle_layout *layout; /* with an index: the writer's last field */
    const struct hr__read_plan *read_plan;
    struct hr__budget *budget; /* of reading and shuffling; num_threads of it is the conversion's */
    uint32_t num_threads;
    uint64_t seed;
    hr_writer *writer; /* the samples that it has already are left out */
    const struct hr__folder_ops *folder;
    const char *output;
    bool check_space; /* for the temporary file */
    void *user;
    /* Called now and then, with the samples read so far; anything but HR_OK ends it. */
    hr_status (*tell)(void *user, uint64_t read_samples, hr_error *err);
};

/* Place of sample i: hr__permutation_apply(i). num_samples: at least 1. */
void hr__shuffle_permutation(struct hr__permutation *p, uint64_t num_samples, uint64_t seed);

/* Samples have at least one byte. HR_ERR_BUDGET, HR_ERR_NO_SPACE, HR_ERR_EXISTS (of the temporary
 * file), HR_ERR_CORRUPT (it too), or as sources and writers. */
hr_status hr__shuffle_run(const struct hr__shuffle_job *job, hr_error *err);

#endif
