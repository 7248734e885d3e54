/*
 * Salvaging: whatever is damaged, everything else is saved, sample by sample, and what is lost is
 * told exactly; the damaged file is never changed.
 */
#define _GNU_SOURCE
#include "dataset.h"
#include "made_dataset.h"
#include "superblock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_LOST   64
#define NUM_CHUNKS 17u

static const struct made whole = {.num_samples = 1000,
                                  .samples_per_chunk = 60,
                                  .row_bytes = 300,
                                  .row_words = 20,
                                  .codec = HR_CODEC_ZSTD,
                                  .filter = HR_FILTER_BYTE_SHUFFLE};

static char *path, *output;

/* A file in memory. */
struct bytes {
    uint8_t *at;
    size_t n;
};

static struct bytes load(const char *name) {
    struct stat s;
    FILE *f = fopen(name, "rb");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &s), 0);
    struct bytes b = {malloc((size_t)s.st_size), (size_t)s.st_size};
    assert_int_equal(fread(b.at, 1, b.n, f), b.n);
    assert_int_equal(fclose(f), 0);
    return b;
}

static void store(const char *name, const uint8_t *bytes, size_t n) {
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* What was told of a salvage. */
struct told {
    hr_lost lost[MAX_LOST];
    char fields[MAX_LOST][80], reasons[MAX_LOST][400];
    uint32_t num_lost, num_notes;
    char note[400];
    hr_salvage_result result;
    hr_error err;
};

static void on_lost(void *user, const hr_lost *lost) {
    struct told *t = user;
    const uint32_t i = t->num_lost++;
    assert_true(i < MAX_LOST);
    t->lost[i] = *lost;
    for (uint32_t f = 0; f < lost->num_fields; f++) {
        strcat(t->fields[i], lost->fields[f]);
        strcat(t->fields[i], " ");
    }
    (void)snprintf(t->reasons[i], sizeof t->reasons[i], "%s", lost->reason);
}

static void on_note(void *user, const char *line) {
    struct told *t = user;
    t->num_notes++;
    (void)snprintf(t->note, sizeof t->note, "%s", line);
}

static hr_status salvage(struct told *t) {
    hr_salvage_options o = HR_SALVAGE_OPTIONS_INIT;
    *t = (struct told){.result = {.struct_bytes = sizeof t->result}};
    (void)unlink(output);
    o.path = path;
    o.output = output;
    o.user = t;
    o.on_lost = on_lost;
    o.on_note = on_note;
    return hr_salvage(&o, &t->result, &t->err);
}

static void assert_row(const struct made *m, uint64_t sample, const uint8_t *x, const float *w) {
    for (uint32_t k = 0; k < m->row_bytes; k++)
        assert_int_equal(x[k], made_byte(sample, k));
    for (uint32_t k = 0; k < m->row_words; k++)
        assert_true(w[k] == made_word(sample, k));
}

/* The output holds samples 0 .. end - 1 but for what was told to be lost, and nothing else; and it
 * is a whole data set. */
static void assert_saved(const struct made *m, uint64_t end, const struct told *t) {
    hr_dataset *ds = NULL;
    hr_error err = {0};
    made_ok(hr_dataset_verify(output, NULL, &err), &err);
    made_ok(hr_dataset_open(output, NULL, &ds, &err), &err);
    const uint64_t n = hr_dataset_num_samples(ds);
    const size_t room = (size_t)n + 1;
    assert_int_equal(n, t->result.num_samples);
    int64_t *y = malloc(room * 8);
    uint8_t *x = malloc(room * m->row_bytes);
    float *w = malloc(room * m->row_words * 4 + 1);
    made_ok(hr_dataset_read(ds, 0, 0, n, y, room * 8, &err), &err);
    made_ok(hr_dataset_read(ds, 1, 0, n, x, room * m->row_bytes, &err), &err);
    if (m->row_words > 0)
        made_ok(hr_dataset_read(ds, 2, 0, n, w, room * m->row_words * 4, &err), &err);
    uint64_t at = 0;
    uint32_t next_lost = 0;
    for (uint64_t sample = 0; sample < end;) {
        if (next_lost < t->num_lost && t->lost[next_lost].first_sample == sample) {
            sample += t->lost[next_lost++].num_samples;
            continue;
        }
        assert_true(at < n);
        assert_int_equal(y[at], sample);
        assert_row(m, sample, x + at * m->row_bytes, w + at * m->row_words);
        at++;
        sample++;
    }
    assert_int_equal(at, n);
    free(y);
    free(x);
    free(w);
    hr_dataset_close(ds);
}

/* ---- where things are in a whole file ---- */

struct place {
    uint64_t off, n_bytes; /* of a chunk, in whole pages */
};

static void find_chunks(struct place chunks[NUM_CHUNKS], uint64_t *footer_off) {
    hr_dataset *ds = NULL;
    struct hr__index_cache cache = {0};
    hr_error err = {0};
    made_ok(hr_dataset_open(path, NULL, &ds, &err), &err);
    assert_int_equal(ds->footer.num_chunks, NUM_CHUNKS);
    for (uint64_t c = 0; c < NUM_CHUNKS; c++) {
        struct hr__chunk_at at;
        made_ok(hr__dataset_locate(ds, c, &cache, &at, &err), &err);
        chunks[c] = (struct place){at.entry.page * HR__PAGE_BYTES,
                                   at.entry.pages * (uint64_t)HR__PAGE_BYTES};
    }
    *footer_off = ds->parts[0].superblock.footer_off;
    hr__index_cache_free(&cache);
    hr_dataset_close(ds);
}

static int chunk_at(const struct place chunks[NUM_CHUNKS], uint64_t off) {
    for (uint32_t c = 0; c < NUM_CHUNKS; c++)
        if (off >= chunks[c].off && off - chunks[c].off < chunks[c].n_bytes)
            return (int)c;
    return -1;
}

static uint64_t samples_in(uint64_t chunk) {
    return chunk + 1 < NUM_CHUNKS ? 60 : 1000 - 60 * (NUM_CHUNKS - 1);
}

static void assert_lost_chunk(const struct told *t, uint32_t i, uint64_t chunk) {
    assert_true(i < t->num_lost);
    assert_int_equal(t->lost[i].first_chunk, chunk);
    assert_int_equal(t->lost[i].num_chunks, 1);
    assert_int_equal(t->lost[i].first_sample, chunk * 60);
    assert_int_equal(t->lost[i].num_samples, samples_in(chunk));
    assert_true(strlen(t->reasons[i]) > 0);
}

/* ---- whole and damaged files ---- */

static void salvage__whole_file__saves_all(void **state) {
    (void)state;
    struct told t;
    made_write(path, &whole);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.num_lost, 0);
    assert_int_equal(t.num_notes, 0);
    assert_int_equal(t.result.end_known, 1);
    assert_int_equal(t.result.num_samples, whole.num_samples);
    assert_int_equal(t.result.num_segments, 1);
    assert_saved(&whole, whole.num_samples, &t);
}

