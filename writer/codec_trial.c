/*
 * Codec trials.
 */
#define _GNU_SOURCE
#include "codec_trial.h"

#include "checked.h"
#include "clock.h"
#include "dtype.h"
#include "error.h"
#include "superblock.h"
#include "writer_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CANDIDATES   3u
#define FRAMES_PER_CHUNK 16u /* tried of one field and chunk */
#define TIMINGS          3u  /* of each frame: the shortest counts */
#define CORES            4.0
#define DISK_NS_PER_BYTE 1.0
#define FLOOR_NS         0.25
#define MARGIN           0.95

struct candidate {
    uint8_t codec;
    uint8_t filter;
    uint8_t element_bytes;
    uint64_t decoded_bytes;
    uint64_t stored_bytes;
    int64_t decode_ns;
    double cost_ns; /* per decoded byte */
};

struct trial {
    struct hr__schema *schema;
    const struct hr__trial_wishes *wishes;
    struct hr__chunk_encoder *encoder;
    struct hr__chunk_rows *const *rows;
    uint32_t num_rows;
    struct hr__frame_decoder decoder;
    uint8_t *decoded;
    uint8_t *unshuffled;
    uint64_t decoded_bytes; /* of the chosen candidates */
    uint64_t stored_bytes;
};

/* From the simplest to the most complex. */
static uint32_t list_candidates(const struct hr__schema_field *field,
                                const struct hr__trial_wishes *w,
                                struct candidate out[MAX_CANDIDATES]) {
    const uint32_t element_bytes = hr__dtype_shuffle_bytes(field->dtype);
    const bool can_shuffle = element_bytes > 1 && w->filter != HR_FILTER_NONE;
    const bool must_shuffle = can_shuffle && w->filter == HR_FILTER_BYTE_SHUFFLE;
    uint32_t n = 0;
    if (w->codec != HR_CODEC_ZSTD)
        out[n++] = (struct candidate){.codec = HR__CODEC_RAW};
    if (w->codec != HR_CODEC_RAW && !must_shuffle)
        out[n++] = (struct candidate){.codec = HR__CODEC_ZSTD};
    if (w->codec != HR_CODEC_RAW && can_shuffle)
        out[n++] = (struct candidate){.codec = HR__CODEC_ZSTD,
                                      .filter = HR__FILTER_BYTE_SHUFFLE,
                                      .element_bytes = (uint8_t)element_bytes};
    return n;
}

bool hr__trial_needed(const struct hr__schema *schema, const struct hr__trial_wishes *wishes) {
    struct candidate c[MAX_CANDIDATES];
    for (uint32_t f = 0; f < schema->num_fields; f++)
        if (list_candidates(&schema->fields[f], wishes, c) > 1)
            return true;
    return false;
}

/* The shortest of a few times to decode one frame. */
static hr_status time_decode(struct trial *t, const struct hr__frame *frame, const uint8_t *stored,
                             int64_t *ns, hr_error *err) {
    const uint32_t features = HR__FEATURE_ZSTD | HR__FEATURE_BYTE_SHUFFLE;
    *ns = INT64_MAX;
    for (uint32_t i = 0; i < TIMINGS; i++) {
        const int64_t start_ns = hr__now_ns();
        const hr_status st =
            hr__frame_decode(&t->decoder, frame, stored, features, t->decoded, err);
        if (st != HR_OK)
            return st;
        if (frame->filter == HR__FILTER_BYTE_SHUFFLE)
            hr__byte_unshuffle(t->decoded, frame->decoded_bytes, frame->element_bytes,
                               t->unshuffled);
        const int64_t took_ns = hr__now_ns() - start_ns;
        *ns = took_ns < *ns ? took_ns : *ns;
    }
    return HR_OK;
}

