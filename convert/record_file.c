/*
 * Cursors over whole records, and members taken out of them. The helper, and what it puts into the
 * shared memory, are untrusted: where a member lies was checked when it was listed, and values are
 * looked at in the copy.
 */
#define _GNU_SOURCE
#include "record_file.h"

#include "checked.h"
#include "error.h"
#include "helper_values.h"
#include "strided_copy.h"

#include <stdlib.h>
#include <string.h>

struct cursor {
    struct hr__cursor base;
    struct hr__budget *budget; /* that the room is taken from */
    struct hr__budget own;     /* the room */
    struct hr__helper_reader *reader;
};

/* --- cursors -------------------------------------------------------------------------------- */

static void free_cursor(struct hr__cursor *cursor) {
    struct cursor *c = (struct cursor *)cursor;
    hr__helper_reader_close(c->reader);
    if (c->own.limit_bytes != 0)
        hr__budget_release(c->budget, c->own.limit_bytes);
    free(c);
}

static hr_status fill_cursor(struct hr__cursor *cursor, void *file, struct hr__budget *budget,
                             hr_error *err) {
    struct cursor *c = (struct cursor *)cursor;
    const struct hr__record_file *f = file;
    c->budget = budget;
    hr_status st = hr__budget_reserve(budget, f->room_bytes, "reading records", err);
    if (st == HR_OK) {
        hr__budget_init_uncounted(&c->own);
        c->own.limit_bytes = f->room_bytes;
        st = hr__helper_reader_open(&f->target, &c->own, NULL, &c->reader, err);
    } else {
        hr__error_prefix(err, "%s:/%s", f->path, f->member);
    }
    return st;
}

static const struct hr__cursor_ops cursor_ops = {
    .cursor_bytes = sizeof(struct cursor), .fill = fill_cursor, .free = free_cursor};

/* --- the file ------------------------------------------------------------------------------- */

static void free_file(struct hr__record_file *f) {
    hr__cursor_pool_close(&f->pool);
    free(f->members.sources);
    free(f->member);
    free(f->path);
    free(f);
}

hr_status hr__record_file_make(const struct hr__helper_target *member, struct hr__record_file **out,
                               hr_error *err) {
    hr_status st;
    *out = NULL;
    struct hr__record_file *f = calloc(1, sizeof *f);
    if (f == NULL)
        return hr__error_no_memory(err, sizeof *f, "the records of a data set");
    f->path = strdup(member->path);
    f->member = strdup(member->field.record.path);
    if (f->path == NULL || f->member == NULL) {
        st = hr__error_no_memory(err, strlen(member->path), "the records of a data set");
        goto done;
    }
    f->target = (struct hr__helper_target){.path = f->path,
                                           .field = hr__helper_field_of_records(&member->field),
                                           .opts = member->opts,
                                           .records = true,
                                           .program = member->program};
    f->target.field.member = f->member;
    HR_TRY(hr__cursor_pool_init(&f->pool, &cursor_ops, f, err));
    hr__record_file_set_room(f, UINT64_MAX);
    *out = f;
    f = NULL;
done:
    if (f != NULL)
        free_file(f);
    return st;
}

void hr__record_file_release(struct hr__record_file *f) {
    if (f != NULL && hr__cursor_pool_release(&f->pool))
        free_file(f);
}

bool hr__record_file_has(const struct hr__record_file *f, const struct hr__helper_field *member) {
    return member->record.path != NULL && strcmp(f->member, member->record.path) == 0;
}

static bool fits(const struct hr__record_file *f, const struct hr__helper_field *member) {
    const struct hr__helper_field records = hr__helper_field_of_records(member);
    const struct hr__helper_field *is = &f->target.field;
    return records.width_bytes == is->width_bytes && records.rank == is->rank &&
           records.num_samples == is->num_samples && records.flags == is->flags &&
           records.granule_samples == is->granule_samples &&
           records.chunk_bytes == is->chunk_bytes &&
           records.chunk_row_bytes == is->chunk_row_bytes &&
           memcmp(records.shape, is->shape, sizeof records.shape) == 0 &&
           hr__helper_record_member_bytes(member) <= is->width_bytes - f->members_bytes;
}