static void assert_same_statistics(const char *a_path, const char *b_path) {
    hr_dataset *a = NULL, *b = NULL;
    hr_error err = {0};
    made_ok(hr_dataset_open(a_path, NULL, &a, &err), &err);
    made_ok(hr_dataset_open(b_path, NULL, &b, &err), &err);
    for (uint32_t f = 0; f < 3; f++) {
        hr_statistics x = {.struct_bytes = sizeof x}, y = {.struct_bytes = sizeof y};
        made_ok(hr_dataset_statistics(a, f, &x, &err), &err);
        made_ok(hr_dataset_statistics(b, f, &y, &err), &err);
        assert_true(x.mean - y.mean <= 1e-9 && y.mean - x.mean <= 1e-9);
        assert_true(x.std - y.std <= 1e-9 && y.std - x.std <= 1e-9);
        x.mean = y.mean;
        x.std = y.std;
        assert_memory_equal(&x, &y, sizeof x);
    }
    hr_dataset_close(a);
    hr_dataset_close(b);
}

static void statistics__of_what_is_saved__are_those_of_its_samples(void **state) {
    (void)state;
    struct told t;
    struct place chunks[NUM_CHUNKS];
    uint64_t footer_off;
    char *rest = strdup(made_path("rest.hrd"));
    made_write(path, &whole);
    find_chunks(chunks, &footer_off);
    struct bytes b = load(path);
    b.at[chunks[0].off + 300] ^= 1;
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_lost_chunk(&t, 0, 0);
    made_write_part(rest, &whole, 60, whole.num_samples - 60);
    assert_same_statistics(output, rest);
    free(b.at);
    free(rest);
}

