/*
 * HDF5 data sets, and the arrays of .npz archives, as sources. The file is listed by a helper
 * process, which is then ended; readers share others (helper_channel.c). What helpers say is
 * untrusted.
 */
#define _GNU_SOURCE
#include "source.h"

#include "axis_source.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "helper_process.h"
#include "helper_reader.h"
#include "helper_variable.h"
#include "input_file.h"
#include "npy_header.h"
#include "numpy_dtype.h"
#include "record_source.h"
#include "source_list.h"
#include "transpose_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIST_AS_BYTES (UINT64_C(512) << 20)

struct helper_source {
    struct hr__source base;
    struct hr__helper_target target;
    char *path, *member, *name, *record, *attributes, *file_attributes, *note;
    char numpy_dtype[HR__NUMPY_DTYPE_BYTES];
    atomic_bool stopped;
};

static void source_close(struct hr__source *src) {
    struct helper_source *s = (struct helper_source *)src;
    if (s == NULL)
        return;
    free(s->path);
    free(s->member);
    free(s->name);
    free(s->record);
    free(s->attributes);
    free(s->file_attributes);
    free(s->note);
    free(s);
}

static hr_status open_reader(struct hr__source *src, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    struct hr__helper_reader *r = NULL;
    hr_status st =
        hr__helper_reader_open(&((struct helper_source *)src)->target, budget, helpers, &r, err);
    *out = (struct hr__source_reader *)r;
    return st;
}

static hr_status read_rows(struct hr__source_reader *r, uint64_t first, uint64_t n, void *dst,
                           hr_error *err) {
    return hr__helper_reader_read((struct hr__helper_reader *)r, first, n, dst, err);
}

static void close_reader(struct hr__source_reader *r) {
    hr__helper_reader_close((struct hr__helper_reader *)r);
}

static void stop(struct hr__source *src) {
    atomic_store(&((struct helper_source *)src)->stopped, true);
}

static const struct hr__source_ops rows_ops = {.name = "rows by a helper",
                                               .open_reader = open_reader,
                                               .read = read_rows,
                                               .close_reader = close_reader,
                                               .stop = stop,
                                               .close = source_close};

static hr_status open_values(struct hr__source *src, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    struct hr__helper_variable *r = NULL;
    hr_status st =
        hr__helper_variable_open(&((struct helper_source *)src)->target, budget, helpers, &r, err);
    *out = (struct hr__source_reader *)r;
    return st;
}

static hr_status fetch(struct hr__source_reader *r, uint64_t first, uint64_t n, uint64_t *out,
                       hr_error *err) {
    return hr__helper_variable_fetch((struct hr__helper_variable *)r, first, n, out, err);
}

static hr_status read_values(struct hr__source_reader *r, uint64_t first, uint64_t n,
                             int64_t *offsets, uint8_t *values, uint64_t room_bytes,
                             hr_error *err) {
    return hr__helper_variable_read((struct hr__helper_variable *)r, first, n, offsets, values,
                                    room_bytes, err);
}

static void close_values(struct hr__source_reader *r) {
    hr__helper_variable_close((struct hr__helper_variable *)r);
}

static const struct hr__source_ops values_ops = {.name = "values by a helper",
                                                 .open_reader = open_values,
                                                 .read_values = read_values,
                                                 .fetch = fetch,
                                                 .close_reader = close_values,
                                                 .stop = stop,
                                                 .close = source_close};

static void fill_reader(struct helper_source *s) {
    const struct hr__helper_field *f = &s->target.field;
    struct hr__source_info *info = &s->base.info;
    info->max_readers = 1;
    if ((f->flags & HR__HELPER_VARIABLE) != 0) {
        const bool whole = hr__dtype_is_variable(f->dtype);
        info->dtype = whole ? f->dtype : HR_VAR_BYTES;
        info->element_dtype = whole ? (hr_dtype)0 : f->dtype;
        info->width_bytes = 0;
        info->reader_bytes = hr__helper_variable_least_bytes(f);
        info->reader_wanted_bytes = hr__helper_variable_wanted_bytes(f);
        return;
    }
    info->reader_bytes = hr__helper_reader_least_bytes(f);
    info->reader_wanted_bytes = hr__helper_reader_wanted_bytes(f);
    if ((f->flags & HR__HELPER_CHUNKED) != 0 && s->target.opts.max_helpers > 1)
        info->max_readers = s->target.opts.max_helpers;
}

