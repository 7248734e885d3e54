/*
 * Choosing fields and samples.
 */
#define _GNU_SOURCE
#include "input_select.h"

#include "error.h"
#include "range_source.h"
#include "sample_range.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hr_status check_kept(const hr_convert_options *o, hr_error *err) {
    if (o->num_kept_fields > 0 && o->kept_fields == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "num_kept_fields is given without its list");
    for (uint32_t i = 0; i < o->num_kept_fields; i++) {
        const char *name = o->kept_fields[i];
        if (name == NULL || name[0] == '\0')
            return hr__error_set(err, HR_ERR_INVALID, "field %u to keep has no name", i);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(name, o->kept_fields[k]) == 0)
                return hr__error_set(err, HR_ERR_INVALID,
                                     "the field %s is to be kept twice; name it once", name);
    }
    return HR_OK;
}

static hr_status check_renames(const hr_convert_options *o, hr_error *err) {
    if (o->num_renames > 0 && o->renames == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "num_renames is given without its list");
    for (uint32_t i = 0; i < o->num_renames; i++) {
        const hr_convert_rename *r = &o->renames[i];
        if (r->old_name == NULL || r->new_name == NULL || r->old_name[0] == '\0' ||
            r->new_name[0] == '\0')
            return hr__error_set(err, HR_ERR_INVALID, "rename %u lacks a name", i);
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(r->old_name, o->renames[k].old_name) == 0)
                return hr__error_set(err, HR_ERR_INVALID,
                                     "the field %s is renamed twice; say it once", r->old_name);
            if (strcmp(r->new_name, o->renames[k].new_name) == 0)
                return hr__error_set(err, HR_ERR_INVALID, "two fields are renamed to %s",
                                     r->new_name);
        }
    }
    return HR_OK;
}

hr_status hr__input_select_check(const hr_convert_options *opts, hr_error *err) {
    hr_status st;
    HR_TRY(check_kept(opts, err));
    HR_TRY(check_renames(opts, err));
    st = hr__sample_range_check(opts->first_sample, opts->end_sample, err);
done:
    return st;
}

/* "a, b, c": the names that the inputs give, each once, cut off where they are many. */
static void list_names(const struct hr__input_entries *e, char *out, size_t room) {
    size_t used = (size_t)snprintf(out, room, "%s", e->left_out.names);
    for (size_t i = 0; i < e->n; i++) {
        size_t k = 0;
        while (k < i && strcmp(e->list[k].name, e->list[i].name) != 0)
            k++;
        if (k < i)
            continue;
        const int n =
            snprintf(out + used, room - used, "%s%.64s", used > 0 ? ", " : "", e->list[i].name);
        used += (size_t)n;
        if (used + 80 > room) {
            snprintf(out + used, room - used, ", ...");
            return;
        }
    }
}

static hr_status no_field(const struct hr__input_entries *e, const char *name, hr_error *err) {
    char names[320 + sizeof e->left_out.names];
    list_names(e, names, sizeof names);
    return hr__error_set(err, HR_ERR_NOT_FOUND, "no input gives a field %.100s%s%s", name,
                         names[0] != '\0' ? "; there are: " : "", names);
}

static bool has_entry(const struct hr__input_entries *e, const char *name) {
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->list[i].name, name) == 0)
            return true;
    return false;
}

static void drop_entry(struct hr__input_entry *entry) {
    entry->source->ops->close(entry->source);
    free(entry->name);
}

/* The entries in a new order; those of no kept field are dropped. */
static hr_status keep_fields(const hr_convert_options *o, struct hr__input_entries *e,
                             hr_error *err) {
    if (o->num_kept_fields == 0)
        return HR_OK;
    for (uint32_t k = 0; k < o->num_kept_fields; k++)
        if (!has_entry(e, o->kept_fields[k]))
            return no_field(e, o->kept_fields[k], err);
    struct hr__input_entry *kept = malloc(e->n * sizeof *kept);
    if (kept == NULL)
        return hr__error_no_memory(err, e->n * sizeof *kept, "a list of fields");
    size_t n = 0;
    for (uint32_t k = 0; k < o->num_kept_fields; k++)
        for (size_t i = 0; i < e->n; i++)
            if (e->list[i].name != NULL && strcmp(e->list[i].name, o->kept_fields[k]) == 0) {
                kept[n++] = e->list[i];
                e->list[i].name = NULL;
            }
    for (size_t i = 0; i < e->n; i++)
        if (e->list[i].name != NULL)
            drop_entry(&e->list[i]);
    memcpy(e->list, kept, n * sizeof *kept);
    e->n = n;
    free(kept);
    return HR_OK;
}

static const char *renamed(const hr_convert_options *o, const char *name) {
    for (uint32_t k = 0; k < o->num_renames; k++)
        if (strcmp(o->renames[k].old_name, name) == 0)
            return o->renames[k].new_name;
    return NULL;
}

/* A name that is taken is free if its own field gets another one. */
static hr_status check_new_names(const hr_convert_options *o, const struct hr__input_entries *e,
                                 hr_error *err) {
    for (uint32_t k = 0; k < o->num_renames; k++) {
        if (!has_entry(e, o->renames[k].old_name))
            return no_field(e, o->renames[k].old_name, err);
        if (has_entry(e, o->renames[k].new_name) && renamed(o, o->renames[k].new_name) == NULL)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "%s cannot become %s, which is the name of another field; rename "
                                 "that too, or do not keep it",
                                 o->renames[k].old_name, o->renames[k].new_name);
    }
    return HR_OK;
}

hr_status hr__input_select_fields(const hr_convert_options *opts, struct hr__input_entries *e,
                                  hr_error *err) {
    hr_status st;
    HR_TRY(keep_fields(opts, e, err));
    HR_TRY(check_new_names(opts, e, err));
    for (size_t i = 0; i < e->n; i++) {
        const char *name = renamed(opts, e->list[i].name);
        if (name == NULL)
            continue;
        char *copy = strdup(name);
        if (copy == NULL)
            return hr__error_no_memory(err, strlen(name), "the name of a field");
        free(e->list[i].name);
        e->list[i].name = copy;
    }
done:
    return st;
}

hr_status hr__input_select_samples(const hr_convert_options *opts, struct hr__inputs *in,
                                   hr_error *err) {
    const uint64_t total = in->fields[0].source->info.num_samples, first = opts->first_sample;
    uint64_t n;
    hr_status st =
        hr__sample_range_count(first, opts->end_sample, total, "the inputs have", &n, err);
    if (n == total)
        return st;
    for (uint32_t i = 0; i < in->num_fields && st == HR_OK; i++)
        st = hr__range_source_make(&in->fields[i].source, first, n, err);
    return st;
}
