/*
 * Runs of chunks, dealt out to threads. The sources are untrusted.
 */
#include "chunk_copy.h"

#include "checked.h"
#include "error.h"
#include "superblock.h"
#include "thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_THREADS    8u
#define MAX_RUN_CHUNKS 512u
#define THREAD_BYTES   (HR__STREAM_BUFFER_BYTES + (UINT64_C(64) << 10))

struct copy {
    const struct hr__chunk_copy_job *job;
    hr__mutex lock;
    struct hr__index_cache index; /* under lock */
    uint64_t next_chunk;          /* under lock */
    hr_error failure;             /* under lock; status HR_OK: none */
    _Atomic uint64_t done_bytes;
};

struct run {
    uint64_t first_chunk;
    uint32_t num_chunks;
    struct hr__chunk_at at; /* of the first */
    uint64_t n_bytes;
    uint64_t to_off;
    uint32_t pages[MAX_RUN_CHUNKS]; /* of each chunk */
};

struct hr__chunk_from hr__chunk_from(const hr_dataset *ds, uint64_t chunk,
                                     const struct hr__chunk_at *at) {
    return (struct hr__chunk_from){.file = &ds->files[at->file],
                                   .off = at->entry.page * HR__PAGE_BYTES,
                                   .room_bytes = at->entry.pages * (uint64_t)HR__PAGE_BYTES,
                                   .expected = hr__dataset_expect(ds, chunk, at)};
}

static uint32_t samples_of(const hr_dataset *ds, uint64_t chunk) {
    uint64_t first_sample;
    uint32_t num_samples;
    hr__segment_chunk(ds->footer.segments, ds->footer.num_segments,
                      ds->footer.schema.samples_per_chunk, chunk, &first_sample, &num_samples);
    return num_samples;
}

/* Whether the chunk at `at` goes on with the run, in its source and in the target. */
static bool run_goes_on(const struct copy *c, const struct run *r, const struct hr__chunk_at *at) {
    const uint64_t pages = r->n_bytes / HR__PAGE_BYTES;
    return r->num_chunks < MAX_RUN_CHUNKS && at->file == r->at.file &&
           at->number == r->at.number + r->num_chunks &&
           at->entry.page == r->at.entry.page + pages &&
           r->n_bytes + at->entry.pages * (uint64_t)HR__PAGE_BYTES <= HR__STREAM_PIECE_BYTES &&
           c->job->to->sink.end_off == r->to_off + r->n_bytes;
}

/* The next run, with its places. num_chunks 0: there is none left. Under lock. */
static hr_status deal(struct copy *c, struct run *r, hr_error *err) {
    const hr_dataset *ds = c->job->from;
    *r = (struct run){.first_chunk = c->next_chunk};
    while (c->next_chunk < ds->footer.num_chunks) {
        struct hr__chunk_at at;
        uint64_t off;
        hr_status st = hr__dataset_locate(ds, c->next_chunk, &c->index, &at, err);
        if (st != HR_OK)
            return st;
        if (r->num_chunks > 0 && !run_goes_on(c, r, &at))
            return HR_OK;
        st = hr__new_file_add(c->job->to, at.entry.pages, samples_of(ds, c->next_chunk), NULL, &off,
                              err);
        if (st != HR_OK)
            return st;
        if (r->num_chunks == 0) {
            r->at = at;
            r->to_off = off;
        }
        r->pages[r->num_chunks++] = at.entry.pages;
        r->n_bytes += at.entry.pages * (uint64_t)HR__PAGE_BYTES;
        c->next_chunk++;
    }
    return HR_OK;
}

/* A chunk of the run that is in the buffer gets its new header. */
static hr_status take_over(const struct copy *c, const struct run *r, uint32_t i, uint8_t *bytes,
                           uint64_t page, hr_error *err) {
    const struct hr__chunk_identity *id = &c->job->to->job.identity;
    const uint64_t chunk = r->first_chunk + i;
    const struct hr__chunk_at at = {.file = r->at.file,
                                    .number = r->at.number + i,
                                    .entry = {.page = page, .pages = r->pages[i]}};
    const size_t n_bytes = r->pages[i] * (size_t)HR__PAGE_BYTES;
    const struct hr__chunk_expected expected = hr__dataset_expect(c->job->from, chunk, &at);
    struct hr__chunk_view view;
    uint32_t field = UINT32_MAX;
    hr_status st = hr__chunk_header_decode(bytes, n_bytes, &expected, &view, err);
    if (st == HR_OK)
        st = hr__chunk_check_frames(&view, n_bytes, &field, err);
    if (st != HR_OK)
        return hr__dataset_blame(c->job->from, chunk, field, st, err);
    hr__chunk_header_assign(bytes, id->uuid, id->job_id, id->commit_seq, chunk);
    return HR_OK;
}

