/*
 * One run of hr_dataset_verify(), which threads share.
 */
#ifndef HEADRACE_VERIFY_RUN_H
#define HEADRACE_VERIFY_RUN_H

#include "dataset.h"
#include "thread.h"

#include <stdatomic.h>

struct hr__verify_run {
    const hr_verify_options *opts;
    struct hr__budget budget;
    hr_dataset *ds;
    hr__mutex lock;
    uint64_t num_damaged; /* under lock */
    uint64_t done_bytes;  /* under lock */
    hr_status failure;    /* under lock: what ends the run early */
    hr_error failure_error;
    hr_error first; /* the first damage, for the summary */
    _Atomic uint64_t next_chunk;
    _Atomic uint64_t *pages; /* a bit for each page that something refers to */
};

void hr__verify_report(struct hr__verify_run *v, const char *what, const hr_error *err,
                       uint64_t off, uint64_t chunk, uint32_t field, uint64_t first_sample,
                       uint64_t num_samples);
/* Damage, against what ends the run: no memory, no budget, something this version does not read. */
bool hr__verify_is_damage(hr_status st);
void hr__verify_fail(struct hr__verify_run *v, hr_status st, const hr_error *err);
/* Counts bytes as done; false: stop. */
bool hr__verify_advance(struct hr__verify_run *v, uint64_t n_bytes);
/* Pages that something refers to; it is reported where something else does, too. */
void hr__verify_pages_mark(struct hr__verify_run *v, uint64_t off, uint64_t n_bytes,
                           const char *what);

/* verify_chunks.c: a thread that checks chunks as long as there are any. */
void *hr__verify_chunks(void *verify);

#endif
