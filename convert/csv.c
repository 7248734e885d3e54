/*
 * CSV files as sources: which columns are which field. Files are untrusted.
 *
 * Without a header all columns are one field. With one, columns whose names differ only in a number
 * that ascends by one (pixel0, pixel1, ...) are one field of that name (the file's, where they are
 * nothing but 0, 1, ...), and every other column is a field.
 */
#define _GNU_SOURCE
#include "csv_file.h"

#include "error.h"
#include "name_ending.h"
#include "numpy_dtype.h"
#include "schema.h"
#include "source_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct csv_source {
    struct hr__source base;
    struct hr__csv_file *file;
    uint32_t field;
    char *name;
};

/* ---- sources ---- */

/* A reader keeps nothing of its own, and is the source: the file counts it. */
static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    (void)helpers;
    const struct csv_source *src = (const struct csv_source *)source;
    const hr_status st = hr__cursor_pool_enter(&src->file->pool, budget, err);
    *out = st == HR_OK ? (struct hr__source_reader *)source : NULL;
    return st;
}

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    const struct csv_source *src = (const struct csv_source *)reader;
    const hr_status st = hr__source_check_range(&src->base, src->file->path, first, n, err);
    return st == HR_OK ? hr__csv_file_read(src->file, src->field, first, n, dst, err) : st;
}

static void close_reader(struct hr__source_reader *reader) {
    const struct csv_source *src = (const struct csv_source *)reader;
    if (src != NULL)
        hr__cursor_pool_leave(&src->file->pool);
}

static void close_source(struct hr__source *source) {
    struct csv_source *src = (struct csv_source *)source;
    if (src == NULL)
        return;
    hr__csv_file_release(src->file);
    free(src->name);
    free(src);
}

static uint64_t piece_end(const struct hr__source *source, uint64_t sample) {
    const uint64_t rows = ((const struct csv_source *)source)->file->layout.piece_rows;
    return (sample / rows + 1) * rows;
}

/* All of the file was read when it was opened, and its checksum compared. */
static uint64_t stream_end(const struct hr__source *src, uint64_t sample) {
    (void)src;
    return sample + 1;
}

static const struct hr__source_ops csv_ops = {
    .name = "CSV",
    .open_reader = open_reader,
    .read = read_samples,
    .close_reader = close_reader,
    .close = close_source,
    .piece_end = piece_end,
    .stream_end = stream_end,
};

/* ---- which columns are a field ---- */

struct group {
    uint32_t first, count;
    const char *name;
    size_t name_bytes;
};

/* Where the number at the end of a name begins, and its value; the name's length where there is
 * none, or none that fits. */
static size_t number_at_end(const char *name, uint64_t *number) {
    size_t n = strlen(name), at = n;
    while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9')
        at--;
    if (at == n || n - at > 9)
        return n;
    *number = strtoull(name + at, NULL, 10);
    return at;
}

/* How many columns from `first` on are one field, with its name. */
static void find_group(const struct hr__csv_layout *l, uint32_t first, struct group *out) {
    const char *name = l->columns[first].name;
    uint64_t number = 0;
    size_t base = number_at_end(name, &number);
    *out = (struct group){first, 1, name, strlen(name)};
    if ((base == 0 && !l->counts) || name[base] == '\0')
        return;
    for (uint32_t i = first + 1; i < l->num_columns; i++) {
        uint64_t next = 0;
        const char *other = l->columns[i].name;
        if (number_at_end(other, &next) != base || memcmp(other, name, base) != 0 ||
            next != number + (i - first))
            break;
        out->count++;
    }
    if (out->count == 1)
        return;
    while (base > 1 && strchr("_-. ", name[base - 1]) != NULL)
        base--;
    out->name_bytes = base;
}

/* The file's name without folder and suffix, and without ".gz". */
static void name_of_file(const char *path, struct group *out) {
    const char *slash = strrchr(path, '/');
    out->name = slash == NULL ? path : slash + 1;
    size_t n = strlen(out->name);
    if (hr__name_ends(out->name, ".gz"))
        n -= 3;
    const char *dot = memrchr(out->name, '.', n);
    out->name_bytes = dot == NULL || dot == out->name ? n : (size_t)(dot - out->name);
}

