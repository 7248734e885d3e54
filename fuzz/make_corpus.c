/*
 * Writes the seeds of the corpora of the format's fuzz targets: small valid pieces, made by the
 * encoders. Usage: make_corpus FOLDER (that of the corpora, such as fuzz/corpus)
 */
#include "bytes.h"
#include "chunk_schemas.h"
#include "footer.h"
#include "frame_codec.h"
#include "frame_filter.h"
#include "job_record.h"
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *folder;

static void must(bool ok, const char *what) {
    if (ok)
        return;
    fprintf(stderr, "make_corpus: %s failed\n", what);
    exit(1);
}

static void store(const char *target, const char *name, const void *bytes, size_t n_bytes) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
    FILE *f = fopen(path, "wb");
    must(f != NULL && fwrite(bytes, 1, n_bytes, f) == n_bytes && fclose(f) == 0, path);
}

static void superblocks(void) {
    uint8_t input[1 + 2 * HR__PAGE_BYTES] = {0};
    struct hr__superblock sb = {.uuid = {1, 2, 3},
                                .commit_seq = 7,
                                .footer_off = HR__DATA_OFF,
                                .footer_bytes = 4000,
                                .footer_hash = 5,
                                .file_bytes = HR__DATA_OFF + HR__PAGE_BYTES,
                                .required = HR__FEATURE_ZSTD | HR__FEATURE_BYTE_SHUFFLE};
    store("superblock", "empty", input, sizeof(input));
    hr__superblock_encode(&sb, input + 1);
    store("superblock", "second_empty", input, sizeof(input));
    hr__superblock_encode(&sb, input + 1 + HR__PAGE_BYTES);
    store("superblock", "equal", input, sizeof(input));
    sb.commit_seq++;
    hr__superblock_encode(&sb, input + 1 + HR__PAGE_BYTES);
    input[0] = 3; /* hashes are made right from here on */
    store("superblock", "second_newer", input, sizeof(input));
    memcpy(input + 1 + HR__PAGE_BYTES + 128, "unknown\nzstd\n", 14);
    hr__put_u16(input + 1 + HR__PAGE_BYTES + 72, 13);
    store("superblock", "unknown_feature", input, sizeof(input));
}

static void job_records(void) {
    uint8_t input[HR__JOB_HEADER_BYTES + 1] = {0};
    struct hr__job_record job = {.samples_per_chunk = 64,
                                 .commit_seq = 1,
                                 .json_off = hr__job_json_off(HR__JOB_OFF, 500),
                                 .json_bytes = 500};
    hr__job_record_encode(&job, input);
    store("job_record", "small", input, sizeof(input));
    job.json_bytes = 100000;
    job.json_off = hr__job_json_off(HR__JOB_OFF, job.json_bytes);
    hr__job_record_encode(&job, input);
    store("job_record", "large", input, sizeof(input));
    job.json_off = hr__job_json_off(2 * HR__DATA_OFF, job.json_bytes);
    hr__job_record_encode(&job, input);
    input[HR__JOB_HEADER_BYTES] = 2;
    store("job_record", "append", input, sizeof(input));
}

static struct hr__statistics *statistics_of(hr_dtype dtype, bool labels, const void *data,
                                            size_t n) {
    struct hr__statistics *s = hr__statistics_new(dtype, labels);
    must(s != NULL && hr__statistics_add(s, data, 0, n, 1, NULL) == HR_OK, "statistics");
    return s;
}

static char *text_of(const char *text) {
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);
    must(copy != NULL, "malloc");
    return memcpy(copy, text, n);
}

static void footer_store(const struct hr__footer *f, const char *name) {
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    must(hr__footer_encode(f, &bytes, &n_bytes, NULL) == HR_OK, name);
    store("footer", name, bytes, n_bytes);
    free(bytes);
}

static void schema_decorate(struct hr__schema *s) {
    static const int64_t labels[] = {0, 0, 3, 3, 4, -9007199254740993, INT64_MAX};
    static const float values[] = {1, 2, 0, -1.5f};
    s->fields[0].statistics = statistics_of(HR_FLOAT32, false, values, 4);
    s->fields[1].statistics = statistics_of(HR_INT64, true, labels, 7);
    s->fields[0].attributes_json = text_of("{\"unit\":\"m\",\"deep\":[[[{\"a\":1.5}]]]}");
    s->fields[0].storage = (struct hr__storage){.codec = HR__CODEC_ZSTD,
                                                .filter = HR__FILTER_BYTE_SHUFFLE,
                                                .element_bytes = 4,
                                                .level = 1,
                                                .why_json = text_of("{\"reason\":\"faster\"}")};
    s->attributes_json = text_of("{\"title\":\"\\u00e4\"}");
    s->provenance_json = text_of("{\"program\":\"headrace\",\"sources\":[]}");
}

