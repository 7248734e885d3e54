/*
 * Members of records as sources. Readers share cursors (cursor_pool.h), whose pieces are runs of
 * whole records: each is read once for all members. Files are untrusted.
 */
#define _GNU_SOURCE
#include "npy_records.h"

#include "checked.h"
#include "cursor_pool.h"
#include "error.h"
#include "numpy_elements.h"
#include "source_list.h"
#include "strided_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES  (UINT64_C(256) << 10)
#define AHEAD_PIECES 32u /* that are announced while one is read */

struct records {
    char *path;
    hr_source_fingerprint fingerprint;
    struct hr__npy_header header;
    uint64_t piece_samples;
    struct hr__cursor_pool pool;
};

struct cursor {
    struct hr__cursor base;
    struct hr__budget *budget;
    struct hr__input_file file;
    uint8_t *rows;
    uint64_t room_bytes;
};

struct member_source {
    struct hr__source base;
    struct records *records;
    struct hr__npy_member member; /* name and refused: NULL */
    uint64_t element_count;       /* of one sample */
    char *name;
    char numpy_dtype[HR__NUMPY_DTYPE_BYTES];
    char note[96];
};

/* ---- cursors ---- */

static uint64_t piece_bytes(const struct records *r) {
    return r->piece_samples * r->header.sample_bytes;
}

static void free_cursor(struct hr__cursor *cursor) {
    struct cursor *c = (struct cursor *)cursor;
    if (c->rows != NULL)
        hr__budget_free(c->budget, c->rows, c->room_bytes);
    hr__input_file_close(&c->file);
    free(c);
}

static hr_status fill_cursor(struct hr__cursor *cursor, void *file, struct hr__budget *budget,
                             hr_error *err) {
    struct cursor *c = (struct cursor *)cursor;
    const struct records *r = file;
    hr_status st;
    c->budget = budget;
    HR_TRY(hr__input_file_open(r->path, &c->file, err));
    HR_TRY(hr__input_file_check_same(&c->file, &r->fingerprint, err));
    c->room_bytes = hr__max_u64(piece_bytes(r), 1);
    c->rows = hr__budget_take(c->budget, c->room_bytes, "records", &st, err);
done:
    return st;
}

static const struct hr__cursor_ops cursor_ops = {
    .cursor_bytes = sizeof(struct cursor), .fill = fill_cursor, .free = free_cursor};

/* ---- reading ---- */

static void announce(const struct records *r, const struct cursor *c, uint64_t piece) {
    const uint64_t off = piece * piece_bytes(r), end = r->header.data_bytes;
    if (off < end)
        hr__input_file_announce(&c->file, hr__min_u64(piece_bytes(r), end - off),
                                r->header.data_off + off);
}

static hr_status load_piece(const struct records *r, struct cursor *c, uint64_t piece,
                            hr_error *err) {
    const uint64_t off = piece * piece_bytes(r);
    if (c->base.piece == piece)
        return HR_OK;
    c->base.piece = HR__NO_PIECE;
    announce(r, c, piece + AHEAD_PIECES);
    const hr_status st = hr__input_file_read_exact(
        &c->file, r->path, c->rows, (size_t)hr__min_u64(piece_bytes(r), r->header.data_bytes - off),
        r->header.data_off + off, err);
    if (st == HR_OK)
        c->base.piece = piece;
    return st;
}

/* The member of each of n samples' records. */
static void take_member(const struct member_source *src, const uint8_t *rows, uint64_t n,
                        uint8_t *dst) {
    struct hr__strided_axis axes[HR__MAX_STRIDED_AXES];
    const struct hr__npy_member *m = &src->member;
    const struct hr__npy_header *header = &src->records->header;
    uint64_t bytes = m->element.width_bytes;
    for (uint32_t i = m->rank; i-- > 0;) {
        axes[1 + i] = (struct hr__strided_axis){m->shape[i], m->steps[i], bytes};
        bytes *= m->shape[i];
    }
    axes[0] = (struct hr__strided_axis){n * header->elements_per_sample,
                                        header->element.width_bytes, bytes};
    hr__strided_copy(axes, 1 + m->rank, m->element.width_bytes, rows + m->at, dst);
}

