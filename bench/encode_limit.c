/*
 * encode_limit FILE.hrd [SOURCE]: how fast this machine can compress the frames of a file at all:
 * filter, codec and hash as the file's fields are stored, from decoded bytes in memory into
 * scratch. No conversion can be faster. With a source, which should be in the page cache, also how
 * fast it can do that while it copies as many bytes of the source out of the page cache as it
 * compresses, which takes the same processors. And the processor time of compressing a byte, which
 * other users of the machine change less than they change rates. Prints JSON.
 */
#define _GNU_SOURCE
#include "checked.h"
#include "chunk_sample.h"
#include "cpu.h"
#include "crew.h"
#include "error.h"
#include "frame_codec.h"
#include "frame_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE_BYTES (UINT64_C(256) << 20)
#define RUN_NS       INT64_C(1000000000)
#define PASSES       2 /* of one thread whose time is taken: the last counts */

/* The sample decoded: frame i begins at decoded + off[i]. */
struct plain_sample {
    hr_dataset *ds;
    struct hr__budget budget;
    struct hr__chunk_sample stored;
    uint8_t *decoded;
    uint64_t *off;
    uint64_t chunk_bytes; /* of the largest, decoded */
    int source;           /* -1: none */
    uint64_t source_bytes;
};

struct encoder {
    struct hr__frame_encoder codec;
    size_t room_bytes;
    uint8_t *room;
    uint8_t *rows; /* read of the source */
};

static void encoder_free(void *mine) {
    struct encoder *e = mine;
    hr__frame_encoder_free(&e->codec);
    free(e->room);
    free(e->rows);
    free(e);
}

static hr_status encoder_make(const void *user, void **mine, hr_error *err) {
    const struct plain_sample *s = user;
    struct encoder *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return hr__error_no_memory(err, sizeof(*e), "an encoder");
    e->room_bytes = hr__frame_bound(HR__MAX_FRAME_BYTES);
    e->room = malloc(e->room_bytes);
    e->rows = malloc((size_t)s->chunk_bytes);
    hr_status st = e->room != NULL && e->rows != NULL
                       ? hr__frame_encoder_init(&e->codec, err)
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

/* As much of the source as the chunk has, from another place each time, and the chunk. */
static hr_status read_and_encode_chunk(const void *user, void *mine, uint64_t turn, uint64_t *bytes,
                                       hr_error *err) {
    const struct plain_sample *s = user;
    const struct encoder *e = mine;
    const uint64_t places = hr__max_u64(s->source_bytes / s->chunk_bytes, 1);
    const size_t n = (size_t)hr__min_u64(s->chunk_bytes, s->source_bytes);
    const off_t off = (off_t)(turn % places * s->chunk_bytes);
    if (pread(s->source, e->rows, n, off) != (ssize_t)n)
        return hr__error_os(err, errno, "the source cannot be read");
    return encode_chunk(user, mine, turn, bytes, err);
}

static hr_status time_encoding(const struct plain_sample *s, double *ns_per_byte, hr_error *err) {
    void *mine = NULL;
    hr_status st = encoder_make(s, &mine, err);
    for (int pass = 0; pass < PASSES && st == HR_OK; pass++) {
        struct timespec from, to;
        uint64_t bytes = 0;
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        for (uint64_t c = 0; c < s->stored.num_chunks && st == HR_OK; c++)
            st = encode_chunk(s, mine, c, &bytes, err);
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        *ns_per_byte =
            ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
            (double)hr__max_u64(bytes, 1);
    }
    if (mine != NULL)
        encoder_free(mine);
    return st;
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

static void find_chunk_bytes(struct plain_sample *s) {
    s->chunk_bytes = 1;
    for (uint64_t c = 0; c < s->stored.num_chunks; c++) {
        uint64_t n = 0;
        for (size_t i = s->stored.first_frame[c]; i < s->stored.first_frame[c + 1]; i++)
            n += s->stored.frames[i].frame.decoded_bytes;
        s->chunk_bytes = hr__max_u64(s->chunk_bytes, n);
    }
}

static hr_status open_source(const char *path, struct plain_sample *s, hr_error *err) {
    struct stat st;
    s->source = open(path, O_RDONLY | O_CLOEXEC);
    if (s->source < 0 || fstat(s->source, &st) != 0)
        return hr__error_os(err, errno, "%s cannot be opened", path);
    s->source_bytes = (uint64_t)st.st_size;
    return HR_OK;
}

struct figures {
    double bytes_per_s, with_reading_bytes_per_s, ns_per_byte;
};

static hr_status measure(const char *path, const char *source, struct plain_sample *s,
                         struct figures *out, hr_error *err) {
    hr_status st;
    const struct hr__crew_job job = {s, encoder_make, encode_chunk, encoder_free};
    const struct hr__crew_job reading = {s, encoder_make, read_and_encode_chunk, encoder_free};
    const struct hr__watch nobody = {0};
    hr__budget_init(&s->budget, UINT64_MAX);
    HR_TRY(hr_dataset_open(path, NULL, &s->ds, err));
    HR_TRY(hr__chunk_sample_load(s->ds, SAMPLE_BYTES, &s->budget, &s->stored, err));
    HR_TRY(decode_all(s, err));
    find_chunk_bytes(s);
    HR_TRY(time_encoding(s, &out->ns_per_byte, err));
    HR_TRY(hr__crew_run(&job, hr__cpu_count(), RUN_NS, &nobody, &out->bytes_per_s, err));
    if (source == NULL)
        return HR_OK;
    HR_TRY(open_source(source, s, err));
    HR_TRY(hr__crew_run(&reading, hr__cpu_count(), RUN_NS, &nobody, &out->with_reading_bytes_per_s,
                        err));
done:
    return st;
}

int main(int argc, char **argv) {
    struct plain_sample s = {.source = -1};
    struct figures f = {0};
    hr_error err = {.message = ""};
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: %s FILE.hrd [SOURCE]\n", argv[0]);
        return 2;
    }
    hr_status st = measure(argv[1], argc == 3 ? argv[2] : NULL, &s, &f, &err);
    if (st == HR_OK)
        printf("{\"threads\": %u, \"bytes_per_s\": %.0f, \"with_reading_bytes_per_s\": %.0f, "
               "\"cpu_ns_per_byte\": %.4f}\n",
               hr__cpu_count(), f.bytes_per_s, f.with_reading_bytes_per_s, f.ns_per_byte);
    else
        fprintf(stderr, "%s: %s\n", argv[1], err.message);
    hr__chunk_sample_free(&s.stored);
    hr_dataset_close(s.ds);
    if (s.source >= 0)
        close(s.source);
    free(s.decoded);
    free(s.off);
    return st == HR_OK ? 0 : 1;
}