/* One flipped bit at a time: at the start of each page, and at seeded places. */
static void salvage__flipped_bits__loses_the_chunk_that_was_hit_and_no_other(void **state) {
    (void)state;
    struct place chunks[NUM_CHUNKS];
    uint64_t footer_off, seed = 20250117;
    struct made m = whole;
    m.codec = HR_CODEC_RAW;
    m.filter = HR_FILTER_AUTO;
    made_write(path, &m);
    find_chunks(chunks, &footer_off);
    const struct bytes b = load(path);
    uint64_t used[NUM_CHUNKS]; /* without padding */
    uint32_t num_hits = 0;
    for (uint32_t c = 0; c < NUM_CHUNKS; c++)
        memcpy(&used[c], b.at + chunks[c].off + 72, sizeof used[c]);
    for (uint64_t i = 0; i < 250; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint64_t page = i % (b.n / HR__PAGE_BYTES) * HR__PAGE_BYTES;
        const uint64_t off = i < b.n / HR__PAGE_BYTES ? page + (seed >> 60) : (seed >> 20) % b.n;
        struct told t;
        b.at[off] ^= (uint8_t)(1u << i % 8);
        store(path, b.at, b.n);
        const int chunk = chunk_at(chunks, off);
        if (salvage(&t) != HR_OK)
            fail_msg("byte %llu: %s", (unsigned long long)off, t.err.message);
        assert_int_equal(t.num_lost, chunk >= 0 && off - chunks[chunk].off < used[chunk]);
        if (t.num_lost > 0)
            assert_lost_chunk(&t, 0, (uint64_t)chunk);
        num_hits += t.num_lost;
        assert_saved(&m, m.num_samples, &t);
        struct bytes after = load(path);
        assert_int_equal(after.n, b.n);
        assert_memory_equal(after.at, b.at, b.n);
        free(after.at);
        b.at[off] ^= (uint8_t)(1u << i % 8);
    }
    assert_true(num_hits > 60);
    free(b.at);
}

static void salvage__damaged_fields__are_named(void **state) {
    (void)state;
    struct made m = whole;
    m.codec = HR_CODEC_RAW;
    m.filter = HR_FILTER_AUTO;
    struct place chunks[NUM_CHUNKS];
    uint64_t footer_off;
    struct told t;
    made_write(path, &m);
    find_chunks(chunks, &footer_off);
    struct bytes b = load(path);
    const uint32_t head = hr__chunk_header_peek(b.at + chunks[2].off, HR__PAGE_BYTES);
    b.at[chunks[2].off + head + 4] ^= 1;                        /* y */
    b.at[chunks[2].off + head + 60 * (8 + 20 * 4) + 1000] ^= 1; /* x, the largest, is last */
    b.at[chunks[9].off + 20] ^= 1;                              /* the header */
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.num_lost, 2);
    assert_lost_chunk(&t, 0, 2);
    assert_string_equal(t.fields[0], "y x ");
    assert_lost_chunk(&t, 1, 9);
    assert_string_equal(t.fields[1], "");
    assert_int_equal(t.result.lost_samples, 120);
    assert_int_equal(t.result.lost_chunks, 2);
    assert_int_equal(t.result.num_segments, 1);
    assert_saved(&m, m.num_samples, &t);
    free(b.at);
}

static void salvage__damaged_padding__loses_nothing(void **state) {
    (void)state;
    struct place chunks[NUM_CHUNKS];
    uint64_t footer_off;
    struct told t;
    made_write(path, &whole);
    find_chunks(chunks, &footer_off);
    struct bytes b = load(path);
    b.at[chunks[7].off + chunks[7].n_bytes - 1] ^= 1;
    store(path, b.at, b.n);
    assert_int_equal(hr_dataset_verify(path, NULL, NULL), HR_ERR_CORRUPT);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.num_lost, 0);
    assert_saved(&whole, whole.num_samples, &t);
    free(b.at);
}

