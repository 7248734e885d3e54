/*
 * Provenance. What it says of the inputs comes from files, and was checked as they were opened.
 */
#include "provenance.h"

#include "error.h"
#include "hash.h"
#include "shuffle_options.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ORIGINS    64u          /* that are told */
#define MAX_TOLD_BYTES (256u << 10) /* of their own provenance, over all */

static json_t *count_text(uint64_t count) {
    return json_sprintf("%" PRIu64, count);
}

static void uuid_text(const uint8_t uuid[16], char out[33]) {
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", uuid[i]);
}

static json_t *origin_json(const struct hr__source_origin *origin, size_t *told_bytes) {
    char uuid[33];
    uuid_text(origin->uuid, uuid);
    json_t *object =
        json_pack("{s:s, s:o}", "uuid", uuid, "commit", count_text(origin->commit_seq));
    const char *text = origin->provenance_json;
    if (object == NULL || text == NULL || strlen(text) > MAX_TOLD_BYTES - *told_bytes)
        return object;
    *told_bytes += strlen(text);
    json_t *provenance = json_loads(text, 0, NULL);
    if (provenance != NULL && json_object_set_new(object, "provenance", provenance) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static bool add_origins(json_t *object, const struct hr__inputs *in) {
    size_t told_bytes = 0;
    json_t *list = json_array();
    bool complete = list != NULL;
    for (uint32_t i = 0; i < in->num_origins && i < MAX_ORIGINS && complete; i++)
        complete = json_array_append_new(list, origin_json(in->origins[i], &told_bytes)) == 0;
    return json_object_set_new(object, "made_of", list) == 0 && complete;
}

static bool add_range(json_t *object, const hr_convert_options *opts) {
    json_t *range = json_pack("{s:o}", "first", count_text(opts->first_sample));
    if (range != NULL && opts->end_sample != 0 &&
        json_object_set_new(range, "end", count_text(opts->end_sample)) != 0) {
        json_decref(range);
        range = NULL;
    }
    return json_object_set_new(object, "range", range) == 0;
}

static uint64_t text_hash(const char *text) {
    return text != NULL ? hr__hash(text, strlen(text)) : 0;
}

/* What tells the fields' arrays from others of the same files. */
static bool add_arrays(json_t *object, const struct hr__inputs *in) {
    struct {
        uint64_t before, path, member, name, variant;
    } one = {0};
    for (uint32_t i = 0; i < in->num_fields; i++) {
        const struct hr__source_info *info = &in->fields[i].source->info;
        one.path = text_hash(info->path);
        one.member = text_hash(info->member);
        one.name = text_hash(info->default_name);
        one.variant = info->variant;
        one.before = hr__hash(&one, sizeof one);
    }
    return json_object_set_new(object, "arrays", json_sprintf("%016" PRIx64, one.before)) == 0;
}

hr_status hr__provenance_make(const hr_convert_options *opts, const struct hr__inputs *in,
                              char **out, hr_error *err) {
    *out = NULL;
    json_t *object = json_object();
    bool complete = object != NULL;
    if (complete && (opts->flags & HR_CONVERT_SHUFFLE) != 0)
        complete = json_object_set_new(object, "shuffle", hr__shuffle_provenance(opts)) == 0;
    if (complete && opts->sample_axis != 0)
        complete = json_object_set_new(object, "sample_axis", json_integer(opts->sample_axis)) == 0;
    if (complete && (opts->first_sample != 0 || opts->end_sample != 0))
        complete = add_range(object, opts);
    if (complete && in->num_origins > 0)
        complete = add_origins(object, in);
    complete = complete && add_arrays(object, in);
    if (complete)
        *out = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return *out != NULL ? HR_OK : hr__error_no_memory(err, 0, "the provenance");
}
