/*
 * Loading a bucket: threads read its pieces side by side, check their hashes, and put every sample
 * to its place.
 */
#ifndef HEADRACE_BUCKET_LOAD_H
#define HEADRACE_BUCKET_LOAD_H

#include "buckets.h"

#include <stdatomic.h>

struct hr__bucket_reader;

struct hr__bucket_load {
    const struct hr__buckets *buckets;
    uint64_t n_bytes; /* of each reader's buffer */
    struct hr__bucket_reader *readers;
    uint32_t num_readers;

    uint64_t bucket; /* that is loaded */
    struct hr__shuffle_rows *rows;
    _Atomic uint64_t next_record; /* that no reader has taken */
    _Atomic uint64_t sum;         /* of the hashes of what was read */
    atomic_bool failed;           /* the others need not go on */

    bool has_lock, has_ended;
    hr__mutex lock;       /* over what follows */
    hr__cond ended;       /* a reader has */
    uint32_t num_running; /* readers that have not */
};

/* buckets: finished; they outlive it. */
hr_status hr__bucket_load_open(struct hr__bucket_load *load, const struct hr__buckets *buckets,
                               hr_error *err);
/* Starts to load a bucket into rows, which have room for it. */
hr_status hr__bucket_load_begin(struct hr__bucket_load *load, uint64_t bucket,
                                struct hr__shuffle_rows *rows, hr_error *err);
/* Waits for it. HR_TIMEOUT: it is not there yet; HR_ERR_CORRUPT: not what was written; HR_ERR_IO.
 */
hr_status hr__bucket_load_end(struct hr__bucket_load *load, int64_t timeout_ns, hr_error *err);
void hr__bucket_load_close(struct hr__bucket_load *load); /* a zeroed one is fine */

#endif
