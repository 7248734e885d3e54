/*
 * Making a job and writing its record (docs/format.md, 5).
 */
#include "job.h"

#include "checked.h"
#include "error.h"
#include "hash.h"
#include "superblock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static hr_status draw(uint8_t out[16], hr_error *err) {
    /* Requests of up to 256 bytes are never cut short. */
    while (getrandom(out, 16, 0) != 16)
        if (errno != EINTR)
            return hr__error_os(err, errno, "cannot draw a random UUID");
    return HR_OK;
}

/* New random UUID and job id. */
static hr_status draw_ids(struct hr__job *job, hr_error *err) {
    const hr_status st = draw(job->identity.uuid, err);
    if (st != HR_OK)
        return st;
    /* The version and variant bits of a random UUID (RFC 9562). */
    job->identity.uuid[6] = (uint8_t)((job->identity.uuid[6] & 0x0f) | 0x40);
    job->identity.uuid[8] = (uint8_t)((job->identity.uuid[8] & 0x3f) | 0x80);
    return draw(job->identity.job_id, err);
}

hr_status hr__job_make(const hr_writer_options *opts, struct hr__schema *schema,
                       struct hr__job *out, hr_error *err) {
    *out = (struct hr__job){.identity.commit_seq = 1, .record_off = HR__JOB_OFF};
    hr_status st;
    HR_TRY(hr__job_options_json(opts, &out->options_json, err));
    HR_TRY(hr__job_sources_json(opts, &out->sources_json, err));
    HR_TRY(hr__job_copy_object(opts->attributes_json, "attributes_json", &schema->attributes_json,
                               err));
    HR_TRY(hr__job_provenance_json(opts, out->sources_json, &schema->provenance_json, err));
    HR_TRY(draw_ids(out, err));
done:
    if (st != HR_OK)
        hr__job_free(out);
    return st;
}

hr_status hr__job_make_append(const hr_writer_options *opts, const struct hr__superblock *sb,
                              struct hr__job *out, hr_error *err) {
    *out =
        (struct hr__job){.identity.commit_seq = sb->commit_seq + 1, .record_off = sb->file_bytes};
    hr_status st;
    HR_TRY(hr__job_options_json(opts, &out->options_json, err));
    HR_TRY(hr__job_sources_json(opts, &out->sources_json, err));
    HR_TRY(draw_ids(out, err));
    memcpy(out->identity.uuid, sb->uuid, sizeof sb->uuid);
done:
    if (st != HR_OK)
        hr__job_free(out);
    return st;
}

void hr__job_free(struct hr__job *job) {
    free(job->options_json);
    free(job->sources_json);
    *job = (struct hr__job){0};
}

static hr_status write_json(const struct hr__job_record *record, const char *json,
                            const struct hr__file *file, hr_error *err) {
    const uint64_t last_page_off = record->json_off / HR__PAGE_BYTES * HR__PAGE_BYTES;
    const uint64_t end = hr__round_up(record->json_off + record->json_bytes, HR__PAGE_BYTES);
    const size_t lead_bytes = (size_t)(record->json_off - last_page_off);
    /* From the start of its page to the end of its last: what surrounds the text is zero. */
    uint8_t *pages = calloc(1, (size_t)(end - last_page_off));
    if (pages == NULL)
        return hr__error_no_memory(err, (size_t)(end - last_page_off), "a job record");
    memcpy(pages + lead_bytes, json, (size_t)record->json_bytes);
    hr_status st =
        hr__file_write_all(file, pages, (size_t)(end - last_page_off), last_page_off, err);
    free(pages);
    return st;
}

hr_status hr__job_write(struct hr__job *job, const struct hr__schema *schema,
                        const struct hr__file *file, hr_error *err) {
    struct hr__job_record record = {.samples_per_chunk = schema->samples_per_chunk,
                                    .commit_seq = job->identity.commit_seq,
                                    .layout_hash = schema->layout_hash};
    uint8_t header[HR__JOB_HEADER_BYTES];
    char *json = NULL;
    size_t json_bytes = 0;
    hr_status st;
    HR_TRY(hr__schema_print_job(schema, job->options_json, job->sources_json, &json, &json_bytes,
                                err));
    memcpy(record.uuid, job->identity.uuid, sizeof record.uuid);
    memcpy(record.job_id, job->identity.job_id, sizeof record.job_id);
    record.json_off = hr__job_json_off(job->record_off, json_bytes);
    record.json_bytes = json_bytes;
    record.json_hash = hr__hash(json, json_bytes);
    hr__job_record_encode(&record, header);
    HR_TRY(write_json(&record, json, file, err));
    HR_TRY(hr__file_sync(file, err));
    HR_TRY(hr__file_write_all(file, header, sizeof header, job->record_off, err));
    HR_TRY(hr__file_sync(file, err));
    job->first_chunk_off = hr__job_first_chunk_off(job->record_off, json_bytes);
done:
    free(json);
    return st;
}