static void fill_info(struct helper_source *s, const struct stat *file) {
    const struct hr__helper_field *f = &s->target.field;
    struct hr__source_info *info = &s->base.info;
    info->path = s->path;
    info->member = s->member;
    info->default_name = s->name;
    info->dtype = f->dtype;
    info->width_bytes = f->width_bytes != 0 ? f->width_bytes : (uint32_t)hr_dtype_bytes(f->dtype);
    info->rank = f->rank;
    memcpy(info->shape, f->shape, sizeof info->shape);
    info->num_samples = f->num_samples;
    info->sample_bytes = f->sample_bytes;
    info->granule_samples = f->granule_samples;
    info->is_stream = (f->flags & HR__HELPER_STREAM) != 0;
    fill_reader(s);
    if (s->target.opts.zip && f->dtype == HR_FIXED_UTF8) { /* what became of code points */
        hr__numpy_dtype_print(HR_FIXED_UTF8, 0, f->width_bytes / 4, s->numpy_dtype);
        info->numpy_dtype = s->numpy_dtype;
    }
    info->growing = (f->flags & HR__HELPER_GROWING) != 0;
    info->file.path = s->path;
    info->file.size_bytes = (uint64_t)file->st_size;
    info->file.mtime_ns = hr__stat_mtime_ns(file);
}

static hr_status make_source(const char *path, const struct hr__helper_field *field,
                             const struct hr__helper_options *opts, const struct stat *file,
                             struct hr__source **out, hr_error *err) {
    struct helper_source *s = calloc(1, sizeof *s);
    if (s == NULL)
        return hr__error_no_memory(err, sizeof *s, "a source");
    s->base.ops = (field->flags & HR__HELPER_VARIABLE) != 0 ? &values_ops : &rows_ops;
    s->path = strdup(path);
    s->member = strdup(field->member);
    s->name = strdup(field->name);
    s->record = strdup(field->record.path);
    if (s->path == NULL || s->member == NULL || s->name == NULL || s->record == NULL) {
        source_close(&s->base);
        return hr__error_no_memory(err, strlen(path), "a source");
    }
    s->target.path = s->path;
    s->target.field = *field;
    s->target.stopped = &s->stopped;
    s->target.field.member = s->member;
    s->target.field.name = s->name;
    s->target.field.record.path = s->record;
    s->target.opts = *opts;
    fill_info(s, file);
    *out = &s->base;
    return HR_OK;
}

struct list {
    struct hr__source_list all;
    char *attributes, *note; /* of what comes next, or NULL */
    size_t attributes_bytes; /* of the pieces so far */
    size_t attributes_room;  /* grows by half, as pieces may be small and many */
    size_t total_bytes;
    const char *missed; /* a field that is to be kept, and may be one that was refused; or NULL */
    uint32_t num_refused;
    hr_error refused; /* why; else why the first one was; status HR_OK: none was */
};

static void list_close(struct list *l) {
    free(l->attributes);
    free(l->note);
    hr__source_list_close(&l->all);
}

/* One FIELD message becomes a source at the end of the list. */
static hr_status list_add(struct list *l, struct hr__helper *h, const struct hr__helper_field *f,
                          const char *path, const struct hr__helper_options *opts,
                          const struct stat *file, hr_error *err) {
    if (l->all.n >= HR__HELPER_MAX_FIELDS)
        return hr__helper_lied(h, "too many data sets", err);
    struct hr__source *source;
    hr_status st = make_source(path, f, opts, file, &source, err);
    if (st != HR_OK)
        return st;
    st = hr__source_list_add(&l->all, source, err);
    if (st != HR_OK) {
        source_close(source);
        return st;
    }
    struct helper_source *s = (struct helper_source *)source;
    s->base.info.attributes_json = s->attributes = l->attributes;
    s->base.info.note = s->note = l->note;
    l->attributes = l->note = NULL;
    return HR_OK;
}

static hr_status add_piece(struct list *l, struct hr__helper *h, const char *piece, hr_error *err) {
    size_t n_bytes = strlen(piece);
    size_t known = l->attributes != NULL ? l->attributes_bytes : 0;
    if (n_bytes == 0 || n_bytes > HR__HELPER_MAX_ATTRIBUTES - l->total_bytes)
        return hr__helper_lied(h, "too many attributes, or none", err);
    if (l->attributes == NULL || l->attributes_room - known <= n_bytes) {
        const size_t room = known + known / 2 + n_bytes + 1;
        char *grown = realloc(l->attributes, room);
        if (grown == NULL)
            return hr__error_no_memory(err, room, "attributes");
        l->attributes = grown;
        l->attributes_room = room;
    }
    memcpy(l->attributes + known, piece, n_bytes + 1);
    l->attributes_bytes = known + n_bytes;
    l->total_bytes += n_bytes;
    return HR_OK;
}

