/*
 * Codec trials.
 */
#include "codec_trial.h"

#include "block_source.h"
#include "checked.h"
#include "clock.h"
#include "codec_choice.h"
#include "dtype.h"
#include "error.h"
#include "field_filters.h"
#include "frame_filter.h"
#include "superblock.h"
#include "trial_story.h"
#include "writer_memory.h"

#include <float.h>
#include <math.h>

#define TRIED_BYTES  1048576.0 /* of all fields */
#define TIMINGS      3u        /* of each frame: the shortest counts */
#define MANY_FIELDS  64u       /* whose reasons would fill the footer */
#define MAX_LEVELS   7u
#define KEPT_FILTERS 3u /* that go on from the first level to the others, and none */

/* A candidate whose first figure is far from the least so far is tried no further: after an eighth
 * of what is tried where it is 25 % above, and as chance has less of a say then, after all of it
 * where it is 9 % above. The margins of the choice do not reach so far. */
#define GLANCE   0.125
#define HOPELESS 0.0884

/* The first level is tried before all others. */
struct goal_levels {
    const char *name;
    double trial_ns; /* of all fields */
    uint32_t num_levels;
    int32_t max_level;
    int32_t levels[MAX_LEVELS];
};

static const struct goal_levels goals[] = {
    [HR_OPTIMIZE_SPEED] = {"speed", 1e9, 5, 3, {1, -5, -3, -1, 3}},
    [HR_OPTIMIZE_BALANCED] = {"balanced", 1e9, 7, 9, {3, -5, -3, -1, 1, 6, 9}},
    [HR_OPTIMIZE_SIZE] = {"size", 3e9, 7, 19, {9, 19, 12, 15, 6, 3, 1}},
};

