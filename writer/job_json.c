/*
 * What a job says in JSON (docs/format.md, 5 and 7.1). The caller's texts are checked.
 */
#define _GNU_SOURCE
#include "job.h"

#include "error.h"
#include "field_filters.h"
#include "frame_filter.h"
#include "hash.h"
#include "json_text.h"
#include "writer_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sources are listed in a job record and in the provenance, of which each may have 16 MiB. */
#define MAX_LISTED_BYTES ((size_t)6 << 20)
#define SOURCE_BYTES     90u /* printed, beside its path */

#define LEFT_OUT "left_out"

static hr_status dump(json_t *json, char **out, hr_error *err) {
    *out = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    json_decref(json);
    return *out != NULL ? HR_OK : hr__error_no_memory(err, 0, "a JSON text");
}

static const char *codec_text(int32_t codec) {
    return codec == HR_CODEC_RAW ? "raw" : codec == HR_CODEC_ZSTD ? "zstd" : "auto";
}

static const char *filter_text(int32_t filter) {
    return filter == HR_FILTER_AUTO ? "auto" : hr__filter_name(hr__filter_number(filter));
}

static const char *optimize_text(int32_t optimize) {
    return optimize == HR_OPTIMIZE_BALANCED ? "balanced"
           : optimize == HR_OPTIMIZE_SIZE   ? "size"
                                            : "speed";
}

/* Samples per chunk are in the record itself. */
hr_status hr__job_options_json(const hr_writer_options *opts, char **out, hr_error *err) {
    return dump(json_pack("{s:s, s:s, s:i, s:s, s:o}", "codec", codec_text(opts->codec), "filter",
                          filter_text(opts->filter), "level", (int)opts->level, "optimize",
                          optimize_text(opts->optimize), "disk_bytes_per_s",
                          hr__json_u64(opts->disk_bytes_per_s)),
                out, err);
}

static json_t *json_from_source(const hr_source_fingerprint *s) {
    return json_pack("{s:o, s:o, s:o}", "path", hr__json_path(s->path), "size_bytes",
                     hr__json_u64(s->size_bytes), "mtime_ns", hr__json_i64(s->mtime_ns));
}

/* Of sources that are not listed: how many, and what tells them from others. */
static json_t *json_from_rest(const hr_source_fingerprint *sources, uint32_t n) {
    struct {
        uint64_t before, path, size_bytes;
        int64_t mtime_ns;
    } one = {0};
    char hash[20];
    for (uint32_t i = 0; i < n; i++) {
        one.path = hr__hash(sources[i].path, strlen(sources[i].path));
        one.size_bytes = sources[i].size_bytes;
        one.mtime_ns = sources[i].mtime_ns;
        one.before = hr__hash(&one, sizeof one);
    }
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, one.before);
    return json_pack("{s:o, s:s}", LEFT_OUT, hr__json_u64(n), "hash", hash);
}

hr_status hr__job_sources_json(const hr_writer_options *opts, char **out, hr_error *err) {
    json_t *list = json_array();
    size_t n_bytes = 0;
    uint32_t i = 0;
    bool complete = list != NULL;
    for (; complete && i < opts->num_sources; i++) {
        n_bytes += strlen(opts->sources[i].path) + SOURCE_BYTES;
        if (n_bytes > MAX_LISTED_BYTES)
            break;
        complete = json_array_append_new(list, json_from_source(&opts->sources[i])) == 0;
    }
    if (complete && i < opts->num_sources)
        complete = json_array_append_new(
                       list, json_from_rest(opts->sources + i, opts->num_sources - i)) == 0;
    if (!complete) {
        json_decref(list);
        list = NULL;
    }
    return dump(list, out, err);
}

uint64_t hr__job_take_left_out(json_t *sources) {
    const size_t n = json_array_size(sources);
    const json_t *last = n > 0 ? json_object_get(json_array_get(sources, n - 1), LEFT_OUT) : NULL;
    uint64_t left_out = 0;
    if (last == NULL || !hr__json_get_u64(last, &left_out))
        return 0;
    (void)json_array_remove(sources, n - 1);
    return left_out;
}

static hr_status load_object(const char *json, const char *what, json_t **out, hr_error *err) {
    const hr_status st = hr__json_parse(json, strlen(json), out, err);
    if (st == HR_OK || st == HR_ERR_NO_MEMORY)
        return st;
    hr__error_prefix(err, "%s must be a JSON object", what);
    if (err != NULL)
        err->status = HR_ERR_INVALID;
    return HR_ERR_INVALID;
}

hr_status hr__job_copy_object(const char *json, const char *what, char **out, hr_error *err) {
    *out = NULL;
    if (json == NULL)
        return HR_OK;
    json_t *object;
    const hr_status st = load_object(json, what, &object, err);
    if (st != HR_OK)
        return st;
    json_decref(object);
    *out = strdup(json);
    return *out != NULL ? HR_OK : hr__error_no_memory(err, strlen(json), what);
}

/* The caller's object, with "program" and "sources" where it has none. */
hr_status hr__job_provenance_json(const hr_writer_options *opts, const char *sources_json,
                                  char **out, hr_error *err) {
    *out = NULL;
    json_t *object = NULL;
    const char *given = opts->provenance_json != NULL ? opts->provenance_json : "{}";
    const hr_status st = load_object(given, "provenance_json", &object, err);
    if (st != HR_OK)
        return st;
    char program[64];
    (void)snprintf(program, sizeof program, "headrace %s", hr_version());
    bool complete = true;
    if (json_object_get(object, "program") == NULL)
        complete = json_object_set_new(object, "program", json_string(program)) == 0;
    if (json_object_get(object, "sources") == NULL) {
        json_t *sources = NULL;
        uint64_t left_out = 0;
        const hr_status parsed =
            hr__json_parse_value(sources_json, strlen(sources_json), &sources, err);
        if (parsed != HR_OK) {
            json_decref(object);
            return parsed;
        }
        left_out = hr__job_take_left_out(sources);
        complete = json_object_set_new(object, "sources", sources) == 0 && complete;
        if (left_out > 0)
            complete =
                json_object_set_new(object, "sources_left_out", hr__json_u64(left_out)) == 0 &&
                complete;
    }
    if (!complete) {
        json_decref(object);
        object = NULL;
    }
    return dump(object, out, err);
}