static void provenance__of_what_is_saved__lists_what_is_missing(void **state) {
    (void)state;
    struct place chunks[NUM_CHUNKS];
    uint64_t footer_off;
    struct told t;
    hr_dataset *ds = NULL;
    made_write(path, &whole);
    find_chunks(chunks, &footer_off);
    struct bytes b = load(path);
    b.at[chunks[3].off + 300] ^= 1;
    b.at[chunks[4].off + 300] ^= 1;
    b.at[chunks[16].off + 300] ^= 1;
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(hr_dataset_open(output, NULL, &ds, NULL), HR_OK);
    const char *json = strstr(hr_dataset_json(ds), "\"salvage\"");
    assert_non_null(json);
    char *flat = calloc(1, strlen(json) + 1);
    for (char *to = flat; *json != 0; json++)
        if (*json != ' ' && *json != '\n')
            *to++ = *json;
    assert_non_null(strstr(flat, "\"lost_samples\":160"));
    assert_non_null(strstr(flat, "\"lost\":[[180,120],[960,40]]"));
    assert_non_null(strstr(flat, "damaged.hrd"));
    free(flat);
    hr_dataset_close(ds);
    free(b.at);
}

/* ---- files without a footer, or without an end ---- */

static void clear(struct bytes *b, uint64_t off, size_t n) {
    memset(b->at + off, 0, n);
}

static void salvage__no_superblocks__finds_all_by_the_job_record(void **state) {
    (void)state;
    struct told t;
    made_write(path, &whole);
    struct bytes b = load(path);
    clear(&b, 0, HR__PAGE_BYTES);
    clear(&b, HR__SLOT1_OFF, HR__PAGE_BYTES);
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.result.end_known, 0);
    assert_int_equal(t.num_notes, 1);
    assert_int_equal(t.num_lost, 0);
    assert_saved(&whole, whole.num_samples, &t);
    free(b.at);
}

static void salvage__truncated_anywhere__saves_the_chunks_before(void **state) {
    (void)state;
    struct place chunks[NUM_CHUNKS];
    uint64_t footer_off;
    made_write(path, &whole);
    find_chunks(chunks, &footer_off);
    const struct bytes b = load(path);
    for (uint64_t n = 0; n <= b.n; n += HR__PAGE_BYTES) {
        struct told t;
        uint64_t end = 0;
        for (uint32_t c = 0; c < NUM_CHUNKS; c++)
            if (chunks[c].off + chunks[c].n_bytes <= n)
                end += samples_in(c);
        store(path, b.at, n);
        const hr_status st = salvage(&t);
        if (end == 0) {
            assert_int_equal(st, HR_ERR_CORRUPT);
            assert_int_not_equal(access(output, F_OK), 0);
            continue;
        }
        if (st != HR_OK)
            fail_msg("%llu bytes: %s", (unsigned long long)n, t.err.message);
        assert_int_equal(t.result.num_samples, end);
        assert_int_equal(t.result.end_known, n == b.n);
        assert_int_equal(t.num_lost, 0);
        assert_saved(&whole, end, &t);
    }
    free(b.at);
}

static void salvage__damaged_index__keeps_to_what_the_footer_says(void **state) {
    (void)state;
    struct place chunks[NUM_CHUNKS];
    uint64_t footer_off;
    struct told t;
    made_write(path, &whole);
    find_chunks(chunks, &footer_off);
    struct bytes b = load(path);
    b.at[footer_off - HR__PAGE_BYTES] ^= 1; /* the index page is before the footer */
    b.at[chunks[5].off + 30] ^= 1; /* the headers of two chunks in a row, and of the last */
    b.at[chunks[6].off + 30] ^= 1;
    b.at[chunks[16].off + 30] ^= 1;
    b.at[chunks[10].off + 400] ^= 1; /* a frame */
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.result.end_known, 1);
    assert_non_null(strstr(t.note, "index page 0"));
    assert_int_equal(t.num_lost, 3);
    assert_int_equal(t.lost[0].first_chunk, 5);
    assert_int_equal(t.lost[0].num_chunks, 2);
    assert_int_equal(t.lost[0].first_sample, 300);
    assert_int_equal(t.lost[0].num_samples, 120);
    assert_lost_chunk(&t, 1, 10);
    assert_lost_chunk(&t, 2, 16);
    assert_saved(&whole, whole.num_samples, &t);
    free(b.at);
}

