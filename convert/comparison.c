/*
 * Workers take pieces in turn; each has readers and buffers of its own.
 *
 * Invariants
 *  1. next, running, done_bytes, failure and the merged differences change under the lock only.
 *  2. After the first failure, or when the caller stops, no further piece is taken.
 *  3. What is kept of the differences does not depend on the number of workers: the first ones of
 *     every piece are merged in the order of the samples.
 */
#include "comparison.h"

#include "checked.h"
#include "clock.h"
#include "error.h"
#include "parallel_read.h"
#include "thread.h"

#include <stdio.h>
#include <stdlib.h>

#define PIECE_BYTES       (UINT64_C(4) << 20) /* for each thread that decodes it */
#define MAX_PIECE_SAMPLES (UINT64_C(1) << 20)
#define TELL_NS           INT64_C(100000000)

struct crew {
    const struct hr__comparison *all;
    uint64_t sample_bytes; /* of all pairs */
    uint64_t piece_samples;
    uint32_t num_workers;
    uint32_t threads_each; /* of one worker, where a data set is decoded */
    bool has_lock, has_opening, has_ended, stopped;
    hr__mutex lock;
    hr__mutex opening; /* taken before `lock` */
    hr__cond ended;
    uint64_t next;                  /* sample */
    uint32_t num_begun, num_opened; /* workers; change under `opening` */
    uint32_t running;
    uint64_t done_bytes;
    hr_error failure; /* status HR_OK: none */
    struct hr__thread threads[HR__COMPARE_MAX_WORKERS];
};

/* Of one pair. */
struct side_by_side {
    struct hr__column_reader a, b;
    uint8_t *a_bytes, *b_bytes; /* a piece each */
    struct hr__differences found;
};

/* Columns of a data set, which are read together. */
struct dataset_columns {
    hr_dataset *ds;
    struct hr__read_column *list; /* room for all->num_pairs */
    uint32_t n;
};

struct worker {
    struct hr__helper_group *helpers;
    struct side_by_side *pairs; /* all->num_pairs */
    uint8_t *bytes;             /* pieces of all */
    uint64_t n_bytes;
    struct dataset_columns a, b;
};

/* --- one worker ----------------------------------------------------------------------------- */

static size_t list_bytes(const struct hr__pair *p) {
    return p->found->room * sizeof *p->found->list;
}

/* Pairs, and behind them both lists of columns. */
static size_t pairs_bytes(const struct crew *crew) {
    return crew->all->num_pairs *
           (sizeof(struct side_by_side) + 2 * sizeof(struct hr__read_column));
}

static void add_column(struct dataset_columns *to, const struct hr__column *c, uint8_t *dst) {
    if (c->ds == NULL)
        return;
    to->ds = c->ds;
    to->list[to->n++] = (struct hr__read_column){c->index, dst};
}

static hr_status open_pair(const struct crew *crew, const struct hr__pair *p,
                           struct hr__helper_group *helpers, struct side_by_side *s,
                           hr_error *err) {
    struct hr__budget *budget = crew->all->budget;
    hr_status st;
    s->found.room = p->found->room;
    HR_TRY(hr__column_reader_open(p->a, budget, helpers, &s->a, err));
    HR_TRY(hr__column_reader_open(p->b, budget, helpers, &s->b, err));
    s->found.list = hr__budget_take(budget, list_bytes(p), "a list of differences", &st, err);
done:
    return st;
}

static hr_status worker_open(const struct crew *crew, struct worker *w, hr_error *err) {
    const struct hr__comparison *all = crew->all;
    hr_status st = HR_OK;
    w->n_bytes = 2 * crew->piece_samples * crew->sample_bytes;
    w->pairs = hr__budget_take(all->budget, pairs_bytes(crew), "a list of fields", &st, err);
    for (uint32_t i = 0; i < all->num_pairs && st == HR_OK; i++)
        st = open_pair(crew, &all->pairs[i], w->helpers, &w->pairs[i], err);
    if (st == HR_OK)
        w->bytes =
            hr__budget_take_raw(all->budget, (size_t)w->n_bytes, "buffers for comparing", &st, err);
    if (st != HR_OK)
        return st;
    w->a.list = (struct hr__read_column *)(void *)(w->pairs + all->num_pairs);
    w->b.list = w->a.list + all->num_pairs;
    uint64_t at = 0;
    for (uint32_t i = 0; i < all->num_pairs; i++) {
        const uint64_t piece = crew->piece_samples * all->pairs[i].a->sample_bytes;
        w->pairs[i].a_bytes = w->bytes + at;
        w->pairs[i].b_bytes = w->bytes + at + piece;
        at += 2 * piece;
        add_column(&w->a, all->pairs[i].a, w->pairs[i].a_bytes);
        add_column(&w->b, all->pairs[i].b, w->pairs[i].b_bytes);
    }
    return HR_OK;
}

