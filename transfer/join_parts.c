/*
 * What the parts say beside their samples: attributes, which must be equal, and provenance, which
 * is put together (docs/format.md, 7.2). It is untrusted.
 */
#include "error.h"
#include "input_file.h"
#include "job.h"
#include "join_internal.h"
#include "json_text.h"
#include "output_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Of the parts' provenance texts together; sources beyond are counted, not listed. */
#define MAX_SOURCES_BYTES (UINT64_C(4) << 20)
#define VALUE_BYTES       80

/* ---- which files ---- */

struct identity {
    const uint8_t *uuid;
    uint32_t file;
};

static int compare_identities(const void *a, const void *b) {
    const struct identity *x = a, *y = b;
    const int order = memcmp(x->uuid, y->uuid, 16);
    return order != 0 ? order : x->file < y->file ? -1 : x->file > y->file;
}

/* Copies of a file are the same data set, too. */
static hr_status check_once(const hr_dataset *ds, hr_error *err) {
    hr_status st = HR_OK;
    struct identity *all = malloc(ds->num_files * sizeof *all);
    if (all == NULL)
        return hr__error_no_memory(err, ds->num_files * sizeof *all, "the parts");
    for (uint32_t i = 0; i < ds->num_files; i++)
        all[i] = (struct identity){ds->parts[i].superblock.uuid, i};
    qsort(all, ds->num_files, sizeof *all, compare_identities);
    for (uint32_t i = 1; i < ds->num_files && st == HR_OK; i++)
        if (memcmp(all[i - 1].uuid, all[i].uuid, 16) == 0)
            st = hr__error_set(err, HR_ERR_INVALID,
                               "%s and %s are the same data set (their UUIDs are equal): give each "
                               "part once",
                               ds->files[all[i - 1].file].path, ds->files[all[i].file].path);
    free(all);
    return st;
}

hr_status hr__join_parts_check(struct hr__join *j, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < j->from->num_files && st == HR_OK; i++)
        st = hr__output_check(j->opts.output, &j->from->files[i], err);
    return st == HR_OK ? check_once(j->from, err) : st;
}

/* ---- attributes ---- */

static hr_status parse(const char *json, json_t **out, hr_error *err) {
    return hr__json_parse(json != NULL ? json : "{}", json != NULL ? strlen(json) : 2, out, err);
}

static void print_value(const json_t *value, char out[VALUE_BYTES]) {
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    (void)snprintf(out, VALUE_BYTES, "%s", text != NULL ? text : "not there");
    free(text);
}

/* The first key of a that b has not, or has otherwise; NULL: there is none. */
static const char *find_difference(json_t *a, json_t *b) {
    const char *key;
    json_t *value;
    json_object_foreach(a, key, value) {
        const json_t *other = json_object_get(b, key);
        if (other == NULL || !json_equal(value, other))
            return key;
    }
    return NULL;
}

/* field: NULL, those of the data set. */
static hr_status compare_attributes(const char *first, const char *other, const char *field,
                                    hr_error *err) {
    char found[VALUE_BYTES], expected[VALUE_BYTES];
    json_t *a = NULL, *b = NULL;
    hr_status st;
    HR_TRY(parse(first, &a, err));
    HR_TRY(parse(other, &b, err));
    const char *key = find_difference(a, b);
    if (key == NULL)
        key = find_difference(b, a);
    if (key == NULL)
        goto done;
    print_value(json_object_get(b, key), found);
    print_value(json_object_get(a, key), expected);
    st = hr__error_set(err, HR_ERR_MISMATCH,
                       "the attribute \"%.64s\" of %s%.64s is %s, in the first part %s; make them "
                       "equal, or ask for those of the first part to be taken",
                       key, field != NULL ? "field " : "the data set", field != NULL ? field : "",
                       found, expected);
done:
    json_decref(a);
    json_decref(b);
    return st;
}

static hr_status compare_part(const struct hr__join *j, const struct hr__schema *other,
                              hr_error *err) {
    const struct hr__schema *first = &j->from->footer.schema;
    hr_status st;
    if ((j->opts.flags & HR_JOIN_FIRST_ATTRIBUTES) != 0)
        return HR_OK;
    HR_TRY(compare_attributes(first->attributes_json, other->attributes_json, NULL, err));
    for (uint32_t f = 0; f < first->num_fields; f++)
        HR_TRY(compare_attributes(first->fields[f].attributes_json,
                                  other->fields[f].attributes_json, first->fields[f].name, err));
done:
    return st;
}

/* ---- provenance ---- */

