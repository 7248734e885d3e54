/*
 * How a loader reads, and one visit's read.
 */
#include "loader.h"

#include "checked.h"
#include "error.h"
#include "memory_limit.h"

bool hr__fits_page_cache(const hr_dataset *ds) {
    return ds->file_bytes <= hr__page_cache_share("");
}

hr_status hr__loader_io_choose(const hr_dataset *ds, hr_io asked, struct hr__io_backend *out,
                               hr_error *err) {
    return hr__io_backend_choose(ds->files, ds->num_files, asked, !hr__fits_page_cache(ds), out,
                                 err);
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
    hr_status st = hr__dataset_locate(l->ds, r->item.chunk, &w->index, &r->at, err);
    if (st != HR_OK)
        return st;
    uint64_t align = l->io.align_bytes, off = r->at.entry.page * HR__PAGE_BYTES;
    r->n_bytes = (uint64_t)r->at.entry.pages * HR__PAGE_BYTES;
    r->submitted_ns = hr__worker_clock(w);
    if (!l->config.all_fields)
        r->n_bytes =
            hr__min_u64(r->n_bytes, atomic_load_explicit(&l->prefix_bytes, memory_order_relaxed));
    r->off = off / align * align;
    r->skip = off - r->off;
    size_t n_bytes = (size_t)hr__round_up(r->skip + r->n_bytes, align);
    int rc = w->queue.ops->submit(w->queue.ctx, number, r->at.file, r->buf, n_bytes, r->off);
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
        hr__file_read_exact(&l->ds->files[r->at.file], r->buf + r->skip + r->n_bytes,
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