static void salvage__partial_file__is_what_an_interrupted_writer_left(void **state) {
    (void)state;
    struct told t;
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_error err = {0};
    char *target = strdup(made_path("left.hrd"));
    const hr_field field = {.name = "y", .dtype = HR_INT64};
    int64_t values[256];
    for (int i = 0; i < 256; i++)
        values[i] = i;
    const void *const columns[] = {values};
    o.samples_per_chunk = 50;
    o.codec = HR_CODEC_RAW;
    made_ok(hr_writer_open(target, &field, 1, &o, &w, &err), &err);
    made_ok(hr_writer_append(w, 256, columns, &err), &err);
    hr_writer_close(w);
    char *before = path;
    assert_true(asprintf(&path, "%s.partial", target) > 0);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.result.num_samples, 250);
    assert_int_equal(t.result.end_known, 0);
    made_ok(hr_dataset_verify(output, NULL, &err), &err);
    /* Its own name would be that of the file to be read. */
    hr_salvage_options s = HR_SALVAGE_OPTIONS_INIT;
    s.path = path;
    s.output = target;
    assert_int_equal(hr_salvage(&s, NULL, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, ".partial"));
    assert_int_equal(access(path, F_OK), 0);
    free(path);
    free(target);
    path = before;
}

/* The beginning, up to the first chunk, was written over: the footer tells the fields. */
static void salvage__no_beginning__finds_all_by_the_footer(void **state) {
    (void)state;
    static const uint8_t fillers[] = {0, 0xff};
    for (size_t i = 0; i < sizeof fillers; i++) {
        struct told t;
        made_write(path, &whole);
        struct bytes b = load(path);
        memset(b.at, fillers[i], HR__DATA_OFF);
        store(path, b.at, b.n);
        assert_int_equal(salvage(&t), HR_OK);
        assert_int_equal(t.result.end_known, 0);
        assert_int_equal(t.num_lost, 0);
        assert_saved(&whole, whole.num_samples, &t);
        free(b.at);
    }
}

static void salvage__neither_footer_nor_job_record__says_why_it_cannot(void **state) {
    (void)state;
    struct told t;
    uint64_t footer_off;
    struct place chunks[NUM_CHUNKS];
    made_write(path, &whole);
    find_chunks(chunks, &footer_off);
    struct bytes b = load(path);
    b.at[footer_off + 200] ^= 1; /* its JSON */
    b.at[10] ^= 1;
    b.at[HR__SLOT1_OFF + 10] ^= 1;
    b.at[HR__JOB_OFF + 100] ^= 1; /* its JSON */
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_ERR_CORRUPT);
    assert_non_null(strstr(t.err.message, "job record"));
    assert_non_null(strstr(t.err.message, "superblocks"));
    assert_int_not_equal(access(output, F_OK), 0);
    store(path, (const uint8_t *)"hello", 5);
    assert_int_equal(salvage(&t), HR_ERR_CORRUPT);
    free(b.at);
}

static void salvage__nothing_whole__leaves_no_output(void **state) {
    (void)state;
    struct place chunks[NUM_CHUNKS];
    uint64_t footer_off;
    struct told t;
    made_write(path, &whole);
    find_chunks(chunks, &footer_off);
    struct bytes b = load(path);
    for (uint32_t c = 0; c < NUM_CHUNKS; c++)
        b.at[chunks[c].off + 50] ^= 1;
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_ERR_CORRUPT);
    assert_non_null(strstr(t.err.message, "no chunk"));
    assert_int_not_equal(access(output, F_OK), 0);
    char *partial = NULL;
    assert_true(asprintf(&partial, "%s.partial", output) > 0);
    assert_int_not_equal(access(partial, F_OK), 0);
    free(partial);
    free(b.at);
}

