/*
 * Workers take pieces in turn; each has readers and buffers of its own.
 *
 * Invariants
 *  1. next, running, done_bytes, failure and the merged differences change under the lock only.
 *  2. After the first failure, or when the caller stops, no further piece is taken.
 *  3. What is kept of the differences does not depend on the number of workers: the first ones of
 *     every piece are merged in the order of the samples.
 */
#include "compare_pair.h"

#include "checked.h"
#include "clock.h"
#include "error.h"
#include "thread.h"

#include <stdio.h>
#include <stdlib.h>

#define PIECE_BYTES       (UINT64_C(4) << 20) /* for each thread that decodes it */
#define MAX_PIECE_SAMPLES (UINT64_C(1) << 20)
#define MAX_WORKERS       16u
#define TELL_NS           INT64_C(100000000)

struct crew {
    const struct hr__pair *pair;
    uint64_t piece_samples;
    uint32_t num_workers;
    uint32_t threads_each; /* of one worker, where a data set is decoded */
    uint32_t room;         /* differences that are kept */
    bool has_lock, has_opening, has_ended, stopped;
    hr__mutex lock;
    hr__mutex opening; /* taken before `lock` */
    hr__cond ended;
    uint64_t next;       /* sample */
    uint32_t num_opened; /* workers; changes under `opening` */
    uint32_t running;
    uint64_t done_bytes;
    hr_error failure; /* status HR_OK: none */
    struct hr__differences *merged;
    struct hr__thread threads[MAX_WORKERS];
};

struct worker {
    struct hr__column_reader a, b;
    uint8_t *bytes; /* a piece of a, then one of b */
    uint64_t n_bytes, piece_bytes;
    struct hr__differences found;
};

/* --- one worker ----------------------------------------------------------------------------- */

static hr_status worker_open(const struct crew *crew, struct worker *w, hr_error *err) {
    const struct hr__pair *p = crew->pair;
    hr_status st;
    w->piece_bytes = crew->piece_samples * p->a->sample_bytes;
    w->n_bytes = 2 * w->piece_bytes;
    w->found.room = crew->room;
    HR_TRY(hr__column_reader_open(p->a, p->budget, crew->threads_each, &w->a, err));
    HR_TRY(hr__column_reader_open(p->b, p->budget, crew->threads_each, &w->b, err));
    w->bytes =
        hr__budget_take_raw(p->budget, (size_t)w->n_bytes, "buffers for comparing", &st, err);
    if (w->bytes != NULL)
        w->found.list = hr__budget_take(p->budget, crew->room * sizeof *w->found.list,
                                        "a list of differences", &st, err);
done:
    return st;
}

static void worker_close(const struct crew *crew, struct worker *w) {
    hr__budget_free(crew->pair->budget, w->found.list, crew->room * sizeof *w->found.list);
    hr__budget_free(crew->pair->budget, w->bytes, (size_t)w->n_bytes);
    hr__column_reader_close(&w->b);
    hr__column_reader_close(&w->a);
}

/* One after the other, as readers take what memory they find: the first has it all, and those for
 * whom too little is left are not needed. */
static hr_status open_in_turn(struct crew *crew, struct worker *w, bool *needed, hr_error *err) {
    pthread_mutex_lock(&crew->opening);
    hr_status st = worker_open(crew, w, err);
    *needed = st != HR_ERR_BUDGET || crew->num_opened == 0;
    crew->num_opened += st == HR_OK;
    pthread_mutex_unlock(&crew->opening);
    return st;
}

static bool take_piece(struct crew *crew, uint64_t *first, uint64_t *n) {
    pthread_mutex_lock(&crew->lock);
    *first = crew->next;
    *n = hr__min_u64(crew->piece_samples, crew->pair->num_samples - crew->next);
    if (crew->failure.status != HR_OK)
        *n = 0;
    crew->next += *n;
    pthread_mutex_unlock(&crew->lock);
    return *n > 0;
}

static void give_back(struct crew *crew, struct worker *w, uint64_t n) {
    pthread_mutex_lock(&crew->lock);
    hr__differences_merge(crew->merged, &w->found);
    crew->done_bytes += n * crew->pair->a->sample_bytes;
    pthread_mutex_unlock(&crew->lock);
    w->found.n = 0;
    w->found.num_different = 0;
}

static hr_status compare_piece(const struct crew *crew, struct worker *w, uint64_t first,
                               uint64_t n, hr_error *err) {
    const struct hr__column *a = crew->pair->a;
    uint8_t *of_b = w->bytes + w->piece_bytes;
    hr_status st;
    HR_TRY(hr__column_read(&w->a, first, n, w->bytes, err));
    HR_TRY(hr__column_read(&w->b, first, n, of_b, err));
    hr__compare_elements(w->bytes, of_b, n * a->elements_per_sample, a->width_bytes,
                         a->elements_per_sample, first, &w->found);
done:
    return st;
}

