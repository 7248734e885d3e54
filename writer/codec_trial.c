/*
 * Codec trials.
 */
#include "codec_trial.h"

#include "block_source.h"
#include "checked.h"
#include "clock.h"
#include "codec_choice.h"
#include "cpu.h"
#include "error.h"
#include "field_filters.h"
#include "frame_trial.h"
#include "trial_story.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>

#define TRIED_BYTES  1048576.0 /* of all fields */
#define MANY_FIELDS  64u       /* whose reasons would fill the footer */
#define MAX_LEVELS   7u
#define MAX_PARTS    8u
#define SHARED_BYTES 16384u /* of a field, whose candidates are tried side by side */
#define KEPT_FILTERS 3u     /* that go on from the first level to the others, and none */

/* A candidate whose first figure is far from the least so far is tried no further: after an eighth
 * of what is tried where it is 25 % above, and as chance has less of a say then, after all of it
 * where it is 9 % above. The margins of the choice do not reach so far. */
#define GLANCE   0.125
#define HOPELESS 0.0884

/* The part of a conversion's processor time that its trial may take, but for the shortest ones. */
#define TRIAL_PART 0.05

/* The first level is tried before all others. */
struct goal_levels {
    const char *name;
    double trial_ns; /* of all fields, at most */
    double byte_ns;  /* that compressing a byte takes on one core, about */
    double least_ns; /* of processor time */
    uint32_t num_levels;
    int32_t max_level;
    int32_t levels[MAX_LEVELS];
};

static const struct goal_levels goals[] = {
    [HR_OPTIMIZE_SPEED] = {"speed", 1e9, 2.0, 1e8, 5, 3, {1, -5, -3, -1, 3}},
    [HR_OPTIMIZE_BALANCED] = {"balanced", 1e9, 5.0, 3e8, 7, 9, {3, -5, -3, -1, 1, 6, 9}},
    [HR_OPTIMIZE_SIZE] = {"size", 3e9, 40.0, 3e9, 7, 19, {9, 19, 12, 15, 6, 3, 1}},
};

struct trial {
    struct hr__schema *schema;
    const struct hr__trial_wishes *wishes;
    struct hr__compress_pool *pool;
    struct hr__chunk_rows *const *rows;
    uint32_t num_rows;
    struct hr__frame_trial parts[MAX_PARTS]; /* of the pool's first threads */
    uint32_t num_parts;
    int64_t start_ns;
    double cpu_limit_ns; /* of all fields */
    _Atomic int64_t cpu_ns;
    uint64_t rows_bytes;    /* of all fields in these rows */
    uint64_t bytes_done;    /* of the fields so far, the one at hand included */
    uint64_t decoded_bytes; /* of the chosen candidates */
    uint64_t stored_bytes;
};

int32_t hr__trial_max_level(const struct hr__trial_wishes *wishes) {
    return wishes->level != 0 ? wishes->level : goals[wishes->goal].max_level;
}

/* What of a field is tried: at the first level all filters, and only those that did well there at
 * the others. */
struct field_trial {
    struct hr__candidate candidates[HR__MAX_CANDIDATES];
    uint32_t num_candidates;
    uint32_t first_filter; /* of the candidates: where those of the first level begin */
    const int32_t *levels; /* the others */
    uint32_t num_levels;
};

static struct hr__candidate candidate_of(const struct hr__storage *how, int32_t level) {
    return (struct hr__candidate){.codec = HR__CODEC_ZSTD,
                                  .level = level,
                                  .filter = how->filter,
                                  .element_bytes = how->element_bytes,
                                  .distance_bytes = how->distance_bytes};
}

