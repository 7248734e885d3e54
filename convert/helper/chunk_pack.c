/*
 * Chunks as HDF5's filters shuffle and gzip would store them, by several threads: the library's own
 * pipeline compresses one after the other.
 */
#include "chunk_pack.h"
#include "checked.h"
#include "error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define STACK_BYTES   (256u << 10)
#define DEFLATE_MASK  (1u << 1) /* the second filter of the pipeline was not applied */
#define DEFLATE_ALONE (1u << 0)

struct job {
    const struct pack *pack;
    uint64_t first, n;
    const uint8_t *rows;
    struct packed_chunk *out;
    atomic_uint_fast64_t next;
    atomic_bool failed;
};

/* First bytes of all elements, then the second ones, ...; what is left over of them at the end. */
static void shuffle(const uint8_t *in, uint64_t n_bytes, uint32_t width, uint8_t *out) {
    uint64_t n = n_bytes / width;
    for (uint32_t b = 0; b < width; b++)
        for (uint64_t i = 0; i < n; i++)
            out[b * n + i] = in[i * width + b];
    memcpy(out + n * width, in + n * width, (size_t)(n_bytes - n * width));
}

/* Raw bytes where deflate makes nothing smaller. */
static bool deflate_chunk(const struct pack *p, const uint8_t *whole, struct packed_chunk *out) {
    uLongf packed_bytes = compressBound((uLong)p->chunk_bytes);
    out->bytes = malloc(packed_bytes);
    if (out->bytes == NULL ||
        compress2(out->bytes, &packed_bytes, whole, (uLong)p->chunk_bytes, (int)p->level) != Z_OK)
        return false;
    out->n_bytes = packed_bytes;
    if (packed_bytes >= p->chunk_bytes) {
        memcpy(out->bytes, whole, (size_t)p->chunk_bytes);
        out->n_bytes = p->chunk_bytes;
        out->filter_mask = p->shuffle_bytes > 1 ? DEFLATE_MASK : DEFLATE_ALONE;
    }
    return true;
}

static bool pack_chunk(const struct job *job, uint64_t i, uint8_t *scratch) {
    const struct pack *p = job->pack;
    uint64_t off = hr__chunks_bytes(p->chunks, job->first, i);
    uint8_t *whole = scratch, *shuffled = scratch + p->chunk_bytes;
    struct hr__chunk_run run;
    hr__chunks_run(p->chunks, job->first + i, &run);
    memcpy(whole, job->rows + off, (size_t)run.n_bytes);
    memset(whole + run.n_bytes, 0, (size_t)(p->chunk_bytes - run.n_bytes));
    if (p->shuffle_bytes <= 1)
        return deflate_chunk(p, whole, &job->out[i]);
    shuffle(whole, p->chunk_bytes, p->shuffle_bytes, shuffled);
    return deflate_chunk(p, shuffled, &job->out[i]);
}

static void *work(void *arg) {
    struct job *job = arg;
    uint8_t *scratch = malloc((size_t)(2 * job->pack->chunk_bytes));
    for (uint64_t i; scratch != NULL && (i = atomic_fetch_add(&job->next, 1)) < job->n;)
        if (!pack_chunk(job, i, scratch))
            atomic_store(&job->failed, true);
    if (scratch == NULL)
        atomic_store(&job->failed, true);
    free(scratch);
    return NULL;
}

hr_status chunks_pack(const struct pack *p, uint64_t first, uint64_t n, const uint8_t *rows,
                      struct packed_chunk *out, hr_error *err) {
    struct job job = {.pack = p, .first = first, .n = n, .rows = rows, .out = out};
    pthread_t threads[HR__HELPER_MAX_THREADS];
    uint32_t started = 0, more = (uint32_t)hr__min_u64(p->num_threads, n) - 1;
    pthread_attr_t attr;
    memset(out, 0, n * sizeof *out);
    bool has_attr = pthread_attr_init(&attr) == 0;
    if (has_attr && pthread_attr_setstacksize(&attr, STACK_BYTES) == 0)
        while (started < more && pthread_create(&threads[started], &attr, work, &job) == 0)
            started++;
    (void)work(&job); /* this one too, and alone where the system refuses more */
    for (uint32_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    if (has_attr)
        (void)pthread_attr_destroy(&attr);
    if (!atomic_load(&job.failed))
        return HR_OK;
    chunks_pack_free(out, n);
    return hr__error_set(err, HR_ERR_HELPER,
                         "compressing needs more memory than a helper may use; allow it more, or "
                         "compress by fewer threads");
}

void chunks_pack_free(struct packed_chunk *chunks, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        free(chunks[i].bytes);
        chunks[i].bytes = NULL;
    }
}