static void salvage__no_samples__is_an_empty_data_set(void **state) {
    (void)state;
    struct made m = whole;
    struct told t;
    m.num_samples = 0;
    made_write(path, &m);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.result.num_samples, 0);
    assert_saved(&m, 0, &t);
}

/* ---- chunks that were written anew by an append ---- */

/* A file without superblocks and footer: chunks 0 and 1, of which the second is short; then, as an
 * append of a second commit writes them, 1 and 2. newer_off: of the newer chunk 1. */
static struct bytes appended(uint64_t *newer_off, uint64_t *older_off) {
    struct made m = whole;
    char *more = strdup(made_path("more.hrd"));
    m.num_samples = 100;
    made_write(path, &m);
    made_write_part(more, &m, 60, 90);
    struct bytes old = load(path), new = load(more);
    uint64_t end = 0, at = HR__DATA_OFF;
    for (uint64_t off = HR__DATA_OFF; hr__chunk_header_peek(old.at + off, HR__PAGE_BYTES) != 0;) {
        struct hr__chunk_header h;
        memcpy(&h.chunk_bytes, old.at + off + 72, 8);
        *older_off = off;
        off += (h.chunk_bytes + HR__PAGE_BYTES - 1) / HR__PAGE_BYTES * HR__PAGE_BYTES;
        end = off;
    }
    struct bytes all = {calloc(1, end + new.n), end};
    memcpy(all.at, old.at, end);
    clear(&all, 0, HR__PAGE_BYTES);
    clear(&all, HR__SLOT1_OFF, HR__PAGE_BYTES);
    *newer_off = end;
    for (uint64_t number = 1; number <= 2; number++) {
        uint64_t chunk_bytes;
        memcpy(&chunk_bytes, new.at + at + 72, 8);
        const uint64_t n = (chunk_bytes + HR__PAGE_BYTES - 1) / HR__PAGE_BYTES * HR__PAGE_BYTES;
        hr__chunk_header_assign(new.at + at, old.at + 16, new.at + at + 32, 2, number);
        memcpy(all.at + all.n, new.at + at, n);
        all.n += n;
        at += n;
    }
    free(old.at);
    free(new.at);
    free(more);
    return all;
}

static void salvage__chunk_written_anew__the_later_one_is_meant(void **state) {
    (void)state;
    struct told t;
    uint64_t newer_off, older_off;
    struct bytes b = appended(&newer_off, &older_off);
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.num_lost, 0);
    assert_int_equal(t.result.num_samples, 150);
    assert_int_equal(t.result.num_chunks, 3);
    assert_int_equal(t.result.num_segments, 1);
    assert_saved(&whole, 150, &t);
    b.at[older_off + 400] ^= 1; /* of no matter */
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.num_lost, 0);
    assert_saved(&whole, 150, &t);
    free(b.at);
}

static void salvage__later_one_damaged__the_older_one_is_saved(void **state) {
    (void)state;
    struct told t;
    uint64_t newer_off, older_off;
    struct bytes b = appended(&newer_off, &older_off);
    b.at[newer_off + 400] ^= 1; /* a frame */
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.num_lost, 1);
    assert_int_equal(t.lost[0].first_sample, 100);
    assert_int_equal(t.lost[0].num_samples, 20);
    assert_int_equal(t.result.num_segments, 2);
    assert_saved(&whole, 150, &t);
    b.at[older_off + 400] ^= 1; /* neither is whole */
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.num_lost, 1);
    assert_int_equal(t.lost[0].first_sample, 60);
    assert_int_equal(t.lost[0].num_samples, 60);
    assert_saved(&whole, 150, &t);
    free(b.at);
}

/* ---- large samples, small budgets, and what is refused ---- */

static void salvage__sample_of_several_frames__is_decoded_in_pieces(void **state) {
    (void)state;
    struct made m = {.num_samples = 5, .samples_per_chunk = 1, .row_bytes = 3 << 20};
    m.row_words = 400000;
    m.codec = HR_CODEC_RAW;
    struct told t;
    made_write(path, &m);
    struct bytes b = load(path);
    b.at[b.n / 2] ^= 1;
    store(path, b.at, b.n);
    assert_int_equal(salvage(&t), HR_OK);
    assert_int_equal(t.num_lost, 1);
    assert_int_equal(t.result.num_samples, 4);
    assert_saved(&m, m.num_samples, &t);
    free(b.at);
}

