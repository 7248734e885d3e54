/*
 * Members of records. One that is read by itself, or whose fellows are not converted, is read as
 * if it were the only member: the helper then copies nothing else. Of a stream it is taken out of
 * whole records all the same.
 */
#include "record_source.h"

#include "checked.h"
#include "error.h"

#include <stdlib.h>

struct record_source {
    struct hr__source base;
    struct hr__source *alone; /* reads the member by itself */
    const struct hr__helper_target *target;
    struct hr__record_file *file; /* NULL: it is read by itself */
};

/* Of a source that is read with others: the file's cursors do all. */
struct record_reader {
    const struct record_source *src;
    struct hr__source_reader *alone; /* or NULL */
};

static const struct hr__source_ops record_ops, alone_ops;

static hr_status enter(const struct record_source *src, struct hr__budget *budget,
                       struct hr__helper_group *helpers, struct record_reader *r, hr_error *err) {
    return src->file != NULL
               ? hr__cursor_pool_enter(&src->file->pool, budget, err)
               : src->alone->ops->open_reader(src->alone, budget, helpers, &r->alone, err);
}

static hr_status open_reader(struct hr__source *source, struct hr__budget *budget,
                             struct hr__helper_group *helpers, struct hr__source_reader **out,
                             hr_error *err) {
    *out = NULL;
    struct record_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return hr__error_no_memory(err, sizeof *r, "a reader of a source");
    r->src = (const struct record_source *)source;
    const hr_status st = enter(r->src, budget, helpers, r, err);
    if (st != HR_OK)
        free(r);
    else
        *out = (struct hr__source_reader *)r;
    return st;
}

static hr_status read_samples(struct hr__source_reader *reader, uint64_t first, uint64_t n,
                              void *dst, hr_error *err) {
    const struct record_reader *r = (const struct record_reader *)reader;
    const struct record_source *src = r->src;
    if (r->alone != NULL)
        return src->alone->ops->read(r->alone, first, n, dst, err);
    const hr_status st = hr__source_check_range(&src->base, src->base.info.path, first, n, err);
    return st == HR_OK ? hr__record_file_read(src->file, src->target, first, n, dst, err) : st;
}

static void close_reader(struct hr__source_reader *reader) {
    struct record_reader *r = (struct record_reader *)reader;
    if (r == NULL)
        return;
    if (r->alone != NULL)
        r->src->alone->ops->close_reader(r->alone);
    else
        hr__cursor_pool_leave(&r->src->file->pool);
    free(r);
}

/* --- alone or not --------------------------------------------------------------------------- */

static bool can_be_alone(const struct record_source *src) {
    return !src->base.info.is_stream;
}

static void become_alone(struct record_source *src) {
    const struct hr__source_info *alone = &src->alone->info;
    src->file = NULL;
    src->base.ops = &alone_ops;
    src->base.info.pool = NULL;
    src->base.info.pool_bytes = 0;
    src->base.info.reader_bytes = alone->reader_bytes;
    src->base.info.reader_wanted_bytes = alone->reader_wanted_bytes;
}

/* Who is left with nobody has no use for whole records, either. */
static void leave_file(struct record_source *src) {
    struct hr__record_file *file = src->file;
    if (file == NULL)
        return;
    become_alone(src);
    struct record_source *left = (struct record_source *)hr__record_file_remove(file, &src->base);
    if (left == NULL || !can_be_alone(left))
        return;
    become_alone(left);
    (void)hr__record_file_remove(file, &left->base);
}

static void set_alone(struct hr__source *source) {
    struct record_source *src = (struct record_source *)source;
    if (can_be_alone(src))
        leave_file(src);
}

static uint64_t piece_end(const struct hr__source *source, uint64_t sample) {
    const uint64_t n = ((const struct record_source *)source)->file->piece_samples;
    return (sample / n + 1) * n;
}

/* Each member gets as much: all of it is the file's. */
static void set_room(struct hr__source *source, uint64_t n_bytes) {
    struct hr__record_file *file = ((struct record_source *)source)->file;
    uint64_t all;
    if (!hr__mul_u64(n_bytes, file->members.n, &all))
        all = UINT64_MAX;
    hr__record_file_set_room(file, all);
    for (uint32_t i = 0; i < file->members.n; i++)
        file->members.sources[i]->info.pool_bytes = file->room_bytes;
}

static void close_source(struct hr__source *source) {
    struct record_source *src = (struct record_source *)source;
    if (src == NULL)
        return;
    leave_file(src);
    src->alone->ops->close(src->alone);
    free(src);
}

static void stop(struct hr__source *source) {
    struct hr__source *alone = ((struct record_source *)source)->alone;
    alone->ops->stop(alone);
}

static const struct hr__source_ops record_ops = {.name = "a member of records",
                                                 .open_reader = open_reader,
                                                 .read = read_samples,
                                                 .close_reader = close_reader,
                                                 .close = close_source,
                                                 .piece_end = piece_end,
                                                 .set_room = set_room,
                                                 .set_alone = set_alone,
                                                 .stop = stop};

static const struct hr__source_ops alone_ops = {.name = "a member of records, alone",
                                                .open_reader = open_reader,
                                                .read = read_samples,
                                                .close_reader = close_reader,
                                                .close = close_source,
                                                .stop = stop};

void hr__record_sources_end(struct hr__record_file *file) {
    if (file != NULL && file->members.n == 1)
        set_alone(file->members.sources[0]);
    hr__record_file_release(file);
}

static hr_status find_file(const struct hr__helper_target *target, struct hr__record_file **file,
                           hr_error *err) {
    if (*file != NULL && hr__record_file_has(*file, &target->field))
        return HR_OK;
    hr__record_sources_end(*file);
    return hr__record_file_make(target, file, err);
}

hr_status hr__record_source_make(struct hr__source **source, const struct hr__helper_target *target,
                                 struct hr__record_file **file, hr_error *err) {
    hr_status st = find_file(target, file, err);
    if (st != HR_OK)
        return st;
    struct record_source *src = calloc(1, sizeof *src);
    if (src == NULL)
        return hr__error_no_memory(err, sizeof *src, "a source");
    st = hr__record_file_add(*file, &target->field, &src->base, err);
    if (st != HR_OK) {
        free(src);
        return st;
    }
    src->alone = *source;
    src->target = target;
    src->file = *file;
    src->base.ops = &record_ops;
    src->base.info = src->alone->info;
    src->base.info.reader_bytes = src->base.info.reader_wanted_bytes = 0;
    src->base.info.pool = &src->file->pool;
    src->base.info.pool_bytes = src->file->room_bytes;
    *source = &src->base;
    return HR_OK;
}