/* Raw and the first level, as far as they are asked for. */
static void list_first(const struct hr__schema *schema, uint32_t field,
                       const struct hr__trial_wishes *w, struct field_trial *out) {
    const struct goal_levels *goal = &goals[w->goal];
    const bool many = schema->num_fields > MANY_FIELDS;
    struct hr__storage how[HR__MAX_FIELD_FILTERS];
    const uint32_t num_filters =
        w->codec == HR_CODEC_RAW ? 0
                                 : hr__field_filters(&schema->fields[field], w->filter, many, how);
    *out = (struct field_trial){.levels = goal->levels + 1};
    if (w->codec != HR_CODEC_ZSTD)
        out->candidates[out->num_candidates++] = (struct hr__candidate){.codec = HR__CODEC_RAW};
    out->first_filter = out->num_candidates;
    for (uint32_t i = 0; i < num_filters; i++)
        out->candidates[out->num_candidates++] =
            candidate_of(&how[i], w->level != 0 ? w->level : goal->levels[0]);
    if (num_filters > 0 && w->level == 0 && !many)
        out->num_levels = goal->num_levels - 1;
}

bool hr__trial_needed(const struct hr__schema *schema, const struct hr__trial_wishes *wishes) {
    struct field_trial f;
    for (uint32_t i = 0; i < schema->num_fields; i++) {
        list_first(schema, i, wishes, &f);
        if (f.num_candidates > 1 || f.num_levels > 0)
            return true;
    }
    return false;
}

/* Bytes of a field in the rows at hand. */
static uint64_t field_bytes(const struct trial *t, uint32_t field) {
    uint64_t n = 0;
    for (uint32_t r = 0; r < t->num_rows; r++)
        n += hr__rows_field_bytes(t->pool->plan, t->rows[r], field);
    return n;
}

static double share_of(const struct trial *t, uint64_t n_bytes) {
    return (double)n_bytes / (double)hr__max_u64(t->rows_bytes, 1);
}

static bool is_late(const struct trial *t) {
    const double share = share_of(t, t->bytes_done);
    return (double)(hr__now_ns() - t->start_ns) > goals[t->wishes->goal].trial_ns * share ||
           (double)atomic_load(&t->cpu_ns) > t->cpu_limit_ns * share;
}

static double figure_of(const struct trial *t, const struct hr__candidate *c) {
    return c->decoded_bytes == 0
               ? 0.0
               : hr__candidate_figure(c, t->wishes->goal, t->wishes->disk_bytes_per_s);
}

/* The least first figure of the candidates that were tried so far. */
static double least_figure(const struct trial *t, const struct field_trial *f) {
    double least = DBL_MAX;
    for (const struct hr__candidate *c = f->candidates; c < f->candidates + f->num_candidates; c++)
        if (c->decoded_bytes > 0 && figure_of(t, c) < least)
            least = figure_of(t, c);
    return least;
}

static bool is_hopeless(const struct trial *t, const struct hr__candidate *c, double least,
                        double wanted_bytes) {
    const double part = (double)c->decoded_bytes / wanted_bytes;
    return part >= GLANCE && figure_of(t, c) > least * (1 + HOPELESS / sqrt(part));
}

/* The candidates of a field that are tried side by side, each by one thread. */
struct round {
    struct trial *t;
    uint32_t field;
    bool always; /* also where it is late */
    hr__mutex lock;
    struct field_trial *f; /* the figures of its candidates, too, are under the lock */
    uint32_t next, end;
    hr_error failure; /* status HR_OK: none */
};

/* The first frames of each chunk, until the field has its share of what is tried; fewer of a
 * candidate that is far from `least`, the best so far. */
static hr_status try_candidate(const struct round *r, struct hr__frame_trial *part, double least,
                               struct hr__candidate *c, hr_error *err) {
    struct trial *t = r->t;
    const double wanted_bytes = TRIED_BYTES * share_of(t, field_bytes(t, r->field));
    struct hr__block_source blocks[HR__TRIAL_CHUNKS];
    for (uint32_t i = 0; i < t->num_rows; i++)
        blocks[i] = hr__block_source_of(t->pool->plan, t->rows[i], r->field, HR__PART_VALUES);
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < t->num_rows && (double)c->decoded_bytes < wanted_bytes; i++) {
            const uint8_t *src = NULL;
            const uint32_t n = hr__block_source_next(&blocks[i], part->encoder->gathered, &src);
            if (n == 0)
                continue;
            if (!r->always && is_late(t)) {
                c->decoded_bytes = 0;
                return HR_OK;
            }
            if (is_hopeless(t, c, least, wanted_bytes))
                return HR_OK;
            const int64_t start_ns = hr__thread_cpu_ns();
            const hr_status st = hr__frame_trial_add(part, src, n, c, err);
            atomic_fetch_add(&t->cpu_ns, hr__thread_cpu_ns() - start_ns);
            if (st != HR_OK)
                return st;
            more = true;
        }
    }
    return HR_OK;
}