static void salvage__what_cannot_be__is_refused_in_words(void **state) {
    (void)state;
    hr_salvage_options o = HR_SALVAGE_OPTIONS_INIT;
    hr_error err = {0};
    made_write(path, &whole);
    (void)unlink(output);
    assert_int_equal(hr_salvage(&o, NULL, &err), HR_ERR_INVALID);
    o.path = path;
    assert_int_equal(hr_salvage(&o, NULL, &err), HR_ERR_INVALID);
    o.output = path;
    assert_int_equal(hr_salvage(&o, NULL, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "also an input"));
    o.output = output;
    o.flags = 8;
    assert_int_equal(hr_salvage(&o, NULL, &err), HR_ERR_INVALID);
    o.flags = 0;
    o.budget_bytes = 1 << 20;
    assert_int_equal(hr_salvage(&o, NULL, &err), HR_ERR_BUDGET);
    o.budget_bytes = 0;
    o.path = "/nowhere/x.hrd";
    assert_int_equal(hr_salvage(&o, NULL, &err), HR_ERR_NOT_FOUND);
    o.path = path;
    store(output, (const uint8_t *)"mine", 4);
    assert_int_equal(hr_salvage(&o, NULL, &err), HR_ERR_EXISTS);
    o.flags = HR_SALVAGE_REPLACE;
    made_ok(hr_salvage(&o, NULL, &err), &err);
    made_ok(hr_dataset_verify(output, NULL, &err), &err);
}

static int stop(void *user, const hr_progress *progress) {
    (void)user;
    assert_true(progress->done_bytes <= progress->total_bytes);
    return 1;
}

static void salvage__stopped__leaves_nothing(void **state) {
    (void)state;
    hr_salvage_options o = HR_SALVAGE_OPTIONS_INIT;
    hr_error err = {0};
    char *partial = NULL;
    made_write(path, &whole);
    (void)unlink(output);
    o.path = path;
    o.output = output;
    o.on_progress = stop;
    assert_int_equal(hr_salvage(&o, NULL, &err), HR_ERR_CANCELLED);
    assert_true(asprintf(&partial, "%s.partial", output) > 0);
    assert_int_not_equal(access(partial, F_OK), 0);
    assert_int_not_equal(access(output, F_OK), 0);
    free(partial);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(salvage__whole_file__saves_all),
        cmocka_unit_test(statistics__of_what_is_saved__are_those_of_its_samples),
        cmocka_unit_test(salvage__flipped_bits__loses_the_chunk_that_was_hit_and_no_other),
        cmocka_unit_test(salvage__damaged_fields__are_named),
        cmocka_unit_test(salvage__damaged_padding__loses_nothing),
        cmocka_unit_test(provenance__of_what_is_saved__lists_what_is_missing),
        cmocka_unit_test(salvage__no_superblocks__finds_all_by_the_job_record),
        cmocka_unit_test(salvage__no_beginning__finds_all_by_the_footer),
        cmocka_unit_test(salvage__truncated_anywhere__saves_the_chunks_before),
        cmocka_unit_test(salvage__damaged_index__keeps_to_what_the_footer_says),
        cmocka_unit_test(salvage__partial_file__is_what_an_interrupted_writer_left),
        cmocka_unit_test(salvage__neither_footer_nor_job_record__says_why_it_cannot),
        cmocka_unit_test(salvage__nothing_whole__leaves_no_output),
        cmocka_unit_test(salvage__no_samples__is_an_empty_data_set),
        cmocka_unit_test(salvage__chunk_written_anew__the_later_one_is_meant),
        cmocka_unit_test(salvage__later_one_damaged__the_older_one_is_saved),
        cmocka_unit_test(salvage__sample_of_several_frames__is_decoded_in_pieces),
        cmocka_unit_test(salvage__what_cannot_be__is_refused_in_words),
        cmocka_unit_test(salvage__stopped__leaves_nothing),
    };
    path = strdup(made_path("damaged.hrd"));
    output = strdup(made_path("saved.hrd"));
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    free(path);
    free(output);
    made_cleanup();
    return rc;
}