static hr_status try_frame(struct trial *t, struct candidate *c, const uint8_t *src, uint32_t n,
                           hr_error *err) {
    const struct hr__storage storage = {.codec = c->codec,
                                        .filter = c->filter,
                                        .element_bytes = c->element_bytes,
                                        .level = t->wishes->level};
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

static hr_status try_candidate(struct trial *t, uint32_t field, struct candidate *c,
                               hr_error *err) {
    const uint64_t b = t->schema->fields[field].sample_bytes;
    for (uint32_t r = 0; r < t->num_rows; r++) {
        const uint8_t *column = t->rows[r]->bytes + t->encoder->plan->column_off[field];
        const uint64_t block_bytes = b * t->rows[r]->num_samples;
        uint64_t done = 0;
        for (uint32_t i = 0; i < FRAMES_PER_CHUNK && done < block_bytes; i++) {
            const uint64_t n = hr__chunk_plan_frame_bytes(b, block_bytes, done);
            const hr_status st = try_frame(t, c, column + done, (uint32_t)n, err);
            if (st != HR_OK)
                return st;
            done += n;
        }
    }
    return HR_OK;
}

static double largest(double a, double b, double c) {
    const double ab = a > b ? a : b;
    return ab > c ? ab : c;
}

static void find_cost(struct candidate *c) {
    if (c->decoded_bytes == 0)
        return;
    const double decoded = (double)c->decoded_bytes;
    c->cost_ns = largest((double)c->decode_ns / decoded / CORES,
                         (double)c->stored_bytes / decoded * DISK_NS_PER_BYTE, FLOOR_NS);
}

static bool is_better(const struct candidate *c, const struct candidate *best) {
    if (c->cost_ns < best->cost_ns * MARGIN)
        return true;
    return c->cost_ns <= best->cost_ns / MARGIN &&
           (double)c->stored_bytes < (double)best->stored_bytes * MARGIN;
}

static double candidate_ratio(const struct candidate *c) {
    return c->stored_bytes > 0 ? (double)c->decoded_bytes / (double)c->stored_bytes : 1.0;
}

static const char *codec_name(const struct candidate *c) {
    return c->codec == HR__CODEC_ZSTD ? "zstd" : "raw";
}

static const char *filter_name(const struct candidate *c) {
    return c->filter == HR__FILTER_BYTE_SHUFFLE ? "byte-shuffle" : "none";
}

static const char *reason_of(const struct candidate *best, uint32_t num_candidates) {
    if (num_candidates == 1)
        return "asked for";
    if (best->decoded_bytes == 0)
        return "there was nothing to try it on";
    return best->codec == HR__CODEC_RAW ? "compression does not make delivery faster"
                                        : "the smallest of those that deliver fastest";
}

/* {"reason": ..., "candidates": [...]} */
static hr_status explain(struct hr__storage *storage, const struct candidate *c, uint32_t n,
                         const struct candidate *best, hr_error *err) {
    char text[1024];
    int at =
        snprintf(text, sizeof text, "{\"reason\": \"%s\", \"candidates\": [", reason_of(best, n));
    for (uint32_t i = 0; i < n && c[i].decoded_bytes > 0; i++) {
        const double gb_per_s =
            (double)c[i].decoded_bytes / (double)(c[i].decode_ns > 0 ? c[i].decode_ns : 1);
        at += snprintf(text + at, sizeof text - (size_t)at,
                       "%s{\"codec\": \"%s\", \"filter\": \"%s\", \"ratio\": %.3f, "
                       "\"decode_gb_per_s\": %.3f, \"cost_ns_per_byte\": %.3f}",
                       i > 0 ? ", " : "", codec_name(&c[i]), filter_name(&c[i]),
                       candidate_ratio(&c[i]), gb_per_s, c[i].cost_ns);
    }
    (void)snprintf(text + at, sizeof text - (size_t)at, "]}");
    storage->why_json = strdup(text);
    return storage->why_json != NULL ? HR_OK
                                     : hr__error_no_memory(err, strlen(text), "a codec's reason");
}

static hr_status choose_field(struct trial *t, uint32_t field, hr_error *err) {
    struct candidate c[MAX_CANDIDATES];
    const uint32_t n = list_candidates(&t->schema->fields[field], t->wishes, c);
    /* Nothing to try it on: the simplest. */
    const struct candidate *best = &c[0];
    for (uint32_t i = 0; i < n; i++) {
        const hr_status st = try_candidate(t, field, &c[i], err);
        if (st != HR_OK)
            return st;
        find_cost(&c[i]);
        if (is_better(&c[i], best))
            best = &c[i];
    }
    struct hr__storage *storage = &t->schema->fields[field].storage;
    storage->codec = best->codec;
    storage->filter = best->filter;
    storage->element_bytes = best->element_bytes;
    storage->level = best->codec == HR__CODEC_ZSTD ? t->wishes->level : 0;
    t->decoded_bytes += best->decoded_bytes;
    t->stored_bytes += best->stored_bytes;
    return explain(storage, c, n, best, err);
}

hr_status hr__trial_choose(struct hr__schema *schema, const struct hr__trial_wishes *wishes,
                           struct hr__chunk_encoder *encoder, struct hr__chunk_rows *const *rows,
                           uint32_t num_rows, double *ratio, hr_error *err) {
    struct trial t = {.schema = schema, .wishes = wishes, .encoder = encoder, .rows = rows};
    hr_status st = HR_OK;
    const size_t n_bytes = (size_t)encoder->plan->max_frame_bytes;
    /* With one candidate for each field there is nothing to measure. */
    t.num_rows = hr__trial_needed(schema, wishes) ? num_rows : 0;
    t.decoded = hr__writer_alloc(encoder->budget, n_bytes, "a codec trial", &st, err);
    if (st == HR_OK)
        t.unshuffled = hr__writer_alloc(encoder->budget, n_bytes, "a codec trial", &st, err);
    if (st != HR_OK)
        goto done;
    HR_TRY(hr__frame_decoder_init(&t.decoder, err));
    for (uint32_t f = 0; f < schema->num_fields; f++)
        HR_TRY(choose_field(&t, f, err));
    *ratio = t.stored_bytes > 0 ? (double)t.decoded_bytes / (double)t.stored_bytes : 0.0;
    st = HR_OK;
done:
    hr__frame_decoder_free(&t.decoder);
    if (t.unshuffled != NULL)
        hr__budget_free(encoder->budget, t.unshuffled, n_bytes);
    if (t.decoded != NULL)
        hr__budget_free(encoder->budget, t.decoded, n_bytes);
    return st;
}