static bool is_wanted(const struct hr__csv_options *o, const struct group *g) {
    if (o->member != NULL)
        return strlen(o->member) == g->name_bytes && memcmp(o->member, g->name, g->name_bytes) == 0;
    for (uint32_t i = 0; i < o->num_kept; i++)
        if (strlen(o->kept[i]) == g->name_bytes && memcmp(o->kept[i], g->name, g->name_bytes) == 0)
            return true;
    return o->num_kept == 0;
}

static void note_left_out(struct hr__left_out *l, const struct group *g) {
    const char *comma = l != NULL && l->used > 0 ? ", " : "";
    if (l == NULL || l->used + strlen(comma) + g->name_bytes >= sizeof l->names)
        return;
    l->used += (size_t)snprintf(l->names + l->used, sizeof l->names - l->used, "%s%.*s", comma,
                                (int)g->name_bytes, g->name);
}

/* ---- dtypes ---- */

static hr_status refuse_column(const struct hr__csv_file *f, uint32_t column, hr_error *err) {
    const struct hr__csv_column *c = &f->layout.columns[column];
    char name[80], what[320];
    hr__csv_column_name(&f->layout, column, name);
    snprintf(
        what, sizeof what,
        c->found[HR__CSV_TEXT]
            ? "%s: '%s' is no number; choose the fields without it (--fields), or make "
              "numbers of it"
            : "%s: '%s' does not fit int64; say which dtype is meant (--dtype uint64, float64)",
        name, c->text);
    return hr__csv_line_error(f->path, c->text_line, what, err);
}

/* int64 where all that was found are integers, else float64. */
static hr_status find_dtype(const struct hr__csv_file *f, const struct group *g, hr_dtype *out,
                            hr_error *err) {
    *out = f->layout.num_rows > 0 ? HR_INT64 : HR_FLOAT64;
    for (uint32_t i = g->first; i < g->first + g->count; i++) {
        const bool *found = f->layout.columns[i].found;
        if (found[HR__CSV_TEXT] || (found[HR__CSV_LARGE] && !found[HR__CSV_REAL]))
            return refuse_column(f, i, err);
        if (found[HR__CSV_REAL] || found[HR__CSV_MISSING])
            *out = HR_FLOAT64;
    }
    return HR_OK;
}

static hr_status given_dtype(const char *text, hr_dtype *out, hr_error *err) {
    struct hr__element element;
    const hr_status st = hr__numpy_dtype_parse(text, &element, err);
    if (st != HR_OK)
        return st;
    *out = element.dtype;
    if (hr__csv_dtype_fits(element.dtype))
        return HR_OK;
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "numbers of CSV become bool, integers, float32 or float64, not %s",
                         hr_dtype_name(element.dtype));
}

/* ---- all sources of a file ---- */

struct list {
    struct hr__csv_file *file;
    struct hr__source_list all;
};

static void describe(struct csv_source *src, const struct hr__csv_options *o) {
    struct hr__source_info *info = &src->base.info;
    const struct hr__csv_field *field = &src->file->fields[src->field];
    info->path = src->file->path;
    info->default_name = src->name;
    info->dtype = field->dtype;
    info->width_bytes = field->element_bytes;
    info->rank = field->count > 1;
    info->shape[0] = field->count;
    info->num_samples = src->file->layout.num_rows;
    info->sample_bytes = (uint64_t)field->count * field->element_bytes;
    info->granule_samples = src->file->layout.piece_rows;
    info->max_readers = src->file->gzip || o->num_threads == 0 ? 1 : o->num_threads;
    info->is_stream = src->file->gzip;
    info->file = src->file->fingerprint;
    info->pool = &src->file->pool;
    info->named_inside = src->file->layout.names != NULL && !o->as_one;
    if (src->file->layout.names != NULL && info->num_samples == 0 && src->field == 0)
        info->note = "its only line was taken for the names of its columns: it has no samples";
    if (src->file->layout.names == NULL && src->file->layout.counts)
        info->note =
            "its first line, 0, 1, 2, ..., was taken for numbers: if they are the names of "
            "its columns, delete that line";
}

