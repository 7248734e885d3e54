/*
 * Trials of frames.
 */
#include "frame_trial.h"

#include "clock.h"
#include "frame_filter.h"
#include "superblock.h"
#include "writer_memory.h"

#define TIMINGS 3u /* of each frame: the shortest counts */

static size_t frame_bytes(const struct hr__frame_trial *t) {
    return (size_t)t->encoder->plan->max_frame_bytes;
}

hr_status hr__frame_trial_open(struct hr__frame_trial *t, struct hr__chunk_encoder *encoder,
                               hr_error *err) {
    *t = (struct hr__frame_trial){.encoder = encoder};
    hr_status st = hr__budget_reserve(encoder->budget, HR__DECODER_BYTES, "a codec trial", err);
    if (st != HR_OK)
        return st;
    t->decoder_bytes = HR__DECODER_BYTES;
    t->decoded = hr__budget_take(encoder->budget, frame_bytes(t), "a codec trial", &st, err);
    if (st == HR_OK)
        t->plain = hr__budget_take(encoder->budget, frame_bytes(t), "a codec trial", &st, err);
    return st == HR_OK ? hr__frame_decoder_init(&t->decoder, err) : st;
}

void hr__frame_trial_close(struct hr__frame_trial *t) {
    if (t->encoder == NULL)
        return;
    hr__frame_decoder_free(&t->decoder);
    if (t->plain != NULL)
        hr__budget_free(t->encoder->budget, t->plain, frame_bytes(t));
    if (t->decoded != NULL)
        hr__budget_free(t->encoder->budget, t->decoded, frame_bytes(t));
    hr__budget_release(t->encoder->budget, t->decoder_bytes);
    *t = (struct hr__frame_trial){0};
}

/* The shortest of a few times to decode one frame. */
static hr_status time_decode(struct hr__frame_trial *t, const struct hr__frame *frame, int64_t *ns,
                             hr_error *err) {
    const uint32_t features = HR__FEATURE_ZSTD | HR__FEATURES_FILTERS;
    const uint8_t *stored = t->encoder->stored;
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

hr_status hr__frame_trial_add(struct hr__frame_trial *t, const uint8_t *src, uint32_t n,
                              struct hr__candidate *c, hr_error *err) {
    const struct hr__storage storage = {.codec = c->codec,
                                        .filter = c->filter,
                                        .element_bytes = c->element_bytes,
                                        .distance_bytes = c->distance_bytes,
                                        .level = c->level};
    struct hr__chunk_encoder *e = t->encoder;
    struct hr__frame frame;
    int64_t ns = 0;
    hr_status st = hr__frame_encode(&e->frame_encoder, &storage, src, n, e->stored,
                                    (size_t)e->plan->stored_bytes, &frame, err);
    if (st == HR_OK)
        st = time_decode(t, &frame, &ns, err);
    if (st != HR_OK)
        return st;
    c->decoded_bytes += n;
    c->stored_bytes += frame.stored_bytes;
    c->decode_ns += ns;
    return HR_OK;
}
