/*
 * How fast this machine can compress the frames of a file at all: filter, codec and hash as the
 * file's fields are stored, from decoded bytes in memory into scratch. No conversion can be faster.
 */
#include "limit_args.h"

#include <stdio.h>
#include <stdlib.h>

/* The sample decoded: frame i begins at decoded + off[i]. */
struct plain_sample {
    struct chunk_sample stored;
    uint8_t *decoded;
    uint64_t *off;
};

struct encoder {
    struct hr__frame_encoder codec;
    size_t room_bytes;
    uint8_t *room;
};

static void encoder_free(void *mine) {
    struct encoder *e = mine;
    hr__frame_encoder_free(&e->codec);
    free(e->room);
    free(e);
}

static void *encoder_make(const void *user) {
    (void)user;
    struct encoder *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->room_bytes = hr__frame_bound(HR__MAX_FRAME_BYTES);
    e->room = malloc(e->room_bytes);
    if (e->room != NULL && hr__frame_encoder_init(&e->codec, NULL) == HR_OK)
        return e;
    encoder_free(e);
    return NULL;
}

static uint64_t encode_chunk(const void *user, void *mine, size_t chunk) {
    const struct plain_sample *s = user;
    struct encoder *e = mine;
    uint64_t bytes = 0;
    for (size_t i = s->stored.first_frame[chunk]; i < s->stored.first_frame[chunk + 1]; i++) {
        const struct sample_frame *f = &s->stored.frames[i];
        const struct hr__storage *how = &s->stored.ds->footer.schema.fields[f->field].storage;
        struct hr__frame out;
        if (hr__frame_encode(&e->codec, how, s->decoded + s->off[i], f->frame.decoded_bytes,
                             e->room, e->room_bytes, &out, NULL) != HR_OK)
            return 0;
        bytes += f->frame.decoded_bytes;
    }
    return bytes;
}

static hr_status frame_plain(struct hr__frame_decoder *codec, const struct chunk_sample *s,
                             const struct hr__frame *frame, const uint8_t *stored, uint8_t *scratch,
                             uint8_t *dst, hr_error *err) {
    bool plain = frame->element_bytes == 0;
    hr_status st = hr__frame_decode(codec, frame, stored, s->ds->superblock.required,
                                    plain ? dst : scratch, err);
    if (st == HR_OK && !plain)
        hr__byte_unshuffle(scratch, frame->decoded_bytes, frame->element_bytes, dst);
    return st;
}

static hr_status decode_all(struct plain_sample *s, hr_error *err) {
    hr_status st = HR_OK;
    struct hr__frame_decoder codec = {0};
    uint64_t off = 0;
    uint8_t *scratch = malloc(HR__MAX_FRAME_BYTES);
    s->decoded = malloc((size_t)s->stored.decoded_bytes);
    s->off = malloc(s->stored.num_frames * sizeof(*s->off));
    if (scratch == NULL || s->decoded == NULL || s->off == NULL)
        st = HR_ERR_NO_MEMORY;
    if (st == HR_OK)
        st = hr__frame_decoder_init(&codec, err);
    for (size_t i = 0; i < s->stored.num_frames && st == HR_OK; i++) {
        const struct sample_frame *f = &s->stored.frames[i];
        s->off[i] = off;
        st = frame_plain(&codec, &s->stored, &f->frame, f->stored, scratch, s->decoded + off, err);
        off += f->frame.decoded_bytes;
    }
    hr__frame_decoder_free(&codec);
    free(scratch);
    return st;
}

int main(int argc, char **argv) {
    struct limit_args args;
    struct plain_sample s = {0};
    hr_error err = {.message = "not enough memory"};
    int code = 1;
    if (!limit_args_parse(argc, argv, &args))
        return 2;
    if (chunk_sample_load(args.path, args.field, args.sample_bytes, &s.stored, &err) == HR_OK &&
        decode_all(&s, &err) == HR_OK) {
        const struct crew_job job = {s.stored.num_chunks, &s, encoder_make, encode_chunk,
                                     encoder_free};
        code = limit_measure(&args, &s.stored, &job);
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    chunk_sample_free(&s.stored);
    free(s.decoded);
    free(s.off);
    return code;
}
