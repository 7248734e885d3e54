/*
 * The memory of readers, divided.
 */
#include "reader_shares.h"

#include "checked.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* Of one reader, which has a share; 0: it has none. Parts of a field that are no helper's may need
 * cursors. */
static uint64_t least_of(const struct hr__source_info *info) {
    uint64_t least = info->reader_bytes;
    if (least != 0 && !hr__add_u64(least, info->pool_bytes, &least))
        least = UINT64_MAX;
    return least;
}

/* Of one reader of every field. */
struct needs {
    uint64_t least_bytes;
    uint64_t pool_bytes; /* cursors of the fields that have no share */
    uint32_t num_shares; /* fields whose readers need memory */
};

/* A field without a share, whose cursors are not those of such a field before it. */
static bool brings_cursors(const struct hr__inputs *in, uint32_t field) {
    const struct hr__source_info *info = &in->fields[field].source->info;
    for (uint32_t i = 0; i < field; i++) {
        const struct hr__source_info *before = &in->fields[i].source->info;
        if (before->reader_bytes == 0 && before->pool == info->pool)
            return false;
    }
    return info->reader_bytes == 0;
}

static bool find_needs(const struct hr__inputs *in, struct needs *out) {
    *out = (struct needs){0};
    for (uint32_t i = 0; i < in->num_fields; i++) {
        const uint64_t least = least_of(&in->fields[i].source->info);
        out->num_shares += least != 0;
        const struct hr__source_info *info = &in->fields[i].source->info;
        const uint64_t pool = brings_cursors(in, i) ? info->pool_bytes : 0;
        if (!hr__add_u64(out->least_bytes, least, &out->least_bytes) ||
            !hr__add_u64(out->pool_bytes, pool, &out->pool_bytes))
            return false;
    }
    return true;
}

static hr_status make_shares(struct hr__reader_shares *s, const struct hr__inputs *in,
                             uint64_t extra_bytes, hr_error *err) {
    const size_t n = (size_t)s->num_readers * in->num_fields;
    s->list = calloc(n, sizeof *s->list);
    if (s->list == NULL)
        return hr__error_no_memory(err, n * sizeof *s->list, "shares of memory");
    for (size_t i = 0; i < n; i++) {
        const struct hr__source_info *info = &in->fields[i % in->num_fields].source->info;
        if (info->reader_bytes == 0)
            continue;
        const uint64_t more = info->reader_wanted_bytes > info->reader_bytes
                                  ? info->reader_wanted_bytes - info->reader_bytes
                                  : 0;
        const uint64_t share = least_of(info) + hr__min_u64(more, extra_bytes);
        hr_status st = hr__budget_reserve(s->parent, share, "reading the source", err);
        if (st != HR_OK)
            return st;
        s->charged_bytes += share;
        hr__budget_init_uncounted(&s->list[i]);
        s->list[i].limit_bytes = share;
    }
    return HR_OK;
}

hr_status hr__reader_shares_make(const struct hr__inputs *in, uint32_t max_readers,
                                 struct hr__budget *budget, struct hr__reader_shares *out,
                                 hr_error *err) {
    struct needs needs;
    *out = (struct hr__reader_shares){
        .parent = budget, .num_fields = in->num_fields, .num_readers = max_readers};
    if (!find_needs(in, &needs))
        return hr__error_set(err, HR_ERR_BUDGET, "reading the source needs more than there can be");
    if (needs.num_shares == 0)
        return HR_OK;
    const uint64_t left = hr__budget_left(budget);
    uint64_t each;
    if (!hr__add_u64(needs.least_bytes, needs.pool_bytes, &each))
        each = UINT64_MAX;
    const uint64_t fitting = hr__max_u64(left / hr__max_u64(each, 1), 1);
    out->num_readers = (uint32_t)hr__min_u64(max_readers, fitting);
    const uint64_t least = hr__min_u64(each, left / out->num_readers) * out->num_readers;
    const uint64_t extra = left > least ? left - least : 0;
    hr_status st =
        make_shares(out, in, extra / ((uint64_t)out->num_readers * needs.num_shares), err);
    if (st != HR_OK)
        hr__reader_shares_close(out);
    return st;
}

struct hr__budget *hr__reader_shares_of(const struct hr__reader_shares *s, uint32_t reader,
                                        uint32_t field) {
    struct hr__budget *own =
        s->list != NULL ? &s->list[(size_t)reader * s->num_fields + field] : NULL;
    return own != NULL && own->limit_bytes != 0 ? own : s->parent;
}

static hr_status lend(struct hr__reader_shares *s, struct hr__budget *own, uint64_t n_bytes,
                      hr_error *err) {
    const hr_status st = hr__budget_reserve(s->parent, n_bytes, "reading it", err);
    if (st == HR_OK) {
        own->limit_bytes += n_bytes;
        s->charged_bytes += n_bytes;
    }
    return st;
}

hr_status hr__reader_shares_lend(struct hr__reader_shares *s, uint32_t field, hr_error *err) {
    struct hr__budget *own = hr__reader_shares_of(s, 0, field);
    if (own == s->parent)
        return HR_OK;
    const uint64_t missing = atomic_load(&own->missing_bytes), left = hr__budget_left(s->parent);
    if (missing > left) {
        (void)lend(s, own, left, NULL);
        return HR_OK;
    }
    const uint64_t twice = hr__max_u64(missing, own->limit_bytes);
    const hr_status st = lend(s, own, twice, NULL);
    return st == HR_OK ? st : lend(s, own, missing, err);
}

void hr__reader_shares_take_back(struct hr__reader_shares *s, uint32_t field) {
    struct hr__budget *own = hr__reader_shares_of(s, 0, field);
    const uint64_t unused = hr__budget_left(own);
    own->limit_bytes -= unused;
    s->charged_bytes -= unused;
    hr__budget_release(s->parent, unused);
}

void hr__reader_shares_close(struct hr__reader_shares *s) {
    if (s->charged_bytes != 0)
        hr__budget_release(s->parent, s->charged_bytes);
    free(s->list);
    memset(s, 0, sizeof *s);
}