static hr_status read_piece(const struct member_source *src, uint64_t first, uint64_t n,
                            uint8_t *dst, hr_error *err) {
    struct records *r = src->records;
    const uint64_t piece = first / r->piece_samples, from = first % r->piece_samples;
    struct cursor *c = (struct cursor *)hr__cursor_pool_take(&r->pool, piece);
    const hr_status st = load_piece(r, c, piece, err);
    if (st == HR_OK)
        take_member(src, c->rows + from * r->header.sample_bytes, n, dst);
    hr__cursor_pool_give(&r->pool, &c->base);
    return st;
}

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    const struct member_source *src = (const struct member_source *)reader;
    const struct records *r = src->records;
    const uint64_t sample_bytes = src->base.info.sample_bytes;
    hr_status st = hr__source_check_range(&src->base, r->path, first, n, err);
    for (uint64_t done = 0, here; sample_bytes > 0 && done < n && st == HR_OK; done += here) {
        const uint64_t at = first + done;
        here = hr__min_u64(n - done, r->piece_samples - at % r->piece_samples);
        st = read_piece(src, at, here, (uint8_t *)dst + done * sample_bytes, err);
    }
    if (st != HR_OK)
        return st;
    st = hr__elements_to_canonical(&src->member.element, dst, n, src->element_count, first, err);
    if (st != HR_OK)
        hr__error_prefix(err, "%s: the member %s", r->path, src->name);
    return st;
}

/* A reader keeps nothing of its own, and is the source: the pool counts it. */
static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    (void)helpers;
    const struct member_source *src = (const struct member_source *)source;
    const hr_status st = hr__cursor_pool_enter(&src->records->pool, budget, err);
    *out = st == HR_OK ? (struct hr__source_reader *)source : NULL;
    return st;
}

static void close_reader(struct hr__source_reader *reader) {
    const struct member_source *src = (const struct member_source *)reader;
    if (src != NULL)
        hr__cursor_pool_leave(&src->records->pool);
}

/* ---- sources ---- */

static void free_records(struct records *r) {
    hr__cursor_pool_close(&r->pool);
    free(r->path);
    free(r);
}

static void release(struct records *r) {
    if (r != NULL && hr__cursor_pool_release(&r->pool))
        free_records(r);
}

static void close_source(struct hr__source *source) {
    struct member_source *src = (struct member_source *)source;
    if (src == NULL)
        return;
    release(src->records);
    free(src->name);
    free(src);
}

static uint64_t piece_end(const struct hr__source *source, uint64_t sample) {
    const uint64_t n = ((const struct member_source *)source)->records->piece_samples;
    return (sample / n + 1) * n;
}

static const struct hr__source_ops member_ops = {.name = "a member of a structured array",
                                                 .open_reader = open_reader,
                                                 .read = read_samples,
                                                 .close_reader = close_reader,
                                                 .close = close_source,
                                                 .piece_end = piece_end};

struct list {
    struct records *records;
    const struct hr__npy_options *opts;
    struct hr__source_list all;
};

/* Without the slash that a path in a file begins with. */
static const char *bare(const char *member) {
    return member + (member[0] == '/');
}

static bool is_wanted(const struct hr__npy_options *o, const char *name) {
    if (o->member != NULL)
        return hr__npy_member_is_in(name, bare(o->member));
    for (uint32_t i = 0; i < o->num_kept; i++)
        if (strcmp(o->kept[i], name) == 0)
            return true;
    return o->num_kept == 0;
}

static hr_status refuse_member(const struct hr__npy_member *m, hr_error *err) {
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "the member %s: %.500s; or choose the fields without it (--fields)",
                         m->name, m->refused->message);
}

/* The axes of a member in a sample: those of the array, and its own. */
static hr_status find_shape(const struct records *r, const struct hr__npy_member *m,
                            struct hr__source_info *info, uint64_t *element_count, hr_error *err) {
    bool fits = m->rank <= HR_MAX_RANK - r->header.rank;
    uint64_t all, n = r->header.elements_per_sample;
    for (uint32_t i = 0; fits && i < m->rank; i++)
        fits = hr__mul_u64(n, m->shape[i], &n);
    fits = fits && hr__mul_u64(n, m->element.width_bytes, &info->sample_bytes) &&
           hr__mul_u64(info->sample_bytes, r->header.num_samples, &all) && all <= INT64_MAX;
    if (!fits)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "the member %s has more than %d dimensions or 2^63 bytes", m->name,
                             HR_MAX_RANK);
    *element_count = n;
    info->rank = r->header.rank + m->rank;
    memcpy(info->shape, r->header.shape, r->header.rank * sizeof info->shape[0]);
    memcpy(info->shape + r->header.rank, m->shape, m->rank * sizeof info->shape[0]);
    return HR_OK;
}

static void describe(struct member_source *src, const struct hr__npy_options *o) {
    struct hr__source_info *info = &src->base.info;
    const struct records *r = src->records;
    const struct hr__element *element = &src->member.element;
    info->path = r->path;
    info->default_name = src->name;
    info->dtype = element->dtype;
    info->width_bytes = element->width_bytes;
    info->num_samples = r->header.num_samples;
    info->granule_samples = r->piece_samples;
    info->max_readers = o->num_threads > 0 ? o->num_threads : 1;
    info->file = r->fingerprint;
    info->pool = &r->pool;
    info->pool_bytes = piece_bytes(r) + sizeof(struct cursor);
    info->named_inside = true;
    if (element->ucs4) {
        hr__numpy_dtype_print(HR_FIXED_UTF8, 0, element->width_bytes / 4, src->numpy_dtype);
        info->numpy_dtype = src->numpy_dtype;
    }
}