static hr_status take_note(struct list *l, struct hr__helper *h, const char *text, hr_error *err) {
    char plain[HR_ERROR_MESSAGE_BYTES];
    if (l->note != NULL)
        return hr__helper_lied(h, "two notes of one data set", err);
    hr__helper_plain_text(text, plain, sizeof plain);
    l->note = strdup(plain);
    return l->note != NULL ? HR_OK : hr__error_no_memory(err, sizeof plain, "a note");
}

/* Whether a name is that of a data set, or lies in it. */
static bool lies_in(const char *name, const char *dataset) {
    const size_t n = strlen(dataset);
    return strncmp(name, dataset, n) == 0 && (name[n] == '\0' || name[n] == '/');
}

static hr_status take_refused(struct list *l, struct hr__helper *h,
                              const struct hr__helper_message *m, const char *path,
                              const struct hr__helper_options *opts, hr_error *err) {
    const char *missed = NULL;
    if (l->num_refused++ == HR__HELPER_MAX_FIELDS)
        return hr__helper_lied(h, "too many refusals", err);
    for (uint32_t i = 0; missed == NULL && i < opts->num_kept; i++)
        if (lies_in(opts->kept[i], m->member))
            missed = opts->kept[i];
    if (l->refused.status == HR_OK || (missed != NULL && l->missed == NULL))
        (void)hr__helper_said(path, m, &l->refused);
    if (l->missed == NULL)
        l->missed = missed;
    return HR_OK;
}

static hr_status refused(const struct list *l, hr_error *err) {
    if (err != NULL)
        *err = l->refused;
    return l->refused.status;
}

/* What was refused matters where no field has that name. */
static hr_status check_missed(const struct list *l, hr_error *err) {
    bool found = l->missed == NULL;
    for (uint32_t i = 0; i < l->all.n && !found; i++)
        found = strcmp(l->all.sources[i]->info.default_name, l->missed) == 0;
    return found ? HR_OK : refused(l, err);
}

static hr_status add_note(struct helper_source *s, const char *note, hr_error *err) {
    char *both = NULL;
    if (asprintf(&both, "%s%s%s", note, s->note != NULL ? "; " : "",
                 s->note != NULL ? s->note : "") < 0)
        return hr__error_no_memory(err, strlen(note), "a note");
    free(s->note);
    s->base.info.note = s->note = both;
    return HR_OK;
}

/* Data sets that another process adds samples to grow one after the other: what all of them have is
 * taken. */
static hr_status settle_growing(struct list *l, hr_error *err) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < l->all.n; i++)
        if (l->all.sources[i]->info.growing)
            least = hr__min_u64(least, l->all.sources[i]->info.num_samples);
    for (uint32_t i = 0; i < l->all.n; i++) {
        struct helper_source *s = (struct helper_source *)l->all.sources[i];
        if (s->base.info.growing)
            s->base.info.num_samples = s->target.field.num_samples = least;
    }
    if (least == UINT64_MAX)
        return HR_OK;
    char line[128];
    (void)snprintf(line, sizeof line,
                   "another process writes it; the %llu samples that are there now are taken",
                   (unsigned long long)least);
    return add_note((struct helper_source *)l->all.sources[0], line, err);
}

/* What came last is the file's: the first source tells of it. */
static hr_status end_list(struct list *l, hr_error *err) {
    if (l->all.n == 0)
        return HR_OK;
    struct helper_source *s = (struct helper_source *)l->all.sources[0];
    s->base.info.file_attributes_json = s->file_attributes = l->attributes;
    l->attributes = NULL;
    hr_status st = l->note != NULL ? add_note(s, l->note, err) : HR_OK;
    return st == HR_OK ? settle_growing(l, err) : st;
}

/* What it hands out is put together: of an archive element after element, of HDF5 entry after entry
 * of the first axis, or column after column. */