static void *work(void *arg) {
    struct crew *crew = arg;
    struct worker w = {0};
    hr_error err = {.status = HR_OK};
    uint64_t first, n;
    bool needed;
    hr_status st = open_in_turn(crew, &w, &needed, &err);
    while (st == HR_OK && take_piece(crew, &first, &n)) {
        st = compare_piece(crew, &w, first, n, &err);
        if (st == HR_OK)
            give_back(crew, &w, n);
    }
    worker_close(crew, &w);
    pthread_mutex_lock(&crew->lock);
    if (st != HR_OK && needed && crew->failure.status == HR_OK) {
        crew->failure = err;
        crew->failure.status = st;
    }
    crew->running--;
    pthread_cond_broadcast(&crew->ended);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* --- the crew ------------------------------------------------------------------------------- */

/* Samples of a piece, whole granules of both columns where that is not too large. */
static uint64_t fitting_samples(const struct hr__pair *p, uint64_t n_bytes, uint64_t granule) {
    uint64_t samples = hr__min_u64(MAX_PIECE_SAMPLES, n_bytes / p->a->sample_bytes);
    return samples >= granule ? samples / granule * granule : samples;
}

/* Half, or most of what readers leave that take as much as they want; some in any case. */
static uint64_t room_of_pieces(const struct hr__pair *p, uint32_t workers) {
    const uint64_t limit = p->budget->limit_bytes;
    uint64_t readers;
    if (!hr__add_u64(p->a->reader_bytes, p->b->reader_bytes, &readers) ||
        !hr__mul_u64(readers, workers, &readers))
        readers = UINT64_MAX;
    const uint64_t left = limit - hr__min_u64(readers, limit);
    return hr__max_u64(hr__min_u64(left - left / 8, limit / 2), limit / 16);
}

/* Several workers only where each can have whole granules: else they decode them several times. */
static void choose_pieces(struct crew *crew) {
    const struct hr__pair *p = crew->pair;
    uint64_t granule = hr__max_u64(p->a->granule_samples, p->b->granule_samples);
    uint32_t most = (uint32_t)hr__min_u64(hr__min_u64(p->num_threads, MAX_WORKERS),
                                          hr__min_u64(p->a->max_readers, p->b->max_readers));
    for (uint32_t workers = most > 1 ? most : 1; workers >= 1; workers--) {
        uint32_t threads = p->num_threads > workers ? p->num_threads / workers : 1;
        uint64_t share = room_of_pieces(p, workers) / workers / 2;
        uint64_t samples = fitting_samples(p, hr__min_u64(share, threads * PIECE_BYTES), granule);
        if (samples < granule)
            samples = hr__min_u64(granule, share / p->a->sample_bytes);
        crew->num_workers = workers;
        crew->threads_each = threads;
        crew->piece_samples = hr__min_u64(hr__max_u64(samples, 1), p->num_samples);
        if (samples >= granule)
            break;
    }
}

/* Of each side a quarter of what the buffers leave. */
static uint64_t room_of_reader(const struct crew *crew) {
    return crew->pair->budget->limit_bytes / 8 / crew->num_workers;
}

static hr_status crew_start(struct crew *crew, hr_error *err) {
    hr_status st;
    uint32_t started = 0;
    HR_TRY(hr__mutex_init(&crew->lock, err));
    crew->has_lock = true;
    HR_TRY(hr__mutex_init(&crew->opening, err));
    crew->has_opening = true;
    HR_TRY(hr__cond_init(&crew->ended, err));
    crew->has_ended = true;
    crew->running = crew->num_workers;
    for (uint32_t i = 0; i < crew->num_workers; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "hr-compare-%u", i % 100);
        st = hr__thread_start(&crew->threads[i], name, work, crew, err);
        started += st == HR_OK;
    }
    pthread_mutex_lock(&crew->lock);
    crew->running -= crew->num_workers - started;
    pthread_mutex_unlock(&crew->lock);
    st = started > 0 ? HR_OK : st; /* does without threads that the system refuses */
done:
    return st;
}

/* So that no read that takes long is waited for. */
static void crew_stop(struct crew *crew) {
    if (!crew->stopped) {
        hr__column_stop(crew->pair->a);
        hr__column_stop(crew->pair->b);
    }
    crew->stopped = true;
}

/* Until every worker has ended. */
static void crew_wait(struct crew *crew) {
    const struct hr__pair *p = crew->pair;
    pthread_mutex_lock(&crew->lock);
    while (crew->running > 0) {
        (void)hr__cond_wait_until(&crew->ended, &crew->lock, hr__now_ns() + TELL_NS);
        uint64_t done_bytes = crew->done_bytes;
        pthread_mutex_unlock(&crew->lock);
        hr_error why = {.status = HR_OK};
        hr_status st = p->tell(p->user, done_bytes, &why);
        pthread_mutex_lock(&crew->lock);
        if (st != HR_OK && crew->failure.status == HR_OK)
            crew->failure = why;
        if (crew->failure.status != HR_OK)
            crew_stop(crew);
    }
    pthread_mutex_unlock(&crew->lock);
}

static void crew_close(struct crew *crew) {
    for (uint32_t i = 0; i < crew->num_workers; i++)
        hr__thread_join(&crew->threads[i]);
    if (crew->has_ended)
        pthread_cond_destroy(&crew->ended);
    if (crew->has_opening)
        pthread_mutex_destroy(&crew->opening);
    if (crew->has_lock)
        pthread_mutex_destroy(&crew->lock);
}

hr_status hr__pair_compare(const struct hr__pair *pair, struct hr__differences *out,
                           hr_error *err) {
    struct crew crew = {.pair = pair, .merged = out, .room = out->room};
    hr_status st;
    if (pair->num_samples == 0 || pair->a->sample_bytes == 0)
        return HR_OK;
    choose_pieces(&crew);
    hr__column_set_room(pair->a, room_of_reader(&crew));
    hr__column_set_room(pair->b, room_of_reader(&crew));
    HR_TRY(crew_start(&crew, err));
    crew_wait(&crew);
    st = crew.failure.status;
    if (st != HR_OK && err != NULL)
        *err = crew.failure;
done:
    crew_close(&crew);
    return st;
}