struct trial {
    struct hr__schema *schema;
    const struct hr__trial_wishes *wishes;
    struct hr__chunk_encoder *encoder;
    struct hr__chunk_rows *const *rows;
    uint32_t num_rows;
    struct hr__frame_decoder decoder;
    uint8_t *decoded;
    uint8_t *plain;
    int64_t start_ns;
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

/* The shortest of a few times to decode one frame. */
static hr_status time_decode(struct trial *t, const struct hr__frame *frame, const uint8_t *stored,
                             int64_t *ns, hr_error *err) {
    const uint32_t features = HR__FEATURE_ZSTD | HR__FEATURES_FILTERS;
    uint8_t *plain = hr__filter_is_in_place(frame->filter) ? t->decoded : t->plain;
    *ns = INT64_MAX;
    for (uint32_t i = 0; i < TIMINGS; i++) {
        const int64_t start_ns = hr__now_ns();
        const hr_status st =
            hr__frame_decode(&t->decoder, frame, stored, features, t->decoded, err);
        if (st != HR_OK)
            return st;
        hr__filter_undo(frame, t->decoded, plain);
        const int64_t took_ns = hr__now_ns() - start_ns;
        *ns = took_ns < *ns ? took_ns : *ns;
    }
    return HR_OK;
}

static hr_status try_frame(struct trial *t, struct hr__candidate *c, const uint8_t *src, uint32_t n,
                           hr_error *err) {
    const struct hr__storage storage = {.codec = c->codec,
                                        .filter = c->filter,
                                        .element_bytes = c->element_bytes,
                                        .distance_bytes = c->distance_bytes,
                                        .level = c->level};
    struct hr__frame frame;
    uint8_t *stored = t->encoder->stored;
    int64_t ns = 0;
    hr_status st = hr__frame_encode(&t->encoder->frame_encoder, &storage, src, n, stored,
                                    (size_t)t->encoder->plan->stored_bytes, &frame, err);
    if (st == HR_OK)
        st = time_decode(t, &frame, stored, &ns, err);
    if (st != HR_OK)
        return st;
    c->decoded_bytes += n;
    c->stored_bytes += frame.stored_bytes;
    c->decode_ns += ns;
    return HR_OK;
}

/* Bytes of a field in the rows at hand. */
static uint64_t field_bytes(const struct trial *t, uint32_t field) {
    uint64_t n = 0;
    for (uint32_t r = 0; r < t->num_rows; r++)
        n += hr__rows_field_bytes(t->encoder->plan, t->rows[r], field);
    return n;
}

static double share_of(const struct trial *t, uint64_t n_bytes) {
    return (double)n_bytes / (double)hr__max_u64(t->rows_bytes, 1);
}

static bool is_late(const struct trial *t) {
    return (double)(hr__now_ns() - t->start_ns) >
           goals[t->wishes->goal].trial_ns * share_of(t, t->bytes_done);
}

static double figure_of(const struct trial *t, const struct hr__candidate *c) {
    return c->decoded_bytes == 0
               ? 0.0
               : hr__candidate_figure(c, t->wishes->goal, t->wishes->disk_bytes_per_s);
}

/* The least first figure of the candidates that were tried so far. */
static double least_figure(const struct trial *t, const struct field_trial *f,
                           const struct hr__candidate *but) {
    double least = DBL_MAX;
    for (const struct hr__candidate *c = f->candidates; c < f->candidates + f->num_candidates; c++)
        if (c != but && c->decoded_bytes > 0 && figure_of(t, c) < least)
            least = figure_of(t, c);
    return least;
}

static bool is_hopeless(const struct trial *t, const struct hr__candidate *c, double least,
                        double wanted_bytes) {
    const double part = (double)c->decoded_bytes / wanted_bytes;
    return part >= GLANCE && figure_of(t, c) > least * (1 + HOPELESS / sqrt(part));
}

/* The first frames of each chunk, until the field has its share of what is tried; fewer of a
 * candidate that is far from the best so far. */
static hr_status try_candidate(struct trial *t, uint32_t field, bool always,
                               const struct field_trial *f, struct hr__candidate *c,
                               hr_error *err) {
    const double least = least_figure(t, f, c);
    const double wanted_bytes = TRIED_BYTES * share_of(t, field_bytes(t, field));
    struct hr__block_source blocks[HR__TRIAL_CHUNKS];
    for (uint32_t r = 0; r < t->num_rows; r++)
        blocks[r] = hr__block_source_of(t->encoder->plan, t->rows[r], field, HR__PART_VALUES);
    for (bool more = true; more;) {
        more = false;
        for (uint32_t r = 0; r < t->num_rows && (double)c->decoded_bytes < wanted_bytes; r++) {
            const uint8_t *src = NULL;
            const uint32_t n = hr__block_source_next(&blocks[r], t->encoder->gathered, &src);
            if (n == 0)
                continue;
            if (!always && is_late(t)) {
                c->decoded_bytes = 0;
                return HR_OK;
            }
            if (is_hopeless(t, c, least, wanted_bytes))
                return HR_OK;
            const hr_status st = try_frame(t, c, src, n, err);
            if (st != HR_OK)
                return st;
            more = true;
        }
    }
    return HR_OK;
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
    uint32_t kept[KEPT_FILTERS + 1], num_kept;
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < f->num_candidates && st == HR_OK; i++)
        st = try_candidate(t, field, true, f, &f->candidates[i], err);
    num_kept = keep_filters(t, f, kept);
    for (uint32_t l = 0; l < f->num_levels; l++)
        for (uint32_t k = 0; k < num_kept && st == HR_OK; k++) {
            struct hr__candidate *c = &f->candidates[f->num_candidates++];
            const struct hr__candidate *first = &f->candidates[kept[k]];
            *c = (struct hr__candidate){.codec = first->codec,
                                        .filter = first->filter,
                                        .element_bytes = first->element_bytes,
                                        .distance_bytes = first->distance_bytes,
                                        .level = f->levels[l]};
            st = try_candidate(t, field, false, f, c, err);
        }
    return st;
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

hr_status hr__trial_choose(struct hr__schema *schema, const struct hr__trial_wishes *wishes,
                           struct hr__chunk_encoder *encoder, struct hr__chunk_rows *const *rows,
                           uint32_t num_rows, double *ratio, hr_error *err) {
    struct trial t = {.schema = schema,
                      .wishes = wishes,
                      .encoder = encoder,
                      .rows = rows,
                      .start_ns = hr__now_ns()};
    hr_status st = HR_OK;
    const size_t n_bytes = (size_t)encoder->plan->max_frame_bytes;
    /* With one candidate for each field there is nothing to measure. */
    t.num_rows = hr__trial_needed(schema, wishes) ? num_rows : 0;
    for (uint32_t f = 0; f < schema->num_fields; f++)
        t.rows_bytes += field_bytes(&t, f);
    t.decoded = hr__writer_alloc(encoder->budget, n_bytes, "a codec trial", &st, err);
    if (st == HR_OK)
        t.plain = hr__writer_alloc(encoder->budget, n_bytes, "a codec trial", &st, err);
    if (st != HR_OK)
        goto done;
    HR_TRY(hr__frame_decoder_init(&t.decoder, err));
    for (uint32_t f = 0; f < schema->num_fields; f++)
        HR_TRY(choose_field(&t, f, err));
    *ratio = t.stored_bytes > 0 ? (double)t.decoded_bytes / (double)t.stored_bytes : 0.0;
    st = HR_OK;
done:
    hr__frame_decoder_free(&t.decoder);
    if (t.plain != NULL)
        hr__budget_free(encoder->budget, t.plain, n_bytes);
    if (t.decoded != NULL)
        hr__budget_free(encoder->budget, t.decoded, n_bytes);
    return st;
}