static void read_in_order_of_file(struct helper_source *s) {
    struct hr__source_info *info = &s->base.info;
    const bool columns = (s->target.field.flags & HR__HELPER_BY_COLUMNS) != 0;
    s->target.noun = s->target.opts.zip ? "element" : columns ? "column" : "entry";
    if (!s->target.opts.zip)
        return;
    s->target.elements = true;
    s->target.field = hr__helper_field_of_elements(&s->target.field);
    info->rank = 0;
    info->num_samples = s->target.field.num_samples;
    info->sample_bytes = s->target.field.sample_bytes;
}

/* Where samples do not lie one after the other: a source around it. */
static hr_status put_along(struct hr__source **source, const struct hr__axis_options *axis,
                           hr_error *err) {
    struct helper_source *s = (struct helper_source *)*source;
    const struct hr__helper_field *f = &s->target.field;
    uint32_t width = f->width_bytes != 0 ? f->width_bytes : (uint32_t)hr_dtype_bytes(f->dtype);
    const bool records = s->target.opts.zip && s->record[0] != '\0';
    const uint32_t rank = records                                 ? f->record.rank
                          : (f->flags & HR__HELPER_VARIABLE) != 0 ? 0
                                                                  : f->rank;
    struct hr__axis_input_array input = {.array = {.rank = rank + 1,
                                                   .fortran = (f->flags & HR__HELPER_FORTRAN) != 0,
                                                   .width_bytes = width},
                                         .element = {.dtype = f->dtype, .width_bytes = width}};
    input.array.shape[0] = f->num_samples;
    memcpy(input.array.shape + 1, f->shape, sizeof f->shape);
    if (rank > 0 && (f->flags & HR__HELPER_BY_COLUMNS) != 0) {
        input.array.shape[0] = f->shape[0];
        input.array.shape[1] = f->num_samples;
        input.array.fortran = true;
    }
    if (hr__axis_layout_is_plain(&input.array, axis->axis))
        return HR_OK;
    if (records) {
        const hr_status st = hr__npy_refuse_order(err);
        hr__error_prefix(err, "%s:/%s", s->path, s->record);
        return st;
    }
    read_in_order_of_file(s);
    return hr__axis_source_make(*source, &input, axis, source, err);
}

/* NULL: it is none of the two fields of a matrix by columns. */
static const struct hr__helper_field *by_columns(const struct hr__source *source) {
    const struct helper_source *s = (const struct helper_source *)source;
    return source->ops == &values_ops && (s->target.field.flags & HR__HELPER_BY_COLUMNS) != 0
               ? &s->target.field
               : NULL;
}

/* Two fields of a matrix that is stored by columns, the rows in which these have values and the
 * values, become fields of its rows. Both need the first. */
static hr_status put_rows_together(struct list *l, uint32_t i, struct hr__helper *h,
                                   const struct hr__helper_options *opts, const struct stat *file,
                                   hr_error *err) {
    const struct hr__helper_field *rows = by_columns(l->all.sources[i]);
    const struct hr__helper_field *values =
        i + 1 < l->all.n ? by_columns(l->all.sources[i + 1]) : NULL;
    struct hr__source *again = NULL;
    if (values == NULL || !hr__dtype_is_integer(rows->dtype) ||
        rows->num_samples != values->num_samples || rows->shape[0] != values->shape[0])
        return hr__helper_lied(h, "a matrix by columns without its two parts", err);
    const uint64_t num_rows = rows->shape[0];
    hr_status st = make_source(((struct helper_source *)l->all.sources[i])->path, rows, opts, file,
                               &again, err);
    if (st != HR_OK)
        return st;
    st = hr__transpose_source_make(&(struct hr__by_columns){again, l->all.sources[i + 1], num_rows},
                                   &opts->axis, &l->all.sources[i + 1], err);
    if (st != HR_OK) {
        again->ops->close(again);
        return st;
    }
    return hr__transpose_source_make(&(struct hr__by_columns){l->all.sources[i], NULL, num_rows},
                                     &opts->axis, &l->all.sources[i], err);
}

/* A member of records is read together with the others. */
static hr_status read_together(struct hr__source **source, struct hr__helper *h,
                               struct hr__record_file **records, hr_error *err) {
    const struct helper_source *s = (const struct helper_source *)*source;
    if (s->base.ops != &rows_ops || s->record[0] == '\0')
        return HR_OK;
    hr_status st = hr__record_source_make(source, &s->target, records, err);
    return st != HR_ERR_HELPER ? st
                               : hr__helper_lied(h, "members that do not fit their records", err);
}

