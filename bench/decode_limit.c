/*
 * How fast this machine can decode the frames of a file at all: hash and codec into scratch that
 * stays in the cache, the filter left undone, the stored bytes in memory. No loader can be faster.
 */
#include "limit_args.h"

#include <stdio.h>
#include <stdlib.h>

struct decoder {
    struct hr__frame_decoder codec;
    uint8_t scratch[HR__MAX_FRAME_BYTES];
};

static void decoder_free(void *mine) {
    struct decoder *d = mine;
    hr__frame_decoder_free(&d->codec);
    free(d);
}

static void *decoder_make(const void *user) {
    (void)user;
    struct decoder *d = calloc(1, sizeof(*d));
    if (d == NULL || hr__frame_decoder_init(&d->codec, NULL) == HR_OK)
        return d;
    free(d);
    return NULL;
}

static uint64_t decode_chunk(const void *user, void *mine, size_t chunk) {
    const struct chunk_sample *s = user;
    struct decoder *d = mine;
    uint64_t bytes = 0;
    for (size_t i = s->first_frame[chunk]; i < s->first_frame[chunk + 1]; i++) {
        const struct sample_frame *f = &s->frames[i];
        if (hr__frame_decode(&d->codec, &f->frame, f->stored, s->ds->superblock.required,
                             d->scratch, NULL) != HR_OK)
            return 0;
        bytes += f->frame.decoded_bytes;
    }
    return bytes;
}

int main(int argc, char **argv) {
    struct limit_args args;
    struct chunk_sample sample;
    hr_error err = {.message = ""};
    if (!limit_args_parse(argc, argv, &args))
        return 2;
    if (chunk_sample_load(args.path, args.field, args.sample_bytes, &sample, &err) != HR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct crew_job job = {sample.num_chunks, &sample, decoder_make, decode_chunk,
                                 decoder_free};
    int code = limit_measure(&args, &sample, &job);
    chunk_sample_free(&sample);
    return code;
}
