/*
 * What part of a data set the page cache holds, asked for a few chunks of it.
 */
#include "cached_share.h"

#include "checked.h"

#include <errno.h>

#define MOST_CHUNKS 256u

/* 1 or 0 by one byte in the middle, where the system does not count pages; this may bring the pages
 * around it. -1: it cannot tell that either. */
static double share_by_byte(const struct hr__file *file, uint64_t n_bytes, uint64_t off) {
    uint8_t byte;
    if (file->ops->read_now == NULL)
        return -1;
    int64_t n = file->ops->read_now(file->ctx, &byte, 1, off + n_bytes / 2);
    return n >= 0 ? 1 : n == -EAGAIN ? 0 : -1;
}

/* Whether the system counts pages of this file: the first was read when it was opened. Where
 * another file system lies beneath, as under overlayfs, none of them are its own. */
static bool can_count(const struct hr__file *file) {
    return file->ops->cached != NULL && file->ops->cached(file->ctx, HR__PAGE_BYTES, 0) > 0;
}

static double share_of(const struct hr__file *file, uint64_t n_bytes, uint64_t off) {
    int64_t cached = can_count(file) ? file->ops->cached(file->ctx, n_bytes, off) : -EOPNOTSUPP;
    if (cached < 0)
        return share_by_byte(file, n_bytes, off);
    return (double)hr__min_u64((uint64_t)cached, n_bytes) / (double)n_bytes;
}

hr_status hr__cached_share(const struct hr__sketch *s, double *out, hr_error *err) {
    const struct hr__loader_config *c = &s->config;
    const hr_dataset *ds = c->ds;
    struct hr__index_cache index = {0};
    uint64_t items = hr__order_num_visits(s->order, c->first_stream) * c->num_streams;
    uint64_t count = hr__min_u64(items, MOST_CHUNKS);
    hr_status st = HR_OK;
    double sum = 0;
    *out = 0;
    for (uint64_t i = 0; i < count && *out >= 0; i++) {
        struct hr__chunk_at at = {0};
        uint64_t item = items / count * i + items % count * i / count;
        st = hr__dataset_locate(ds, hr__sketch_chunk(s, item), &index, &at, err);
        if (st != HR_OK)
            break;
        double share = share_of(&ds->files[at.file], (uint64_t)at.entry.pages * HR__PAGE_BYTES,
                                at.entry.page * HR__PAGE_BYTES);
        sum += share;
        *out = share < 0 ? -1 : sum / (double)count;
    }
    hr__index_cache_free(&index);
    return st;
}
