/*
 * From options to named sources: every file is opened, and its sources get names.
 *
 * Invariants
 *   1. A source is owned by exactly one entry or one field.
 *   2. Entries are in the order in which the options name them.
 */
#define _GNU_SOURCE
#include "inputs.h"

#include "attributes.h"
#include "dtype.h"
#include "error.h"
#include "input_fields.h"
#include "input_file.h"
#include "input_names.h"
#include "input_paths.h"
#include "input_select.h"
#include "source_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note(const hr_convert_options *opts, const char *line) {
    if (opts->on_note != NULL && line != NULL)
        opts->on_note(opts->user, line);
}

static hr_status add_entry(struct hr__input_entries *e, const char *name, struct hr__source *source,
                           bool outright, hr_error *err) {
    if (e->n == e->room) {
        size_t room = e->room == 0 ? 16 : e->room * 2;
        struct hr__input_entry *grown = realloc(e->list, room * sizeof *grown);
        if (grown == NULL)
            return hr__error_no_memory(err, room * sizeof *grown, "a list of sources");
        e->list = grown;
        e->room = room;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return hr__error_no_memory(err, strlen(name), "the name of a field");
    e->list[e->n++] = (struct hr__input_entry){copy, source, outright};
    return HR_OK;
}

static void free_entries(struct hr__input_entries *e) {
    for (size_t i = 0; i < e->n; i++) {
        free(e->list[i].name);
        if (e->list[i].source != NULL)
            e->list[i].source->ops->close(e->list[i].source);
    }
    free(e->list);
}

/* A file's sources as entries. name: NULL, or the field's name said outright. */
static hr_status open_file(const hr_convert_options *opts, const char *path, const char *member,
                           const char *name, struct hr__input_entries *e, hr_error *err) {
    struct hr__source **sources = NULL;
    uint32_t n = 0;
    hr_status st;
    HR_TRY(hr__sources_open(path, member, name != NULL, opts, &e->left_out, &sources, &n, err));
    if (name != NULL && n != 1) {
        st = hr__error_set(err, HR_ERR_INVALID,
                           "the field %s cannot be all of the %u data sets in %s; say which, as "
                           "%s=%s:/NAME",
                           name, n, path, name, path);
        goto done;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct hr__source_info *info = &sources[i]->info;
        HR_TRY(
            add_entry(e, name != NULL ? name : info->default_name, sources[i], name != NULL, err));
        sources[i] = NULL;
        if (info->note != NULL) {
            char line[HR_ERROR_MESSAGE_BYTES];
            snprintf(line, sizeof line, "%s: %s", path, info->note);
            note(opts, line);
        }
    }
done:
    hr__sources_close(sources, n);
    return st;
}

static hr_status open_input(const hr_convert_options *opts, const char *text, const char *name,
                            struct hr__input_entries *e, hr_error *err) {
    struct hr__input_paths paths;
    hr_status st = hr__input_paths_find(text, opts->raw_dtype != NULL, &paths, err);
    for (size_t i = 0; st == HR_OK && i < paths.n; i++)
        st = open_file(opts, paths.paths[i], paths.member, name, e, err);
    hr__input_paths_free(&paths);
    return st;
}

static hr_status open_all(const hr_convert_options *opts, struct hr__input_entries *e,
                          hr_error *err) {
    for (uint32_t i = 0; i < opts->num_fields; i++) {
        const hr_convert_field *f = &opts->fields[i];
        if (f->name == NULL || f->source == NULL)
            return hr__error_set(err, HR_ERR_INVALID, "field %u has no name or no source", i);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(f->name, opts->fields[k].name) == 0)
                return hr__error_set(err, HR_ERR_INVALID,
                                     "the field %s is given twice; several files of one field are "
                                     "given as a pattern or a folder: %s='PART-*.npy'",
                                     f->name, f->name);
        hr_status st = open_input(opts, f->source, f->name, e, err);
        if (st != HR_OK)
            return st;
    }
    for (uint32_t i = 0; i < opts->num_inputs; i++) {
        hr_status st = open_input(opts, opts->inputs[i], NULL, e, err);
        if (st != HR_OK)
            return st;
    }
    return HR_OK;
}

/* By the file itself, not after its file. */
static bool is_named_inside(const struct hr__source *source) {
    return source->info.member != NULL || source->info.named_inside;
}

