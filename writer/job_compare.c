/*
 * Is the job in a partial file this one? (docs/format.md, 5.)
 */
#define _GNU_SOURCE
#include "job.h"

#include "bytes.h"
#include "error.h"
#include "hash.h"
#include "json_text.h"
#include "superblock.h"

#include <stdlib.h>
#include <string.h>

/* Of texts that are compared. */
#define TEXT_FLAGS (JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17))

#define ADVICE "; start anew without resuming, or give it the same input and options"

static hr_status read_json(const struct hr__file *file, const struct hr__job_record *record,
                           char **out, hr_error *err) {
    char *json = malloc((size_t)record->json_bytes + 1);
    *out = NULL;
    if (json == NULL)
        return hr__error_no_memory(err, (size_t)record->json_bytes, "a job record");
    hr_status st =
        hr__file_read_exact(file, json, (size_t)record->json_bytes, record->json_off, err);
    if (st == HR_OK && hr__hash(json, (size_t)record->json_bytes) != record->json_hash)
        st = hr__error_at(err, HR_ERR_CORRUPT, record->json_off, "%s: the job record is damaged",
                          file->path);
    if (st != HR_OK) {
        free(json);
        return st;
    }
    json[record->json_bytes] = '\0';
    *out = json;
    return HR_OK;
}

static bool same_text(const char *a, const char *b) {
    return strcmp(a != NULL ? a : "{}", b != NULL ? b : "{}") == 0;
}

/* A member of both texts. */
static hr_status compare_member(const char *path, const char *theirs, const char *ours,
                                const char *key, hr_error *err) {
    char *a = NULL;
    char *b = NULL;
    hr_status st;
    HR_TRY(hr__json_member(theirs, strlen(theirs), key, &a, err));
    HR_TRY(hr__json_member(ours, strlen(ours), key, &b, err));
    if (strcmp(a, b) != 0)
        st = hr__error_set(err, HR_ERR_MISMATCH,
                           "%s is of another job: its %s are %.120s, now they are %.120s" ADVICE,
                           path, key, a, b);
done:
    free(a);
    free(b);
    return st;
}

/* The provenance in a job's text, without the version of the program: a later one may go on. */
static hr_status provenance_of(const char *json, char **out, hr_error *err) {
    json_t *job = NULL;
    *out = NULL;
    const hr_status st = hr__json_parse(json, strlen(json), &job, err);
    if (st != HR_OK)
        return st;
    json_t *provenance = json_object_get(job, "provenance");
    (void)json_object_del(provenance, "program"); /* fails where there is none */
    *out = provenance == NULL ? strdup("{}") : json_dumps(provenance, TEXT_FLAGS);
    json_decref(job);
    return *out != NULL ? HR_OK : hr__error_no_memory(err, 0, "a JSON text");
}

static hr_status compare_provenance(const char *path, const char *theirs, const char *ours,
                                    hr_error *err) {
    char *a = NULL;
    char *b = NULL;
    hr_status st;
    HR_TRY(provenance_of(theirs, &a, err));
    HR_TRY(provenance_of(ours, &b, err));
    if (strcmp(a, b) != 0)
        st = hr__error_set(
            err, HR_ERR_MISMATCH,
            "%s is of another job: its provenance is %.120s, now it is %.120s" ADVICE, path, a, b);
done:
    free(a);
    free(b);
    return st;
}

static hr_status compare_fields(const char *path, const struct hr__schema *theirs,
                                const struct hr__schema *ours, hr_error *err) {
    if (theirs->samples_per_chunk != ours->samples_per_chunk)
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "%s is of another job: it has %u samples per chunk, now they are "
                             "%u" ADVICE,
                             path, theirs->samples_per_chunk, ours->samples_per_chunk);
    if (theirs->num_fields != ours->num_fields)
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "%s is of another job: it has %u fields, now there are %u" ADVICE,
                             path, theirs->num_fields, ours->num_fields);
    for (uint32_t f = 0; f < ours->num_fields; f++) {
        const struct hr__schema_field *a = &theirs->fields[f];
        const struct hr__schema_field *b = &ours->fields[f];
        const char *what = strcmp(a->name, b->name) != 0                        ? "name"
                           : !hr__schema_same_type(a, b)                        ? "dtype or shape"
                           : !same_text(a->attributes_json, b->attributes_json) ? "attributes"
                                                                                : NULL;
        if (what != NULL)
            return hr__error_set(err, HR_ERR_MISMATCH,
                                 "%s is of another job: field %u differs in its %s (\"%.80s\", now "
                                 "\"%.80s\")" ADVICE,
                                 path, f, what, a->name, b->name);
    }
    return HR_OK;
}