static hr_status take_list(struct list *l, struct hr__helper *h, const char *path,
                           const struct hr__helper_options *opts, const struct stat *file,
                           hr_error *err) {
    for (;;) {
        struct hr__helper_message m;
        hr_status st = hr__helper_receive(h, &m, err);
        if (st != HR_OK)
            return st;
        if (m.type == HR__HELPER_ERROR)
            return hr__helper_said(path, &m, err);
        if (m.type == HR__HELPER_LIST_END)
            return m.count == l->all.n ? end_list(l, err)
                                       : hr__helper_lied(h, "a count that is wrong", err);
        if (m.type == HR__HELPER_ATTRIBUTES)
            st = add_piece(l, h, m.text, err);
        else if (m.type == HR__HELPER_NOTE)
            st = take_note(l, h, m.text, err);
        else if (m.type == HR__HELPER_REFUSED && opts->num_kept > 0)
            st = take_refused(l, h, &m, path, opts, err);
        else if (m.type == HR__HELPER_FIELD)
            st = list_add(l, h, &m.field, path, opts, file, err);
        else
            return hr__helper_lied(h, "an unasked answer", err);
        if (st != HR_OK)
            return st;
    }
}

static hr_status check_file(const char *path, struct stat *out, hr_error *err) {
    if (stat(path, out) != 0)
        return hr__error_os(err, errno, "%s", path);
    if (!S_ISREG(out->st_mode))
        return hr__error_set(err, HR_ERR_INVALID, "%s is not a file", path);
    return HR_OK;
}

static hr_status list_file(struct list *l, struct hr__helper *h, const char *path,
                           const char *member, const struct hr__helper_options *opts,
                           const struct stat *file, hr_error *err) {
    static const uint32_t of_sparse[] = {
        [HR_SPARSE_DENSE] = HR__HELPER_DENSE, [HR_SPARSE_VARLEN] = HR__HELPER_ROW_VALUES};
    const uint32_t how = (opts->follow_external ? HR__HELPER_FOLLOW_EXTERNAL : 0) |
                         (opts->num_kept > 0 ? HR__HELPER_GO_ON : 0);
    struct hr__helper_message m = {.type = HR__HELPER_LIST,
                                   .flags = how | of_sparse[opts->sparse],
                                   .path = path,
                                   .member = member != NULL ? member : ""};
    hr_status st = hr__helper_send(h, &m, -1, err);
    if (st == HR_OK)
        st = take_list(l, h, path, opts, file, err);
    if (st == HR_OK)
        st = check_missed(l, err);
    if (st == HR_OK && l->all.n == 0 && l->refused.status != HR_OK)
        st = refused(l, err);
    if (st == HR_OK && l->all.n == 0)
        st = hr__error_set(err, HR_ERR_NOT_FOUND, "%s holds no %s%s%s", path,
                           opts->zip ? "array" : "data set", member != NULL ? " under " : "",
                           member != NULL ? member : "");
    return st;
}

hr_status hr__helper_sources_open(const char *path, const char *member,
                                  const struct hr__helper_options *opts, struct hr__source ***out,
                                  uint32_t *num_out, hr_error *err) {
    struct list l = {0};
    struct stat file;
    struct hr__helper *h = NULL;
    struct hr__record_file *records = NULL;
    struct hr__helper_limits limits = {.timeout_ns = opts->timeout_ns,
                                       .zip = opts->zip,
                                       .memory_bytes = opts->memory_bytes != 0 ? opts->memory_bytes
                                                                               : LIST_AS_BYTES};
    hr_status st = HR_OK;
    *out = NULL;
    *num_out = 0;
    HR_TRY(check_file(path, &file, err));
    HR_TRY(hr__helper_start(NULL, path, &limits, &h, err));
    HR_TRY(list_file(&l, h, path, member, opts, &file, err));
    for (uint32_t i = 0; i < l.all.n; i++) {
        HR_TRY(put_along(&l.all.sources[i], &opts->axis, err));
        HR_TRY(read_together(&l.all.sources[i], h, &records, err));
    }
    for (uint32_t i = 0; i < l.all.n; i++)
        if (by_columns(l.all.sources[i]) != NULL)
            HR_TRY(put_rows_together(&l, i, h, opts, &file, err));
    hr__source_list_give(&l.all, out, num_out);
done:
    hr__record_sources_end(records);
    hr__helper_close(h);
    list_close(&l);
    return st;
}