static bool same_base(const struct hr__input_entries *e, const size_t *bases, size_t i, size_t k) {
    return bases[i] == bases[k] && strncmp(e->list[i].name, e->list[k].name, bases[i]) == 0;
}

/* The next part of the same field, or e->n. */
static size_t next_part(const struct hr__input_entries *e, const size_t *bases, size_t i) {
    size_t k = i + 1;
    while (k < e->n && !same_base(e, bases, i, k))
        k++;
    return k;
}

static hr_status refuse_pair(const struct hr__input_entries *e, size_t a, size_t b, hr_error *err) {
    return hr__error_set(err, HR_ERR_INVALID,
                         "%s and %s would belong together, and their numbers differ; leave out "
                         "the parts that have no counterpart, or say that they do belong "
                         "together, by naming the fields: --field NAME='PATTERN'",
                         e->list[a].source->info.path, e->list[b].source->info.path);
}

/* Of two fields of as many numbered parts, whose first ones these are: sample i of one belongs to
 * sample i of the other, so a part that is missing on either side would give all behind it what is
 * another's. */
static hr_status check_counterparts(const struct hr__input_entries *e, const size_t *bases,
                                    size_t a, size_t b, hr_error *err) {
    size_t differing_a = e->n, differing_b = e->n;
    for (; a < e->n && b < e->n; a = next_part(e, bases, a), b = next_part(e, bases, b))
        if (differing_a == e->n && !hr__numbered_names_agree(e->list[a].name, e->list[b].name))
            differing_a = a, differing_b = b;
    return a == b && differing_a < e->n ? refuse_pair(e, differing_a, differing_b, err) : HR_OK;
}

/* Files that differ only in their number are parts of one field: they get its name. */
static hr_status name_numbered_parts(struct hr__input_entries *e, hr_error *err) {
    size_t *bases = malloc((e->n + 1) * sizeof *bases);
    bool *is_part = calloc(e->n + 1, sizeof *is_part);
    size_t first = e->n; /* of the first field that has parts */
    hr_status st = HR_OK;
    if (bases == NULL || is_part == NULL) {
        st = hr__error_no_memory(err, e->n * sizeof *bases, "the names of files");
        goto done;
    }
    for (size_t i = 0; i < e->n; i++)
        bases[i] = e->list[i].outright || is_named_inside(e->list[i].source)
                       ? HR__NOT_NUMBERED
                       : hr__numbered_name_base(e->list[i].name);
    for (size_t i = 0; i < e->n; i++) {
        bool alone = true;
        if (is_part[i] || bases[i] == HR__NOT_NUMBERED)
            continue;
        for (size_t k = i + 1; k < e->n; k++)
            if (same_base(e, bases, i, k))
                is_part[k] = true, alone = false;
        is_part[i] = !alone;
        if (!alone && first < e->n)
            HR_TRY(check_counterparts(e, bases, first, i, err));
        if (!alone && first == e->n)
            first = i;
    }
    for (size_t i = 0; i < e->n; i++)
        if (is_part[i])
            memcpy(e->list[i].name + bases[i], bases[i] == 0 ? "x" : "", bases[i] == 0 ? 2 : 1);
done:
    free(is_part);
    free(bases);
    return st;
}

/* Every file once. The paths belong to the sources, which live as long. */
static hr_status list_files(const struct hr__input_entries *e, struct hr__inputs *in,
                            hr_error *err) {
    in->files = malloc((e->n + 1) * sizeof *in->files);
    in->growing = calloc(e->n + 1, sizeof *in->growing);
    in->origins = malloc((e->n + 1) * sizeof(*in->origins));
    in->streams = malloc((e->n + 1) * sizeof(*in->streams));
    if (in->files == NULL || in->growing == NULL || in->origins == NULL || in->streams == NULL)
        return hr__error_no_memory(err, e->n * sizeof *in->files, "a list of files");
    for (size_t i = 0; i < e->n; i++) {
        const struct hr__source_info *info = &e->list[i].source->info;
        uint32_t k = 0;
        while (k < in->num_files && strcmp(in->files[k].path, info->file.path) != 0)
            k++;
        if (k == in->num_files) {
            in->files[in->num_files++] = info->file;
            if (info->origin != NULL)
                in->origins[in->num_origins++] = info->origin;
        }
        in->growing[k] |= info->growing;
        if (info->surplus_bytes != NULL)
            in->streams[in->num_streams++] = info;
    }
    return HR_OK;
}

