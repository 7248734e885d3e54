/*
 * The three things that are measured of a data set: decoding, reading, and a loader's epochs.
 */
#ifndef HEADRACE_RATES_H
#define HEADRACE_RATES_H

#include "chunk_sample.h"
#include "headrace/loader.h"
#include "io_backend.h"
#include "sketch.h"
#include "watch.h"

/* decode_rate.c: frames of the sample into scratch, the filter left undone; decoded bytes per
 * second. Each thread's scratch is charged to the budget. */
hr_status hr__decode_rate(const struct hr__chunk_sample *sample, uint32_t num_threads,
                          int64_t run_ns, struct hr__budget *budget, const struct hr__watch *watch,
                          double *bytes_per_s, hr_error *err);

/* disk_rate.c: chunks in the order of an epoch's visits, round and round, by as many threads and as
 * deep as its loader. */
struct hr__disk_reads {
    const struct hr__sketch *sketch;
    struct hr__io_backend *backend; /* started; does without rings where one is refused */
    uint64_t most_bytes;            /* of each chunk, from its beginning; whole pages */
    struct hr__budget *budget;
};
/* Bytes read per second. */
hr_status hr__disk_rate(const struct hr__disk_reads *reads, int64_t run_ns,
                        const struct hr__watch *watch, double *bytes_per_s, hr_error *err);

/* epoch_rate.c: what a consumer gets that gives batches back at once. */
struct hr__epoch_run {
    double bytes_per_s;
    double io_part, decode_part, consumer_part; /* of the workers' time */
    int64_t first_batch_ns;
};
/* opts->num_epochs of them, from the open on; where that is 0, a part of one: run_ns from its first
 * batch on. */
hr_status hr__epoch_rate(hr_dataset *ds, const hr_loader_options *opts, int64_t run_ns,
                         const struct hr__watch *watch, struct hr__epoch_run *out, hr_error *err);

#endif