/* What the trial of the first run chose holds for all chunks. */
static void take_storage(struct hr__schema *ours, struct hr__schema *theirs) {
    for (uint32_t f = 0; f < ours->num_fields; f++) {
        free(ours->fields[f].storage.why_json);
        ours->fields[f].storage = theirs->fields[f].storage;
        theirs->fields[f].storage.why_json = NULL;
    }
}

static hr_status compare(const struct hr__job *job, struct hr__schema *schema, const char *path,
                         const struct hr__job_record *record, const char *theirs, hr_error *err) {
    struct hr__schema parsed = {0};
    struct hr__schema reparsed = {0};
    char *ours = NULL;
    size_t ours_bytes = 0;
    hr_status st;
    HR_TRY(hr__schema_parse(theirs, (size_t)record->json_bytes, record->samples_per_chunk, &parsed,
                            err));
    HR_TRY(hr__schema_print_job(schema, job->options_json, job->sources_json, &ours, &ours_bytes,
                                err));
    /* Printed and parsed, so that attributes are compared in one spelling. */
    HR_TRY(hr__schema_parse(ours, ours_bytes, schema->samples_per_chunk, &reparsed, err));
    HR_TRY(compare_fields(path, &parsed, &reparsed, err));
    HR_TRY(compare_member(path, theirs, ours, "options", err));
    HR_TRY(compare_member(path, theirs, ours, "sources", err));
    HR_TRY(compare_member(path, theirs, ours, "attributes", err));
    HR_TRY(compare_provenance(path, theirs, ours, err));
    if (record->layout_hash != schema->layout_hash)
        st = hr__error_set(err, HR_ERR_MISMATCH, "%s is of another job: its layout differs" ADVICE,
                           path);
    if (st == HR_OK)
        take_storage(schema, &parsed);
done:
    free(ours);
    hr__schema_free(&parsed);
    hr__schema_free(&reparsed);
    return st;
}

static void adopt_record(struct hr__job *job, const struct hr__job_record *record) {
    memcpy(job->identity.uuid, record->uuid, sizeof job->identity.uuid);
    memcpy(job->identity.job_id, record->job_id, sizeof job->identity.job_id);
    job->first_chunk_off = hr__job_first_chunk_off(HR__JOB_OFF, record->json_bytes);
}

/* *found: HR__JOB_SAME where there is a record, of whatever job. */
static hr_status read_record(const struct hr__file *file, struct hr__job_record *record,
                             enum hr__job_found *found, hr_error *err) {
    uint8_t header[HR__JOB_HEADER_BYTES];
    hr_status st;
    *found = HR__JOB_NONE;
    const int64_t size = file->ops->size(file->ctx);
    if (size < 0)
        return hr__error_os(err, (int)-size, "%s: cannot tell its size", file->path);
    if ((uint64_t)size < HR__JOB_OFF + sizeof header)
        return HR_OK;
    HR_TRY(hr__file_read_exact(file, header, sizeof header, HR__JOB_OFF, err));
    if (hr__is_zero(header, sizeof header))
        return HR_OK;
    st = hr__job_record_decode(header, HR__JOB_OFF, record, err);
    /* A record that was cut off while it was written: no chunk can have followed. */
    if (st == HR_ERR_CORRUPT && (uint64_t)size <= HR__DATA_OFF)
        return HR_OK;
    if (st == HR_OK)
        *found = HR__JOB_SAME;
done:
    return st;
}

hr_status hr__job_peek(const struct hr__file *file, struct hr__job_peeked *out, hr_error *err) {
    struct hr__job_record record;
    enum hr__job_found found;
    const hr_status st = read_record(file, &record, &found, err);
    *out = (struct hr__job_peeked){0};
    if (st == HR_OK && found == HR__JOB_SAME) {
        out->samples_per_chunk = record.samples_per_chunk;
        out->first_chunk_off = hr__job_first_chunk_off(HR__JOB_OFF, record.json_bytes);
        memcpy(out->uuid, record.uuid, sizeof out->uuid);
    }
    /* What is wrong with a damaged record is said when it is adopted. */
    return st == HR_ERR_CORRUPT ? HR_OK : st;
}

hr_status hr__job_adopt(struct hr__job *job, struct hr__schema *schema, const struct hr__file *file,
                        enum hr__job_found *found, hr_error *err) {
    struct hr__job_record record;
    char *json = NULL;
    hr_status st = read_record(file, &record, found, err);
    if (st != HR_OK || *found == HR__JOB_NONE)
        goto done;
    *found = HR__JOB_NONE;
    HR_TRY(read_json(file, &record, &json, err));
    HR_TRY(compare(job, schema, file->path, &record, json, err));
    adopt_record(job, &record);
    *found = HR__JOB_SAME;
done:
    free(json);
    if (st == HR_ERR_CORRUPT) {
        hr__error_prefix(err, "%s cannot be resumed", file->path);
        if (err != NULL)
            err->status = HR_ERR_MISMATCH;
        st = HR_ERR_MISMATCH;
    }
    return st;
}