static void footers(void) {
    struct hr__segment segments[] = {{0, 2, 0, 100}, {2, 9000, 100, 64 * 9000}};
    struct hr__index_page_ref pages[] = {{HR__DATA_OFF, 1}, {2 * HR__DATA_OFF, 2}};
    struct hr__footer f = {.uuid = {9}, .commit_seq = 1};
    chunk_schema_make(2, &f.schema);
    footer_store(&f, "no_samples");
    hr__schema_free(&f.schema);
    chunk_schema_make(0, &f.schema);
    schema_decorate(&f.schema);
    f.num_segments = 2;
    f.segments = segments;
    f.num_chunks = 9002;
    f.num_samples = 100 + 64 * 9000;
    f.num_index_pages = 2;
    f.index_pages = pages;
    f.max_chunk_pages = 3;
    footer_store(&f, "two_segments");
    hr__schema_free(&f.schema);
}

static void index_pages(void) {
    uint8_t input[12 + 3 * 4 + 4 * 8] = {0};
    hr__put_u32(input, 1000);
    hr__put_u32(input + 6, 20);
    hr__put_u16(input + 9, 63);
    input[11] = 3;
    for (uint32_t i = 0; i < 3; i++) {
        hr__put_u16(input + 12 + 4 * i, (uint16_t)(100 * i));
        hr__put_u16(input + 14 + 4 * i, (uint16_t)(10 * i));
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct hr__index_entry e = {.page = 31 + i * 330, .pages = 1 + i * 6};
        hr__put_u64(input + 24 + 8 * i, hr__index_entry_encode(e));
    }
    store("index_page", "three_segments", input, sizeof(input));
}

#define MAX_CHUNK_FRAMES 64u

/* A chunk under construction; frames in block order. */
struct chunk {
    struct hr__frame frames[MAX_CHUNK_FRAMES];
    uint32_t per_block[3], num_frames;
    uint8_t *stored;
    size_t stored_bytes;
};

static void block_add(struct chunk *c, uint32_t block, const struct hr__schema_field *f,
                      uint32_t num_samples, uint8_t filter, struct hr__frame_encoder *encoder) {
    struct hr__storage zstd = {.codec = HR__CODEC_ZSTD, .filter = filter};
    uint64_t left = f->sample_bytes * num_samples, in_sample = f->sample_bytes;
    zstd.element_bytes = (uint8_t)hr_dtype_bytes(f->dtype);
    zstd.distance_bytes = hr__filter_has_delta(filter) ? zstd.element_bytes : 0;
    uint8_t *plain = calloc(1, HR__MAX_FRAME_BYTES);
    must(plain != NULL, "calloc");
    for (uint32_t i = 0; i < 4096; i++)
        plain[i] = (uint8_t)(i * i >> 5);
    for (uint64_t n; left > 0; left -= n, in_sample -= n) {
        in_sample = in_sample == 0 ? f->sample_bytes : in_sample;
        n = f->sample_bytes > HR__MAX_FRAME_BYTES ? in_sample : left;
        n = n < HR__MAX_FRAME_BYTES ? n : HR__MAX_FRAME_BYTES;
        size_t room = hr__frame_bound((size_t)n);
        must(hr__frame_encode(encoder, &zstd, plain, (uint32_t)n, c->stored + c->stored_bytes, room,
                              &c->frames[c->num_frames], NULL) == HR_OK,
             "a frame");
        c->stored_bytes += c->frames[c->num_frames++].stored_bytes;
        c->per_block[block]++;
        in_sample = f->sample_bytes > HR__MAX_FRAME_BYTES ? in_sample : n;
    }
    free(plain);
}

static void frame_add(struct chunk *c, uint32_t block, const struct hr__storage *how,
                      const void *bytes, size_t n_bytes, struct hr__frame_encoder *encoder) {
    must(hr__frame_encode(encoder, how, bytes, (uint32_t)n_bytes, c->stored + c->stored_bytes,
                          hr__frame_bound(n_bytes), &c->frames[c->num_frames], NULL) == HR_OK,
         "a frame");
    c->stored_bytes += c->frames[c->num_frames++].stored_bytes;
    c->per_block[block]++;
}

