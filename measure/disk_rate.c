/*
 * How fast this machine can deliver a file's chunks at all, read as a loader reads them: each
 * thread submits and reaps its own reads, by the same back end. The bytes are not looked at.
 */
#include "rates.h"

#include "checked.h"
#include "crew.h"
#include "error.h"
#include "io_queue.h"

#include <stdlib.h>

#define REAP_AT_ONCE 8u

struct reader {
    const struct hr__disk_reads *reads;
    struct hr__io_queue queue;
    struct hr__index_cache index;
    uint32_t depth;
    uint8_t *buffers; /* depth x buffer_bytes */
    size_t buffer_bytes;
    uint32_t *free_buffers; /* a stack */
    uint64_t *asked_bytes;  /* [buffer]: of the read in flight */
    uint32_t num_free;
};

static void reader_end(void *mine) {
    struct reader *r = mine;
    hr__io_queue_close(&r->queue); /* first: the buffers belong to it until then */
    size_t n_bytes = r->buffer_bytes * r->depth;
    if (r->buffers != NULL) {
        hr__read_buffers_free(r->buffers, n_bytes);
        hr__budget_release(r->reads->budget, n_bytes);
    }
    hr__index_cache_free(&r->index);
    free(r->free_buffers);
    free(r->asked_bytes);
    free(r);
}

static hr_status buffers_make(struct reader *r, hr_error *err) {
    size_t n_bytes = r->buffer_bytes * r->depth;
    hr_status st = hr__budget_reserve(r->reads->budget, n_bytes, "read buffers", err);
    if (st != HR_OK)
        return st;
    r->buffers = hr__read_buffers_alloc(n_bytes);
    if (r->buffers == NULL) {
        hr__budget_release(r->reads->budget, n_bytes);
        return hr__error_no_memory(err, n_bytes, "read buffers");
    }
    return HR_OK;
}

static hr_status reader_begin(const void *user, void **mine, hr_error *err) {
    const struct hr__disk_reads *reads = user;
    hr_status st;
    struct reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return hr__error_no_memory(err, sizeof(*r), "a reader");
    r->reads = reads;
    r->buffer_bytes = (size_t)reads->sketch->config.io_buffer_bytes;
    r->depth = hr__sketch_depth(reads->sketch);
    r->free_buffers = calloc(r->depth, sizeof(*r->free_buffers));
    r->asked_bytes = calloc(r->depth, sizeof(*r->asked_bytes));
    if (r->free_buffers == NULL || r->asked_bytes == NULL) {
        st = hr__error_no_memory(err, r->depth * sizeof(*r->asked_bytes), "a reader");
        goto done;
    }
    for (uint32_t i = 0; i < r->depth; i++)
        r->free_buffers[r->num_free++] = i;
    HR_TRY(buffers_make(r, err));
    HR_TRY(hr__io_backend_queue(reads->backend, r->depth, r->buffers, r->buffer_bytes * r->depth,
                                &r->queue, err));
    *mine = r;
    r = NULL;
done:
    if (r != NULL)
        reader_end(r);
    return st;
}

static hr_status reap(struct reader *r, uint64_t *bytes, hr_error *err) {
    struct hr__io_done done[REAP_AT_ONCE];
    const char *name = hr__dataset_name(r->reads->sketch->config.ds);
    int n = r->queue.ops->reap(r->queue.ctx, done, REAP_AT_ONCE);
    if (n < 0)
        return hr__error_os(err, -n, "%s: waiting for reads failed", name);
    for (int i = 0; i < n; i++) {
        uint64_t asked = r->asked_bytes[done[i].tag];
        if (done[i].result < 0)
            return hr__error_os(err, (int)-done[i].result, "%s: reading %llu bytes failed", name,
                                (unsigned long long)asked);
        if ((uint64_t)done[i].result < asked)
            return hr__error_set(err, HR_ERR_CORRUPT,
                                 "%s ends within a chunk: it was truncated while it was read; copy "
                                 "it again",
                                 name);
        *bytes += asked;
        r->free_buffers[r->num_free++] = (uint32_t)done[i].tag;
    }
    return HR_OK;
}

/* One read more; where all are in flight, first those that have arrived. */
static hr_status read_chunk(const void *user, void *mine, uint64_t turn, uint64_t *bytes,
                            hr_error *err) {
    const struct hr__disk_reads *reads = user;
    struct reader *r = mine;
    struct hr__chunk_at at;
    const hr_dataset *ds = reads->sketch->config.ds;
    uint64_t chunk = hr__sketch_chunk(reads->sketch, turn);
    hr_status st = hr__dataset_locate(ds, chunk, &r->index, &at, err);
    if (st == HR_OK && r->num_free == 0)
        st = reap(r, bytes, err);
    if (st != HR_OK)
        return st;
    uint32_t number = r->free_buffers[--r->num_free];
    size_t n_bytes =
        (size_t)hr__min_u64((uint64_t)at.entry.pages * HR__PAGE_BYTES, reads->most_bytes);
    r->asked_bytes[number] = n_bytes;
    int rc =
        r->queue.ops->submit(r->queue.ctx, number, at.file, r->buffers + number * r->buffer_bytes,
                             n_bytes, at.entry.page * HR__PAGE_BYTES);
    if (rc < 0) {
        st = hr__error_os(err, -rc, "reading %zu bytes at offset %llu failed", n_bytes,
                          (unsigned long long)at.entry.page * HR__PAGE_BYTES);
        return hr__dataset_blame(ds, chunk, UINT32_MAX, st, err);
    }
    return HR_OK;
}

hr_status hr__disk_rate(const struct hr__disk_reads *reads, int64_t run_ns,
                        const struct hr__watch *watch, double *bytes_per_s, hr_error *err) {
    const struct hr__crew_job job = {reads, reader_begin, read_chunk, reader_end};
    const uint32_t num_threads = reads->sketch->config.num_threads;
    hr_status st = hr__crew_run(&job, num_threads, run_ns, watch, bytes_per_s, err);
    /* As a loader does where a ring is refused. */
    if (st == HR_ERR_UNSUPPORTED && hr__io_backend_without_rings(reads->backend))
        st = hr__crew_run(&job, num_threads, run_ns, watch, bytes_per_s, err);
    return st;
}