/* The next candidate; the best figure of those that are done. False: none is left. */
static bool take_candidate(struct round *r, struct hr__candidate **out, double *least) {
    pthread_mutex_lock(&r->lock);
    const bool taken = r->next < r->end && r->failure.status == HR_OK;
    if (taken) {
        *out = &r->f->candidates[r->next++];
        *least = least_figure(r->t, r->f);
    }
    pthread_mutex_unlock(&r->lock);
    return taken;
}

static void try_candidates(void *user, uint32_t thread) {
    struct round *r = user;
    struct hr__candidate *c;
    double least;
    while (take_candidate(r, &c, &least)) {
        struct hr__candidate mine = *c;
        hr_error why = {.status = HR_OK};
        const hr_status st = try_candidate(r, &r->t->parts[thread], least, &mine, &why);
        pthread_mutex_lock(&r->lock);
        *c = mine;
        if (st != HR_OK && r->failure.status == HR_OK)
            r->failure = why;
        pthread_mutex_unlock(&r->lock);
    }
}

/* Tries the candidates `from` to num_candidates - 1. Threads are woken only for what takes longer
 * than that. */
static hr_status try_round(struct trial *t, uint32_t field, struct field_trial *f, uint32_t from,
                           bool always, hr_error *err) {
    struct round r = {
        .t = t, .field = field, .always = always, .f = f, .next = from, .end = f->num_candidates};
    hr_status st = hr__mutex_init(&r.lock, err);
    if (st != HR_OK)
        return st;
    if (t->num_parts > 1 && r.end - from > 1 && field_bytes(t, field) >= SHARED_BYTES)
        hr__compress_pool_run(t->pool, t->num_parts, try_candidates, &r);
    else
        try_candidates(&r, 0);
    pthread_mutex_destroy(&r.lock);
    if (r.failure.status != HR_OK && err != NULL)
        *err = r.failure;
    return r.failure.status;
}

/* The candidates of the first level that go on: none, and the best of the others; how many. */
static uint32_t keep_filters(const struct trial *t, const struct field_trial *f,
                             uint32_t kept[KEPT_FILTERS + 1]) {
    const struct hr__candidate *c = f->candidates;
    uint64_t taken = 0;
    uint32_t n = 0;
    for (uint32_t i = f->first_filter; i < f->num_candidates; i++)
        if (c[i].filter == HR__FILTER_NONE)
            taken |= UINT64_C(1) << (kept[n++] = i);
    for (const uint32_t most = n + KEPT_FILTERS; n < most; n++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = f->first_filter; i < f->num_candidates; i++)
            if ((taken >> i & 1) == 0 &&
                (best == UINT32_MAX || figure_of(t, &c[i]) < figure_of(t, &c[best])))
                best = i;
        if (best == UINT32_MAX)
            break;
        kept[n] = best;
        taken |= UINT64_C(1) << best;
    }
    return n;
}