/* Values of the lengths 0, 3, 6, ... in two frames. */
static void texts_add(struct chunk *c, uint32_t num_samples, uint8_t filter,
                      struct hr__frame_encoder *encoder) {
    const struct hr__storage ends_how = {.codec = HR__CODEC_ZSTD,
                                         .filter = filter,
                                         .element_bytes = filter != HR__FILTER_NONE ? 8 : 0,
                                         .distance_bytes = hr__filter_has_delta(filter) ? 8 : 0};
    const struct hr__storage values_how = {.codec = HR__CODEC_ZSTD};
    uint64_t ends[64], end = 0;
    char values[8192];
    for (uint32_t i = 0; i < num_samples; i++)
        ends[i] = end += 3 * (uint64_t)i;
    memset(values, 'a', sizeof(values));
    const size_t half = (size_t)ends[num_samples / 2];
    frame_add(c, 1, &ends_how, ends, num_samples * sizeof(ends[0]), encoder);
    frame_add(c, 2, &values_how, values, half, encoder);
    frame_add(c, 2, &values_how, values, (size_t)end - half, encoder);
}

static void chunk_store(uint32_t which, uint32_t num_samples, uint8_t filter, const char *name) {
    struct hr__schema s;
    struct hr__frame_encoder encoder;
    struct chunk c = {.stored = malloc(8u << 20)};
    must(c.stored != NULL && hr__frame_encoder_init(&encoder, NULL) == HR_OK, "an encoder");
    chunk_schema_make(which, &s);
    for (uint32_t b = 0; b < s.num_fields - s.num_variable; b++)
        block_add(&c, b, &s.fields[s.block_order[b]], num_samples,
                  s.num_variable == 0 ? filter : HR__FILTER_NONE, &encoder);
    if (s.num_variable > 0)
        texts_add(&c, num_samples, filter, &encoder);
    struct hr__chunk_header h = {.num_samples = num_samples,
                                 .commit_seq = 1,
                                 .layout_hash = s.layout_hash,
                                 .num_blocks = s.num_fields + s.num_variable,
                                 .num_frames = c.num_frames};
    h.header_bytes = HR__CHUNK_FIXED_BYTES + HR__BLOCK_ENTRY_BYTES * h.num_blocks +
                     HR__FRAME_ENTRY_BYTES * c.num_frames;
    h.chunk_bytes = h.header_bytes + c.stored_bytes;
    uint8_t *input = malloc(1 + (size_t)h.chunk_bytes);
    must(input != NULL, "malloc");
    input[0] = (uint8_t)which;
    hr__chunk_header_encode(&h, &s, c.per_block, c.frames, input + 1);
    memcpy(input + 1 + h.header_bytes, c.stored, c.stored_bytes);
    store("chunk", name, input, 1 + (size_t)h.chunk_bytes);
    free(input);
    free(c.stored);
    hr__frame_encoder_free(&encoder);
    hr__schema_free(&s);
}

static void guard_records(void) {
    static struct hr__record r;
    uint8_t page[HR__RECORD_BYTES];
    r.id =
        (struct hr__process_id){"7daaecf5-9611-4274-a551-000000000000", 4211, 4274551, 4026531836};
    r.limit_kind = HR_MEMORY_LIMIT_CGROUP_V2;
    r.limit_bytes = UINT64_C(1) << 30;
    r.used_bytes = UINT64_C(1000) << 20;
    strcpy(r.limit_name, "/sys/fs/cgroup/job");
    strcpy(r.command, "python train.py");
    r.epoch = r.step = r.nan_epoch = r.nan_batch = UINT64_MAX;
    hr__record_encode(&r, page);
    store("guard_record", "plain", page, sizeof(page));
    for (uint64_t i = 0; i < 8; i++) {
        const struct hr__epoch_memory m = {i, i * (UINT64_C(100) << 20), UINT64_C(10) << 20};
        hr__epochs_note(&r.epochs, &m);
    }
    r.epoch = 7;
    r.step = 612;
    r.nan_epoch = 3;
    r.nan_batch = 9;
    hr__record_encode(&r, page);
    store("guard_record", "epochs", page, sizeof(page));
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    superblocks();
    job_records();
    guard_records();
    footers();
    index_pages();
    chunk_store(0, 64, HR__FILTER_BYTE_SHUFFLE, "numbers");
    chunk_store(1, 1, HR__FILTER_BYTE_SHUFFLE, "large_samples");
    chunk_store(2, 50, HR__FILTER_BYTE_SHUFFLE, "empty_samples");
    chunk_store(0, 63, HR__FILTER_BIT_SHUFFLE, "bit_shuffle");
    chunk_store(0, 64, HR__FILTER_DELTA, "delta");
    chunk_store(0, 64, HR__FILTER_DELTA_BYTE_SHUFFLE, "delta_byte_shuffle");
    chunk_store(1, 1, HR__FILTER_DELTA_BIT_SHUFFLE, "delta_bit_shuffle");
    chunk_store(3, 16, HR__FILTER_NONE, "texts");
    chunk_store(3, 16, HR__FILTER_DELTA_BYTE_SHUFFLE, "texts_filtered_ends");
    return 0;
}
