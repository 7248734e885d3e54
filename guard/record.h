/*
 * The record of a process: one page, written in place about once a second, and read when the
 * process is gone. What is read is not trusted.
 *
 * The page: magic (8 bytes), version (u32), number of epochs (u32), the figures and texts in the
 * order of record.c, the epochs, zeros; the last 8 bytes are XXH3-64 of those before. Integers are
 * little-endian. A page of another version is not read.
 */
#ifndef HEADRACE_RECORD_H
#define HEADRACE_RECORD_H

#include "epoch_growth.h"
#include "memory_use.h"
#include "process_id.h"

#define HR__RECORD_BYTES         4096u
#define HR__RECORD_COMMAND_BYTES 208u
#define HR__RECORD_HOST_BYTES    64u

/* Unknown figures are UINT64_MAX. */
struct hr__record {
    struct hr__process_id id;
    uint64_t ended; /* 1: the guard was closed */
    uint64_t opened_unix_ns, written_unix_ns;
    uint64_t opened_resident_bytes, resident_bytes, peak_resident_bytes, headrace_bytes;
    uint64_t limit_kind, limit_bytes, used_bytes, reclaimable_bytes, headroom_bytes;
    uint64_t limit_peak_bytes; /* most that was ever used of it */
    uint64_t group_v1;         /* the process's own group, which counts */
    uint64_t group_inode;      /* of its folder: a new group of the same name has another */
    uint64_t oom_kills_opened, oom_kills;
    uint64_t epoch, step, batches_delivered, rank, world_size;
    uint64_t nan_epoch, nan_batch;
    char limit_name[HR_MEMORY_NAME_BYTES];
    char group_folder[HR_MEMORY_NAME_BYTES]; /* "": unknown, or too long */
    char host[HR__RECORD_HOST_BYTES];
    char command[HR__RECORD_COMMAND_BYTES];
    struct hr__epochs epochs;
};

void hr__record_encode(const struct hr__record *r, uint8_t page[HR__RECORD_BYTES]);

/* False: no record of this version, or a damaged one. Texts come out as one line of UTF-8. */
bool hr__record_decode(const uint8_t page[HR__RECORD_BYTES], struct hr__record *out);

#endif