struct sources {
    json_t *list;
    uint64_t taken_bytes, left_out;
};

static hr_status no_memory(hr_error *err) {
    return hr__error_no_memory(err, 0, "the provenance");
}

/* A part that names no sources is one itself. */
static hr_status add_itself(struct sources *s, const hr_source_fingerprint *print, hr_error *err) {
    const hr_writer_options o = {.num_sources = 1, .sources = print};
    char *text = NULL;
    json_t *one = NULL;
    hr_status st;
    HR_TRY(hr__job_sources_json(&o, &text, err));
    HR_TRY(hr__json_parse_value(text, strlen(text), &one, err));
    if (json_array_extend(s->list, one) != 0)
        st = no_memory(err);
done:
    json_decref(one);
    free(text);
    return st;
}

static hr_status add_sources(struct sources *s, const struct hr__schema *part,
                             const hr_source_fingerprint *print, hr_error *err) {
    json_t *provenance = NULL;
    hr_status st = parse(part->provenance_json, &provenance, err);
    if (st != HR_OK)
        return st;
    json_t *list = json_object_get(provenance, "sources");
    const size_t n = json_array_size(list);
    const uint64_t n_bytes = n > 0 ? strlen(part->provenance_json) : 64 + strlen(print->path);
    if (n_bytes > MAX_SOURCES_BYTES - s->taken_bytes) {
        s->left_out += n > 0 ? n : 1;
    } else {
        s->taken_bytes += n_bytes;
        st = n == 0                                  ? add_itself(s, print, err)
             : json_array_extend(s->list, list) == 0 ? HR_OK
                                                     : no_memory(err);
    }
    json_decref(provenance);
    return st;
}

static hr_status print_provenance(struct hr__join *j, const struct sources *s, hr_error *err) {
    json_t *join = json_pack("{s:o}", "parts", hr__json_u64(j->from->num_files));
    json_t *all = json_pack("{s:o, s:O}", "join", join, "sources", s->list);
    if (all != NULL && s->left_out > 0)
        (void)json_object_set_new(join, "sources_left_out", hr__json_u64(s->left_out));
    j->provenance_json = all != NULL ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return j->provenance_json != NULL ? HR_OK : no_memory(err);
}

/* ---- all parts ---- */

static void take_fingerprint(const struct hr__file *file, hr_source_fingerprint *out) {
    struct stat s;
    const int fd = file->ops->descriptor != NULL ? file->ops->descriptor(file->ctx) : -1;
    const int64_t size = file->ops->size(file->ctx);
    *out = (hr_source_fingerprint){.path = file->path, .size_bytes = size > 0 ? (uint64_t)size : 0};
    if (fd >= 0 && fstat(fd, &s) == 0)
        out->mtime_ns = hr__stat_mtime_ns(&s);
}

/* The parts' footers are read once more, one at a time: of all of them together only what is needed
 * to find samples was kept. */
static hr_status describe_part(struct hr__join *j, uint32_t i, struct sources *s, hr_error *err) {
    hr_dataset *part = NULL;
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_status st;
    o.budget_bytes = j->budget.limit_bytes;
    HR_TRY(hr__dataset_open_bare(j->folder, j->files.paths[i], &o, &part, err));
    const struct hr__superblock *now = &part->parts[0].superblock;
    const struct hr__superblock *before = &j->from->parts[i].superblock;
    if (memcmp(now->uuid, before->uuid, sizeof now->uuid) != 0 ||
        now->commit_seq != before->commit_seq)
        HR_TRY(hr__error_set(err, HR_ERR_MISMATCH,
                             "it was changed while it was read; join when all parts are complete"));
    HR_TRY(compare_part(j, &part->footer.schema, err));
    HR_TRY(add_sources(s, &part->footer.schema, &j->sources[i], err));
done:
    hr_dataset_close(part);
    if (st != HR_OK)
        hr__error_name_file(err, j->files.paths[i]);
    return st;
}

hr_status hr__join_parts_describe(struct hr__join *j, hr_error *err) {
    struct sources s = {.list = json_array()};
    hr_status st = s.list != NULL ? HR_OK : no_memory(err);
    j->sources = calloc(j->from->num_files, sizeof *j->sources);
    if (st == HR_OK && j->sources == NULL)
        st = no_memory(err);
    for (uint32_t i = 0; i < j->from->num_files && st == HR_OK; i++) {
        take_fingerprint(&j->from->files[i], &j->sources[i]);
        st = describe_part(j, i, &s, err);
    }
    if (st == HR_OK)
        st = print_provenance(j, &s, err);
    json_decref(s.list);
    return st;
}