static void worker_close(const struct crew *crew, struct worker *w) {
    const struct hr__comparison *all = crew->all;
    for (uint32_t i = 0; w->pairs != NULL && i < all->num_pairs; i++) {
        hr__budget_free(all->budget, w->pairs[i].found.list, list_bytes(&all->pairs[i]));
        hr__column_reader_close(&w->pairs[i].b);
        hr__column_reader_close(&w->pairs[i].a);
    }
    hr__budget_free(all->budget, w->bytes, (size_t)w->n_bytes);
    hr__budget_free(all->budget, w->pairs, pairs_bytes(crew));
}

/* One after the other, as readers take what memory they find: the first has it all, and those for
 * whom too little is left are not needed. */
static hr_status open_in_turn(struct crew *crew, struct worker *w, bool *needed, hr_error *err) {
    pthread_mutex_lock(&crew->opening);
    w->helpers = &crew->all->helpers[crew->num_begun++];
    hr_status st = worker_open(crew, w, err);
    *needed = st != HR_ERR_BUDGET || crew->num_opened == 0;
    crew->num_opened += st == HR_OK;
    pthread_mutex_unlock(&crew->opening);
    return st;
}

static bool take_piece(struct crew *crew, uint64_t *first, uint64_t *n) {
    pthread_mutex_lock(&crew->lock);
    *first = crew->next;
    *n = hr__min_u64(crew->piece_samples, crew->all->num_samples - crew->next);
    if (crew->failure.status != HR_OK)
        *n = 0;
    crew->next += *n;
    pthread_mutex_unlock(&crew->lock);
    return *n > 0;
}

static void give_back(struct crew *crew, struct worker *w, uint64_t n) {
    pthread_mutex_lock(&crew->lock);
    for (uint32_t i = 0; i < crew->all->num_pairs; i++)
        hr__differences_merge(crew->all->pairs[i].found, &w->pairs[i].found);
    crew->done_bytes += n * crew->sample_bytes;
    pthread_mutex_unlock(&crew->lock);
    for (uint32_t i = 0; i < crew->all->num_pairs; i++) {
        w->pairs[i].found.n = 0;
        w->pairs[i].found.num_different = 0;
    }
}

static hr_status read_dataset(const struct crew *crew, const struct dataset_columns *c,
                              uint64_t first, uint64_t n, hr_error *err) {
    return c->n > 0 ? hr__parallel_read(c->ds, c->list, c->n, first, n, crew->threads_each, err)
                    : HR_OK;
}

/* Samples from .. to - 1, to their place in the buffer of a piece that begins at `first`. */
static hr_status read_into(const struct hr__column_reader *r, uint64_t first, uint64_t from,
                           uint64_t to, uint8_t *bytes, hr_error *err) {
    if (r->column->ds != NULL)
        return HR_OK;
    return hr__column_read(r, from, to - from, bytes + (from - first) * r->column->sample_bytes,
                           err);
}

/* Of the sources with pieces, or of the others. */
static hr_status read_columns(const struct crew *crew, const struct worker *w, bool with_pieces,
                              uint64_t first, uint64_t from, uint64_t to, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < crew->all->num_pairs && st == HR_OK; i++) {
        const struct side_by_side *s = &w->pairs[i];
        if (hr__column_has_pieces(s->a.column) == with_pieces)
            st = read_into(&s->a, first, from, to, s->a_bytes, err);
        if (st == HR_OK && hr__column_has_pieces(s->b.column) == with_pieces)
            st = read_into(&s->b, first, from, to, s->b_bytes, err);
    }
    return st;
}

/* Where the next pieces end, and with them what is read in turns. */
static uint64_t pieces_end(const struct crew *crew, uint64_t sample, uint64_t end) {
    for (uint32_t i = 0; i < crew->all->num_pairs; i++) {
        const struct hr__pair *p = &crew->all->pairs[i];
        end = hr__min_u64(end, hr__column_piece_end(p->a, sample));
        end = hr__min_u64(end, hr__column_piece_end(p->b, sample));
    }
    return end;
}

