/*
 * Fields from named sources.
 */
#define _GNU_SOURCE
#include "input_fields.h"

#include "concat_source.h"
#include "error.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SHOWN_PATH 100u

/* The field an entry belongs to; a new one if there is none of that name. */
static hr_status find_field(struct hr__inputs *in, const struct hr__input_entries *e, size_t at,
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

static hr_status check_parts(const char *name, const struct hr__input_entry *const *parts,
                             uint32_t n, hr_error *err) {
    for (uint32_t i = 1; i < n; i++) {
        const char *path = parts[i]->source->info.path;
        if (parts[i]->outright != parts[0]->outright)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "the field %s is named outright, and %s gives it too; leave one "
                                 "of them out, or name the other: --field NAME=%s",
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
                       const struct hr__input_entry *const *parts, uint32_t n) {
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
    opts->on_note(opts->user, line);
}

static void note_apart(const hr_convert_options *opts, const char *name, const char *text) {
    char line[HR_ERROR_MESSAGE_BYTES];
    snprintf(line, sizeof line, "%.100s: %.400s", name, text);
    opts->on_note(opts->user, line);
}

/* Puts the entries of one field together. */
static hr_status join_parts(const hr_convert_options *opts, struct hr__input_field *field,
                            struct hr__input_entry **parts, uint32_t n, hr_error *err) {
    hr_status st = check_parts(field->name, (const struct hr__input_entry *const *)parts, n, err);
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
    const char *apart = field->source->info.note;
    if (opts->on_note != NULL && apart != NULL)
        note_apart(opts, field->name, apart);
    if (opts->on_note != NULL)
        note_order(opts, field->name, (const struct hr__input_entry *const *)parts, n);
    for (uint32_t i = 0; i < n; i++)
        parts[i]->source = NULL;
    return HR_OK;
}

static hr_status join_all(const hr_convert_options *opts, struct hr__input_entries *e,
                          struct hr__inputs *in, hr_error *err) {
    hr_status st = HR_OK;
    uint32_t *field_of = malloc((e->n + 1) * sizeof *field_of);
    struct hr__input_entry **parts = malloc((e->n + 1) * sizeof *parts);
    if (field_of == NULL || parts == NULL) {
        st = hr__error_no_memory(err, e->n * sizeof *parts, "a list of fields");
        goto done;
    }
    for (size_t i = 0; i < e->n; i++)
        HR_TRY(find_field(in, e, i, &field_of[i], err));
    if (in->num_fields > HR__MAX_FIELDS) {
        st = hr__error_set(err, HR_ERR_INVALID,
                           "this would be a data set of %u fields, and it has at most %u; choose "
                           "some (--fields), or if files are parts of one field, say so: --field "
                           "NAME='PATTERN'",
                           in->num_fields, HR__MAX_FIELDS);
        goto done;
    }
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

/* The end of a path, which tells files apart where two do not fit a message. */
static const char *tail_of(const char *path) {
    size_t n = strlen(path);
    return n > MAX_SHOWN_PATH ? path + n - MAX_SHOWN_PATH : path;
}

static hr_status check_lengths(const struct hr__inputs *in, hr_error *err) {
    for (uint32_t i = 1; i < in->num_fields; i++) {
        const struct hr__source_info *a = &in->fields[0].source->info;
        const struct hr__source_info *b = &in->fields[i].source->info;
        if (a->num_samples != b->num_samples)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "every field must have the same number of samples, but %.64s has "
                                 "%llu (%s) and %.64s has %llu (%s); choose those that belong "
                                 "together (--fields), or if they are parts of one field, say so: "
                                 "--field NAME='PATTERN'",
                                 in->fields[0].name, (unsigned long long)a->num_samples,
                                 tail_of(a->path), in->fields[i].name,
                                 (unsigned long long)b->num_samples, tail_of(b->path));
    }
    return HR_OK;
}

hr_status hr__input_fields_make(const hr_convert_options *opts, struct hr__input_entries *e,
                                struct hr__inputs *in, hr_error *err) {
    hr_status st = join_all(opts, e, in, err);
    return st == HR_OK ? check_lengths(in, err) : st;
}