/* A run that fits the buffer: one read, one write. */
static hr_status copy_run(const struct copy *c, const struct run *r, uint8_t *buffer,
                          hr_error *err) {
    const struct hr__file *file = &c->job->from->files[r->at.file];
    uint64_t page = r->at.entry.page;
    uint8_t *at = buffer;
    hr_status st = hr__file_read_exact(file, buffer, (size_t)r->n_bytes,
                                       r->at.entry.page * HR__PAGE_BYTES, err);
    if (st != HR_OK)
        return hr__dataset_blame(c->job->from, r->first_chunk, UINT32_MAX, st, err);
    for (uint32_t i = 0; i < r->num_chunks; i++) {
        if ((st = take_over(c, r, i, at, page, err)) != HR_OK)
            return st;
        at += r->pages[i] * (size_t)HR__PAGE_BYTES;
        page += r->pages[i];
    }
    return hr__file_write_all(&c->job->to->partial.file, buffer, (size_t)r->n_bytes, r->to_off,
                              err);
}

/* A chunk that does not fit the buffer: in pieces. */
static hr_status copy_large(const struct copy *c, const struct run *r, struct hr__chunk_stream *s,
                            hr_error *err) {
    const struct hr__chunk_from from = hr__chunk_from(c->job->from, r->first_chunk, &r->at);
    const struct hr__chunk_to to = {.file = &c->job->to->partial.file,
                                    .off = r->to_off,
                                    .identity = &c->job->to->job.identity,
                                    .number = r->first_chunk};
    bool writing;
    const hr_status st = hr__chunk_stream_run(s, &from, &to, NULL, &writing, err);
    if (st != HR_OK && !writing)
        return hr__dataset_blame(c->job->from, r->first_chunk, s->field, st, err);
    return st;
}

static void keep_failure(struct copy *c, hr_status st, hr_error *why) {
    pthread_mutex_lock(&c->lock);
    why->status = st;
    if (c->failure.status == HR_OK)
        c->failure = *why;
    pthread_mutex_unlock(&c->lock);
}

static hr_status next_run(struct copy *c, struct run *r, hr_error *err) {
    hr_status st = HR_OK;
    pthread_mutex_lock(&c->lock);
    *r = (struct run){0};
    if (c->failure.status == HR_OK)
        st = deal(c, r, err);
    pthread_mutex_unlock(&c->lock);
    return st;
}

/* Until nothing is left. tell: on the caller's thread. */
static hr_status copy_runs(struct copy *c, bool tell, hr_error *err) {
    struct hr__chunk_stream s;
    struct run r;
    hr_status st = hr__chunk_stream_init(&s, c->job->budget, err);
    if (st != HR_OK)
        return st;
    while ((st = next_run(c, &r, err)) == HR_OK && r.num_chunks > 0) {
        const bool fits = r.n_bytes <= HR__STREAM_BUFFER_BYTES;
        HR_TRY(fits ? copy_run(c, &r, s.buffer, err) : copy_large(c, &r, &s, err));
        const uint64_t done = atomic_fetch_add(&c->done_bytes, r.n_bytes) + r.n_bytes;
        if (tell && c->job->tell != NULL)
            HR_TRY(c->job->tell(c->job->user, done, err));
    }
done:
    hr__chunk_stream_free(&s);
    return st;
}

static void *help(void *arg) {
    struct copy *c = arg;
    hr_error why = {.status = HR_OK};
    const hr_status st = copy_runs(c, false, &why);
    if (st != HR_OK)
        keep_failure(c, st, &why);
    return NULL;
}

static uint32_t threads_of(const struct hr__chunk_copy_job *job) {
    const uint64_t left = hr__budget_left(job->budget);
    const uint64_t wanted = hr__min_u64(job->max_threads, MAX_THREADS);
    const uint64_t for_threads = left - left / 8; /* the tables of places grow meanwhile */
    return (uint32_t)hr__max_u64(1, hr__min_u64(wanted, for_threads / THREAD_BYTES));
}

static hr_status run_threads(struct copy *c, hr_error *err) {
    struct hr__thread threads[MAX_THREADS] = {{0}};
    const uint32_t n = threads_of(c->job);
    for (uint32_t i = 1; i < n; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "hr-copy-%u", i);
        /* A thread that the system refuses is done without. */
        if (hr__thread_start(&threads[i], name, help, c, NULL) != HR_OK)
            break;
    }
    hr_error why = {.status = HR_OK};
    const hr_status st = copy_runs(c, true, &why);
    if (st != HR_OK)
        keep_failure(c, st, &why);
    for (uint32_t i = 1; i < n; i++)
        hr__thread_join(&threads[i]);
    if (c->failure.status != HR_OK && err != NULL)
        *err = c->failure;
    return c->failure.status;
}

hr_status hr__chunks_copy(const struct hr__chunk_copy_job *job, hr_error *err) {
    struct copy c = {.job = job, .next_chunk = job->to->sink.num_chunks};
    hr_status st = hr__mutex_init(&c.lock, err);
    if (st != HR_OK)
        return st;
    atomic_store(&c.done_bytes, job->to->sink.end_off - job->to->job.first_chunk_off);
    st = run_threads(&c, err);
    hr__index_cache_free(&c.index);
    pthread_mutex_destroy(&c.lock);
    return st;
}
