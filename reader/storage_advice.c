/*
 * Advice on storage.
 */
#define _GNU_SOURCE
#include "storage_advice.h"

#include "frame_filter.h"
#include "json_text.h"

#include <stdio.h>
#include <string.h>

#define MAX_TEXT_BYTES ((size_t)64 << 10) /* of one field's trials; more is none of ours */
#define MAX_NAME_BYTES 40u                /* of a field in a sentence */
#define UNTRIED_SHARE  0.02               /* of the bytes, that may be without figures */
#define WORTH_SAYING   1.1

struct candidate {
    bool zstd;
    uint8_t filter;
    int64_t level, distance_bytes;
    double ratio, bytes_per_ns;
};

/* Of a sample, over all fields wanted; of one field with a candidate in place of what it has. */
struct cost {
    double decode_ns, stored_bytes;
};

static bool candidate_read(const json_t *o, const struct hr__storage *s, struct candidate *out) {
    const char *codec = json_string_value(json_object_get(o, "codec"));
    const char *filter = json_string_value(json_object_get(o, "filter"));
    const json_t *level = json_object_get(o, "level");
    const json_t *distance = json_object_get(o, "distance_bytes");
    if (codec == NULL || filter == NULL ||
        !hr__json_get_real(json_object_get(o, "ratio"), &out->ratio) ||
        !hr__json_get_real(json_object_get(o, "decode_gb_per_s"), &out->bytes_per_ns))
        return false;
    out->zstd = strcmp(codec, "zstd") == 0;
    out->level = out->zstd ? s->level : 0; /* all had the same where none is named */
    if (level != NULL && !hr__json_get_i64(level, &out->level))
        return false;
    out->distance_bytes = 0;
    if (distance != NULL && !hr__json_get_i64(distance, &out->distance_bytes))
        return false;
    bool known =
        (out->zstd || strcmp(codec, "raw") == 0) && hr__filter_from_name(filter, &out->filter);
    return known && out->ratio > 0.01 && out->ratio < 1e6 && out->bytes_per_ns > 1e-6 &&
           out->bytes_per_ns < 1e6;
}

static bool same_filter(const struct candidate *k, const struct hr__storage *s) {
    return k->filter == s->filter && k->distance_bytes == s->distance_bytes;
}

static bool is_current(const struct candidate *k, const struct hr__storage *s) {
    return k->zstd == (s->codec == HR__CODEC_ZSTD) && same_filter(k, s) &&
           (!k->zstd || k->level == s->level);
}

/* The candidates of a field, json_decref() is the caller's; NULL: none. */
static json_t *candidates_of(const struct hr__storage *s, json_t **root) {
    *root = NULL;
    if (s->why_json == NULL || strnlen(s->why_json, MAX_TEXT_BYTES) == MAX_TEXT_BYTES ||
        hr__json_parse(s->why_json, strlen(s->why_json), root, NULL) != HR_OK)
        return NULL;
    return json_object_get(*root, "candidates");
}

static struct cost cost_of(const struct candidate *k, const struct hr__schema_field *f) {
    double n_bytes = (double)f->sample_bytes;
    return (struct cost){n_bytes / k->bytes_per_ns, n_bytes / k->ratio};
}

static bool current_cost(const struct hr__schema_field *f, struct cost *out) {
    json_t *root, *list = candidates_of(&f->storage, &root);
    bool found = false;
    for (size_t i = 0; i < json_array_size(list) && !found; i++) {
        struct candidate k;
        found =
            candidate_read(json_array_get(list, i), &f->storage, &k) && is_current(&k, &f->storage);
        if (found)
            *out = cost_of(&k, f);
    }
    json_decref(root);
    return found;
}

static void name_candidate(const struct candidate *k, const struct hr__schema_field *f,
                           bool only_field, char out[HR__OTHER_STORAGE_BYTES]) {
    char what[40], field[MAX_NAME_BYTES + 16] = "";
    if (!k->zstd)
        snprintf(what, sizeof(what), "raw data");
    else if (f->storage.codec == HR__CODEC_ZSTD && same_filter(k, &f->storage))
        snprintf(what, sizeof(what), "level %lld", (long long)k->level);
    else if (k->filter == HR__FILTER_NONE)
        snprintf(what, sizeof(what), "level %lld without a filter", (long long)k->level);
    else
        snprintf(what, sizeof(what), "level %lld with %s", (long long)k->level,
                 hr__filter_name(k->filter));
    if (!only_field) /* a long name is not cut, which might not leave whole characters */
        snprintf(field, sizeof(field), "%s%s as ",
                 strlen(f->name) <= MAX_NAME_BYTES ? "field " : "the largest field",
                 strlen(f->name) <= MAX_NAME_BYTES ? f->name : "");
    snprintf(out, HR__OTHER_STORAGE_BYTES, "%s%s", field, what);
}

/* How many times as fast all would be at most. */
static double speed_up(bool disk, const struct hr__storage_shares *s, double decode_times,
                       double size_times) {
    double work = s->decode * decode_times + s->copy * size_times;
    double limit = !disk ? 1 - s->decode - s->copy + work : size_times > work ? size_times : work;
    return limit > 0 ? 1 / limit : 0;
}

static void try_field(const struct hr__loader_config *c, uint32_t i, const struct cost *mine,
                      const struct cost *all, bool disk, const struct hr__storage_shares *shares,
                      struct hr__advice *out) {
    const struct hr__schema_field *f = &c->ds->footer.schema.fields[c->fields[i]];
    json_t *root, *list = candidates_of(&f->storage, &root);
    for (size_t n = 0; n < json_array_size(list); n++) {
        struct candidate k;
        if (!candidate_read(json_array_get(list, n), &f->storage, &k) ||
            is_current(&k, &f->storage))
            continue;
        struct cost other = cost_of(&k, f);
        double decode = (all->decode_ns - mine->decode_ns + other.decode_ns) / all->decode_ns;
        double size =
            (all->stored_bytes - mine->stored_bytes + other.stored_bytes) / all->stored_bytes;
        double faster = speed_up(disk, shares, decode, size);
        if (faster < WORTH_SAYING || faster <= out->faster)
            continue;
        out->faster = faster;
        out->larger = size;
        name_candidate(&k, f, c->num_fields == 1, out->other);
    }
    json_decref(root);
}

void hr__storage_advice(const struct hr__loader_config *c, bool disk,
                        const struct hr__storage_shares *shares, struct hr__advice *out) {
    struct cost all = {0, 0}, mine;
    double untried_bytes = 0, bytes = 0;
    *out = (struct hr__advice){0};
    if (c->has_values || c->has_pads) /* what they cost is not known from their candidates */
        return;
    for (uint32_t i = 0; i < c->num_fields; i++) {
        const struct hr__schema_field *f = &c->ds->footer.schema.fields[c->fields[i]];
        bytes += (double)f->sample_bytes;
        if (current_cost(f, &mine)) {
            all.decode_ns += mine.decode_ns;
            all.stored_bytes += mine.stored_bytes;
        } else {
            untried_bytes += (double)f->sample_bytes;
        }
    }
    if (all.decode_ns <= 0 || untried_bytes > bytes * UNTRIED_SHARE)
        return;
    for (uint32_t i = 0; i < c->num_fields; i++)
        if (current_cost(&c->ds->footer.schema.fields[c->fields[i]], &mine))
            try_field(c, i, &mine, &all, disk, shares, out);
}
