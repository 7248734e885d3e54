/*
 * encode_limit FILE.hrd: how fast this machine can compress the frames of a file at all: filter,
 * codec and hash as the file's fields are stored, from decoded bytes in memory into scratch. No
 * conversion can be faster. Prints JSON.
 */
#include "chunk_sample.h"
#include "cpu.h"
#include "crew.h"
#include "error.h"
#include "frame_filter.h"

#include <stdio.h>
#include <stdlib.h>

#define SAMPLE_BYTES (UINT64_C(256) << 20)
#define RUN_NS       INT64_C(1000000000)

/* The sample decoded: frame i begins at decoded + off[i]. */
struct plain_sample {
    hr_dataset *ds;
    struct hr__budget budget;
    struct hr__chunk_sample stored;
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

static hr_status encoder_make(const void *user, void **mine, hr_error *err) {
    (void)user;
    struct encoder *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return hr__error_no_memory(err, sizeof(*e), "an encoder");
    e->room_bytes = hr__frame_bound(HR__MAX_FRAME_BYTES);
    e->room = malloc(e->room_bytes);
    hr_status st = e->room != NULL ? hr__frame_encoder_init(&e->codec, err)
                                   : hr__error_no_memory(err, e->room_bytes, "an encoder");
    if (st == HR_OK)
        *mine = e;
    else
        encoder_free(e);
    return st;
}

static hr_status encode_chunk(const void *user, void *mine, uint64_t turn, uint64_t *bytes,
                              hr_error *err) {
    const struct plain_sample *s = user;
    struct encoder *e = mine;
    size_t chunk = (size_t)(turn % s->stored.num_chunks);
    for (size_t i = s->stored.first_frame[chunk]; i < s->stored.first_frame[chunk + 1]; i++) {
        const struct hr__sample_frame *f = &s->stored.frames[i];
        const struct hr__storage *how = &s->ds->footer.schema.fields[f->field].storage;
        struct hr__frame out;
        hr_status st = hr__frame_encode(&e->codec, how, s->decoded + s->off[i],
                                        f->frame.decoded_bytes, e->room, e->room_bytes, &out, err);
        if (st != HR_OK)
            return st;
        *bytes += f->frame.decoded_bytes;
    }
    return HR_OK;
}

static hr_status frame_plain(struct hr__frame_decoder *codec, const struct hr__sample_frame *f,
                             uint8_t *scratch, uint8_t *dst, hr_error *err) {
    uint8_t *filtered = hr__filter_is_in_place(f->frame.filter) ? dst : scratch;
    hr_status st = hr__frame_decode(codec, &f->frame, f->stored, f->features, filtered, err);
    if (st == HR_OK)
        hr__filter_undo(&f->frame, filtered, dst);
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
        st = hr__error_no_memory(err, (size_t)s->stored.decoded_bytes, "decoded chunks");
    if (st == HR_OK)
        st = hr__frame_decoder_init(&codec, err);
    for (size_t i = 0; i < s->stored.num_frames && st == HR_OK; i++) {
        s->off[i] = off;
        st = frame_plain(&codec, &s->stored.frames[i], scratch, s->decoded + off, err);
        off += s->stored.frames[i].frame.decoded_bytes;
    }
    hr__frame_decoder_free(&codec);
    free(scratch);
    return st;
}

static hr_status measure(const char *path, struct plain_sample *s, double *bytes_per_s,
                         hr_error *err) {
    hr_status st;
    const struct hr__crew_job job = {s, encoder_make, encode_chunk, encoder_free};
    const struct hr__watch nobody = {0};
    hr__budget_init(&s->budget, UINT64_MAX);
    HR_TRY(hr_dataset_open(path, NULL, &s->ds, err));
    HR_TRY(hr__chunk_sample_load(s->ds, SAMPLE_BYTES, &s->budget, &s->stored, err));
    HR_TRY(decode_all(s, err));
    HR_TRY(hr__crew_run(&job, hr__cpu_count(), RUN_NS, &nobody, bytes_per_s, err));
done:
    return st;
}

int main(int argc, char **argv) {
    struct plain_sample s = {0};
    double bytes_per_s = 0;
    hr_error err = {.message = ""};
    if (argc != 2) {
        fprintf(stderr, "usage: %s FILE.hrd\n", argv[0]);
        return 2;
    }
    hr_status st = measure(argv[1], &s, &bytes_per_s, &err);
    if (st == HR_OK)
        printf("{\"threads\": %u, \"bytes_per_s\": %.0f}\n", hr__cpu_count(), bytes_per_s);
    else
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
    hr__chunk_sample_free(&s.stored);
    hr_dataset_close(s.ds);
    free(s.decoded);
    free(s.off);
    return st == HR_OK ? 0 : 1;
}
