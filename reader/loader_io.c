/*
 * How a loader reads: through the page cache, or directly by libaio; and one visit's read.
 */
#include "loader.h"

#include "checked.h"
#include "error.h"
#include "memory_limit.h"

#include <errno.h>
#include <string.h>

/* Data that fit half of what memory is left are read through the page cache, so that a second epoch
 * runs at memory speed; others are read past it, so that they do not evict the user's own pages. */
static bool fits_page_cache(const hr_dataset *ds) {
    struct hr__memory_limit limit;
    hr__memory_limit_read("", &limit);
    uint64_t room = limit.available_bytes;
    if (limit.cgroup_limit_bytes != UINT64_MAX) {
        uint64_t used = hr__min_u64(limit.anonymous_used_bytes, limit.cgroup_limit_bytes);
        room = hr__min_u64(room, limit.cgroup_limit_bytes - used);
    }
    return ds->superblock.file_bytes <= room / 2;
}

bool hr__reads_cached(const hr_dataset *ds, hr_io asked) {
    return asked == HR_IO_CACHED || (asked == HR_IO_AUTO && fits_page_cache(ds));
}

hr_status hr__loader_io_choose(struct hr_loader *l, hr_io asked, hr_error *err) {
    l->direct_fd = -1;
    l->align_bytes = 1;
    l->io = HR_IO_CACHED;
    if (hr__reads_cached(l->ds, asked))
        return HR_OK;
    int fd = hr__direct_open(&l->ds->file, &l->align_bytes);
    struct hr__io_queue probe = {0};
    hr_status st = HR_OK;
    if (fd >= 0) /* where the page cache will do, a refusal is no error */
        st = hr__aio_queue_open(fd, l->align_bytes, 1, &probe, asked == HR_IO_AUTO ? NULL : err);
    hr__io_queue_close(&probe);
    if (fd >= 0 && st == HR_OK) {
        l->direct_fd = fd;
        l->io = HR_IO_DIRECT;
        return HR_OK;
    }
    if (fd >= 0)
        hr__direct_close(fd);
    l->align_bytes = 1;
    if (asked == HR_IO_AUTO)
        return HR_OK;
    if (st != HR_OK)
        return st;
    if (fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE)
        return hr__error_os(err, -fd, "cannot open the file once more for direct reads");
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "its file system refuses direct reads (%s); read through the page cache",
                         strerror(-fd));
}

hr_status hr__loader_io_queue(struct hr_loader *l, uint32_t depth, struct hr__io_queue *out,
                              hr_error *err) {
    if (l->io == HR_IO_DIRECT)
        return hr__aio_queue_open(l->direct_fd, l->align_bytes, depth, out, err);
    return hr__cached_queue_open(&l->ds->file, depth, out, err);
}

static hr_status io_failed(const struct hr__worker *w, const struct hr__read *r, int os_errno,
                           hr_error *err) {
    hr_status st =
        hr__error_os(err, os_errno, "reading %llu bytes at offset %llu failed",
                     (unsigned long long)r->n_bytes, (unsigned long long)(r->off + r->skip));
    return hr__dataset_blame(w->loader->ds, r->item.chunk, UINT32_MAX, st, err);
}

hr_status hr__read_submit(struct hr__worker *w, struct hr__read *r, uint32_t number,
                          hr_error *err) {
    struct hr_loader *l = w->loader;
    hr_status st = hr__dataset_locate(l->ds, r->item.chunk, &w->index, &r->entry, err);
    if (st != HR_OK)
        return st;
    uint64_t align = l->align_bytes, off = r->entry.page * HR__PAGE_BYTES;
    r->n_bytes = (uint64_t)r->entry.pages * HR__PAGE_BYTES;
    r->submitted_ns = hr__worker_clock(w);
    if (!l->config.all_fields)
        r->n_bytes =
            hr__min_u64(r->n_bytes, atomic_load_explicit(&l->prefix_bytes, memory_order_relaxed));
    r->off = off / align * align;
    r->skip = off - r->off;
    size_t n_bytes = (size_t)hr__round_up(r->skip + r->n_bytes, align);
    int rc = w->queue.ops->submit(w->queue.ctx, number, r->buf, n_bytes, r->off);
    if (rc < 0)
        return io_failed(w, r, -rc, err);
    hr__count(&w->counters.read_bytes, n_bytes);
    return HR_OK;
}

hr_status hr__read_check(const struct hr__worker *w, const struct hr__read *r, int64_t result,
                         hr_error *err) {
    if (result < 0)
        return io_failed(w, r, (int)-result, err);
    if ((uint64_t)result >= r->skip + r->n_bytes)
        return HR_OK;
    hr_status st = hr__error_at(err, HR_ERR_CORRUPT, r->off + (uint64_t)result,
                                "the file ends at offset %llu, %llu bytes short of the chunk's "
                                "end: it was truncated while it was read; copy it again",
                                (unsigned long long)(r->off + (uint64_t)result),
                                (unsigned long long)(r->skip + r->n_bytes - (uint64_t)result));
    return hr__dataset_blame(w->loader->ds, r->item.chunk, UINT32_MAX, st, err);
}

hr_status hr__read_extend(struct hr__worker *w, struct hr__read *r, uint64_t n_bytes,
                          hr_error *err) {
    struct hr_loader *l = w->loader;
    if (n_bytes <= r->n_bytes)
        return HR_OK;
    hr_status st =
        hr__file_read_exact(&l->ds->file, r->buf + r->skip + r->n_bytes,
                            (size_t)(n_bytes - r->n_bytes), r->off + r->skip + r->n_bytes, err);
    if (st != HR_OK)
        return hr__dataset_blame(l->ds, r->item.chunk, UINT32_MAX, st, err);
    hr__count(&w->counters.read_bytes, n_bytes - r->n_bytes);
    r->n_bytes = n_bytes;
    uint64_t seen = atomic_load_explicit(&l->prefix_bytes, memory_order_relaxed);
    while (seen < n_bytes && !atomic_compare_exchange_weak(&l->prefix_bytes, &seen, n_bytes))
        ;
    return HR_OK;
}
