/*
 * Job records from any bytes, their hash made right: an error, or fields that encode to the same
 * bytes. Input: the record, then one byte that says where it is.
 */
#include "bytes.h"
#include "hash.h"
#include "job_record.h"
#include "superblock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t record[HR__JOB_HEADER_BYTES] = {0}, again[HR__JOB_HEADER_BYTES];
    struct hr__job_record job;
    hr_error err = {.status = HR_OK};
    memcpy(record, data, size < sizeof(record) ? size : sizeof(record));
    hr__put_u64(record + 88, hr__hash(record, 88));
    bool append = size > sizeof(record) && data[sizeof(record)] != 0;
    uint64_t off = append ? (uint64_t)data[sizeof(record)] * HR__DATA_OFF : HR__JOB_OFF;
    hr_status st = hr__job_record_decode(record, off, &job, &err);
    if (st != HR_OK) {
        if (err.status != st || err.message[0] == '\0')
            abort();
        return 0;
    }
    hr__job_record_encode(&job, again);
    uint64_t first = hr__job_first_chunk_off(off, job.json_bytes);
    if (memcmp(again, record, sizeof(record)) != 0 || first < HR__DATA_OFF ||
        first % HR__PAGE_BYTES != 0 || first < job.json_off + job.json_bytes)
        abort();
    return 0;
}