static hr_status make_source(struct list *l, const struct hr__npy_member *m,
                             struct member_source **out, hr_error *err) {
    struct member_source *src = calloc(1, sizeof *src);
    if (src == NULL)
        return hr__error_no_memory(err, sizeof *src, "a source");
    src->base.ops = &member_ops;
    src->records = l->records;
    hr__cursor_pool_hold(&l->records->pool);
    src->member = *m;
    src->member.name = NULL;
    src->name = strdup(m->name);
    hr_status st = src->name != NULL
                       ? find_shape(l->records, m, &src->base.info, &src->element_count, err)
                       : hr__error_no_memory(err, strlen(m->name), "a source's name");
    if (st != HR_OK) {
        close_source(&src->base);
        return st;
    }
    describe(src, l->opts);
    *out = src;
    return HR_OK;
}

static hr_status check_new(const struct list *l, const char *name, hr_error *err) {
    for (uint32_t i = 0; i < l->all.n; i++)
        if (strcmp(l->all.sources[i]->info.default_name, name) == 0)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "two of its members would be the field %s; rename one "
                                 "(array.dtype.names)",
                                 name);
    return HR_OK;
}

static hr_status add_member(void *arg, const struct hr__npy_member *m, hr_error *err) {
    struct list *l = arg;
    struct member_source *src = NULL;
    hr_status st = HR_OK;
    if (!is_wanted(l->opts, m->name))
        return HR_OK;
    if (m->refused != NULL)
        return refuse_member(m, err);
    HR_TRY(check_new(l, m->name, err));
    HR_TRY(make_source(l, m, &src, err));
    st = hr__source_list_add(&l->all, &src->base, err);
    if (st != HR_OK)
        close_source(&src->base);
done:
    return st;
}

static hr_status make_records(const char *path, const struct hr__input_file *file,
                              const struct hr__npy_header *header, struct records **out,
                              hr_error *err) {
    struct records *r = calloc(1, sizeof *r);
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a source");
    hr_status st = hr__cursor_pool_init(&r->pool, &cursor_ops, r, err);
    r->path = strdup(path);
    if (st == HR_OK && r->path == NULL)
        st = hr__error_no_memory(err, strlen(path), "a source's name");
    if (st != HR_OK) {
        free_records(r);
        return st;
    }
    r->fingerprint = (hr_source_fingerprint){r->path, file->size_bytes, file->mtime_ns};
    r->header = *header;
    const uint64_t fitting = PIECE_BYTES / hr__max_u64(header->sample_bytes, 1);
    r->piece_samples = hr__max_u64(hr__min_u64(fitting, header->num_samples), 1);
    *out = r;
    return HR_OK;
}

static void note_surplus(struct member_source *src, uint64_t surplus) {
    if (surplus == 0)
        return;
    (void)snprintf(src->note, sizeof src->note, "%llu bytes behind the array are ignored",
                   (unsigned long long)surplus);
    src->base.info.note = src->note;
}

static hr_status list_members(const char *path, const uint8_t *header_bytes, struct list *l,
                              hr_error *err) {
    hr_status st = hr__npy_header_members(header_bytes, &l->records->header, add_member, l, err);
    if (st == HR_OK && l->all.n == 0 && l->opts->member != NULL)
        st = hr__error_set(err, HR_ERR_NOT_FOUND,
                           "there is no member %s; array.dtype.names lists those that there are",
                           bare(l->opts->member));
    if (st != HR_OK)
        hr__error_prefix(err, "%s", path);
    return st;
}

hr_status hr__npy_records_open(const char *path, const struct hr__input_file *file,
                               const uint8_t *header_bytes, const struct hr__npy_header *header,
                               const struct hr__npy_options *opts, struct hr__source ***out,
                               uint32_t *num_out, hr_error *err) {
    struct list l = {.opts = opts};
    uint64_t surplus;
    hr_status st;
    HR_TRY(hr__flat_surplus(path, file, header, &surplus, err));
    HR_TRY(make_records(path, file, header, &l.records, err));
    HR_TRY(list_members(path, header_bytes, &l, err));
    if (l.all.n > 0)
        note_surplus((struct member_source *)l.all.sources[0], surplus);
    hr__source_list_give(&l.all, out, num_out);
done:
    hr__source_list_close(&l.all);
    release(l.records);
    return st;
}
