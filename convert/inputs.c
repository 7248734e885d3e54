/*
 * From options to fields: every file is opened, its sources get names, sources of the same name are
 * put one after the other.
 *
 * Invariants
 *   1. A source is owned by exactly one entry or one field.
 *   2. Entries are in the order in which the options name them; fields in the order of their first
 *      entry.
 */
#define _GNU_SOURCE
#include "inputs.h"

#include "concat_source.h"
#include "error.h"
#include "input_file.h"
#include "input_names.h"
#include "input_paths.h"
#include "source_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *name;
    struct hr__source *source; /* NULL once a field owns it */
    bool outright;             /* named by the caller, not by its file */
};

struct entries {
    size_t n, room;
    struct entry *list;
};

static void note(const hr_convert_options *opts, const char *line) {
    if (opts->on_note != NULL && line != NULL)
        opts->on_note(opts->user, line);
}

static hr_status add_entry(struct entries *e, const char *name, struct hr__source *source,
                           bool outright, hr_error *err) {
    if (e->n == e->room) {
        size_t room = e->room == 0 ? 16 : e->room * 2;
        struct entry *grown = realloc(e->list, room * sizeof *grown);
        if (grown == NULL)
            return hr__error_no_memory(err, room * sizeof *grown, "a list of sources");
        e->list = grown;
        e->room = room;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return hr__error_no_memory(err, strlen(name), "the name of a field");
    e->list[e->n++] = (struct entry){copy, source, outright};
    return HR_OK;
}

static void free_entries(struct entries *e) {
    for (size_t i = 0; i < e->n; i++) {
        free(e->list[i].name);
        if (e->list[i].source != NULL)
            e->list[i].source->ops->close(e->list[i].source);
    }
    free(e->list);
}

/* A file's sources as entries. name: NULL, or the field's name said outright. */
static hr_status open_file(const hr_convert_options *opts, const char *path, const char *member,
                           const char *name, struct entries *e, hr_error *err) {
    struct hr__source **sources = NULL;
    uint32_t n = 0;
    hr_status st;
    HR_TRY(hr__sources_open(path, member, opts, &sources, &n, err));
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
                            struct entries *e, hr_error *err) {
    struct hr__input_paths paths;
    hr_status st = hr__input_paths_find(text, opts->raw_dtype != NULL, &paths, err);
    for (size_t i = 0; st == HR_OK && i < paths.n; i++)
        st = open_file(opts, paths.paths[i], paths.member, name, e, err);
    hr__input_paths_free(&paths);
    return st;
}

static hr_status open_all(const hr_convert_options *opts, struct entries *e, hr_error *err) {
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

static bool same_base(const struct entries *e, const size_t *bases, size_t i, size_t k) {
    return bases[i] == bases[k] && strncmp(e->list[i].name, e->list[k].name, bases[i]) == 0;
}

/* Files that differ only in their number are parts of one field: they get its name. */
static hr_status name_numbered_parts(struct entries *e, hr_error *err) {
    size_t *bases = malloc((e->n + 1) * sizeof *bases);
    bool *is_part = calloc(e->n + 1, sizeof *is_part);
    hr_status st = HR_OK;
    if (bases == NULL || is_part == NULL) {
        st = hr__error_no_memory(err, e->n * sizeof *bases, "the names of files");
        goto done;
    }
    for (size_t i = 0; i < e->n; i++)
        bases[i] = e->list[i].outright || e->list[i].source->info.member != NULL
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
    }
    for (size_t i = 0; i < e->n; i++)
        if (is_part[i])
            memcpy(e->list[i].name + bases[i], bases[i] == 0 ? "x" : "", bases[i] == 0 ? 2 : 1);
done:
    free(is_part);
    free(bases);
    return st;
}

/* The field an entry belongs to; a new one if there is none of that name. */
static hr_status find_field(struct hr__inputs *in, const struct entries *e, size_t at,
                            uint32_t *index, hr_error *err) {
    uint32_t i = 0;
    while (i < in->num_fields && strcmp(in->fields[i].name, e->list[at].name) != 0)
        i++;
    *index = i;
    if (i < in->num_fields)
        return HR_OK;
    struct hr__input_field *grown = realloc(in->fields, ((size_t)i + 1) * sizeof *grown);
    if (grown == NULL)
        return hr__error_no_memory(err, sizeof *grown, "a list of fields");
    in->fields = grown;
    in->fields[i] = (struct hr__input_field){.name = strdup(e->list[at].name)};
    if (in->fields[i].name == NULL)
        return hr__error_no_memory(err, 1, "the name of a field");
    in->num_fields++;
    return HR_OK;
}

static hr_status check_parts(const char *name, const struct entry *const *parts, uint32_t n,
                             hr_error *err) {
    for (uint32_t i = 1; i < n; i++) {
        const char *path = parts[i]->source->info.path;
        if (parts[i]->outright != parts[0]->outright)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "the field %s is named outright, and %s gives it too; leave one "
                                 "of them out, or name the other: NAME=%s",
                                 name, path, path);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(path, parts[k]->source->info.path) == 0)
                return hr__error_set(err, HR_ERR_INVALID,
                                     "%s is given twice for the field %s; leave one out", path,
                                     name);
    }
    return HR_OK;
}