static hr_status add_source(struct list *l, const struct group *g, const struct hr__csv_options *o,
                            hr_error *err) {
    hr_dtype dtype;
    hr_status st;
    HR_TRY(o->dtype != NULL ? given_dtype(o->dtype, &dtype, err)
                            : find_dtype(l->file, g, &dtype, err));
    HR_TRY(hr__csv_file_add_field(l->file, g->first, g->count, dtype, err));
    struct csv_source *src = calloc(1, sizeof *src);
    if (src == NULL)
        return hr__error_no_memory(err, sizeof *src, "a source");
    src->base.ops = &csv_ops;
    src->file = l->file;
    hr__cursor_pool_hold(&l->file->pool);
    src->field = l->file->num_fields - 1;
    src->name = strndup(g->name, g->name_bytes);
    if (src->name == NULL) {
        close_source(&src->base);
        return hr__error_no_memory(err, g->name_bytes, "a source's name");
    }
    describe(src, o);
    st = hr__source_list_add(&l->all, &src->base, err);
    if (st != HR_OK)
        close_source(&src->base);
done:
    return st;
}

/* A name stands for one field only. */
static hr_status check_new(const struct list *l, const struct group *g, hr_error *err) {
    for (uint32_t i = 0; i < l->all.n; i++) {
        const char *other = l->all.sources[i]->info.default_name;
        if (strlen(other) == g->name_bytes && memcmp(other, g->name, g->name_bytes) == 0)
            return hr__error_set(err, HR_ERR_DATA,
                                 "%s: two of its columns, or runs of numbered columns, would be "
                                 "the field %s; rename one in the first line, or make one field "
                                 "of all columns (--field NAME=FILE)",
                                 l->file->path, other);
    }
    return HR_OK;
}

static hr_status add_sources(struct list *l, const struct hr__csv_options *o, hr_error *err) {
    const struct hr__csv_layout *layout = &l->file->layout;
    struct group g = {.count = layout->num_columns};
    if (layout->names == NULL || o->as_one) {
        name_of_file(l->file->path, &g);
        return o->member == NULL
                   ? add_source(l, &g, o, err)
                   : hr__error_set(err, HR_ERR_NOT_FOUND,
                                   "%s has no header, and so no column %s; leave that out",
                                   l->file->path, o->member);
    }
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < layout->num_columns && st == HR_OK; i += g.count) {
        if (l->all.n == HR__MAX_FIELDS)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "%s has more than %u columns with names of their own, and a data "
                                 "set as many fields at most; choose some (--fields), or make one "
                                 "field of all columns (--field NAME=FILE)",
                                 l->file->path, HR__MAX_FIELDS);
        find_group(layout, i, &g);
        if (g.name_bytes == 0)
            name_of_file(l->file->path, &g);
        if (!is_wanted(o, &g)) {
            note_left_out(o->left_out, &g);
            continue;
        }
        st = check_new(l, &g, err);
        if (st == HR_OK)
            st = add_source(l, &g, o, err);
    }
    if (st == HR_OK && l->all.n == 0 && o->member != NULL)
        st = hr__error_set(err, HR_ERR_NOT_FOUND,
                           "%s has no column, and no run of numbered columns, of the name %s",
                           l->file->path, o->member);
    return st;
}

hr_status hr__csv_sources_open(const char *path, const struct hr__csv_options *opts,
                               struct hr__source ***out, uint32_t *num_out, hr_error *err) {
    struct list l = {0};
    hr_status st;
    *out = NULL;
    *num_out = 0;
    HR_TRY(hr__csv_file_open(path, opts->gzip, opts->dtype == NULL, &l.file, err));
    HR_TRY(add_sources(&l, opts, err));
    for (uint32_t i = 0; i < l.all.n; i++)
        l.all.sources[i]->info.pool_bytes = hr__csv_file_reader_bytes(l.file);
    hr__source_list_give(&l.all, out, num_out);
done:
    hr__source_list_close(&l.all);
    hr__csv_file_release(l.file);
    return st;
}
