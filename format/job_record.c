/*
 * Job records (docs/format.md, 5). Input is untrusted.
 */
#include "job_record.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"
#include "hash.h"
#include "schema.h"
#include "superblock.h"

#include <string.h>

static const uint8_t magic[8] = {'H', 'R', 'D', 'J', 'O', 'B', '\r', '\n'};

#define RECORD_VERSION 1u

void hr__job_record_encode(const struct hr__job_record *job, uint8_t out[HR__JOB_HEADER_BYTES]) {
    memset(out, 0, HR__JOB_HEADER_BYTES);
    memcpy(out, magic, sizeof(magic));
    hr__put_u32(out + 8, RECORD_VERSION);
    hr__put_u32(out + 12, job->samples_per_chunk);
    memcpy(out + 16, job->uuid, sizeof(job->uuid));
    memcpy(out + 32, job->job_id, sizeof(job->job_id));
    hr__put_u64(out + 48, job->commit_seq);
    hr__put_u64(out + 56, job->layout_hash);
    hr__put_u64(out + 64, job->json_off);
    hr__put_u64(out + 72, job->json_bytes);
    hr__put_u64(out + 80, job->json_hash);
    hr__put_u64(out + 88, hr__hash(out, 88));
}

uint64_t hr__job_json_off(uint64_t record_off, uint64_t json_bytes) {
    bool inside =
        record_off != HR__JOB_OFF || json_bytes <= HR__JOB_ROOM_BYTES - HR__JOB_HEADER_BYTES;
    return inside ? record_off + HR__JOB_HEADER_BYTES : HR__DATA_OFF;
}

uint64_t hr__job_first_chunk_off(uint64_t record_off, uint64_t json_bytes) {
    uint64_t end = hr__job_json_off(record_off, json_bytes) + json_bytes;
    return hr__max_u64(hr__round_up(end, HR__PAGE_BYTES), HR__DATA_OFF);
}

static hr_status damaged(hr_error *err, uint64_t off, const char *what) {
    return hr__error_at(err, HR_ERR_CORRUPT, off, "the job record at offset %llu is damaged (%s)",
                        (unsigned long long)off, what);
}

hr_status hr__job_record_decode(const uint8_t bytes[HR__JOB_HEADER_BYTES], uint64_t record_off,
                                struct hr__job_record *out, hr_error *err) {
    *out = (struct hr__job_record){.samples_per_chunk = hr__get_u32(bytes + 12),
                                   .commit_seq = hr__get_u64(bytes + 48),
                                   .layout_hash = hr__get_u64(bytes + 56),
                                   .json_off = hr__get_u64(bytes + 64),
                                   .json_bytes = hr__get_u64(bytes + 72),
                                   .json_hash = hr__get_u64(bytes + 80)};
    memcpy(out->uuid, bytes + 16, sizeof(out->uuid));
    memcpy(out->job_id, bytes + 32, sizeof(out->job_id));
    if (memcmp(bytes, magic, sizeof(magic)) != 0)
        return damaged(err, record_off, "no signature");
    if (hr__get_u64(bytes + 88) != hr__hash(bytes, 88))
        return damaged(err, record_off, "its hash is wrong");
    if (hr__get_u32(bytes + 8) != RECORD_VERSION)
        return damaged(err, record_off, "another version of the record");
    if (out->samples_per_chunk == 0 || out->samples_per_chunk > HR__MAX_SAMPLES_PER_CHUNK)
        return damaged(err, record_off, "samples per chunk out of range");
    if (out->commit_seq == 0)
        return damaged(err, record_off, "commit number 0");
    if (out->json_bytes < 2 || out->json_bytes > HR__MAX_JSON_BYTES)
        return damaged(err, record_off, "size of its JSON out of range");
    if (out->json_off != hr__job_json_off(record_off, out->json_bytes))
        return damaged(err, record_off, "place of its JSON out of range");
    return HR_OK;
}
