/*
 * Job records (docs/format.md, 5). Input is untrusted.
 */
#ifndef HEADRACE_JOB_RECORD_H
#define HEADRACE_JOB_RECORD_H

#include "headrace/status.h"

#define HR__JOB_HEADER_BYTES 96u

struct hr__job_record {
    uint32_t samples_per_chunk;
    uint8_t uuid[16];
    uint8_t job_id[16];
    uint64_t commit_seq;
    uint64_t layout_hash;
    uint64_t json_off;
    uint64_t json_bytes;
    uint64_t json_hash;
};

void hr__job_record_encode(const struct hr__job_record *job, uint8_t out[HR__JOB_HEADER_BYTES]);

/* record_off: where the record is; decides which JSON offsets are right. HR_ERR_CORRUPT. */
hr_status hr__job_record_decode(const uint8_t bytes[HR__JOB_HEADER_BYTES], uint64_t record_off,
                                struct hr__job_record *out, hr_error *err);

/* Where the JSON of a record at record_off goes, and where the first chunk may be. */
uint64_t hr__job_json_off(uint64_t record_off, uint64_t json_bytes);
uint64_t hr__job_first_chunk_off(uint64_t record_off, uint64_t json_bytes);

#endif