static hr_status compare_piece(const struct crew *crew, struct worker *w, uint64_t first,
                               uint64_t n, hr_error *err) {
    hr_status st;
    HR_TRY(read_dataset(crew, &w->a, first, n, err));
    HR_TRY(read_dataset(crew, &w->b, first, n, err));
    HR_TRY(read_columns(crew, w, false, first, first, first + n, err));
    for (uint64_t at = first, to; at < first + n; at = to) {
        to = pieces_end(crew, at, first + n);
        HR_TRY(read_columns(crew, w, true, first, at, to, err));
    }
    for (uint32_t i = 0; i < crew->all->num_pairs; i++) {
        const struct hr__column *a = crew->all->pairs[i].a;
        struct side_by_side *s = &w->pairs[i];
        hr__compare_elements(s->a_bytes, s->b_bytes, n * a->elements_per_sample, a->width_bytes,
                             a->elements_per_sample, first, &s->found);
    }
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

/* Samples of a piece, whole granules of all columns where that is not too large. */
static uint64_t fitting_samples(const struct crew *crew, uint64_t n_bytes, uint64_t granule) {
    uint64_t samples = hr__min_u64(MAX_PIECE_SAMPLES, n_bytes / crew->sample_bytes);
    return samples >= granule ? samples / granule * granule : samples;
}

/* What all columns together say of themselves. */
struct needs {
    uint64_t granule_samples, reader_bytes;
    uint32_t max_readers;
};

static void add_needs(struct needs *n, const struct hr__column *c) {
    n->granule_samples = hr__max_u64(n->granule_samples, c->granule_samples);
    n->max_readers = (uint32_t)hr__min_u64(n->max_readers, c->max_readers);
    if (!hr__add_u64(n->reader_bytes, c->reader_bytes, &n->reader_bytes))
        n->reader_bytes = UINT64_MAX;
}

static struct needs find_needs(const struct hr__comparison *all) {
    struct needs n = {.granule_samples = 1, .max_readers = UINT32_MAX};
    for (uint32_t i = 0; i < all->num_pairs; i++) {
        add_needs(&n, all->pairs[i].a);
        add_needs(&n, all->pairs[i].b);
    }
    return n;
}

/* Half, or most of what readers leave that take as much as they want; some in any case. */
static uint64_t room_of_pieces(const struct crew *crew, uint64_t reader_bytes, uint32_t workers) {
    const uint64_t limit = crew->all->budget->limit_bytes;
    uint64_t readers;
    if (!hr__mul_u64(reader_bytes, workers, &readers))
        readers = UINT64_MAX;
    const uint64_t left = limit - hr__min_u64(readers, limit);
    return hr__max_u64(hr__min_u64(left - left / 8, limit / 2), limit / 16);
}

/* Several workers only where each can have whole granules: else they decode them several times. */
static void choose_pieces(struct crew *crew) {
    const struct hr__comparison *all = crew->all;
    const struct needs needs = find_needs(all);
    const uint64_t granule = needs.granule_samples;
    uint32_t most = (uint32_t)hr__min_u64(hr__min_u64(all->num_threads, HR__COMPARE_MAX_WORKERS),
                                          needs.max_readers);
    for (uint32_t workers = most > 1 ? most : 1; workers >= 1; workers--) {
        uint32_t threads = all->num_threads > workers ? all->num_threads / workers : 1;
        uint64_t share = room_of_pieces(crew, needs.reader_bytes, workers) / workers / 2;
        uint64_t samples =
            fitting_samples(crew, hr__min_u64(share, threads * PIECE_BYTES), granule);
        if (samples < granule)
            samples = hr__min_u64(granule, share / crew->sample_bytes);
        crew->num_workers = workers;
        crew->threads_each = threads;
        crew->piece_samples = hr__min_u64(hr__max_u64(samples, 1), all->num_samples);
        if (samples >= granule)
            break;
    }
}

/* Of each side a quarter of what the buffers leave. */
static void set_rooms(const struct crew *crew) {
    const struct hr__comparison *all = crew->all;
    const uint64_t room = all->budget->limit_bytes / 8 / crew->num_workers / all->num_pairs;
    for (uint32_t i = 0; i < all->num_pairs; i++) {
        hr__column_set_room(all->pairs[i].a, room);
        hr__column_set_room(all->pairs[i].b, room);
    }
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
    for (uint32_t i = 0; !crew->stopped && i < crew->all->num_pairs; i++) {
        hr__column_stop(crew->all->pairs[i].a);
        hr__column_stop(crew->all->pairs[i].b);
    }
    crew->stopped = true;
}

/* Until every worker has ended. */
static void crew_wait(struct crew *crew) {
    const struct hr__comparison *all = crew->all;
    pthread_mutex_lock(&crew->lock);
    while (crew->running > 0) {
        (void)hr__cond_wait_until(&crew->ended, &crew->lock, hr__now_ns() + TELL_NS);
        uint64_t done_bytes = crew->done_bytes;
        pthread_mutex_unlock(&crew->lock);
        hr_error why = {.status = HR_OK};
        hr_status st = all->tell(all->user, done_bytes, &why);
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

uint64_t hr__comparison_sample_bytes(const struct hr__comparison *c) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->num_pairs; i++)
        if (!hr__add_u64(n, c->pairs[i].a->sample_bytes, &n))
            return UINT64_MAX;
    return n;
}

hr_status hr__comparison_run(const struct hr__comparison *c, hr_error *err) {
    struct crew crew = {.all = c, .sample_bytes = hr__comparison_sample_bytes(c)};
    hr_status st;
    if (c->num_samples == 0 || crew.sample_bytes == 0)
        return HR_OK;
    choose_pieces(&crew);
    set_rooms(&crew);
    HR_TRY(crew_start(&crew, err));
    crew_wait(&crew);
    st = crew.failure.status;
    if (st != HR_OK && err != NULL)
        *err = crew.failure;
done:
    crew_close(&crew);
    return st;
}
