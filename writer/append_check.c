/*
 * What an append is told of fields, attributes and sources, beside what is in the file.
 *
 * Attributes stay as they are; one that the caller gives must be there with the same value. So data
 * that mean something else (times of another unit, say) are not put behind others by mistake.
 */
#include "append.h"

#include "error.h"
#include "job.h"
#include "json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text of the provenance beyond which the sources of appends are counted, not listed: a file that
 * is appended to for years stays one whose schema can be read. */
#define MAX_PROVENANCE_BYTES ((size_t)4 << 20)

#define ADVICE "; give the fields of the file in its order, or make another file"

static const char *describe(const struct hr__schema_field *f, char out[128]) {
    int n = snprintf(out, 128, "%s", hr_dtype_name(f->dtype));
    if (f->element_dtype != 0)
        n += snprintf(out + n, 128 - (size_t)n, " of %s", hr_dtype_name(f->element_dtype));
    else if (f->width_bytes > 0 && hr_dtype_bytes(f->dtype) == 0)
        n += snprintf(out + n, 128 - (size_t)n, "(%u)", f->width_bytes);
    n += snprintf(out + n, 128 - (size_t)n, " [");
    for (uint32_t d = 0; d < f->rank && n < 100; d++)
        n += snprintf(out + n, 128 - (size_t)n, "%s%llu", d > 0 ? ", " : "",
                      (unsigned long long)f->shape[d]);
    (void)snprintf(out + n, 128 - (size_t)n, "]");
    return out;
}

static hr_status check_field(const char *path, uint32_t number, const struct hr__schema_field *has,
                             const struct hr__schema_field *given, hr_error *err) {
    char a[128], b[128];
    if (strcmp(has->name, given->name) != 0)
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "field %u of %.150s is \"%.60s\", but \"%.60s\" is given" ADVICE,
                             number, path, has->name, given->name);
    if (!hr__schema_same_type(has, given))
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "field \"%.60s\" of %.150s is %s, but %s is given" ADVICE, has->name,
                             path, describe(has, a), describe(given, b));
    return HR_OK;
}

static hr_status check_fields(const char *path, const struct hr__schema *has,
                              const struct hr__schema *given, hr_error *err) {
    for (uint32_t f = 0; f < has->num_fields && f < given->num_fields; f++) {
        const hr_status st = check_field(path, f, &has->fields[f], &given->fields[f], err);
        if (st != HR_OK)
            return st;
    }
    if (has->num_fields == given->num_fields)
        return HR_OK;
    const bool missing = has->num_fields > given->num_fields;
    const struct hr__schema *longer = missing ? has : given;
    return hr__error_set(err, HR_ERR_MISMATCH,
                         "%.200s has %u fields, and %u are given: \"%.60s\" is %s" ADVICE, path,
                         has->num_fields, given->num_fields,
                         longer->fields[missing ? given->num_fields : has->num_fields].name,
                         missing ? "missing" : "too many");
}

/* Every attribute given is among those that are there. NULL is an empty object. */
static hr_status check_attributes(const char *path, const char *of, const char *has_json,
                                  const char *given_json, hr_error *err) {
    json_t *has = NULL;
    json_t *given = NULL;
    const char *key;
    json_t *value;
    hr_status st;
    if (given_json == NULL)
        return HR_OK;
    HR_TRY(hr__json_parse(has_json != NULL ? has_json : "{}",
                          has_json != NULL ? strlen(has_json) : 2, &has, err));
    HR_TRY(hr__json_parse(given_json, strlen(given_json), &given, err));
    json_object_foreach(given, key, value) {
        if (json_equal(json_object_get(has, key), value))
            continue;
        st =
            hr__error_set(err, HR_ERR_MISMATCH,
                          "%.200s: the attribute \"%.60s\" of %.80s is %s in the file; an append "
                          "keeps attributes as they are: leave it out, or make another file",
                          path, key, of, json_object_get(has, key) == NULL ? "not" : "another one");
        break;
    }
done:
    json_decref(has);
    json_decref(given);
    return st;
}

static hr_status check_all_attributes(const char *path, const struct hr__schema *has,
                                      const struct hr__schema *given, const char *attributes_json,
                                      hr_error *err) {
    hr_status st =
        check_attributes(path, "the data set", has->attributes_json, attributes_json, err);
    for (uint32_t f = 0; f < has->num_fields && st == HR_OK; f++) {
        char of[80];
        (void)snprintf(of, sizeof of, "field \"%.60s\"", has->fields[f].name);
        st = check_attributes(path, of, has->fields[f].attributes_json,
                              given->fields[f].attributes_json, err);
    }
    return st;
}

hr_status hr__append_check(const struct hr__schema *theirs, const char *path,
                           const hr_field *fields, uint32_t num_fields,
                           const hr_writer_options *opts, hr_error *err) {
    struct hr__schema given = {0};
    char *attributes = NULL;
    hr_status st;
    HR_TRY(hr__schema_make(fields, num_fields, theirs->samples_per_chunk, &given, err));
    HR_TRY(hr__job_copy_object(opts->attributes_json, "attributes_json", &attributes, err));
    HR_TRY(check_fields(path, theirs, &given, err));
    HR_TRY(check_all_attributes(path, theirs, &given, attributes, err));
    if (opts->samples_per_chunk != 0 && opts->samples_per_chunk != theirs->samples_per_chunk)
        st = hr__error_set(err, HR_ERR_MISMATCH,
                           "%s has %u samples per chunk, and %u are asked for: leave "
                           "samples_per_chunk at 0, or make another file",
                           path, theirs->samples_per_chunk, opts->samples_per_chunk);
done:
    free(attributes);
    hr__schema_free(&given);
    return st;
}

/* ---- sources ---- */

/* Adds n to the count of sources that are not listed. */
static bool leave_out(json_t *provenance, uint64_t n) {
    uint64_t before = 0;
    (void)hr__json_get_u64(json_object_get(provenance, "sources_left_out"), &before);
    return json_object_set_new(provenance, "sources_left_out", hr__json_u64(before + n)) == 0;
}

static bool add_sources(json_t *provenance, json_t *sources, bool room) {
    const uint64_t more = hr__job_take_left_out(sources);
    json_t *list = json_object_get(provenance, "sources");
    if (!room || (list != NULL && !json_is_array(list)))
        return leave_out(provenance, json_array_size(sources) + more);
    if (more > 0 && !leave_out(provenance, more))
        return false;
    return list != NULL ? json_array_extend(list, sources) == 0
                        : json_object_set(provenance, "sources", sources) == 0;
}

hr_status hr__append_sources(struct hr__schema *schema, const char *sources_json, hr_error *err) {
    const char *has = schema->provenance_json != NULL ? schema->provenance_json : "{}";
    const bool room = strlen(has) + strlen(sources_json) <= MAX_PROVENANCE_BYTES;
    json_t *provenance = NULL;
    json_t *sources = NULL;
    char *text = NULL;
    hr_status st;
    HR_TRY(hr__json_parse(has, strlen(has), &provenance, err));
    HR_TRY(hr__json_parse_value(sources_json, strlen(sources_json), &sources, err));
    if (json_array_size(sources) == 0)
        goto done;
    if (add_sources(provenance, sources, room))
        text = json_dumps(provenance, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
    if (text == NULL)
        HR_TRY(hr__error_no_memory(err, 0, "the provenance"));
    free(schema->provenance_json);
    schema->provenance_json = text;
done:
    json_decref(provenance);
    json_decref(sources);
    return st;
}
