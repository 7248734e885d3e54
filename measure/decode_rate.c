/*
 * How fast this machine can decode the frames of a file at all: hash, codec and filter in scratch
 * that stays in the cache, the stored bytes in memory. Only the byte shuffle is left on, as a
 * loader undoes it while it places rows. No loader can be faster.
 */
#include "rates.h"

#include "crew.h"
#include "frame_codec.h"
#include "frame_filter.h"

struct decode {
    const struct hr__chunk_sample *sample;
    struct hr__budget *budget;
    size_t filtered_bytes; /* scratch for filters that are not undone in place; 0: there are none */
};

struct decoder {
    const struct decode *job;
    struct hr__frame_decoder codec;
    uint8_t *filtered;
    uint8_t decoded[HR__MAX_FRAME_BYTES];
};

static bool is_undone(const struct hr__frame *f) {
    return f->filter != HR__FILTER_BYTE_SHUFFLE;
}

static bool needs_scratch(const struct hr__frame *f) {
    return is_undone(f) && !hr__filter_is_in_place(f->filter);
}

static void decoder_end(void *mine) {
    struct decoder *d = mine;
    struct hr__budget *budget = d->job->budget;
    hr__frame_decoder_free(&d->codec);
    hr__budget_free(budget, d->filtered, d->job->filtered_bytes);
    hr__budget_free(budget, d, sizeof(*d));
}

static hr_status decoder_begin(const void *user, void **mine, hr_error *err) {
    const struct decode *job = user;
    hr_status st = HR_OK;
    struct decoder *d = hr__budget_take(job->budget, sizeof(*d), "a decoder", &st, err);
    if (d == NULL)
        return st;
    d->job = job;
    if (job->filtered_bytes > 0)
        d->filtered = hr__budget_take(job->budget, job->filtered_bytes, "a decoder", &st, err);
    if (st == HR_OK)
        st = hr__frame_decoder_init(&d->codec, err);
    if (st == HR_OK)
        *mine = d;
    else
        decoder_end(d);
    return st;
}

static hr_status decode_chunk(const void *user, void *mine, uint64_t turn, uint64_t *bytes,
                              hr_error *err) {
    const struct hr__chunk_sample *s = ((const struct decode *)user)->sample;
    struct decoder *d = mine;
    size_t chunk = (size_t)(turn % s->num_chunks);
    for (size_t i = s->first_frame[chunk]; i < s->first_frame[chunk + 1]; i++) {
        const struct hr__sample_frame *f = &s->frames[i];
        uint8_t *filtered = needs_scratch(&f->frame) ? d->filtered : d->decoded;
        hr_status st =
            hr__frame_decode(&d->codec, &f->frame, f->stored, f->features, filtered, err);
        if (st == HR_OK && is_undone(&f->frame))
            hr__filter_undo(&f->frame, filtered, d->decoded);
        if (st != HR_OK)
            return hr__dataset_blame(s->ds, hr__chunk_sample_number(s, chunk), f->field, st, err);
        *bytes += f->frame.decoded_bytes;
    }
    return HR_OK;
}

hr_status hr__decode_rate(const struct hr__chunk_sample *sample, uint32_t num_threads,
                          int64_t run_ns, struct hr__budget *budget, const struct hr__watch *watch,
                          double *bytes_per_s, hr_error *err) {
    struct decode decode = {.sample = sample, .budget = budget};
    for (size_t i = 0; i < sample->first_frame[sample->num_chunks]; i++)
        if (needs_scratch(&sample->frames[i].frame))
            decode.filtered_bytes = HR__MAX_FRAME_BYTES;
    const struct hr__crew_job job = {&decode, decoder_begin, decode_chunk, decoder_end};
    return hr__crew_run(&job, num_threads, run_ns, watch, bytes_per_s, err);
}