static hr_status try_field(struct trial *t, uint32_t field, struct field_trial *f, hr_error *err) {
    uint32_t kept[KEPT_FILTERS + 1];
    hr_status st = try_round(t, field, f, 0, true, err);
    if (st != HR_OK || f->num_levels == 0)
        return st;
    const uint32_t num_kept = keep_filters(t, f, kept), from = f->num_candidates;
    for (uint32_t l = 0; l < f->num_levels; l++)
        for (uint32_t k = 0; k < num_kept; k++) {
            struct hr__candidate *c = &f->candidates[f->num_candidates++];
            const struct hr__candidate *first = &f->candidates[kept[k]];
            *c = (struct hr__candidate){.codec = first->codec,
                                        .filter = first->filter,
                                        .element_bytes = first->element_bytes,
                                        .distance_bytes = first->distance_bytes,
                                        .level = f->levels[l]};
        }
    return try_round(t, field, f, from, false, err);
}

static hr_status choose_field(struct trial *t, uint32_t field, hr_error *err) {
    struct field_trial f;
    list_first(t->schema, field, t->wishes, &f);
    t->bytes_done += field_bytes(t, field);
    const hr_status st = try_field(t, field, &f, err);
    if (st != HR_OK)
        return st;
    const struct hr__candidate *best = hr__candidate_choose(
        f.candidates, f.num_candidates, t->wishes->goal, t->wishes->disk_bytes_per_s);
    struct hr__storage *storage = &t->schema->fields[field].storage;
    storage->codec = best->codec;
    storage->filter = best->filter;
    storage->element_bytes = best->element_bytes;
    storage->distance_bytes = best->distance_bytes;
    storage->level = best->level;
    t->decoded_bytes += best->decoded_bytes;
    t->stored_bytes += best->stored_bytes;
    const struct hr__trial_story story = {t->wishes, goals[t->wishes->goal].name, f.candidates,
                                          f.num_candidates, best};
    return hr__trial_explain(&story, &storage->why_json, err);
}

/* A part for each thread that has a processor, as far as there is memory; at least one. */
static hr_status open_parts(struct trial *t, hr_error *err) {
    const uint32_t wanted = t->num_rows == 0 ? 1 : hr__cpu_count();
    const uint32_t most =
        (uint32_t)hr__min_u64(hr__min_u64(wanted, t->pool->num_workers), MAX_PARTS);
    hr_status st = HR_OK;
    while (t->num_parts < most && st == HR_OK) {
        const uint32_t i = t->num_parts;
        st = hr__frame_trial_open(&t->parts[i], hr__compress_pool_encoder(t->pool, i),
                                  i == 0 ? err : NULL);
        if (st == HR_OK)
            t->num_parts++;
        else
            hr__frame_trial_close(&t->parts[i]);
    }
    return t->num_parts > 0 ? HR_OK : st;
}

/* Processor time of all fields. */
static double cpu_limit_of(const struct hr__trial_wishes *w) {
    const struct goal_levels *goal = &goals[w->goal];
    const double part = (double)w->expected_bytes * goal->byte_ns * TRIAL_PART;
    if (w->expected_bytes == 0)
        return DBL_MAX;
    return part > goal->least_ns ? part : goal->least_ns;
}

hr_status hr__trial_choose(struct hr__schema *schema, const struct hr__trial_wishes *wishes,
                           struct hr__compress_pool *pool, struct hr__chunk_rows *const *rows,
                           uint32_t num_rows, double *ratio, hr_error *err) {
    struct trial t = {
        .schema = schema, .wishes = wishes, .pool = pool, .rows = rows, .start_ns = hr__now_ns()};
    hr_status st;
    /* With one candidate for each field there is nothing to measure. */
    t.num_rows = hr__trial_needed(schema, wishes) ? num_rows : 0;
    t.cpu_limit_ns = cpu_limit_of(wishes);
    for (uint32_t f = 0; f < schema->num_fields; f++)
        t.rows_bytes += field_bytes(&t, f);
    HR_TRY(open_parts(&t, err));
    for (uint32_t f = 0; f < schema->num_fields; f++)
        HR_TRY(choose_field(&t, f, err));
    *ratio = t.stored_bytes > 0 ? (double)t.decoded_bytes / (double)t.stored_bytes : 0.0;
done:
    for (uint32_t i = 0; i < t.num_parts; i++)
        hr__frame_trial_close(&t.parts[i]);
    return st;
}