/* The attributes of the files are those of the data set. */
static hr_status join_attributes(const hr_convert_options *opts, const struct hr__input_entries *e,
                                 struct hr__inputs *in, hr_error *err) {
    const char **texts = calloc(e->n + 1, sizeof *texts);
    if (texts == NULL)
        return hr__error_no_memory(err, e->n * sizeof *texts, "attributes");
    for (size_t i = 0; i < e->n; i++)
        texts[i] = e->list[i].source->info.file_attributes_json;
    char differing[300], line[HR_ERROR_MESSAGE_BYTES];
    hr_status st = hr__attributes_join(texts, (uint32_t)e->n, &in->attributes_json, differing,
                                       sizeof differing, err);
    free(texts);
    if (st != HR_OK)
        hr__error_prefix(err, "the attributes of the files");
    if (differing[0] != '\0') {
        snprintf(line, sizeof line,
                 "attributes of the files that differ between them are left out: %s", differing);
        note(opts, line);
    }
    return st;
}

hr_status hr__inputs_open(const hr_convert_options *opts, struct hr__inputs *out, hr_error *err) {
    hr_status st;
    struct hr__input_entries e = {0};
    *out = (struct hr__inputs){0};
    HR_TRY(open_all(opts, &e, err));
    if (opts->num_inputs + opts->num_fields == 0) {
        st = hr__error_set(err, HR_ERR_INVALID, "there is nothing to convert: no input is given");
        goto done;
    }
    HR_TRY(join_attributes(opts, &e, out, err));
    HR_TRY(name_numbered_parts(&e, err));
    HR_TRY(hr__input_select_fields(opts, &e, err));
    HR_TRY(list_files(&e, out, err));
    HR_TRY(hr__input_fields_make(opts, &e, out, err));
    HR_TRY(hr__input_select_samples(opts, out, err));
done:
    free_entries(&e);
    if (st != HR_OK)
        hr__inputs_close(out);
    return st;
}

bool hr__inputs_have_values(const struct hr__inputs *in) {
    for (uint32_t i = 0; i < in->num_fields; i++)
        if (hr__dtype_is_variable(in->fields[i].source->info.dtype))
            return true;
    return false;
}

void hr__inputs_set_room(const struct hr__inputs *in, uint64_t n_bytes) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < in->num_fields; i++)
        n += in->fields[i].source->ops->set_room != NULL;
    for (uint32_t i = 0; i < in->num_fields; i++) {
        struct hr__source *src = in->fields[i].source;
        if (src->ops->set_room != NULL)
            src->ops->set_room(src, n_bytes / n);
    }
}

void hr__inputs_close(struct hr__inputs *in) {
    for (uint32_t i = 0; i < in->num_fields; i++) {
        free(in->fields[i].name);
        if (in->fields[i].source != NULL)
            in->fields[i].source->ops->close(in->fields[i].source);
    }
    free(in->fields);
    free(in->files);
    free(in->growing);
    free(in->attributes_json);
    free(in->origins);
    free(in->streams);
    *in = (struct hr__inputs){0};
}

void hr__inputs_note_surplus(const struct hr__inputs *in, const hr_convert_options *opts) {
    for (uint32_t i = 0; i < in->num_streams; i++) {
        const uint64_t surplus = atomic_load(in->streams[i]->surplus_bytes);
        char line[HR_ERROR_MESSAGE_BYTES];
        snprintf(line, sizeof line, "%s: %llu bytes behind the array are ignored",
                 in->streams[i]->file.path, (unsigned long long)surplus);
        if (surplus > 0)
            note(opts, line);
    }
}

hr_status hr__inputs_check_unchanged(const struct hr__inputs *in, hr_error *err) {
    for (uint32_t i = 0; i < in->num_files; i++) {
        struct hr__input_file now = {0};
        if (in->growing[i])
            continue;
        hr_status st = hr__input_file_open(in->files[i].path, &now, err);
        if (st != HR_OK)
            return st;
        hr__input_file_close(&now);
        if (now.size_bytes != in->files[i].size_bytes || now.mtime_ns != in->files[i].mtime_ns)
            return hr__error_set(err, HR_ERR_DATA,
                                 "%s was changed while it was converted, so the data set may be "
                                 "of both states; nothing was made, convert it again",
                                 in->files[i].path);
    }
    return HR_OK;
}