/* "x: 12 files in this order: a, b, c, ..., l" */
static void note_order(const hr_convert_options *opts, const char *name,
                       const struct entry *const *parts, uint32_t n) {
    char line[HR_ERROR_MESSAGE_BYTES];
    int at = snprintf(line, sizeof line, "%.100s: %u files in this order: ", name, n);
    for (uint32_t i = 0; i < n; i++) {
        if (n > 6 && i == 3) {
            at += snprintf(line + at, sizeof line - (size_t)at, "..., ");
            i = n - 1;
        }
        at += snprintf(line + at, sizeof line - (size_t)at, "%.60s%s", parts[i]->source->info.path,
                       i + 1 < n ? ", " : "");
    }
    note(opts, line);
}

/* Puts the entries of one field together. */
static hr_status join_parts(const hr_convert_options *opts, struct hr__input_field *field,
                            struct entry **parts, uint32_t n, hr_error *err) {
    hr_status st = check_parts(field->name, (const struct entry *const *)parts, n, err);
    if (st != HR_OK)
        return st;
    if (n == 1) {
        field->source = parts[0]->source;
        parts[0]->source = NULL;
        return HR_OK;
    }
    struct hr__source **sources = malloc(n * sizeof *sources);
    if (sources == NULL)
        return hr__error_no_memory(err, n * sizeof *sources, "a list of files");
    for (uint32_t i = 0; i < n; i++)
        sources[i] = parts[i]->source;
    st = hr__concat_source_make(sources, n, &field->source, err);
    free(sources);
    if (st != HR_OK)
        return st;
    note_order(opts, field->name, (const struct entry *const *)parts, n);
    for (uint32_t i = 0; i < n; i++)
        parts[i]->source = NULL;
    return HR_OK;
}

static hr_status make_fields(const hr_convert_options *opts, struct entries *e,
                             struct hr__inputs *in, hr_error *err) {
    hr_status st = HR_OK;
    uint32_t *field_of = malloc((e->n + 1) * sizeof *field_of);
    struct entry **parts = malloc((e->n + 1) * sizeof *parts);
    if (field_of == NULL || parts == NULL) {
        st = hr__error_no_memory(err, e->n * sizeof *parts, "a list of fields");
        goto done;
    }
    for (size_t i = 0; i < e->n; i++)
        HR_TRY(find_field(in, e, i, &field_of[i], err));
    for (uint32_t f = 0; f < in->num_fields; f++) {
        uint32_t n = 0;
        for (size_t i = 0; i < e->n; i++)
            if (field_of[i] == f)
                parts[n++] = &e->list[i];
        HR_TRY(join_parts(opts, &in->fields[f], parts, n, err));
    }
done:
    free(parts);
    free(field_of);
    return st;
}

static hr_status check_lengths(const struct hr__inputs *in, hr_error *err) {
    for (uint32_t i = 1; i < in->num_fields; i++) {
        const struct hr__source_info *a = &in->fields[0].source->info;
        const struct hr__source_info *b = &in->fields[i].source->info;
        if (a->num_samples != b->num_samples)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "every field must have the same number of samples, but %.64s has "
                                 "%llu (%.100s) and %.64s has %llu (%.100s); leave one out, or if "
                                 "they are parts of one field, say so: NAME='PATTERN'",
                                 in->fields[0].name, (unsigned long long)a->num_samples, a->path,
                                 in->fields[i].name, (unsigned long long)b->num_samples, b->path);
    }
    return HR_OK;
}

/* Every file once. The paths belong to the sources, which live as long. */
static hr_status list_files(const struct entries *e, struct hr__inputs *in, hr_error *err) {
    in->files = malloc((e->n + 1) * sizeof *in->files);
    if (in->files == NULL)
        return hr__error_no_memory(err, e->n * sizeof *in->files, "a list of files");
    for (size_t i = 0; i < e->n; i++) {
        const hr_source_fingerprint *file = &e->list[i].source->info.file;
        uint32_t k = 0;
        while (k < in->num_files && strcmp(in->files[k].path, file->path) != 0)
            k++;
        if (k == in->num_files)
            in->files[in->num_files++] = *file;
    }
    return HR_OK;
}

hr_status hr__inputs_open(const hr_convert_options *opts, struct hr__inputs *out, hr_error *err) {
    hr_status st;
    struct entries e = {0};
    *out = (struct hr__inputs){0};
    HR_TRY(open_all(opts, &e, err));
    if (e.n == 0) {
        st = hr__error_set(err, HR_ERR_INVALID, "there is nothing to convert: no input is given");
        goto done;
    }
    HR_TRY(list_files(&e, out, err));
    HR_TRY(name_numbered_parts(&e, err));
    HR_TRY(make_fields(opts, &e, out, err));
    HR_TRY(check_lengths(out, err));
done:
    free_entries(&e);
    if (st != HR_OK)
        hr__inputs_close(out);
    return st;
}

void hr__inputs_close(struct hr__inputs *in) {
    for (uint32_t i = 0; i < in->num_fields; i++) {
        free(in->fields[i].name);
        if (in->fields[i].source != NULL)
            in->fields[i].source->ops->close(in->fields[i].source);
    }
    free(in->fields);
    free(in->files);
    *in = (struct hr__inputs){0};
}

hr_status hr__inputs_check_unchanged(const struct hr__inputs *in, hr_error *err) {
    for (uint32_t i = 0; i < in->num_files; i++) {
        struct hr__input_file now = {0};
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