hr_status hr__record_file_add(struct hr__record_file *f, const struct hr__helper_field *member,
                              struct hr__source *source, hr_error *err) {
    if (!fits(f, member))
        return hr__error_set(err, HR_ERR_HELPER, "members that do not fit their records");
    const hr_status st = hr__source_list_add(&f->members, source, err);
    if (st != HR_OK)
        return st;
    f->members_bytes += hr__helper_record_member_bytes(member);
    hr__cursor_pool_hold(&f->pool);
    return HR_OK;
}

struct hr__source *hr__record_file_remove(struct hr__record_file *f, struct hr__source *source) {
    struct hr__source_list *l = &f->members;
    uint32_t i = 0;
    while (l->sources[i] != source)
        i++;
    l->sources[i] = l->sources[--l->n];
    struct hr__source *left = l->n == 1 ? l->sources[0] : NULL;
    hr__record_file_release(f);
    return left;
}

void hr__record_file_set_room(struct hr__record_file *f, uint64_t n_bytes) {
    const struct hr__helper_field *field = &f->target.field;
    const uint64_t wanted = hr__helper_reader_wanted_bytes(field);
    f->room_bytes = hr__max_u64(hr__min_u64(n_bytes, wanted), hr__helper_reader_least_bytes(field));
    f->piece_samples = hr__helper_reader_window(field, f->room_bytes);
}

/* --- reading -------------------------------------------------------------------------------- */

/* The member of each of n samples' records. */
static void take_member(const struct hr__helper_field *member, const uint8_t *rows, uint64_t n,
                        uint8_t *dst) {
    struct hr__strided_axis axes[HR__MAX_STRIDED_AXES];
    const struct hr__helper_record *r = &member->record;
    const uint32_t num_inner = member->rank - r->rank;
    const uint32_t own_bytes = hr_dtype_bytes(member->dtype);
    const size_t width = own_bytes != 0 ? own_bytes : member->width_bytes;
    uint64_t bytes = width;
    for (uint32_t i = num_inner; i-- > 0;) {
        const uint64_t entries = member->shape[r->rank + i];
        axes[1 + i] = (struct hr__strided_axis){entries, r->steps[r->rank + i], bytes};
        bytes *= entries;
    }
    axes[0] = (struct hr__strided_axis){n * (member->sample_bytes / bytes), r->bytes, bytes};
    hr__strided_copy(axes, 1 + num_inner, width, rows + r->at, dst);
}

static hr_status read_with(struct cursor *c, const struct hr__helper_field *member, uint64_t first,
                           uint64_t n, bool alone, uint8_t *dst, hr_error *err) {
    const bool ahead = hr__helper_reader_goes_on(c->reader, first, n) && alone;
    while (n > 0) {
        const uint8_t *rows;
        uint64_t done = 0;
        const hr_status st = hr__helper_reader_view(c->reader, first, n, ahead, &rows, &done, err);
        if (st != HR_OK)
            return st;
        take_member(member, rows, done, dst);
        dst += done * member->sample_bytes;
        first += done;
        n -= done;
    }
    return HR_OK;
}

hr_status hr__record_file_read(struct hr__record_file *f, const struct hr__helper_target *member,
                               uint64_t first, uint64_t n, uint8_t *dst, hr_error *err) {
    /* What is ahead of one of several threads is another one's. */
    const bool alone = hr__cursor_pool_has_one(&f->pool);
    struct cursor *c = (struct cursor *)hr__cursor_pool_take(&f->pool, HR__NO_PIECE);
    const hr_status st = read_with(c, &member->field, first, n, alone, dst, err);
    hr__cursor_pool_give(&f->pool, &c->base);
    return st == HR_OK ? hr__helper_values_check(member, first, n, dst, err) : st;
}
