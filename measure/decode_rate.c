/*
 * How fast this machine can decode the frames of a file at all: hash, codec and filter in scratch
 * that stays in the cache, the stored bytes in memory. Only the byte shuffle is left on, as a
 * loader undoes it while it places rows. No loader can be faster.
 */
#include "rates.h"

#include "crew.h"
#include "frame_filter.h"

struct decode {
    const struct hr__chunk_sample *sample;
    struct hr__budget *budget;
};

struct decoder {
    struct hr__budget *budget;
    struct hr__frame_decoder codec;
    uint8_t filtered[HR__MAX_FRAME_BYTES];
    uint8_t decoded[HR__MAX_FRAME_BYTES];
};

static void decoder_end(void *mine) {
    struct decoder *d = mine;
    hr__frame_decoder_free(&d->codec);
    hr__budget_free(d->budget, d, sizeof(*d));
}

static hr_status decoder_begin(const void *user, void **mine, hr_error *err) {
    const struct decode *job = user;
    struct decoder *d = hr__budget_alloc(job->budget, sizeof(*d), "a decoder", err);
    if (d == NULL)
        return err->status;
    d->budget = job->budget;
    hr_status st = hr__frame_decoder_init(&d->codec, err);
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
        uint8_t *filtered = hr__filter_is_in_place(f->frame.filter) ? d->decoded : d->filtered;
        hr_status st =
            hr__frame_decode(&d->codec, &f->frame, f->stored, f->features, filtered, err);
        if (st == HR_OK && f->frame.filter != HR__FILTER_BYTE_SHUFFLE)
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
    const struct decode decode = {sample, budget};
    const struct hr__crew_job job = {&decode, decoder_begin, decode_chunk, decoder_end};
    return hr__crew_run(&job, num_threads, run_ns, watch, bytes_per_s, err);
}
